//! Resolvers, made as the settings say. Bounds of what they remember are here.

use crate::settings::{DialFault, Settings};
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    proto::dnssec::TrustAnchors,
    system_conf::read_system_conf,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Answers that are remembered.
const CACHE: u64 = 2048;
/// How long at most.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long at most, when there is nothing.
const LONGEST_DENIAL: Duration = Duration::from_secs(300);
/// For an answer, before asking again or elsewhere.
const PATIENCE: Duration = Duration::from_secs(3);
/// Rounds of hashing beyond which a zone is bogus, not unsigned: whose zone it is would not be looked at.
const ROUNDS: u16 = 150;
/// Questions beside the first.
const ATTEMPTS: usize = 1;

/// All that a resolver is made of.
pub(super) struct Recipe {
    config: ResolverConfig,
    anchors: Arc<TrustAnchors>,
}

impl Recipe {
    pub(super) fn new(settings: &Settings) -> Result<Self, DialFault> {
        let servers = if settings.servers.is_empty() { system()? } else { settings.servers.iter().map(server).collect() };
        if servers.is_empty() {
            return Err(DialFault::NoServer);
        }
        let anchors = match &settings.trust_anchor {
            None => TrustAnchors::default(),
            Some(path) => {
                let read = TrustAnchors::from_file(path).ok().filter(|anchors| !anchors.is_empty());
                read.ok_or_else(|| DialFault::TrustAnchor { path: path.clone() })?
            }
        };
        Ok(Self { config: ResolverConfig::from_parts(None, Vec::new(), servers), anchors: Arc::new(anchors) })
    }

    /// One that validates.
    pub(super) fn validating(&self) -> Result<TokioResolver, DialFault> {
        let builder = Resolver::builder_with_config(self.config.clone(), TokioRuntimeProvider::default());
        let builder = builder.with_options(options()).with_trust_anchor(self.anchors.clone());
        let builder = builder.nsec3_iteration_limits(Some(ROUNDS), Some(ROUNDS));
        builder.build().map_err(|_| DialFault::NoServer)
    }

    /// One that does not.
    pub(super) fn plain(&self) -> Result<TokioResolver, DialFault> {
        let builder = Resolver::builder_with_config(self.config.clone(), TokioRuntimeProvider::default());
        builder.with_options(options()).build().map_err(|_| DialFault::NoServer)
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = PATIENCE;
    options.attempts = ATTEMPTS;
    options.cache_size = CACHE;
    options.positive_max_ttl = Some(LONGEST);
    options.negative_max_ttl = Some(LONGEST_DENIAL);
    options.use_hosts_file = ResolveHosts::Never;
    // An alias is part of the proof.
    options.preserve_intermediates = true;
    options.try_tcp_on_error = true;
    options
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

fn system() -> Result<Vec<NameServerConfig>, DialFault> {
    let (config, _) = read_system_conf().map_err(|_| DialFault::System)?;
    Ok(config.name_servers().to_vec())
}
