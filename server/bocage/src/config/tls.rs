//! `[tls]`: there is no key that turns TLS off.

use super::mistakes::Collector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Certificates and versions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tls {
    /// A directory with `DOMAIN.crt` and `DOMAIN.key`, or `DOMAIN/fullchain.pem` and `DOMAIN/privkey.pem`, for each host
    /// and each service host. Read again when files change, on SIGHUP and by `bocage reload`. Empty is allowed for the
    /// domain `localhost` alone: its certificate is made on the spot in `{data_dir}/tls`.
    pub certificates: PathBuf,
    /// TLS for clients: `modern` is 1.3, `intermediate` adds 1.2 with AEAD and ECDHE.
    pub c2s: TlsProfile,
    /// TLS for servers, by the same names.
    pub s2s: TlsProfile,
}

/// Which versions of TLS are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsProfile {
    /// TLS 1.3.
    Modern,
    /// TLS 1.3 and 1.2.
    Intermediate,
}

impl From<TlsProfile> for bocage_tls::Profile {
    fn from(profile: TlsProfile) -> Self {
        match profile {
            TlsProfile::Modern => Self::Modern,
            TlsProfile::Intermediate => Self::Intermediate,
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self { certificates: PathBuf::new(), c2s: TlsProfile::Modern, s2s: TlsProfile::Intermediate }
    }
}

impl Tls {
    pub(super) fn validate(&self, domain: &str, at: &mut Collector) {
        if self.certificates.as_os_str().is_empty() && domain != "localhost" {
            at.wrong("tls", "certificates", format!("is missing; allowed: a directory with {domain}.crt and {domain}.key"));
        }
    }
}
