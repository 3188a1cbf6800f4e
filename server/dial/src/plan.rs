//! How a domain is reached, before anybody is asked. What may not meet DNS leaves here.

use crate::{
    name,
    settings::{Peer, Via},
    target::{Mode, Unreachable},
};
use std::collections::HashMap;

/// Port of STARTTLS between servers (RFC 6120, section 14.7).
pub(crate) const PORT: u16 = 5269;

/// A way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Through the proxy, which resolves the name.
    Proxy(Place),
    /// The operator has said where.
    Fixed(Place),
    /// DNS says where.
    Lookup(String),
}

/// Host, port and how TLS begins there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) mode: Mode,
}

/// The way to `domain`.
pub(crate) fn plan(domain: &str, peers: &HashMap<String, Peer>, proxied: Proxied) -> Result<Plan, Unreachable> {
    let domain = name::ascii(domain).ok_or(Unreachable::NotFound)?;
    let peer = peers.get(&domain);
    let place = place(&domain, peer);
    if name::is_onion(&place.host) || peer.is_some_and(|p| p.via == Via::Proxy) {
        return match proxied {
            Proxied::Possible => Ok(Plan::Proxy(place)),
            Proxied::Impossible => Err(Unreachable::NotFound),
        };
    }
    match peer {
        Some(peer) if peer.address.is_some() || name::ip(&domain).is_some() => Ok(Plan::Fixed(place)),
        _ if name::ip(&domain).is_some() => Err(Unreachable::NotFound),
        _ => Ok(Plan::Lookup(domain)),
    }
}

/// Whether there is a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxied {
    /// There is.
    Possible,
    /// There is none.
    Impossible,
}

fn place(domain: &str, peer: Option<&Peer>) -> Place {
    let mode = peer.map_or(Mode::Starttls, |p| p.mode);
    let (host, port) = peer.and_then(|p| p.address.clone()).unwrap_or_else(|| (domain.to_owned(), PORT));
    Place { host, port, mode }
}
