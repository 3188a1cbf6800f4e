//! The keys of outbound rows. They come from the same epoch keys as those of archives, so they are destroyed with them.

use crate::seal::{Day, EpochKey, LABEL, NO_KEY, RowKey, TAG, derive};
use aws_lc_rs::aead::NONCE_LEN;
use bocage_api::store::{OutboundKey, StoreError};
use zeroize::Zeroizing;

/// What a row says of its key.
pub(crate) type Epoch = [u8; TAG];

/// The name that rows give to an epoch key. Whoever does not have the key cannot tell whose it is.
pub(crate) fn epoch(ek: &EpochKey) -> Result<Epoch, StoreError> {
    derive(ek, &[LABEL, b"outbound/epoch"])?.first_chunk().copied().ok_or(NO_KEY)
}

/// Where a row stands. All of it is authenticated, so that no row passes for another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) key: OutboundKey,
    pub(crate) day: Day,
    pub(crate) position: i64,
}

impl Slot {
    fn authenticated(&self) -> Vec<u8> {
        [LABEL, b"outbound/", &self.key.0, &self.day.to_be_bytes(), &self.position.to_be_bytes()].concat()
    }
}

/// What is derived from one epoch key.
pub(crate) struct OutboundKeys {
    pub(crate) epoch: Epoch,
    row: RowKey,
}

impl OutboundKeys {
    pub(crate) fn new(ek: &EpochKey) -> Result<Self, StoreError> {
        Ok(Self { epoch: epoch(ek)?, row: RowKey::derive(ek, &[LABEL, b"outbound/row"])? })
    }
    /// See [`RowKey::seal`].
    pub(crate) fn seal(&self, slot: &Slot, nonce: [u8; NONCE_LEN], buffer: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.row.seal(slot.authenticated(), nonce, buffer)
    }
    /// See [`RowKey::open`].
    pub(crate) fn open(&self, slot: &Slot, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.row.open(slot.authenticated(), sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { key: OutboundKey([7; 16]), day: 19_675, position: 42 };

    fn ek() -> EpochKey {
        let mut key = [0; 32];
        key.iter_mut().zip(0..).for_each(|(byte, index)| *byte = index);
        Zeroizing::new(key)
    }

    fn sealed() -> Vec<u8> {
        OutboundKeys::new(&ek()).unwrap().seal(&SLOT, [9; NONCE_LEN], [&[0; NONCE_LEN], b"hello".as_slice()].concat()).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    /// By Python: `hmac` and `hashlib` for HKDF, the package `cryptography` for AES-GCM.
    #[test]
    fn derivations_have_known_answers() {
        assert_eq!(hex(&epoch(&ek()).unwrap()), "5e26b5bf3209ccbff8b185dda88d086a");
        assert_eq!(hex(&sealed()), "0909090909090909090909095b6a6ce7605f56cc3aa3d16cea08397e42575fa918");
    }

    #[test]
    fn a_row_opens_in_its_slot_only() {
        let keys = OutboundKeys::new(&ek()).unwrap();
        assert_eq!(keys.open(&SLOT, sealed()).unwrap().as_slice(), b"hello");
        for slot in [Slot { key: OutboundKey([8; 16]), ..SLOT }, Slot { day: 1, ..SLOT }, Slot { position: 43, ..SLOT }] {
            assert!(keys.open(&slot, sealed()).is_err(), "{slot:?}");
        }
        assert!(OutboundKeys::new(&Zeroizing::new([1; 32])).unwrap().open(&SLOT, sealed()).is_err());
        for length in 0..sealed().len() {
            assert!(keys.open(&SLOT, sealed()[..length].to_vec()).is_err());
        }
    }
}
