//! Names of rows (XEP-0359): random to everybody else, near one another to the table.
//!
//! An index over random names touches another page for each row, and such pages were most of what a commit wrote. So the
//! table has a number in front of random bytes, and what leaves the store is that block under AES-256 with a secret of
//! this server: a permutation, so that each form gives the other. Who holds the secret reads from a name how many came
//! before it, which the positions of the rows beside it say anyway.
//!
//! Names that are not of this kind, those of older versions for one, are the same inside and outside.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey};
use bocage_api::{archive::StanzaId, clock::Entropy, store::StoreError};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are zero inside: others are no number's.
const MARK: usize = 2;
const NO_CIPHER: StoreError = StoreError::Corrupt("the secret of names");

/// Makes names and turns them inside out.
pub(crate) struct Names {
    out: EncryptingKey,
    back: DecryptingKey,
    next: AtomicU64,
    entropy: Entropy,
}

/// A name as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inner(pub(crate) [u8; 16]);

impl Names {
    /// `first`: about where the numbers of earlier names ended. Names with one number differ all the same.
    pub(crate) fn new(secret: &[u8; 32], first: u64, entropy: Entropy) -> Result<Self, StoreError> {
        let key = || UnboundCipherKey::new(&AES_256, secret).map_err(|_| NO_CIPHER);
        let (out, back) = (EncryptingKey::ecb(key()?), DecryptingKey::ecb(key()?));
        let (out, back) = out.ok().zip(back.ok()).ok_or(NO_CIPHER)?;
        Ok(Self { out, back, next: AtomicU64::new(first), entropy })
    }

    /// A name that no row has.
    pub(crate) fn fresh(&self) -> StanzaId {
        let mut inner = self.entropy.bytes::<16>();
        let number = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        inner.iter_mut().zip(number).for_each(|(to, from)| *to = from);
        inner.iter_mut().take(MARK).for_each(|byte| *byte = 0);
        self.outer(Inner(inner))
    }

    /// As it leaves the store.
    pub(crate) fn outer(&self, inner: Inner) -> StanzaId {
        let mut block = inner.0;
        if is_numbered(&block) && self.out.less_safe_encrypt(&mut block, EncryptionContext::None).is_err() {
            return StanzaId(inner.0);
        }
        StanzaId(block)
    }

    /// As the table has it.
    pub(crate) fn inner(&self, name: StanzaId) -> Inner {
        let mut block = name.0;
        let known = self.back.decrypt(&mut block, DecryptionContext::None).is_ok() && is_numbered(&block);
        Inner(if known { block } else { name.0 })
    }
}

fn is_numbered(block: &[u8; 16]) -> bool {
    block.iter().take(MARK).all(|byte| *byte == 0)
}

/// The row's name in the table, from its bytes.
impl TryFrom<&[u8]> for Inner {
    type Error = StoreError;
    fn try_from(bytes: &[u8]) -> Result<Self, StoreError> {
        bytes.try_into().map(Self).map_err(|_| StoreError::Corrupt("the id of a row"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Where the number ends.
    const NUMBER: usize = 8;

    fn names(first: u64) -> Names {
        Names::new(&[7; 32], first, crate::tests::entropy()).unwrap()
    }

    #[test]
    fn names_come_back_as_they_went_out_and_follow_one_another_inside() {
        let names = names(41);
        let fresh: Vec<StanzaId> = (0..1000).map(|_| names.fresh()).collect();
        let inner: Vec<Inner> = fresh.iter().map(|name| names.inner(*name)).collect();
        assert!(inner.iter().zip(&fresh).all(|(inner, name)| names.outer(*inner) == *name));
        assert!(inner.windows(2).all(|pair| pair[0].0[..NUMBER] < pair[1].0[..NUMBER]));
        assert_eq!(inner[0].0[..NUMBER], 41_u64.to_be_bytes());
    }

    #[test]
    fn outside_no_number_shows() {
        let names = names(1);
        // Of each bit about half are set, and no two names begin alike.
        let fresh: Vec<StanzaId> = (0..4000).map(|_| names.fresh()).collect();
        for bit in 0..128 {
            let set = fresh.iter().filter(|name| name.0[bit / 8] >> (bit % 8) & 1 == 1).count();
            assert!((1700..2300).contains(&set), "bit {bit} is set in {set} of 4000");
        }
        assert_eq!(fresh.iter().map(|name| &name.0[..NUMBER]).collect::<HashSet<_>>().len(), 4000);
    }

    #[test]
    fn one_number_twice_gives_two_names() {
        assert_ne!(names(5).fresh(), names(5).fresh());
    }

    #[test]
    fn names_of_another_kind_stay_what_they_are() {
        let names = names(1);
        for name in [[0xab; 16], *b"alice's old name"] {
            assert_eq!(names.inner(StanzaId(name)), Inner(name));
            assert_eq!(names.outer(Inner(name)), StanzaId(name));
        }
    }
}
