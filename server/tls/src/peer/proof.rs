//! The answers of the judge. A [`TlsProof`] cannot be made outside and is made in one place: who holds one has had a certificate judged. The
//! texts of [`Refused`] and `Debug` of the proof name nobody, so that they may be logged.

use std::fmt;

use thiserror::Error;

use crate::leaf::Fingerprint;
use crate::stream::TlsVersion;

/// What has proven a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProvenBy {
    /// A pin of the configuration.
    Pin,
    /// The circuit to an `.onion` name.
    Onion,
    /// TLSA records of a validated zone (RFC 7671).
    Dane,
    /// A certificate of a trusted authority (RFC 5280, RFC 9525).
    Pkix,
}

/// The proof that the other end of one connection speaks for a domain.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsProof {
    pub(super) domain: String,
    pub(super) by: ProvenBy,
    pub(super) version: TlsVersion,
    pub(super) fingerprint: Fingerprint,
    pub(super) key_fingerprint: Fingerprint,
}

impl TlsProof {
    /// The domain, as it was asked about.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// What proved it.
    #[must_use]
    pub fn by(&self) -> ProvenBy {
        self.by
    }

    /// The version of TLS.
    #[must_use]
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// SHA-256 of its subjectPublicKeyInfo.
    #[must_use]
    pub fn key_fingerprint(&self) -> Fingerprint {
        self.key_fingerprint
    }
}

impl fmt::Debug for TlsProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsProof").field("by", &self.by).field("version", &self.version).finish_non_exhaustive()
    }
}

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refused {
    /// The peer showed none.
    #[error("it shows no certificate")]
    NoCertificate,
    /// It cannot be parsed, or demands what is not understood.
    #[error("its certificate is malformed")]
    Malformed,
    /// There are pins, and none matches.
    #[error("its key is not the pinned one")]
    Pin,
    /// There are usable TLSA records, and none matches.
    #[error("its certificate contradicts the domain's TLSA records")]
    Dane,
    /// DNSSEC validation failed.
    #[error("DNSSEC validation of the domain's records failed")]
    BogusDns,
    /// It has ended.
    #[error("its certificate has expired")]
    Expired,
    /// It has not begun.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// Self-signed, or of an authority that is not trusted.
    #[error("its certificate has no trusted issuer")]
    UnknownIssuer,
    /// A certificate was used as an authority's and is none, or the reverse, or one goes beyond its constraints.
    #[error("its certificate chain breaks the rules for authorities")]
    Chain,
    /// RFC 5280 section 4.2.1.12: it is for something else than servers.
    #[error("its certificate is not meant for servers")]
    Usage,
    /// SHA-1 and the like.
    #[error("its certificate chain has a weak or unknown signature")]
    Weak,
    /// RFC 9525: it names others.
    #[error("its certificate is for another name")]
    Name,
}
