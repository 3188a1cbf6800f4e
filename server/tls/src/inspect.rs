//! Certificates seen by `bocage check`: every host with what serves it and until when, and every fault, the ones that
//! would not keep the server from running included.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::directory::CertificateDir;
use crate::fault::{CertificateError, Severity};
use crate::identity::warnings;
use crate::leaf::Leaf;
use crate::peer::{DaneSet, Usable};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

const DAY: i64 = 86_400;

/// A host and the certificate that serves it.
#[derive(Clone, Debug)]
pub struct HostReport {
    /// The host.
    pub host: String,
    /// The chain file.
    pub path: PathBuf,
    /// The certificate.
    pub leaf: Leaf,
    /// Whole days until it ends; negative when it has.
    pub days_left: i64,
    chain: Vec<CertificateDer<'static>>,
}

impl HostReport {
    /// Do these TLSA records name this certificate, its key or an authority of its chain? Nothing when none of them is
    /// usable (RFC 7671): then they count as if there were none.
    #[must_use]
    pub fn is_named_by(&self, set: &DaneSet) -> Option<bool> {
        let usable = Usable::of(set)?;
        let (leaf, rest) = self.chain.split_first()?;
        let key = EndEntityCert::try_from(leaf).ok()?.subject_public_key_info().to_vec();
        Some(usable.names_leaf(leaf, &key) || !usable.anchors(rest).is_empty())
    }
}

/// One row of the check.
#[derive(Clone, Debug)]
pub enum Finding {
    /// A host has a certificate.
    Served(Box<HostReport>),
    /// Something is wrong.
    Fault(CertificateError),
}

impl Finding {
    /// How bad it is; nothing for a host that is served.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        match self {
            Self::Served(_) => None,
            Self::Fault(fault) => Some(fault.severity()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served(report) => report.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for HostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, path, leaf, days_left, chain: _ } = self;
        write!(
            f,
            "{host}: {} ({}; names {}; {days_left} days left; SHA-256 {})",
            path.display(),
            leaf.key,
            leaf.names.join(", "),
            leaf.fingerprint
        )
    }
}

/// Looks at the certificates of `hosts` in `directory` as the server would at `now` (unix seconds).
#[must_use]
pub fn inspect(directory: &Path, hosts: &[String], now: i64) -> Vec<Finding> {
    let loaded = CertificateDir::new(directory).load(hosts);
    let mut findings = Vec::new();
    for (host, material) in loaded.hosts {
        let (path, leaf) = (material.chain_path.clone(), material.leaf.clone());
        let warned = warnings(&host, &path, &leaf, now);
        let days_left = leaf.not_after.saturating_sub(now).div_euclid(DAY);
        let chain = material.key.cert.clone();
        findings.push(Finding::Served(Box::new(HostReport { host, path, leaf, days_left, chain })));
        findings.extend(warned.into_iter().map(Finding::Fault));
    }
    findings.extend(loaded.faults.into_iter().map(Finding::Fault));
    findings
}
