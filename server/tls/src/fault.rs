//! What can be wrong with a certificate: one variant per fault, each a sentence that names the file. Texts end up in
//! front of operators, so they say what to do. All faults of all hosts are collected before anybody is told.

use std::path::PathBuf;

use thiserror::Error;

/// Whether the server may run in spite of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It serves, and clients may refuse it.
    Warning,
    /// The identity cannot be used.
    Error,
}

/// A fault of one host's certificate or of one file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CertificateError {
    /// No host is served.
    #[error("no host is named, so there is nothing to serve a certificate for")]
    NoHosts,
    /// Neither the host's own files nor others that cover it.
    #[error(
        "no certificate for {host} in {}: expected {host}.crt and {host}.key, or {host}/fullchain.pem and \
         {host}/privkey.pem, or another certificate there that names {host}",
        .directory.display()
    )]
    Missing {
        /// The host.
        host: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("{} is there, but {} is missing", .present.display(), .missing.display())]
    HalfPair {
        /// The file that exists.
        present: PathBuf,
        /// The file that belongs to it.
        missing: PathBuf,
    },
    /// The file system said no.
    #[error("cannot read {}: {cause}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
    /// Others have access to the key (H71).
    #[error("{} is open to every user (mode {mode:04o}): chmod o= it (0600 or 0640)", .path.display())]
    Permissions {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No certificate in the PEM file.
    #[error("{} holds no certificate in PEM form", .path.display())]
    NoCertificate {
        /// The chain file.
        path: PathBuf,
    },
    /// A certificate that cannot be parsed.
    #[error("the first certificate in {} is malformed", .path.display())]
    Malformed {
        /// The chain file.
        path: PathBuf,
    },
    /// A trust anchor that cannot be used.
    #[error("a certificate in {} cannot be used as a trust anchor", .path.display())]
    MalformedAnchor {
        /// The file of trust anchors.
        path: PathBuf,
    },
    /// No usable private key in the PEM file.
    #[error("{} holds no unencrypted private key in PEM form", .path.display())]
    NoKey {
        /// The key file.
        path: PathBuf,
    },
    /// A key that TLS cannot use.
    #[error("the key in {} cannot be used: {cause}", .path.display())]
    KeyRejected {
        /// The key file.
        path: PathBuf,
        /// The reason.
        cause: String,
    },
    /// The key belongs to another certificate.
    #[error("the key in {} does not belong to the certificate in {}", .key.display(), .chain.display())]
    Mismatch {
        /// The chain file.
        chain: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The TLS library refused.
    #[error("TLS for {host} cannot be set up: {cause}")]
    Setup {
        /// The host.
        host: String,
        /// The reason.
        cause: String,
    },
    /// Past its end.
    #[error("the certificate of {host} in {} expired {days} days ago", .path.display())]
    Expired {
        /// The host.
        host: String,
        /// The chain file.
        path: PathBuf,
        /// Whole days since.
        days: i64,
    },
    /// Near its end.
    #[error("the certificate of {host} in {} expires in {days} days", .path.display())]
    ExpiresSoon {
        /// The host.
        host: String,
        /// The chain file.
        path: PathBuf,
        /// Whole days left.
        days: i64,
    },
    /// Before its beginning.
    #[error("the certificate of {host} in {} is not valid yet", .path.display())]
    NotYetValid {
        /// The host.
        host: String,
        /// The chain file.
        path: PathBuf,
    },
    /// RFC 9525: no dNSName of the certificate matches.
    #[error("the certificate in {} does not name {host} (it names: {names})", .path.display())]
    NotCovered {
        /// The host.
        host: String,
        /// The chain file.
        path: PathBuf,
        /// What it does name.
        names: String,
    },
    /// A key or signature below today's measure.
    #[error("the certificate of {host} in {} is weak: {cause}", .path.display())]
    Weak {
        /// The host.
        host: String,
        /// The chain file.
        path: PathBuf,
        /// What is weak.
        cause: String,
    },
    /// RFC 5929 section 4.1 defines no binding for such a signature.
    #[error(
        "the certificate of {host} in {} has a signature without a hash of its own: tls-server-end-point channel \
         binding cannot be offered, take an ECDSA or RSA certificate",
        .path.display()
    )]
    NoEndPoint {
        /// The host.
        host: String,
        /// The chain file.
        path: PathBuf,
    },
}

impl CertificateError {
    /// Whether the server may run with it.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Expired { .. }
            | Self::ExpiresSoon { .. }
            | Self::NotYetValid { .. }
            | Self::NotCovered { .. }
            | Self::Weak { .. }
            | Self::NoEndPoint { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }
}
