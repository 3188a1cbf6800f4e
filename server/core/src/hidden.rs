//! Identifiers in the log (H09). Shown as nothing at all, or, where the operator wants to tell one from another, as a
//! hash under a key that lives in memory and is another one each day.

use bocage_api::{Clock, Entropy};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{fmt, sync::OnceLock};
use zeroize::Zeroizing;

static HASHED: OnceLock<(Zeroizing<[u8; 32]>, Clock)> = OnceLock::new();
const SECONDS_PER_DAY: i64 = 86_400;

/// From now on identifiers are shown as hashes (`log.identifiers = "hashed"`).
pub fn show_hashes(clock: Clock, entropy: &Entropy) {
    // Set once a process: a reload does not change it.
    let _ = HASHED.set((Zeroizing::new(entropy.bytes()), clock));
}

/// A JID, an address or whatever else points at a person: its text never reaches a log line.
#[derive(Clone, Copy)]
pub struct Hidden<T>(pub T);

impl<T: AsRef<str>> fmt::Display for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match HASHED.get() {
            None => f.write_str("…"),
            Some((key, clock)) => {
                write!(f, "#{:08x}", hash(key.as_slice(), clock.wall().div_euclid(SECONDS_PER_DAY), self.0.as_ref()))
            }
        }
    }
}
impl<T: AsRef<str>> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hash(key: &[u8], day: i64, text: &str) -> u32 {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return 0 };
    mac.update(&day.to_be_bytes());
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_by_default_and_hashes_change_by_the_day() {
        assert_eq!(format!("{} {:?}", Hidden("a@b.example"), Hidden("a@b.example")), "… …");
        let on = |day| hash(&[7; 32], day, "a@b.example");
        assert_eq!(on(1), on(1));
        assert_ne!(on(1), on(2));
        assert_ne!(hash(&[7; 32], 1, "c@b.example"), on(1));
    }
}
