//! Derivations and seals of the epoch layer (design "Sealed archive"; H02). The account layer will add a segment key to
//! the input of the derivations; rows carry an empty segment until then.
//!
//! ```text
//! row key  = HKDF-SHA256(ek, "bocage/sealed-archive/1/row/" segment)      AES-256-GCM, random nonce in front
//! with key = HKDF-SHA256(ek, "bocage/sealed-archive/1/with")             tag = HMAC-SHA256(key, JID), 16 bytes
//! ref key  = HKDF-SHA256(ek, "bocage/sealed-archive/1/ref/" owner)        tag = HMAC-SHA256(key, bare JID, NUL, id)
//! outbound = HKDF-SHA256(ek, "bocage/sealed-archive/1/outbound/row")      AES-256-GCM as above
//! epoch    = HKDF-SHA256(ek, "bocage/sealed-archive/1/outbound/epoch")    its first 16 bytes name the key in the row
//! ```

use crate::outbound::OutboundKeys;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bocage_api::{clock::UnixSeconds, store::StoreError};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jid::BareJid;
use sha2::Sha256;
use zeroize::Zeroizing;

pub(crate) const LABEL: &[u8] = b"bocage/sealed-archive/1/";
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;
const SECONDS_PER_DAY: i64 = 86_400;
const WILL_NOT_OPEN: StoreError = StoreError::Corrupt("a row does not open");
pub(crate) const NO_KEY: StoreError = StoreError::Corrupt("a key has the wrong length");

/// Number of a day since 1970-01-01 UTC.
pub(crate) type Day = i64;

/// The day of a stamp.
pub(crate) fn day_of(stamp: UnixSeconds) -> Day {
    stamp.div_euclid(SECONDS_PER_DAY)
}

/// `ek(day, owner)`.
pub(crate) type EpochKey = Zeroizing<[u8; 32]>;

/// Where a row stands. All of it is authenticated, so that no row passes for another.
pub(crate) struct Place<'a> {
    pub(crate) owner: &'a BareJid,
    pub(crate) segment: &'a [u8],
    pub(crate) id: &'a str,
    pub(crate) position: i64,
    pub(crate) stamp: UnixSeconds,
}

impl Place<'_> {
    fn authenticated(&self) -> Vec<u8> {
        let fields = [self.owner.as_str().as_bytes(), self.segment, self.id.as_bytes()];
        let mut bytes = Vec::with_capacity(LABEL.len() + 40 + fields.iter().map(|field| field.len()).sum::<usize>());
        bytes.extend_from_slice(LABEL);
        for field in fields {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field);
        }
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.extend_from_slice(&self.stamp.to_be_bytes());
        bytes
    }
}

/// Seals rows for their places.
pub(crate) struct RowKey(LessSafeKey);

impl RowKey {
    pub(crate) fn derive(ek: &EpochKey, info: &[&[u8]]) -> Result<Self, StoreError> {
        let key = derive(ek, info)?;
        UnboundKey::new(&AES_256_GCM, key.as_slice()).map(|key| Self(LessSafeKey::new(key))).map_err(|_| NO_KEY)
    }
    /// Seals in place what stands in `buffer` behind the first [`NONCE_LEN`] bytes, which become the nonce.
    pub(crate) fn seal(&self, place: Vec<u8>, nonce: [u8; NONCE_LEN], mut buffer: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let (head, plain) = buffer.split_first_chunk_mut::<NONCE_LEN>().ok_or(NO_KEY)?;
        *head = nonce;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(place), plain).map_err(|_| NO_KEY)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(buffer)
    }
    /// Opens what [`RowKey::seal`] made.
    pub(crate) fn open(&self, place: Vec<u8>, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let mut sealed = Zeroizing::new(sealed);
        let (nonce, text) = sealed.split_first_chunk_mut::<NONCE_LEN>().ok_or(WILL_NOT_OPEN)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(place), text).map_err(|_| WILL_NOT_OPEN)?;
        let length = plain.len();
        sealed.drain(..NONCE_LEN);
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// What is derived from one epoch key.
pub(crate) struct DayKeys {
    row: RowKey,
    with: EpochKey,
    reference: EpochKey,
    pub(crate) outbound: OutboundKeys,
}

pub(crate) fn derive(ek: &EpochKey, info: &[&[u8]]) -> Result<EpochKey, StoreError> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, ek.as_slice()).expand_multi_info(info, key.as_mut_slice()).map_err(|_| NO_KEY)?;
    Ok(key)
}

/// HMAC-SHA256 over the parts.
pub(crate) fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32], StoreError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| NO_KEY)?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac.finalize().into_bytes().into())
}

fn tag(key: &EpochKey, parts: &[&[u8]]) -> Result<[u8; TAG], StoreError> {
    keyed_hash(key.as_slice(), parts)?.first_chunk::<TAG>().copied().ok_or(NO_KEY)
}

