//! `[listen]`: a kind of listener that this build does not serve has an empty default, and anything else is refused.

use super::{
    mistakes::Collector,
    values::{Listener, list},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, net::SocketAddr};

/// Where the server listens. Empty lists listen nowhere.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Listen {
    /// Clients that begin without TLS and are held to STARTTLS before anything else.
    #[serde(with = "list")]
    #[schemars(with = "Vec<Listener>")]
    pub c2s: Vec<Listener>,
    /// Clients that begin with TLS (XEP-0368).
    #[serde(with = "list")]
    #[schemars(with = "Vec<Listener>")]
    pub c2s_direct_tls: Vec<Listener>,
    /// Servers that begin without TLS and are held to STARTTLS before anything else. With both lists empty there is no
    /// federation at all.
    #[serde(with = "list")]
    #[schemars(with = "Vec<Listener>")]
    pub s2s: Vec<Listener>,
    /// Servers that begin with TLS (XEP-0368).
    #[serde(with = "list")]
    #[schemars(with = "Vec<Listener>")]
    pub s2s_direct_tls: Vec<Listener>,
    /// Web clients, uploads, pages. Not served by this build.
    #[serde(with = "list")]
    #[schemars(with = "Vec<Listener>")]
    pub https: Vec<Listener>,
    /// Loopback listeners that Tor forwards to. Not served by this build: point Tor at a listener of `c2s` or `s2s` on
    /// loopback.
    #[serde(with = "list")]
    #[schemars(with = "Vec<Listener>")]
    pub onion: Vec<Listener>,
}

impl Default for Listen {
    fn default() -> Self {
        let any = |port: u16| vec![Listener(SocketAddr::from(([0_u16; 8], port)))];
        let none = Vec::new;
        Self {
            c2s: any(5222),
            c2s_direct_tls: any(5223),
            s2s: any(5269),
            s2s_direct_tls: any(5270),
            https: none(),
            onion: none(),
        }
    }
}

impl Listen {
    /// STARTTLS listeners for clients.
    pub fn c2s(&self) -> Vec<SocketAddr> {
        self.c2s.iter().map(|l| l.0).collect()
    }
    /// Direct TLS listeners for clients.
    pub fn c2s_direct_tls(&self) -> Vec<SocketAddr> {
        self.c2s_direct_tls.iter().map(|l| l.0).collect()
    }
    /// STARTTLS listeners for servers.
    pub fn s2s(&self) -> Vec<SocketAddr> {
        self.s2s.iter().map(|l| l.0).collect()
    }
    /// Direct TLS listeners for servers.
    pub fn s2s_direct_tls(&self) -> Vec<SocketAddr> {
        self.s2s_direct_tls.iter().map(|l| l.0).collect()
    }
    /// Does this server speak with others?
    pub fn federates(&self) -> bool {
        !self.s2s.is_empty() || !self.s2s_direct_tls.is_empty()
    }
    /// All that this build serves, by the key that names it.
    pub fn served(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let c2s = self.c2s.iter().map(|l| ("c2s", l.0));
        let s2s = self.s2s.iter().map(|l| ("s2s", l.0));
        c2s.chain(self.c2s_direct_tls.iter().map(|l| ("c2s_direct_tls", l.0)))
            .chain(s2s)
            .chain(self.s2s_direct_tls.iter().map(|l| ("s2s_direct_tls", l.0)))
    }

    pub(super) fn validate(&self, at: &mut Collector) {
        for (key, list, what) in [("https", &self.https, "HTTPS"), ("onion", &self.onion, "onion services")] {
            if !list.is_empty() {
                let found: Vec<_> = list.iter().map(ToString::to_string).collect();
                at.wrong("listen", key, format!("found {}; this build does not serve {what} yet; allowed: []", found.join(", ")));
            }
        }
        let mut seen = HashMap::new();
        for (key, address) in self.served() {
            if let Some(other) = seen.insert(address, key) {
                at.wrong("listen", key, format!("found {address}, which \"{other}\" has already; allowed: each address once"));
            }
        }
    }
}
