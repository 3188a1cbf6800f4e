//! Accounts of which a session has just ended: until its unread messages are handed on, newer ones wait, so that what
//! was sent first arrives first.

use jid::BareJid;
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// Bounded by the sessions that end at one time.
#[derive(Default)]
pub(super) struct Leaving {
    total: AtomicUsize,
    accounts: Mutex<HashMap<BareJid, usize>>,
    left: Notify,
}

impl Leaving {
    /// A session of this account ends.
    pub(super) fn begin(&self, account: &BareJid) {
        self.total.fetch_add(1, Ordering::AcqRel);
        *self.accounts.lock().unwrap_or_else(PoisonError::into_inner).entry(account.clone()).or_default() += 1;
    }
    /// All that it had not read is handed on.
    pub(super) fn end(&self, account: &BareJid) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = accounts.get_mut(account) {
            *count -= 1;
            if *count == 0 {
                accounts.remove(account);
            }
            self.total.fetch_sub(1, Ordering::AcqRel);
        }
        drop(accounts);
        self.left.notify_waiters();
    }
    /// Is a session of this account ending?
    pub(super) fn is(&self, account: &BareJid) -> bool {
        self.total.load(Ordering::Acquire) > 0
            && self.accounts.lock().unwrap_or_else(PoisonError::into_inner).contains_key(account)
    }
    /// Resolves when none is.
    pub(super) async fn over(&self, account: &BareJid) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if !self.is(account) {
                return;
            }
            left.await;
        }
    }
}
