//! What the operator decides. The keys of `peers` are brought into the form in which domains are looked up.

use crate::{name, target::Mode};
use std::{collections::HashMap, net::SocketAddr, path::PathBuf, sync::Arc};

/// Fills a buffer with random bytes.
pub type Fill = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Settings.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Name servers; without any, those of the system's `resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// File of the root zone's DNSKEY records, in the form of a zone file; built-in anchors without it.
    pub trust_anchor: Option<PathBuf>,
    /// SOCKS5 proxy, as `host:port`.
    pub proxy: Option<String>,
    /// Peers that are reached in a way of their own, by domain.
    pub peers: HashMap<String, Peer>,
}

/// How one peer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Host and port. Without it a direct peer is found by DNS, and a peer behind the proxy is asked for at port 5269.
    pub address: Option<(String, u16)>,
    /// How TLS begins. Without meaning for a peer that is found by DNS, which says so itself.
    pub mode: Mode,
    /// The way there.
    pub via: Via,
}

/// A way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Direct.
    Direct,
    /// Through the proxy, which resolves the name.
    Proxy,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DialFault {
    /// The system's name servers cannot be read.
    #[error("the system's name servers cannot be read")]
    System,
    /// There is no name server.
    #[error("there is no name server")]
    NoServer,
    /// The trust anchors cannot be read.
    #[error("{path}: no DNSKEY record of the root zone can be read")]
    TrustAnchor {
        /// The file.
        path: PathBuf,
    },
    /// A key of `peers` is no domain.
    #[error("{domain:?} is no domain")]
    Domain {
        /// As it is written.
        domain: String,
    },
    /// A peer is behind the proxy, and there is none.
    #[error("{domain:?} is to be reached through a proxy, and none is set")]
    NoProxy {
        /// The peer.
        domain: String,
    },
    /// The proxy has no port.
    #[error("the proxy is not written as host:port")]
    Proxy,
}

impl Settings {
    /// The peers by their A-labels.
    pub(crate) fn by_domain(&self) -> Result<HashMap<String, Peer>, DialFault> {
        let entry = |(domain, peer): (&String, &Peer)| {
            let fault = || DialFault::Domain { domain: domain.clone() };
            if peer.via == Via::Proxy && self.proxy.is_none() {
                return Err(DialFault::NoProxy { domain: domain.clone() });
            }
            let mut peer = peer.clone();
            if let Some((host, _)) = &mut peer.address {
                *host = name::ascii(host).ok_or_else(fault)?;
            }
            Ok((name::ascii(domain).ok_or_else(fault)?, peer))
        };
        self.peers.iter().map(entry).collect()
    }
    /// The proxy's host and port.
    pub(crate) fn proxy(&self) -> Result<Option<(String, u16)>, DialFault> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let (host, port) = proxy.rsplit_once(':').ok_or(DialFault::Proxy)?;
        let port = port.parse().map_err(|_| DialFault::Proxy)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() { Err(DialFault::Proxy) } else { Ok(Some((host.to_owned(), port))) }
    }
}
