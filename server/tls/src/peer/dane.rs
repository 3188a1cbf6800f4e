//! TLSA records against a certificate (RFC 7671). Records with an unknown parameter, malformed data, or a usage that
//! presupposes an agreed set of authorities (0 and 1; RFC 7672 section 3.1.3 says why) are unusable. If no record is
//! usable, the domain counts as one without records (RFC 6698 section 4.1).
//!
//! The algorithm agility of RFC 7671 section 9 is left out: SHA-256 and SHA-512 are both sound, and skipping the one
//! would only turn a forgotten record of the other into an outage.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::{EndEntityCert, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::peer::evidence::{DaneSet, Tlsa};

/// Records looked at.
const MAX_RECORDS: usize = 64;
const DANE_TA: u8 = 2;
const DANE_EE: u8 = 3;
const CERTIFICATE: u8 = 0;
const KEY: u8 = 1;
const FULL: u8 = 0;
const SHA_256: u8 = 1;
const SHA_512: u8 = 2;

/// The usable records of a domain.
pub(crate) struct Usable<'a>(Vec<&'a Tlsa>);

impl<'a> Usable<'a> {
    /// Nothing if there are none.
    pub(crate) fn of(set: &'a DaneSet) -> Option<Self> {
        let usable: Vec<_> = set.records.iter().filter(|record| is_usable(record)).take(MAX_RECORDS).collect();
        (!usable.is_empty()).then_some(Self(usable))
    }

    /// Section 5.1: a `DANE-EE(3)` record matches; neither names nor dates are asked.
    pub(crate) fn names_leaf(&self, der: &CertificateDer<'_>, key: &[u8]) -> bool {
        self.with(DANE_EE).any(|record| matches(record, der, key))
    }

    /// Section 5.2: the certificates of `presented` that a `DANE-TA(2)` record matches, and those that records hold
    /// whole. A bare key in a record needs its certificate to be presented.
    pub(crate) fn anchors<'c>(&'c self, presented: &'c [CertificateDer<'c>]) -> Vec<CertificateDer<'c>> {
        let shown = presented.iter().filter(|certificate| {
            let key = key_of(certificate);
            key.is_some_and(|key| self.with(DANE_TA).any(|record| matches(record, certificate, &key)))
        });
        let held = self.with(DANE_TA).filter(|record| (record.selector, record.matching) == (CERTIFICATE, FULL));
        let held = held.map(|record| CertificateDer::from(record.data.as_slice()));
        shown.map(|certificate| CertificateDer::from(certificate.as_ref())).chain(held).collect()
    }

    fn with(&self, usage: u8) -> impl Iterator<Item = &'a Tlsa> {
        self.0.iter().copied().filter(move |record| record.usage == usage)
    }
}

/// Certificates as anchors; what cannot be one is left out.
pub(crate) fn as_anchors<'a>(certificates: &'a [CertificateDer<'a>]) -> Vec<TrustAnchor<'a>> {
    certificates.iter().filter_map(|certificate| anchor_from_trusted_cert(certificate).ok()).collect()
}

fn is_usable(record: &Tlsa) -> bool {
    let data = record.data.as_slice();
    let sound = match (record.matching, record.selector) {
        (SHA_256, _) => data.len() == 32,
        (SHA_512, _) => data.len() == 64,
        (FULL, CERTIFICATE) => X509Certificate::from_der(data).is_ok_and(|(rest, _)| rest.is_empty()),
        (FULL, KEY) => SubjectPublicKeyInfo::from_der(data).is_ok_and(|(rest, _)| rest.is_empty()),
        _ => false,
    };
    sound && matches!(record.usage, DANE_TA | DANE_EE) && matches!(record.selector, CERTIFICATE | KEY)
}

fn matches(record: &Tlsa, certificate: &[u8], key: &[u8]) -> bool {
    let selected = if record.selector == KEY { key } else { certificate };
    match record.matching {
        FULL => record.data == selected,
        SHA_256 => record.data == digest(&SHA256, selected).as_ref(),
        SHA_512 => record.data == digest(&SHA512, selected).as_ref(),
        _ => false,
    }
}

fn key_of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    Some(parsed.subject_public_key_info().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable(usage: u8, selector: u8, matching: u8, data: &[u8]) -> bool {
        is_usable(&Tlsa { usage, selector, matching, data: data.to_vec() })
    }

    #[test]
    fn only_whole_records_of_known_kinds_are_usable() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let key = rcgen::PublicKeyData::subject_public_key_info(&key);
        for usage in [DANE_TA, DANE_EE] {
            for selector in [CERTIFICATE, KEY] {
                assert!(usable(usage, selector, SHA_256, &[0; 32]) && usable(usage, selector, SHA_512, &[0; 64]));
                assert!(!usable(usage, selector, SHA_256, &[0; 31]) && !usable(usage, selector, SHA_512, &[0; 32]));
                assert!(!usable(usage, selector, 3, &[0; 32]) && !usable(usage, selector, FULL, b"rubbish"));
            }
            assert!(usable(usage, CERTIFICATE, FULL, certificate.der()) && usable(usage, KEY, FULL, &key));
            assert!(!usable(usage, KEY, FULL, certificate.der()) && !usable(usage, CERTIFICATE, FULL, &key));
            assert!(!usable(usage, 2, SHA_256, &[0; 32]));
        }
        for usage in [0, 1, 4, 255] {
            assert!(!usable(usage, KEY, SHA_256, &[0; 32]), "{usage}");
        }
    }
}
