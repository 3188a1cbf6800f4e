//! Links with other servers, from the configuration.

use crate::config::{Config, Via};
use anyhow::Context;
use bocage_core::{router::Router, s2s::Federation, settings::S2s};
use bocage_dial::{Dialer, Mode, Peer};
use bocage_tls::{Acceptor, Trust};
use std::{path::PathBuf, sync::Arc};

/// `None` when the server listens for no other.
///
/// # Errors
/// When authorities or name servers cannot be had.
pub(super) fn federation(
    config: &Config,
    router: &Arc<Router>,
    acceptor: &Arc<Acceptor>,
) -> anyhow::Result<Option<Arc<Federation>>> {
    if !config.listen.federates() {
        return Ok(None);
    }
    let anchors = given(&config.s2s.trust_anchors);
    let trust = Trust::load(anchors.as_deref()).context("s2s.trust_anchors")?;
    let entropy = router.entropy.clone();
    let fill = Arc::new(move |bytes: &mut [u8]| entropy.fill(bytes));
    let dialer = Dialer::new(ways(config), fill).context("[dns]")?;
    Ok(Some(Federation::new(router.clone(), acceptor.clone(), (dialer, trust), settings(config))))
}

/// How peers are found.
pub(crate) fn ways(config: &Config) -> bocage_dial::Settings {
    let s2s = &config.s2s;
    let peer = |peer: &crate::config::Peer| Peer {
        address: peer.address(),
        mode: if peer.direct_tls { Mode::DirectTls } else { Mode::Starttls },
        via: match peer.via {
            Via::Direct => bocage_dial::Via::Direct,
            Via::Proxy => bocage_dial::Via::Proxy,
        },
    };
    bocage_dial::Settings {
        servers: config.dns.servers.iter().map(|server| server.0).collect(),
        trust_anchor: given(&config.dns.trust_anchor),
        proxy: Some(s2s.proxy.clone()).filter(|proxy| !proxy.is_empty()),
        peers: s2s.peers.iter().map(|(domain, is)| (domain.clone(), peer(is))).collect(),
    }
}

fn settings(config: &Config) -> S2s {
    let s2s = &config.s2s;
    let pins = s2s.peers.iter().filter_map(|(domain, peer)| Some((domain.clone(), vec![peer.pin()?])));
    S2s {
        default_host: config.domain().to_owned(),
        max_stanza_size: s2s.max_stanza_size.as_usize(),
        rate: s2s.rate.bytes_per_second(),
        burst: config.c2s.burst.duration(),
        idle_close: s2s.idle_close.duration(),
        peer_memory: s2s.peer_memory.duration(),
        allow: s2s.allow.clone(),
        deny: s2s.deny.clone(),
        pins: pins.collect(),
    }
}

fn given(path: &std::path::Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}
