//! `[s2s]`: links with other servers. There is no key that makes an unverified peer acceptable (H42).

use super::mistakes::Collector;
use bocage_api::config::{Rate, Size, Span};
use bocage_tls::Pin;
use jid::DomainPart;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// Links with other servers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct S2s {
    /// A PEM file with authorities to trust besides the system's; empty = none.
    pub trust_anchors: PathBuf,
    /// The largest stanza that is read from a server, from 10000 B to 16 MiB.
    pub max_stanza_size: Size,
    /// How much one link may send, on average. `"off"` is a relaxation.
    pub rate: Rate,
    /// How long it is remembered what a peer was like at its best; one that offers less is refused meanwhile, until
    /// `bocage peers accept DOMAIN`. From 1d to 366d.
    pub peer_memory: Span,
    /// A link without traffic is closed after so long, from 1m to 24h.
    pub idle_close: Span,
    /// Domains, with all below them, that are spoken with; empty = all that prove who they are.
    pub allow: Vec<String>,
    /// Domains, with all below them, that are not spoken with.
    pub deny: Vec<String>,
    /// A SOCKS5 proxy (Tor) as `HOST:PORT` for peers whose domain ends in `.onion` and for those with `via = "proxy"`;
    /// empty = none. Each peer gets a circuit of its own.
    pub proxy: String,
    /// Single peers: `[s2s.peers."odd.example"]`.
    pub peers: BTreeMap<String, Peer>,
}

/// What is special about a peer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Peer {
    /// `HOST:PORT` instead of what the DNS says; empty = the DNS.
    pub address: String,
    /// The address speaks TLS from the first byte (XEP-0368).
    pub direct_tls: bool,
    /// `"direct"` or `"proxy"`.
    pub via: Via,
    /// `sha256:` and the fingerprint of its key or certificate, which then decides alone; empty = none.
    pub pin: String,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Over the network.
    #[default]
    Direct,
    /// Through `s2s.proxy`.
    Proxy,
}

const SMALLEST_STANZA: Size = Size::bytes(10_000);
const LARGEST_STANZA: Size = Size::mib(16);

impl Default for S2s {
    fn default() -> Self {
        Self {
            trust_anchors: PathBuf::new(),
            max_stanza_size: Size::kib(512),
            rate: Rate::kib(1024),
            peer_memory: Span::days(90),
            idle_close: Span::seconds(900),
            allow: Vec::new(),
            deny: Vec::new(),
            proxy: String::new(),
            peers: BTreeMap::new(),
        }
    }
}

impl S2s {
    pub(super) fn validate(&self, at: &mut Collector) {
        if !self.trust_anchors.as_os_str().is_empty() && !self.trust_anchors.is_file() {
            let found = self.trust_anchors.display();
            at.wrong("s2s", "trust_anchors", format!("found \"{found}\", which is no file; allowed: a PEM file, or \"\""));
        }
        if !(SMALLEST_STANZA..=LARGEST_STANZA).contains(&self.max_stanza_size) {
            let found = self.max_stanza_size;
            at.wrong("s2s", "max_stanza_size", format!("found \"{found}\"; allowed: from {SMALLEST_STANZA} to {LARGEST_STANZA}"));
        }
        within(at, "peer_memory", self.peer_memory, (Span::days(1), Span::days(366)));
        within(at, "idle_close", self.idle_close, (Span::seconds(60), Span::days(1)));
        for (key, list) in [("allow", &self.allow), ("deny", &self.deny)] {
            for domain in list.iter().filter(|domain| !is_domain(domain)) {
                at.wrong("s2s", key, format!("found \"{domain}\"; allowed: domains in lower case"));
            }
        }
        if !self.proxy.is_empty() && host_port(&self.proxy).is_none() {
            at.wrong("s2s", "proxy", format!("found \"{}\"; allowed: HOST:PORT, or \"\"", self.proxy));
        }
        for (domain, peer) in &self.peers {
            peer.validate(domain, self, at);
        }
    }
}

impl Peer {
    fn validate(&self, domain: &str, s2s: &S2s, at: &mut Collector) {
        let table = format!("s2s.peers.\"{domain}\"");
        if !is_domain(domain) {
            at.wrong("s2s", "peers", format!("found \"{domain}\"; allowed: domains in lower case"));
        }
        if !self.address.is_empty() && host_port(&self.address).is_none() {
            at.wrong(&table, "address", format!("found \"{}\"; allowed: HOST:PORT, or \"\"", self.address));
        }
        if self.via == Via::Proxy && s2s.proxy.is_empty() {
            at.wrong(&table, "via", "found \"proxy\", but s2s.proxy is empty; allowed: \"direct\", or a proxy there");
        }
        if !self.pin.is_empty() && self.pin().is_none() {
            at.wrong(&table, "pin", format!("found \"{}\"; allowed: sha256: and 64 hexadecimal digits, or \"\"", self.pin));
        }
    }
    /// The pin, if there is one.
    pub fn pin(&self) -> Option<Pin> {
        Pin::parse(&self.pin).ok()
    }
    /// The address, if there is one.
    pub fn address(&self) -> Option<(String, u16)> {
        host_port(&self.address)
    }
}

fn within(at: &mut Collector, key: &str, found: Span, (least, most): (Span, Span)) {
    if found < least || found > most {
        at.wrong("s2s", key, format!("found \"{found}\"; allowed: from {least} to {most}"));
    }
}

fn is_domain(text: &str) -> bool {
    DomainPart::new(text).is_ok_and(|domain| domain.as_str() == text)
}

fn host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_peers_have_tables_of_their_own() {
        let given = "[peers.'odd.example']\naddress = 'h.example:5269'".parse().unwrap();
        let mut at = Collector::default();
        let (s2s, _) = crate::config::table::read::<S2s>("s2s", &given, &mut at);
        let peer = s2s.peers.get("odd.example").expect("it is read");
        assert_eq!(peer.address(), Some(("h.example".into(), 5269)));
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(host_port("[::1]:5269"), Some(("::1".into(), 5269)));
        assert_eq!(host_port("odd.example:5269"), Some(("odd.example".into(), 5269)));
        assert!(["", "odd.example", ":5269", "odd.example:0", "odd.example:x"].into_iter().all(|t| host_port(t).is_none()));
    }
}
