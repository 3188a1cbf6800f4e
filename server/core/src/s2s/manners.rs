//! Which peers answer pings: what stands for an acknowledgement where there is no stream management (`live/pings.rs`).
//! In memory alone: a peer that is forgotten is asked again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Peers of which it is known; beyond, one is forgotten for each that is new.
const MAX_PEERS: usize = 10_000;
/// So many streams without an answer, one after the other, and a peer that has answered once is believed silent: the
/// way back from it may be broken, and what it has would be sent to it for ever.
const TRIES: u8 = 3;
/// The same of a peer that has never answered.
const FIRST: u8 = 1;

/// Unanswered streams that are left to each peer.
#[derive(Default)]
pub(super) struct Manners(Mutex<HashMap<String, u8>>);

impl Manners {
    fn known(&self) -> MutexGuard<'_, HashMap<String, u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Does `domain` leave pings unanswered?
    pub(super) fn is_silent(&self, domain: &str) -> bool {
        self.known().get(domain) == Some(&0)
    }
    /// It has answered.
    pub(super) fn answers(&self, domain: &str) {
        self.put(domain, |_| TRIES);
    }
    /// One of its streams was given up without an answer.
    pub(super) fn unanswered(&self, domain: &str) {
        if self.put(domain, |left| left.saturating_sub(1)) == 0 {
            tracing::info!("a server acknowledges nothing, not even pings: what is written to it counts as arrived");
        }
    }
    fn put(&self, domain: &str, next: impl FnOnce(u8) -> u8) -> u8 {
        let mut known = self.known();
        if let Some(left) = known.get_mut(domain) {
            *left = next(*left);
            return *left;
        }
        if known.len() >= MAX_PEERS
            && let Some(any) = known.keys().next().cloned()
        {
            known.remove(&any);
        }
        *known.entry(domain.to_owned()).or_insert(next(FIRST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_answers_is_silent_at_once_and_who_did_only_after_some_streams() {
        let manners = Manners::default();
        assert!(!manners.is_silent("a.example"));
        manners.unanswered("a.example");
        assert!(manners.is_silent("a.example"));
        manners.answers("a.example");
        for _ in 1..TRIES {
            manners.unanswered("a.example");
            assert!(!manners.is_silent("a.example"));
        }
        manners.unanswered("a.example");
        assert!(manners.is_silent("a.example"));
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let manners = Manners::default();
        for number in 0..MAX_PEERS + 9 {
            manners.answers(&format!("{number}.example"));
        }
        assert_eq!(manners.known().len(), MAX_PEERS);
    }
}
