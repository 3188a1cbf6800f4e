//! One host's identity: its certificate, and the rustls configs made from it. A config holds exactly one certificate,
//! so the `tls-server-end-point` hash beside it is certain, and its own ticket keys, so a session never resumes into
//! another certificate: whoever makes a new identity has thereby retired the tickets of the old one.
//!
//! For clients there are four configs: with and without ALPN (a STARTTLS client may send any), and hybrid-only or not (see
//! `provider`). All refuse 0-RTT, keep no session in memory, and demand the extended master secret of TLS 1.2, without
//! which RFC 9266 section 3 allows no `tls-exporter`. Those for other servers are made in `peer::configs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, Error, NamedGroup, ServerConfig, SupportedProtocolVersion};

use crate::accept::Opening;
use crate::directory::Material;
use crate::fault::CertificateError;
use crate::leaf::Leaf;
use crate::peer::{Approach, PeerConfigs};
use crate::provider::{hybrid_only, provider};

/// XEP-0368 section 4.
const ALPN_CLIENT: &[u8] = b"xmpp-client";
/// Clients open one connection; a second ticket would only cost bytes.
const TICKETS: usize = 1;
/// A warning comes this many days before the end, or at the last third of a shorter life.
const WARN_DAYS: i64 = 14;
const DAY: i64 = 86_400;

pub(crate) static MODERN: &[&SupportedProtocolVersion] = &[&TLS13];
static INTERMEDIATE: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Which TLS versions are spoken (`tls.c2s`, `tls.s2s`). Suites are AEAD with (EC)DHE in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// TLS 1.3.
    #[default]
    Modern,
    /// TLS 1.3 and 1.2.
    Intermediate,
}

impl Profile {
    pub(crate) fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Modern => MODERN,
            Self::Intermediate => INTERMEDIATE,
        }
    }
}

/// The profiles of the two kinds of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profiles {
    /// `tls.c2s`.
    pub clients: Profile,
    /// `tls.s2s`.
    pub servers: Profile,
}

impl From<Profile> for Profiles {
    /// Of clients; servers get [`Profile::Intermediate`], the default of `tls.s2s`.
    fn from(clients: Profile) -> Self {
        Self { clients, servers: Profile::Intermediate }
    }
}

/// A host with its certificate, ready to accept connections.
#[derive(Debug)]
pub struct ServerIdentity {
    host: Arc<str>,
    chain_path: PathBuf,
    leaf: Leaf,
    direct: Configs,
    starttls: Configs,
    peers: PeerConfigs,
}

#[derive(Debug)]
pub(crate) struct Configs {
    pub(crate) any: Arc<ServerConfig>,
    pub(crate) hybrid: Arc<ServerConfig>,
}

impl ServerIdentity {
    pub(crate) fn new(host: &str, material: &Material, profiles: Profiles) -> Result<Self, CertificateError> {
        let setup = |cause: Error| CertificateError::Setup { host: host.to_owned(), cause: cause.to_string() };
        let tickets = Ticketer::new().map_err(setup)?;
        Ok(Self {
            host: host.into(),
            chain_path: material.chain_path.clone(),
            leaf: material.leaf.clone(),
            direct: Configs::new(material, profiles.clients, &tickets, &[ALPN_CLIENT]).map_err(setup)?,
            starttls: Configs::new(material, profiles.clients, &tickets, &[]).map_err(setup)?,
            peers: PeerConfigs::new(material, profiles.servers).map_err(setup)?,
        })
    }

    /// The host that it was made for.
    #[must_use]
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// The certificate.
    #[must_use]
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The file that the certificate was read from.
    #[must_use]
    pub fn chain_path(&self) -> &Path {
        &self.chain_path
    }

    /// What clients may hold against the certificate at `now` (unix seconds).
    #[must_use]
    pub fn warnings(&self, now: i64) -> Vec<CertificateError> {
        warnings(&self.host, &self.chain_path, &self.leaf, now)
    }

