//! What an account keeps instead of a password. Who steals these keys can play the server, but not the client.

use core::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    AccountMechanisms, Entropy, HashFunction, ScramSha1,
    entropy::random,
    hash::{Secret, xor},
};

/// Iterations of new keys; RFC 7677 section 4 asks for at least 4096, and phones pay for each.
pub const DEFAULT_ITERATIONS: u32 = 10_000;

/// Bytes of salt in new keys.
pub(crate) const SALT_LEN: usize = 16;

/// Longest password, in bytes after preparation.
const MAX_PASSWORD: usize = 1024;

/// The keys of one account for one hash function (RFC 5802 section 3).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ScramKeys {
    /// The salt, as raw bytes.
    pub salt: Vec<u8>,
    /// The iteration count.
    pub iterations: u32,
    /// `H(ClientKey)`.
    pub stored_key: Vec<u8>,
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl ScramKeys {
    fn derive(hash: HashFunction, prepared: &str, salt: &[u8], iterations: u32) -> Option<Self> {
        let salted = hash.salted_password(prepared.as_bytes(), salt, iterations)?;
        let client_key = hash.hmac(&salted, &[b"Client Key"]);
        Some(Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: hash.digest(&client_key).to_vec(),
            server_key: hash.hmac(&salted, &[b"Server Key"]).to_vec(),
        })
    }

    fn verify(&self, hash: HashFunction, prepared: &str) -> bool {
        Self::derive(hash, prepared, &self.salt, self.iterations)
            .is_some_and(|keys| bool::from(keys.stored_key.ct_eq(&self.stored_key)))
    }

    /// The ClientKey inside `proof`, if it is the one these keys were made from.
    pub(crate) fn client_key(&self, hash: HashFunction, auth_message: &[u8], proof: &[u8]) -> Option<ClientKey> {
        let signature = hash.hmac(&self.stored_key, &[auth_message]);
        let key = xor(proof, &signature);
        bool::from(hash.digest(&key).ct_eq(&self.stored_key)).then_some(ClientKey { hash, key })
    }

    pub(crate) fn server_signature(&self, hash: HashFunction, auth_message: &[u8]) -> Secret {
        hash.hmac(&self.server_key, &[auth_message])
    }
}

/// The client's own key, seen for a moment at each login and never stored: what a sealed archive can be opened with.
#[derive(Clone)]
pub struct ClientKey {
    hash: HashFunction,
    key: Secret,
}

impl ClientKey {
    /// The hash function that it belongs to; the keys of an account differ by it.
    pub const fn hash(&self) -> HashFunction {
        self.hash
    }

    /// The key itself.
    pub fn expose(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// Why a password cannot be used. None of these says the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing is left after preparation.
    #[error("the password is empty")]
    Empty,
    /// Longer than 1024 bytes.
    #[error("the password is longer than 1024 bytes")]
    TooLong,
    /// SASLprep (RFC 4013) forbids one of its characters, so clients would disagree on its bytes.
    #[error("the password has a character that clients encode in different ways (RFC 4013)")]
    Unprepared,
    /// The iteration count is zero.
    #[error("the iteration count is zero")]
    NoIterations,
}

/// All keys of one account. An account imported from elsewhere may lack one kind.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Credentials {
    /// For SCRAM-SHA-256(-PLUS).
    pub sha256: Option<ScramKeys>,
    /// For SCRAM-SHA-1(-PLUS).
    pub sha1: Option<ScramKeys>,
}

impl Credentials {
    /// The keys for a new password, each kind with a salt of its own. Slow on purpose: not for an async task.
    pub fn derive(
        password: &SecretString,
        iterations: u32,
        sha1: ScramSha1,
        entropy: &dyn Entropy,
    ) -> Result<Self, PasswordError> {
        if iterations == 0 {
            return Err(PasswordError::NoIterations);
        }
        let prepared = prepare(password)?;
        let keys = |hash| ScramKeys::derive(hash, &prepared, &random::<SALT_LEN>(entropy), iterations);
        Ok(Self { sha256: keys(HashFunction::Sha256), sha1: if sha1 == ScramSha1::On { keys(HashFunction::Sha1) } else { None } })
    }

