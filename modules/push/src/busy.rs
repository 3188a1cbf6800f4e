//! What is under way and which session registered what: in memory alone.

use crate::notify::Job;
use jid::{BareJid, FullJid};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Registrations that one session is known to have made.
const MAX_KEYS: usize = 20;
/// Registrations whose failures are counted.
const MAX_FAILING: usize = 10_000;
/// Failures in a row after which a registration goes.
pub(crate) const MAX_FAILURES: u32 = 10;

/// Accounts that are being notified (bounded by the queue and the work at a time), sessions with registrations (by the
/// sessions), and failures.
#[derive(Default)]
pub struct Busy(Mutex<State>);

#[derive(Default)]
struct State {
    accounts: HashMap<BareJid, Option<Job>>,
    sessions: HashMap<FullJid, Vec<String>>,
    failures: HashMap<(BareJid, String), u32>,
}

impl Busy {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Something waits for `owner`: the job to do now, or `None` when one is under way, which is followed by another.
    pub(crate) fn begin(&self, owner: &BareJid, keys: Option<Vec<String>>) -> Option<Job> {
        let mut state = self.state();
        let job = Job { owner: owner.clone(), keys };
        match state.accounts.get_mut(owner) {
            Some(next) => {
                *next = Some(match next.take() {
                    Some(waiting) => waiting.and(job),
                    None => job,
                });
                None
            }
            None => {
                state.accounts.insert(owner.clone(), None);
                Some(job)
            }
        }
    }
    /// A job is done; the one that came meanwhile.
    pub(crate) fn end(&self, owner: &BareJid) -> Option<Job> {
        let mut state = self.state();
        let next = state.accounts.remove(owner).flatten();
        if next.is_some() {
            state.accounts.insert(owner.clone(), None);
        }
        next
    }
    /// This session made that registration.
    pub(crate) fn belongs(&self, session: &FullJid, key: String) {
        let mut state = self.state();
        let keys = state.sessions.entry(session.clone()).or_default();
        if !keys.contains(&key) && keys.len() < MAX_KEYS {
            keys.push(key);
        }
    }
    /// What this session registered.
    pub(crate) fn keys(&self, session: &FullJid) -> Vec<String> {
        self.state().sessions.get(session).cloned().unwrap_or_default()
    }
    /// A session is over.
    pub(crate) fn forget(&self, session: &FullJid) {
        self.state().sessions.remove(session);
    }
    /// A notification failed for a passing reason: how often it did in a row.
    pub(crate) fn failed(&self, owner: &BareJid, key: &str) -> u32 {
        let mut state = self.state();
        if state.failures.len() >= MAX_FAILING {
            state.failures.clear();
        }
        let count = state.failures.entry((owner.clone(), key.to_owned())).or_default();
        *count += 1;
        *count
    }
    /// A notification arrived, or its registration is gone.
    pub(crate) fn settled(&self, owner: &BareJid, key: &str) {
        self.state().failures.remove(&(owner.clone(), key.to_owned()));
    }
}