impl DayKeys {
    pub(crate) fn new(ek: &EpochKey, owner: &BareJid) -> Result<Self, StoreError> {
        Ok(Self {
            row: RowKey::derive(ek, &[LABEL, b"row/"])?,
            with: derive(ek, &[LABEL, b"with"])?,
            reference: derive(ek, &[LABEL, b"ref/", owner.as_str().as_bytes()])?,
            outbound: OutboundKeys::new(ek)?,
        })
    }
    /// Finds the rows exchanged with an address without naming it.
    pub(crate) fn with_tag(&self, with: &str) -> Result<[u8; TAG], StoreError> {
        tag(&self.with, &[with.as_bytes()])
    }
    /// Finds a message by its author and the `id` the author gave it. NUL is in no JID.
    pub(crate) fn reference_tag(&self, author: &str, message_id: &str) -> Result<[u8; TAG], StoreError> {
        tag(&self.reference, &[author.as_bytes(), b"\0", message_id.as_bytes()])
    }
    /// See [`RowKey::seal`].
    pub(crate) fn seal(&self, place: &Place<'_>, nonce: [u8; NONCE_LEN], buffer: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.row.seal(place.authenticated(), nonce, buffer)
    }
    /// See [`RowKey::open`].
    pub(crate) fn open(&self, place: &Place<'_>, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.row.open(place.authenticated(), sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EK: [u8; 32] =
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31];
    const NONCE: [u8; NONCE_LEN] = [9; NONCE_LEN];

    fn owner() -> BareJid {
        BareJid::new("alice@example.org").unwrap()
    }

    fn keys() -> DayKeys {
        DayKeys::new(&Zeroizing::new(EK), &owner()).unwrap()
    }

    fn place<'a>(owner: &'a BareJid, id: &'a str, position: i64) -> Place<'a> {
        Place { owner, segment: &[], id, position, stamp: 1_700_000_000 }
    }

    fn seal(place: &Place<'_>, text: &[u8]) -> Vec<u8> {
        let buffer = [&[0; NONCE_LEN], text].concat();
        keys().seal(place, NONCE, buffer).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    #[test]
    fn derivations_have_known_answers() {
        let keys = keys();
        let owner = owner();
        let row = derive(&Zeroizing::new(EK), &[LABEL, b"row/"]).unwrap();
        let sealed = seal(&place(&owner, "id-1", 42), b"hello");
        let answers = [
            hex(row.as_slice()),
            hex(keys.with.as_slice()),
            hex(keys.reference.as_slice()),
            hex(&keys.with_tag("bob@example.org").unwrap()),
            hex(&keys.with_tag("bob@example.org/phone").unwrap()),
            hex(&keys.reference_tag("bob@example.org", "m1").unwrap()),
            hex(&sealed),
        ];
        assert_eq!(answers, KNOWN_ANSWERS);
    }

    /// By Python: `hmac` and `hashlib` for HKDF and tags, the package `cryptography` for AES-GCM.
    const KNOWN_ANSWERS: [&str; 7] = [
        "070de4cc31a87e6063aef49fd84d69949a1269be46d70b5b00a86ddc3fe50a8f",
        "b280c792eee271e2a42cd4a13c040cb5b05ece841d5ba561c64324a92530a4ff",
        "743b696ed7c82f2a96db6e7cf2c0b50a26f82101e341edea1ab9ed08c113a831",
        "ca4bcb477da05fe2fe9bc85fd33de458",
        "05a38df31de77b9825ebce91fcabf4f9",
        "8a249f0bccb062c8637f32dabd1434fc",
        "090909090909090909090909b680ee2672dd0b48f3955e0744621a8ebda5f62470",
    ];

    #[test]
    fn a_row_opens_at_its_place_only() {
        let (owner, other) = (owner(), BareJid::new("alicf@example.org").unwrap());
        let sealed = seal(&place(&owner, "id-1", 42), b"hello");
        assert_eq!(keys().open(&place(&owner, "id-1", 42), sealed.clone()).unwrap().as_slice(), b"hello");
        let mut elsewhere = [
            place(&owner, "id-2", 42),
            place(&owner, "id-1", 43),
            place(&other, "id-1", 42),
            place(&owner, "id-1", 42),
            place(&owner, "id-1", 42),
        ];
        elsewhere[3].stamp += 1;
        elsewhere[4].segment = b"s";
        for place in elsewhere {
            assert!(keys().open(&place, sealed.clone()).is_err());
        }
        let foreign = DayKeys::new(&Zeroizing::new([1; 32]), &owner).unwrap();
        assert!(foreign.open(&place(&owner, "id-1", 42), sealed).is_err());
    }

    #[test]
    fn fields_do_not_run_into_one_another() {
        let owner = owner();
        let sealed = seal(&Place { segment: b"a", ..place(&owner, "bc", 1) }, b"hello");
        assert!(keys().open(&Place { segment: b"ab", ..place(&owner, "c", 1) }, sealed).is_err());
    }

    #[test]
    fn cut_or_changed_bytes_are_refused() {
        let owner = owner();
        let sealed = seal(&place(&owner, "id-1", 42), b"hello");
        for length in 0..sealed.len() {
            assert!(keys().open(&place(&owner, "id-1", 42), sealed[..length].to_vec()).is_err());
        }
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(keys().open(&place(&owner, "id-1", 42), changed).is_err());
        }
    }

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!((day_of(-1), day_of(0), day_of(86_399), day_of(86_400)), (-1, 0, 0, 1));
    }
}
