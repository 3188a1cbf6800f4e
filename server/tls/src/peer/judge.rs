//! The one judge of certificates, of both directions (H42). One proof is chosen by precedence, and it alone answers.
//!
//! A certificate for `clientAuth` alone proves nothing, even of a peer that connects to us: the rules under which public
//! authorities check domains bind them for `serverAuth`. What peers have today (`serverAuth`, with or without
//! `clientAuth`) and certificates without usages are taken from either side, where a stock verifier of client
//! certificates would refuse the first.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::leaf::Fingerprint;
use crate::peer::dane::{Usable, as_anchors};
use crate::peer::evidence::{Dane, DaneSet, Evidence, Pin};
use crate::peer::later::algorithms;
use crate::peer::names::Reference;
use crate::peer::proof::{ProvenBy, Refused};
use crate::peer::trust::Trust;

/// SRV targets looked at for names.
const MAX_TARGETS: usize = 32;

/// The question.
pub(super) struct Case<'a> {
    pub(super) trust: &'a Trust,
    pub(super) domain: &'a str,
    pub(super) evidence: &'a Evidence,
    /// Unix seconds.
    pub(super) now: i64,
    /// The name of the onion service that the connection has reached.
    pub(super) circuit: Option<&'a Reference>,
}

/// What a peer has shown: its certificate, and those that may lead to an anchor.
pub(super) struct Shown<'a> {
    leaf: EndEntityCert<'a>,
    der: &'a CertificateDer<'a>,
    key: Vec<u8>,
    rest: &'a [CertificateDer<'a>],
    pub(super) fingerprint: Fingerprint,
    pub(super) key_fingerprint: Fingerprint,
}

impl<'a> Shown<'a> {
    pub(super) fn new(certificates: Option<&'a [CertificateDer<'a>]>) -> Result<Self, Refused> {
        let (der, rest) = certificates.and_then(<[_]>::split_first).ok_or(Refused::NoCertificate)?;
        let leaf = EndEntityCert::try_from(der).map_err(|_| Refused::Malformed)?;
        let key = leaf.subject_public_key_info().to_vec();
        let (fingerprint, key_fingerprint) = (Fingerprint::of(der), Fingerprint::of(&key));
        Ok(Self { leaf, der, key, rest, fingerprint, key_fingerprint })
    }

    /// The proof that answers, or why it fails.
    pub(super) fn judge(&self, case: &Case<'_>) -> Result<ProvenBy, Refused> {
        if !case.evidence.pins.is_empty() {
            return self.by_pin(&case.evidence.pins);
        }
        let domain = Reference::new(case.domain).ok_or(Refused::Name)?;
        if case.circuit.is_some_and(|reached| reached.is_onion() && reached.is(&domain)) {
            return Ok(ProvenBy::Onion);
        }
        match &case.evidence.dane {
            Dane::Bogus => Err(Refused::BogusDns),
            Dane::Secure(set) => match Usable::of(set) {
                Some(usable) => self.by_dane(&usable, set, &domain, case.now),
                None => self.by_pkix(case, &domain),
            },
            Dane::Absent => self.by_pkix(case, &domain),
        }
    }

    fn by_pin(&self, pins: &[Pin]) -> Result<ProvenBy, Refused> {
        let matched = pins.iter().any(|pin| pin.matches(self.fingerprint, self.key_fingerprint));
        if matched { Ok(ProvenBy::Pin) } else { Err(Refused::Pin) }
    }

    fn by_dane(&self, usable: &Usable<'_>, set: &DaneSet, domain: &Reference, now: i64) -> Result<ProvenBy, Refused> {
        if usable.names_leaf(self.der, &self.key) {
            return Ok(ProvenBy::Dane);
        }
        let certificates = usable.anchors(self.rest);
        if certificates.is_empty() {
            return Err(Refused::Dane);
        }
        let targets: Vec<_> = set.names.iter().take(MAX_TARGETS).filter_map(|name| Reference::new(name)).collect();
        self.chain(&as_anchors(&certificates), now, domain, &targets).map(|()| ProvenBy::Dane)
    }

    fn by_pkix(&self, case: &Case<'_>, domain: &Reference) -> Result<ProvenBy, Refused> {
        self.chain(case.trust.anchors(), case.now, domain, &[]).map(|()| ProvenBy::Pkix)
    }

    /// RFC 5280 section 6, then RFC 9525: the domain by any form of name, `targets` by dNSName.
    fn chain(&self, anchors: &[TrustAnchor<'_>], now: i64, domain: &Reference, targets: &[Reference]) -> Result<(), Refused> {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or_default()));
        let path = self
            .leaf
            .verify_for_usage(algorithms().all, anchors, self.rest, time, KeyUsage::server_auth(), None, None)
            .map_err(|error| refusal(&error))?;
        let by_dns = domain.is_dns_name_of(&self.leaf) || targets.iter().any(|name| name.is_dns_name_of(&self.leaf));
        if by_dns || domain.is_other_name_of(&path) { Ok(()) } else { Err(Refused::Name) }
    }
}

fn refusal(error: &Error) -> Refused {
    match error {
        Error::CertExpired { .. } => Refused::Expired,
        Error::CertNotValidYet { .. } => Refused::NotYetValid,
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey | Error::CertDistrusted => Refused::UnknownIssuer,
        Error::CaUsedAsEndEntity
        | Error::EndEntityUsedAsCa
        | Error::PathLenConstraintViolated
        | Error::NameConstraintViolation
        | Error::MaximumPathDepthExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => Refused::Chain,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Refused::Usage,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | Error::SignatureAlgorithmMismatch => Refused::Weak,
        _ => Refused::Malformed,
    }
}
