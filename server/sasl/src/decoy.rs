//! Keys for accounts that do not exist (H49): SCRAM shows the salt and the iteration count before any proof, so these
//! must look like the host's real ones and never change.
//!
//! The key must outlive restarts: a fake salt that changes while real ones do not tells the two apart. Salts imported
//! from servers that used a UUID's text as salt are imitated too.

use core::fmt;
use data_encoding::HEXLOWER;

use jid::{DomainRef, NodePart};
use zeroize::Zeroizing;

use crate::{AccountMechanisms, Credentials, DEFAULT_ITERATIONS, HashFunction, ScramKeys, hash::Secret, keys::SALT_LEN};

/// Most kinds of account that are told apart; the commonest are kept.
const MAX_SHAPES: usize = 64;

/// Longest imitated salt.
const MAX_SALT: usize = 256;

/// What a salt looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SaltForm {
    /// So many random bytes.
    Random(usize),
    /// The text of a version 4 UUID, as Prosody makes them.
    Uuid,
}

impl SaltForm {
    /// The form of a real salt.
    pub fn of(salt: &[u8]) -> Self {
        let uuid = salt.len() == 36
            && salt.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
            });
        if uuid { Self::Uuid } else { Self::Random(salt.len()) }
    }
}

/// The visible part of one kind of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyShape {
    /// The iteration count.
    pub iterations: u32,
    /// The salt's form.
    pub salt: SaltForm,
}

impl KeyShape {
    fn of(keys: &ScramKeys) -> Self {
        Self { iterations: keys.iterations, salt: SaltForm::of(&keys.salt) }
    }

    const fn usual(iterations: u32) -> Self {
        Self { iterations, salt: SaltForm::Random(SALT_LEN) }
    }

    fn bytes(self) -> [u8; 8] {
        let salt = match self.salt {
            SaltForm::Random(len) => u32::try_from(len).unwrap_or(u32::MAX - 1),
            SaltForm::Uuid => u32::MAX,
        };
        ((u64::from(self.iterations) << 32) | u64::from(salt)).to_be_bytes()
    }
}

/// What anybody can learn of an account's keys before proving anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Keys of both kinds.
    Both {
        /// The SHA-256 keys.
        sha256: KeyShape,
        /// The SHA-1 keys.
        sha1: KeyShape,
    },
    /// SHA-256 keys only.
    Sha256Only(KeyShape),
    /// SHA-1 keys only.
    Sha1Only(KeyShape),
}

impl Shape {
    /// The shape of real credentials; `None` if they hold no key.
    pub fn of(credentials: &Credentials) -> Option<Self> {
        match (&credentials.sha256, &credentials.sha1) {
            (Some(sha256), Some(sha1)) => Some(Self::Both { sha256: KeyShape::of(sha256), sha1: KeyShape::of(sha1) }),
            (Some(keys), None) => Some(Self::Sha256Only(KeyShape::of(keys))),
            (None, Some(keys)) => Some(Self::Sha1Only(KeyShape::of(keys))),
            (None, None) => None,
        }
    }

    /// The shape of an account whose keys this crate derived.
    pub const fn usual(mechanisms: AccountMechanisms, iterations: u32) -> Self {
        let keys = KeyShape::usual(iterations);
        match mechanisms {
            AccountMechanisms::Both => Self::Both { sha256: keys, sha1: keys },
            AccountMechanisms::Sha256Only => Self::Sha256Only(keys),
            AccountMechanisms::Sha1Only => Self::Sha1Only(keys),
        }
    }

    pub(crate) const fn mechanisms(self) -> AccountMechanisms {
        match self {
            Self::Both { .. } => AccountMechanisms::Both,
            Self::Sha256Only(_) => AccountMechanisms::Sha256Only,
            Self::Sha1Only(_) => AccountMechanisms::Sha1Only,
        }
    }

    const fn keys(self, hash: HashFunction) -> Option<KeyShape> {
        match (self, hash) {
            (Self::Both { sha256, .. }, HashFunction::Sha256) => Some(sha256),
            (Self::Both { sha1, .. }, HashFunction::Sha1) => Some(sha1),
            (Self::Sha256Only(keys), HashFunction::Sha256) | (Self::Sha1Only(keys), HashFunction::Sha1) => Some(keys),
            (Self::Sha256Only(_), HashFunction::Sha1) | (Self::Sha1Only(_), HashFunction::Sha256) => None,
        }
    }

    fn bytes(self) -> [u8; 16] {
        let part = |hash| self.keys(hash).map_or([0; 8], KeyShape::bytes);
        let mut bytes = [0; 16];
        let both = part(HashFunction::Sha256).into_iter().chain(part(HashFunction::Sha1));
        bytes.iter_mut().zip(both).for_each(|(to, from)| *to = from);
        bytes
    }
}

