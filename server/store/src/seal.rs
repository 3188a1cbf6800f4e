//! Derivations and seals of the epoch layer (design "Sealed archive"; H02). The account layer will add a segment key to
//! the input of the derivations; rows carry an empty segment until then.
//!
//! ```text
//! row key  = HKDF-SHA256(ek, "bocage/sealed-archive/1/row/" segment)      AES-256-GCM, random nonce in front
//! with key = HKDF-SHA256(ek, "bocage/sealed-archive/1/with")             tag = HMAC-SHA256(key, JID), 16 bytes
//! ref key  = HKDF-SHA256(ek, "bocage/sealed-archive/1/ref/" owner)        tag = HMAC-SHA256(key, bare JID, NUL, id)
//! ```

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bocage_api::{clock::UnixSeconds, store::StoreError};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jid::{BareJid, Jid};
use sha2::Sha256;
use zeroize::Zeroizing;

const LABEL: &[u8] = b"bocage/sealed-archive/1/";
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;
const SECONDS_PER_DAY: i64 = 86_400;
const WILL_NOT_OPEN: StoreError = StoreError::Corrupt("an archive row does not open");
const NO_KEY: StoreError = StoreError::Corrupt("a key has the wrong length");

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

/// What is derived from one epoch key.
pub(crate) struct DayKeys {
    row: LessSafeKey,
    with: EpochKey,
    reference: EpochKey,
}

fn derive(ek: &EpochKey, info: &[&[u8]]) -> Result<EpochKey, StoreError> {
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
        let row = derive(ek, &[LABEL, b"row/"])?;
        Ok(Self {
            row: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, row.as_slice()).map_err(|_| NO_KEY)?),
            with: derive(ek, &[LABEL, b"with"])?,
            reference: derive(ek, &[LABEL, b"ref/", owner.as_str().as_bytes()])?,
        })
    }
    /// Finds the rows exchanged with an address without naming it.
    pub(crate) fn with_tag(&self, with: &str) -> Result<[u8; TAG], StoreError> {
        tag(&self.with, &[with.as_bytes()])
    }
    /// Finds a message by its author and the `id` the author gave it. NUL is in no JID.
    pub(crate) fn reference_tag(&self, from: &Jid, message_id: &str) -> Result<[u8; TAG], StoreError> {
        tag(&self.reference, &[from.to_bare().as_str().as_bytes(), b"\0", message_id.as_bytes()])
    }
    /// Seals in place what stands in `buffer` behind the first [`NONCE_LEN`] bytes, which become the nonce.
    pub(crate) fn seal(&self, place: &Place<'_>, nonce: [u8; NONCE_LEN], mut buffer: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let (head, plain) = buffer.split_first_chunk_mut::<NONCE_LEN>().ok_or(NO_KEY)?;
        *head = nonce;
        let aad = Aad::from(place.authenticated());
        let tag = self.row.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, plain).map_err(|_| NO_KEY)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(buffer)
    }
    /// Opens what [`DayKeys::seal`] made.
    pub(crate) fn open(&self, place: &Place<'_>, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let mut sealed = Zeroizing::new(sealed);
        let (nonce, text) = sealed.split_first_chunk_mut::<NONCE_LEN>().ok_or(WILL_NOT_OPEN)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.row.open_in_place(nonce, Aad::from(place.authenticated()), text).map_err(|_| WILL_NOT_OPEN)?;
        let length = plain.len();
        sealed.drain(..NONCE_LEN);
        sealed.truncate(length);
        Ok(sealed)
    }
}