    pub(crate) fn config(&self, opening: Opening<'_>, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let configs = match opening {
            Opening::Direct => &self.direct,
            Opening::Starttls { .. } => &self.starttls,
        };
        configs.choose(hello)
    }

    pub(crate) fn config_for_servers(&self, opening: Opening<'_>, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        self.peers.inbound(opening).choose(hello)
    }

    /// For connections to other servers, which are shown this identity.
    pub(crate) fn client_config(&self, approach: Approach) -> Arc<ClientConfig> {
        self.peers.outbound(approach)
    }
}

impl Configs {
    fn new(material: &Material, profile: Profile, tickets: &Arc<dyn ProducesTickets>, alpn: &[&[u8]]) -> Result<Self, Error> {
        let finish = |mut config: ServerConfig| {
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            config.ticketer = Arc::clone(tickets);
            Arc::new(config)
        };
        // The hybrid exists in TLS 1.3 only.
        Ok(Self {
            any: config(provider(), profile.versions(), material).map(finish)?,
            hybrid: config(hybrid_only(), MODERN, material).map(finish)?,
        })
    }

    /// Whoever offers the hybrid gets it (see `provider`).
    pub(crate) fn choose(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let groups = hello.named_groups().unwrap_or_default();
        let hybrid = groups.contains(&NamedGroup::X25519MLKEM768);
        Arc::clone(if hybrid { &self.hybrid } else { &self.any })
    }
}

fn config(
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    material: &Material,
) -> Result<ServerConfig, Error> {
    let certificate = SingleCertAndKey::from(Arc::clone(&material.key));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificate));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = TICKETS;
    config.max_tls13_tickets = TICKETS;
    config.max_early_data_size = 0;
    config.send_half_rtt_data = false;
    config.require_ems = true;
    config.cert_compressors = Vec::new();
    config.cert_decompressors = Vec::new();
    Ok(config)
}

pub(crate) fn warnings(host: &str, path: &Path, leaf: &Leaf, now: i64) -> Vec<CertificateError> {
    let (host, path) = (host.to_owned(), path.to_owned());
    let mut warnings: Vec<_> = validity(&host, &path, leaf, now).into_iter().collect();
    if !leaf.covers(&host) {
        let (host, path, names) = (host.clone(), path.clone(), leaf.names.join(", "));
        warnings.push(CertificateError::NotCovered { host, path, names });
    }
    if let Some(cause) = leaf.weakness.clone() {
        let (host, path) = (host.clone(), path.clone());
        warnings.push(CertificateError::Weak { host, path, cause });
    }
    if leaf.end_point.is_none() {
        warnings.push(CertificateError::NoEndPoint { host, path });
    }
    warnings
}

fn validity(host: &str, path: &Path, leaf: &Leaf, now: i64) -> Option<CertificateError> {
    let (host, path) = (host.to_owned(), path.to_owned());
    let left = leaf.not_after.saturating_sub(now);
    let life = leaf.not_after.saturating_sub(leaf.not_before);
    let days = left / DAY;
    if left < 0 {
        Some(CertificateError::Expired { host, path, days: -days })
    } else if now < leaf.not_before {
        Some(CertificateError::NotYetValid { host, path })
    } else if left < (WARN_DAYS * DAY).min(life / 3) {
        Some(CertificateError::ExpiresSoon { host, path, days })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::Acceptor;
    use crate::self_signed::ensure_self_signed;

    #[test]
    fn no_config_lets_a_weakness_in() {
        let directory = tempfile::tempdir().unwrap();
        ensure_self_signed(directory.path(), "a.example").unwrap();
        let acceptor = Acceptor::load(directory.path(), &["a.example".to_owned()], Profile::Intermediate).unwrap();
        let identity = acceptor.identity("a.example").unwrap();
        for configs in [&identity.direct, &identity.starttls] {
            for config in [&configs.any, &configs.hybrid] {
                assert!(config.require_ems && !config.enable_secret_extraction && !config.send_half_rtt_data);
                assert_eq!((config.max_early_data_size, config.send_tls13_tickets), (0, 1));
                assert!(!config.session_storage.can_cache() && config.ticketer.enabled());
            }
        }
    }
}