/// How often each shape occurs among the host's accounts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HostFacts {
    shapes: Vec<(Shape, u64)>,
}

impl HostFacts {
    /// The statistics of all accounts, as pairs of shape and number of accounts.
    pub fn new(shapes: impl IntoIterator<Item = (Shape, u64)>) -> Self {
        let mut counted = std::collections::BTreeMap::<Shape, u64>::new();
        for (shape, accounts) in shapes {
            let sum = counted.entry(shape).or_default();
            *sum = sum.saturating_add(accounts);
        }
        let mut shapes: Vec<_> = counted.into_iter().filter(|(_, accounts)| *accounts > 0).collect();
        shapes.sort_by_key(|(_, accounts)| core::cmp::Reverse(*accounts));
        shapes.truncate(MAX_SHAPES);
        Self { shapes }
    }

    /// Whether some account has SHA-1 keys only.
    pub fn has_sha1_only(&self) -> bool {
        self.shapes.iter().any(|(shape, _)| matches!(shape, Shape::Sha1Only(_)))
    }
}

/// Answers for accounts that do not exist. The key is persisted by the caller.
#[derive(Clone)]
pub struct Decoy {
    key: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Decoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoy").finish_non_exhaustive()
    }
}

impl Decoy {
    /// From the persisted key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(key) }
    }

    /// The keys that `username` would have; no password fits them.
    pub fn credentials(&self, host: &DomainRef, username: &str, facts: &HostFacts) -> Credentials {
        let shape = self.shape(host, username, facts);
        let keys = |hash| shape.keys(hash).map(|keys| self.keys_of(host, username, hash, keys));
        Credentials { sha256: keys(HashFunction::Sha256), sha1: keys(HashFunction::Sha1) }
    }

    /// A localpart that no account has, to be looked up in the place of one that none can have.
    pub(crate) fn nobody(&self, host: &DomainRef, raw: &str) -> Option<NodePart> {
        let mac = self.mac(b"nobody", host, raw, b"");
        NodePart::new(&HEXLOWER.encode(&mac)).ok().map(|name| name.into_owned())
    }

    /// Keys for one hash function, whether or not the account "has" that kind.
    pub(crate) fn keys(&self, host: &DomainRef, username: &str, hash: HashFunction, facts: &HostFacts) -> ScramKeys {
        let own = self.draw(host, username, facts.shapes.iter().copied()).and_then(|shape| shape.keys(hash));
        let other = || self.draw(host, username, facts.shapes.iter().filter(|(shape, _)| shape.keys(hash).is_some()).copied());
        let shape = own.or_else(|| other().and_then(|shape| shape.keys(hash)));
        self.keys_of(host, username, hash, shape.unwrap_or(KeyShape::usual(DEFAULT_ITERATIONS)))
    }

    /// What kind of account `username` would be.
    pub(crate) fn shape(&self, host: &DomainRef, username: &str, facts: &HostFacts) -> Shape {
        let usual = Shape::usual(AccountMechanisms::Both, DEFAULT_ITERATIONS);
        self.draw(host, username, facts.shapes.iter().copied()).unwrap_or(usual)
    }

    /// Weighted rendezvous hashing: as the proportions drift, few names change their answer.
    fn draw(&self, host: &DomainRef, username: &str, shapes: impl Iterator<Item = (Shape, u64)>) -> Option<Shape> {
        let score = |(shape, accounts): &(Shape, u64)| {
            let mac = self.mac(b"shape", host, username, &shape.bytes());
            -unit(&mac).ln() / *accounts as f64
        };
        shapes.min_by(|a, b| score(a).total_cmp(&score(b))).map(|(shape, _)| shape)
    }

    fn keys_of(&self, host: &DomainRef, username: &str, hash: HashFunction, shape: KeyShape) -> ScramKeys {
        let tag = [hash.output_len() as u8];
        let stored_key = hash.hmac(&self.mac(b"stored key", host, username, &tag), &[]);
        let server_key = hash.hmac(&self.mac(b"server key", host, username, &tag), &[]);
        ScramKeys {
            salt: self.salt(host, username, hash, shape.salt),
            iterations: shape.iterations,
            stored_key: stored_key.to_vec(),
            server_key: server_key.to_vec(),
        }
    }

    fn salt(&self, host: &DomainRef, username: &str, hash: HashFunction, form: SaltForm) -> Vec<u8> {
        let tag = hash.output_len() as u8;
        let blocks = (0_u8..).flat_map(|block| self.mac(b"salt", host, username, &[tag, block]).to_vec());
        match form {
            SaltForm::Random(len) => blocks.take(len.min(MAX_SALT)).collect(),
            SaltForm::Uuid => uuid(blocks.take(16)),
        }
    }

    fn mac(&self, purpose: &[u8], host: &DomainRef, username: &str, detail: &[u8]) -> Secret {
        // No part but the last can hold a zero byte.
        let parts = [purpose, b"\0", host.as_str().as_bytes(), b"\0", username.as_bytes(), b"\0", detail];
        HashFunction::Sha256.hmac(self.key.as_slice(), &parts)
    }
}

