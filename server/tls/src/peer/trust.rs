//! The authorities that PKIX goes back to: the system's and those of `s2s.trust_anchors`. The system's come from where
//! OpenSSL looks, `SSL_CERT_FILE` and `SSL_CERT_DIR` included; what cannot be parsed there is skipped, as every user of
//! that store does, while a fault in the operator's own file is told.

use std::fmt;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

use crate::fault::CertificateError;
use crate::files;

/// Trusted authorities.
#[derive(Clone)]
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
}

impl Trust {
    /// The system's authorities, and those of a PEM file. Blocks on the disk. A system without any is no fault: pins
    /// and DANE need none, and [`Self::count`] tells.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds something else than certificates.
    pub fn load(extra_anchors: Option<&Path>) -> Result<Self, CertificateError> {
        let mut anchors: Vec<_> = rustls_native_certs::load_native_certs().certs.iter().filter_map(anchor).collect();
        if let Some(path) = extra_anchors {
            anchors.extend(read(path)?);
        }
        Ok(Self { anchors })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.anchors.len()
    }

    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("count", &self.count()).finish()
    }
}

fn anchor(certificate: &CertificateDer<'_>) -> Option<TrustAnchor<'static>> {
    anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned())
}

fn read(path: &Path) -> Result<Vec<TrustAnchor<'static>>, CertificateError> {
    let contents = files::read_chain(path)?;
    let malformed = || CertificateError::MalformedAnchor { path: path.to_owned() };
    let mut anchors = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&contents) {
        let certificate = certificate.map_err(|_| malformed())?;
        anchors.push(anchor(&certificate).ok_or_else(malformed)?);
    }
    if anchors.is_empty() {
        return Err(CertificateError::NoCertificate { path: path.to_owned() });
    }
    Ok(anchors)
}
