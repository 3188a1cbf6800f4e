//! What is known about a domain beside the certificate that it shows: pins of the configuration, DNS, and the way that
//! a connection took.

use data_encoding::HEXLOWER;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::leaf::Fingerprint;

/// A SHA-256 that decides about a peer alone (`[s2s.peers]`), of the certificate's subjectPublicKeyInfo (what a TLSA
/// record `3 1 1` holds) or of the certificate (what tools call its fingerprint). Written `sha256:` and 64 hexadecimal
/// digits, with or without colons between bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pin(Fingerprint);

/// A text that is no [`Pin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a pin is \"sha256:\" and the 64 hexadecimal digits of a key's or certificate's fingerprint")]
pub struct PinError;

impl Pin {
    /// Reads `sha256:…`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let digits = text.trim().strip_prefix("sha256:").ok_or(PinError)?;
        let pairs = if digits.contains(':') { by_colons(digits) } else { in_pairs(digits) };
        let bytes: Vec<u8> = pairs.and_then(|pairs| pairs.into_iter().map(byte).collect()).ok_or(PinError)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| PinError)?;
        Ok(Self(Fingerprint::from_bytes(bytes)))
    }

    pub(crate) fn matches(self, certificate: Fingerprint, key: Fingerprint) -> bool {
        self.0 == certificate || self.0 == key
    }
}

fn by_colons(digits: &str) -> Option<Vec<&str>> {
    Some(digits.split(':').collect())
}

fn in_pairs(digits: &str) -> Option<Vec<&str>> {
    (0..digits.len()).step_by(2).map(|at| digits.get(at..at.saturating_add(2))).collect()
}

fn byte(pair: &str) -> Option<u8> {
    let hexadecimal = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    hexadecimal.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
}

impl From<Fingerprint> for Pin {
    fn from(fingerprint: Fingerprint) -> Self {
        Self(fingerprint)
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        Self::parse(text)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", HEXLOWER.encode(self.0.as_bytes()))
    }
}

/// One TLSA record (RFC 6698 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
    /// Certificate association data.
    pub data: Vec<u8>,
}

/// The TLSA records of a domain, DNSSEC-validated like every step that led to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaneSet {
    /// The records at the SRV targets (RFC 7673 section 3).
    pub records: Vec<Tlsa>,
    /// Names that a certificate under a `DANE-TA(2)` record may bear beside the domain itself: the SRV targets, whose
    /// records were secure (RFC 7671 section 7).
    pub names: Vec<String>,
}

/// What DNS says about a domain's certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dane {
    /// Nothing: no records, or a zone that is provably not signed.
    #[default]
    Absent,
    /// Validation failed, or a signed zone did not answer: indistinguishable from an attacker who hides records.
    Bogus,
    /// Records that were validated.
    Secure(DaneSet),
}

/// The way that a connection took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// Any.
    #[default]
    Network,
    /// We connected through Tor to the `.onion` name itself, so that the circuit has proven it (H45). Of no meaning
    /// for other names and for connections that a peer has made: such a peer is proven by a pin, which may be the
    /// [`key_fingerprint`](crate::TlsProof::key_fingerprint) of a connection of our own to it.
    Onion,
}

/// All that decides whose certificate a certificate is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The domain's pins. If there are any, one must match, and nothing else is asked.
    pub pins: Vec<Pin>,
    /// What DNS says.
    pub dane: Dane,
    /// The way that the connection took.
    pub route: Route,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pins_are_read_as_tools_print_them() {
        let fingerprint = Fingerprint::of(b"abc");
        let hexadecimal = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for digits in [hexadecimal.to_owned(), hexadecimal.to_uppercase(), fingerprint.to_string()] {
            let pin = Pin::parse(&format!("sha256:{digits}")).unwrap();
            assert_eq!(pin, Pin::from(fingerprint), "{digits}");
            assert_eq!(pin.to_string(), format!("sha256:{hexadecimal}"));
        }
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let short = good.trim_start_matches("ba");
        let wrong = [
            good.to_owned(),
            format!("sha1:{good}"),
            format!("sha256:{short}"),
            format!("sha256:{good}00"),
            format!("sha256:{short}+1"),
            format!("sha256:{short}é"),
            format!("sha256::{short}"),
            "sha256:".to_owned(),
            String::new(),
        ];
        for text in wrong {
            assert_eq!(Pin::parse(&text), Err(PinError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_answered(text in "(sha256:)?[0-9a-fA-F:é]{0,130}") {
            if let Ok(pin) = Pin::parse(&text) {
                prop_assert_eq!(Pin::parse(&pin.to_string()), Ok(pin));
            }
        }
    }
}