    /// Whether this is the account's password. As slow as [`Credentials::derive`].
    pub fn verify_password(&self, password: &SecretString) -> bool {
        let Ok(prepared) = prepare(password) else {
            return false;
        };
        match (&self.sha256, &self.sha1) {
            (Some(keys), _) => keys.verify(HashFunction::Sha256, &prepared),
            (None, Some(keys)) => keys.verify(HashFunction::Sha1, &prepared),
            (None, None) => false,
        }
    }

    /// The keys for a hash function.
    pub const fn keys(&self, hash: HashFunction) -> Option<&ScramKeys> {
        match hash {
            HashFunction::Sha256 => self.sha256.as_ref(),
            HashFunction::Sha1 => self.sha1.as_ref(),
        }
    }

    /// What the account can do; `None` for an account without any key.
    pub const fn mechanisms(&self) -> Option<AccountMechanisms> {
        match (&self.sha256, &self.sha1) {
            (Some(_), Some(_)) => Some(AccountMechanisms::Both),
            (Some(_), None) => Some(AccountMechanisms::Sha256Only),
            (None, Some(_)) => Some(AccountMechanisms::Sha1Only),
            (None, None) => None,
        }
    }
}

/// SASLprep as RFC 5802 section 2.2 wants it; RFC 8265's OpaqueString differs only where clients still use SASLprep.
fn prepare(password: &SecretString) -> Result<Zeroizing<String>, PasswordError> {
    let prepared = stringprep::saslprep(password.expose_secret()).map_err(|_| PasswordError::Unprepared)?;
    let prepared = Zeroizing::new(prepared.into_owned());
    match prepared.len() {
        0 => Err(PasswordError::Empty),
        1..=MAX_PASSWORD => Ok(prepared),
        _ => Err(PasswordError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::counter;

    fn derive(password: &str) -> Result<Credentials, PasswordError> {
        Credentials::derive(&password.into(), 8, ScramSha1::On, &counter())
    }

    #[test]
    fn a_password_verifies_against_each_kind() {
        let both = derive("pencil").unwrap();
        for credentials in
            [both.clone(), Credentials { sha1: None, ..both.clone() }, Credentials { sha256: None, ..both.clone() }]
        {
            assert!(credentials.verify_password(&"pencil".into()));
            assert!(!credentials.verify_password(&"pencils".into()));
        }
        assert!(!Credentials::default().verify_password(&"pencil".into()));
        assert_ne!(both.sha256.unwrap().salt, both.sha1.unwrap().salt);
    }

    #[test]
    fn passwords_are_prepared() {
        // RFC 4013 section 3: soft hyphen vanishes, ROMAN NUMERAL NINE is "IX", an exotic space is a space.
        assert!(derive("I\u{ad}X").unwrap().verify_password(&"\u{2168}".into()));
        assert!(derive("a\u{a0}b").unwrap().verify_password(&"a b".into()));
        assert_eq!(derive("\u{7}"), Err(PasswordError::Unprepared));
        assert_eq!(derive("\u{ad}"), Err(PasswordError::Empty));
        assert_eq!(derive(""), Err(PasswordError::Empty));
        assert_eq!(derive(&"x".repeat(1025)), Err(PasswordError::TooLong));
        assert!(derive(&"x".repeat(1024)).is_ok());
        let none = Credentials::derive(&"x".into(), 0, ScramSha1::On, &counter());
        assert_eq!(none, Err(PasswordError::NoIterations));
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", derive("pencil").unwrap());
        assert!(!shown.contains("stored") && !shown.contains("salt"), "{shown}");
    }
}
