//! `[s2s]` and its peers: settings that are each allowed and together do nothing, or less than they seem to.

use super::{domains, finding};
use crate::config::{Config, Peer, Via};
use bocage_api::{Finding, Severity};
use bocage_tls::Trust;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    if !config.listen.federates() {
        return Vec::new();
    }
    let mut all: Vec<Finding> = trust(config).into_iter().collect();
    all.extend(config.s2s.peers.iter().flat_map(|(domain, peer)| about(config, domain, peer)));
    all
}

/// For a server that nobody can look for, nothing has to be there.
fn trust(config: &Config) -> Option<Finding> {
    if config.makes_own_certificate() {
        return None;
    }
    let given = Some(config.s2s.trust_anchors.as_path()).filter(|path| !path.as_os_str().is_empty());
    Some(match Trust::load(given) {
        Err(fault) => finding(Severity::Error, format!("[s2s] trust_anchors: {fault}")),
        Ok(trust) if trust.count() == 0 => finding(
            Severity::Warning,
            "[s2s]: this machine trusts no authority (Debian: the package ca-certificates): only servers with a pin or with \
             TLSA records can be believed",
        ),
        Ok(trust) => finding(Severity::Good, format!("[s2s]: {} authorities are trusted", trust.count())),
    })
}

fn about(config: &Config, domain: &str, peer: &Peer) -> Vec<Finding> {
    let s2s = &config.s2s;
    let within = |list: &[String]| {
        list.iter().any(|entry| domain == entry || domain.strip_suffix(entry.as_str()).is_some_and(|above| above.ends_with('.')))
    };
    let own = config.host(domain).is_some() || domains::services(config).iter().any(|service| service == domain);
    let mut wrong = Vec::new();
    if own {
        wrong.push("is served here: the table has no effect");
    }
    if within(&s2s.deny) || !(s2s.allow.is_empty() || within(&s2s.allow)) {
        wrong.push("is not spoken with (allow, deny): the table has no effect");
    }
    if domain.ends_with(".onion") && s2s.proxy.is_empty() {
        wrong.push("is reached through a proxy alone, and s2s.proxy is empty");
    }
    if peer.direct_tls && peer.address.is_empty() && peer.via == Via::Direct {
        wrong.push("has direct_tls without an address: the DNS says how TLS begins, and the key has no effect");
    }
    let pinned = (!peer.pin.is_empty()).then(|| {
        finding(
            Severity::Good,
            format!("[s2s.peers.\"{domain}\"]: its pin alone decides who it is; replace it before its key changes"),
        )
    });
    wrong.into_iter().map(|what| finding(Severity::Warning, format!("[s2s.peers.\"{domain}\"]: {what}"))).chain(pinned).collect()
}
