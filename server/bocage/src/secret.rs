//! Passwords at the command line: made from the system's randomness, turned into keys as early as possible. A password
//! never leaves this process; what travels and what is stored are SCRAM keys.

use crate::config::Auth;
use bocage_api::store::{AccountKeys, StoredKeys};
use bocage_sasl::{Credentials, PasswordError, ScramKeys, ScramSha1};
use secrecy::SecretString;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use zeroize::Zeroizing;

/// Without letters and digits that look alike, 32 of them: 5 bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const GROUPS: usize = 5;
const GROUP: usize = 4;

/// A new password of 100 random bits in five groups.
pub(crate) fn new_password() -> SecretString {
    let mut bytes = Zeroizing::new([0_u8; GROUPS * GROUP]);
    rand::fill(&mut *bytes);
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().map_or('a', char::from);
    let groups: Vec<String> = bytes.chunks(GROUP).map(|group| group.iter().map(letter).collect()).collect();
    groups.join("-").into()
}

/// The keys of a password, as `[auth]` wants them.
///
/// # Errors
/// When the password cannot be used.
pub(crate) fn derive(password: &SecretString, auth: &Auth) -> Result<AccountKeys, PasswordError> {
    let sha1 = if auth.scram_sha1 { ScramSha1::On } else { ScramSha1::Off };
    let random = |bytes: &mut [u8]| rand::fill(bytes);
    let credentials = Credentials::derive(password, auth.scram_iterations, sha1, &random)?;
    Ok(AccountKeys { sha256: credentials.sha256.as_ref().map(stored), sha1: credentials.sha1.as_ref().map(stored) })
}

fn stored(keys: &ScramKeys) -> StoredKeys {
    StoredKeys {
        salt: keys.salt.clone(),
        iterations: keys.iterations,
        stored_key: Zeroizing::new(keys.stored_key.clone()),
        server_key: Zeroizing::new(keys.server_key.clone()),
    }
}

/// The same for many, on all cores, in the same order.
pub(crate) fn derive_all(passwords: &[SecretString], auth: &Auth) -> Vec<Result<AccountKeys, PasswordError>> {
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, password)) = taken(&next, passwords) {
            done.push((at, derive(password, auth)));
        }
        done
    };
    let mut all: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, keys)| keys).collect()
}

fn taken<'a>(next: &AtomicUsize, passwords: &'a [SecretString]) -> Option<(usize, &'a SecretString)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    passwords.get(at).map(|password| (at, password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn new_passwords_differ_and_can_be_typed() {
        let (one, other) = (new_password(), new_password());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(one.expose_secret().len(), GROUPS * GROUP + GROUPS - 1);
        assert!(one.expose_secret().chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }

    #[test]
    fn many_keys_come_in_order_and_follow_the_configuration() {
        let auth = Auth { scram_sha1: false, scram_iterations: 4_096, ..Auth::default() };
        let passwords: Vec<SecretString> = ["one", "", "three"].map(SecretString::from).into();
        let keys = derive_all(&passwords, &auth);
        assert_eq!(keys.get(1), Some(&Err(PasswordError::Empty)));
        let third = keys.into_iter().nth(2).unwrap().unwrap();
        assert!(third.sha1.is_none());
        assert_eq!(third.sha256.unwrap().iterations, 4_096);
    }
}
