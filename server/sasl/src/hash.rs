//! SCRAM's H, HMAC and Hi (RFC 5802 section 2.2), chosen at run time by the mechanism.
//!
//! HMAC is started from a padded block rather than from a slice: that constructor cannot fail.

use hmac::{Hmac, KeyInit, Mac, digest::consts::U64};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// Both hash functions work on blocks of 64 bytes.
const BLOCK: usize = 64;

/// The hash function under a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// SHA-1 (RFC 5802), for clients that know nothing else.
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
}

impl HashFunction {
    /// The length of an output in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// H(data).
    pub(crate) fn digest(self, data: &[u8]) -> Secret {
        Zeroizing::new(match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        })
    }

    /// HMAC(key, the parts joined).
    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Secret {
        let block = self.key_block(key);
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(&block, parts),
            Self::Sha256 => mac::<Hmac<Sha256>>(&block, parts),
        }
    }

    /// SaltedPassword = Hi(password, salt, iterations); `None` never happens with these hash functions.
    pub(crate) fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Option<Secret> {
        let mut salted = Zeroizing::new(vec![0; self.output_len()]);
        match self {
            Self::Sha1 => pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, iterations, &mut salted),
            Self::Sha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, iterations, &mut salted),
        }
        .ok()
        .map(|()| salted)
    }

    fn key_block(self, key: &[u8]) -> Zeroizing<[u8; BLOCK]> {
        let mut block = Zeroizing::new([0; BLOCK]);
        let hashed;
        let short = if key.len() > BLOCK {
            hashed = self.digest(key);
            hashed.as_slice()
        } else {
            key
        };
        block.iter_mut().zip(short).for_each(|(to, from)| *to = *from);
        block
    }
}

fn mac<M: Mac + KeyInit<KeySize = U64>>(block: &[u8; BLOCK], parts: &[&[u8]]) -> Secret {
    let mut mac = <M as KeyInit>::new(block.into());
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

/// `a` XOR `b`, as long as the shorter.
pub(crate) fn xor(a: &[u8], b: &[u8]) -> Secret {
    Zeroizing::new(a.iter().zip(b).map(|(a, b)| a ^ b).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    #[test]
    fn hmac_follows_rfc_4231_and_2202_for_short_and_long_keys() {
        let short = HashFunction::Sha256.hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = HashFunction::Sha256.hmac(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(hex(&long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        let sha1 = HashFunction::Sha1.hmac(b"Jefe", &[b"what do ya want for nothing?"]);
        assert_eq!(hex(&sha1), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn hi_follows_rfc_6070() {
        let salted = HashFunction::Sha1.salted_password(b"password", b"salt", 4096).unwrap();
        assert_eq!(hex(&salted), "4b007901b765489abead49d926f721d065a429c1");
    }
}