/// A number in (0, 1) out of the first bytes of a MAC.
fn unit(mac: &[u8]) -> f64 {
    let number = mac.iter().take(6).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    (number as f64 + 0.5) / (1_u64 << 48) as f64
}

fn uuid(random: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut text = String::with_capacity(36);
    for (at, byte) in random.enumerate() {
        let byte = match at {
            6 => (byte & 0x0f) | 0x40,
            8 => (byte & 0x3f) | 0x80,
            _ => byte,
        };
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&HEXLOWER.encode(&[byte]));
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use jid::DomainPart;

    use super::*;
    use crate::ScramSha1;
    use crate::testing::{self, counter};

    fn facts() -> HostFacts {
        let shape = |iterations, salt| Shape::Sha1Only(KeyShape { iterations, salt });
        HostFacts::new([
            (Shape::usual(AccountMechanisms::Both, 10_000), 60),
            (shape(4096, SaltForm::Uuid), 30),
            (shape(8192, SaltForm::Random(24)), 10),
        ])
    }

    fn decoy() -> Decoy {
        Decoy::new([7; 32])
    }

    #[test]
    fn answers_are_stable_and_differ_by_name_host_hash_and_key() {
        let (one, two) = (testing::host().domain, DomainPart::new("other.example").unwrap().into_owned());
        let salt = |decoy: &Decoy, host: &DomainRef, name: &str, hash| decoy.keys(host, name, hash, &facts()).salt.clone();
        let first = salt(&decoy(), &one, "ghost", HashFunction::Sha1);
        assert_eq!(first, salt(&decoy(), &one, "ghost", HashFunction::Sha1));
        assert_ne!(first, salt(&decoy(), &one, "ghosu", HashFunction::Sha1));
        assert_ne!(first, salt(&decoy(), &two, "ghost", HashFunction::Sha1));
        assert_ne!(first, salt(&Decoy::new([8; 32]), &one, "ghost", HashFunction::Sha1));
        let credentials = decoy().credentials(&one, "ghost", &HostFacts::default());
        assert_ne!(credentials.sha256.unwrap().salt, credentials.sha1.unwrap().salt);
    }

    #[test]
    fn shapes_come_in_proportion_and_credentials_wear_them() {
        let host = testing::host().domain;
        let mut seen = std::collections::BTreeMap::<Shape, usize>::new();
        for n in 0..2000 {
            let name = format!("ghost{n}");
            let credentials = decoy().credentials(&host, &name, &facts());
            let shape = Shape::of(&credentials).unwrap();
            assert_eq!(shape, decoy().shape(&host, &name, &facts()));
            assert!(facts().shapes.iter().any(|(real, _)| *real == shape), "{shape:?}");
            *seen.entry(shape).or_default() += 1;
        }
        for (shape, share) in facts().shapes {
            let near = share as usize * 20;
            let count = seen.get(&shape).copied().unwrap_or(0);
            assert!(count > near * 8 / 10 && count < near * 12 / 10, "{shape:?} {count} {near}");
        }
    }

    #[test]
    fn drifting_proportions_move_few_names() {
        let host = testing::host().domain;
        let before = facts();
        let after = HostFacts::new(before.shapes.iter().map(|(shape, n)| (*shape, if *n == 60 { 63 } else { *n })));
        let moved = (0..2000)
            .map(|n| format!("ghost{n}"))
            .filter(|name| decoy().shape(&host, name, &before) != decoy().shape(&host, name, &after))
            .count();
        assert!(moved < 60, "{moved}");
    }

    #[test]
    fn without_accounts_a_decoy_looks_like_a_new_one() {
        let derived = Credentials::derive(&"pencil".into(), DEFAULT_ITERATIONS, ScramSha1::On, &counter()).unwrap();
        let fake = decoy().credentials(&testing::host().domain, "ghost", &HostFacts::default());
        assert_eq!(Shape::of(&fake), Shape::of(&derived));
    }

    #[test]
    fn only_the_commonest_shapes_are_kept() {
        let many = (1..200_u32).map(|n| (Shape::usual(AccountMechanisms::Both, n), u64::from(n)));
        assert_eq!(HostFacts::new(many).shapes.len(), MAX_SHAPES);
        assert!(HostFacts::new([(Shape::usual(AccountMechanisms::Sha1Only, 1), 0)]).shapes.is_empty());
    }
}
