//! The rustls configs of one identity towards other servers. Nothing is ever resumed, in either direction: a link lives
//! long, and a resumed session would carry over a certificate that was judged under older evidence.
//!
//! Clients' ALPN name is not among the offers, so that a connection meant for one kind of port ends with an alert at
//! the other. A peer that sends no ALPN at all is taken: XEP-0368 section 3 only recommends it.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, Error, ServerConfig, SupportedProtocolVersion};

use crate::accept::Opening;
use crate::directory::Material;
use crate::identity::{Configs, MODERN, Profile};
use crate::peer::connect::Approach;
use crate::peer::later::JudgeLater;
use crate::provider::{hybrid_only, provider};

/// XEP-0368 section 3.
const ALPN_SERVER: &[u8] = b"xmpp-server";

/// An identity's configs for links.
#[derive(Debug)]
pub(crate) struct PeerConfigs {
    direct: Configs,
    starttls: Configs,
    to_direct: Arc<ClientConfig>,
    to_starttls: Arc<ClientConfig>,
}

impl PeerConfigs {
    pub(crate) fn new(material: &Material, profile: Profile) -> Result<Self, Error> {
        Ok(Self {
            direct: inbound_pair(material, profile, &[ALPN_SERVER])?,
            starttls: inbound_pair(material, profile, &[])?,
            to_direct: outbound(material, profile, &[ALPN_SERVER])?,
            to_starttls: outbound(material, profile, &[])?,
        })
    }

    pub(crate) fn inbound(&self, opening: Opening<'_>) -> &Configs {
        match opening {
            Opening::Direct => &self.direct,
            Opening::Starttls { .. } => &self.starttls,
        }
    }

    pub(crate) fn outbound(&self, approach: Approach) -> Arc<ClientConfig> {
        Arc::clone(match approach {
            Approach::Direct => &self.to_direct,
            Approach::Starttls { .. } => &self.to_starttls,
        })
    }
}

fn inbound_pair(material: &Material, profile: Profile, alpn: &[&[u8]]) -> Result<Configs, Error> {
    Ok(Configs {
        any: Arc::new(inbound(provider(), profile.versions(), material, alpn)?),
        hybrid: Arc::new(inbound(hybrid_only(), MODERN, material, alpn)?),
    })
}

fn inbound(
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    material: &Material,
    alpn: &[&[u8]],
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(Arc::new(JudgeLater))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&material.key))));
    config.alpn_protocols = owned(alpn);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.send_half_rtt_data = false;
    config.require_ems = true;
    config.cert_compressors = Vec::new();
    config.cert_decompressors = Vec::new();
    Ok(config)
}

fn outbound(material: &Material, profile: Profile, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(profile.versions())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(JudgeLater))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&material.key))));
    config.alpn_protocols = owned(alpn);
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.require_ems = true;
    config.cert_compressors = Vec::new();
    config.cert_decompressors = Vec::new();
    Ok(Arc::new(config))
}

fn owned(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.to_vec()).collect()
}
