//! Who else has a message, or a copy of it: a session that ends hands on what nobody else has, and only that.
//!
//! Remembered as long as somebody has not read it: the message itself is held weakly.

use super::Session;
use bocage_api::Frozen;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Below so many entries nothing is swept.
const SWEEP: usize = 32;

/// Messages that several sessions of an account got. Bounded by what their mailboxes hold.
#[derive(Default)]
pub(super) struct Copies(Mutex<List>);

#[derive(Default)]
struct List {
    entries: Vec<Copied>,
    sweep_at: usize,
}

struct Copied {
    message: Weak<Frozen>,
    takers: Vec<Weak<Session>>,
    /// One session that ended handed it on for all.
    handed_on: bool,
}

/// Deliveries of one message, remembered together.
pub(super) struct Delivery<'a> {
    list: MutexGuard<'a, List>,
    takers: Vec<Weak<Session>>,
}

impl Copies {
    /// Begins a delivery to `sessions`, if they are several: none can be asked about it before it is finished.
    pub(super) fn delivery_to(&self, sessions: &[Arc<Session>]) -> Option<Delivery<'_>> {
        let list = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (sessions.len() > 1).then(|| Delivery { list: list(), takers: Vec::new() })
    }
    /// These have it, too, or a copy of it.
    pub(super) fn also_taken_by<'a>(&self, message: &Arc<Frozen>, sessions: impl Iterator<Item = &'a Arc<Session>>) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut takers: Vec<Weak<Session>> = sessions.map(Arc::downgrade).collect();
        match list.entries.iter_mut().find(|copied| copied.is(message)) {
            Some(copied) => copied.takers.append(&mut takers),
            None => list.add(message, takers),
        }
    }
    /// Has this session got it?
    pub(super) fn has(&self, message: &Arc<Frozen>, me: &Session) -> bool {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = list.entries.iter().filter(|copied| copied.is(message));
        same.any(|copied| copied.takers.iter().any(|taker| std::ptr::eq(taker.as_ptr(), me)))
    }
    /// Has a session of `here` that is awake, other than `me`, a copy?
    pub(super) fn are_read(&self, message: &Arc<Frozen>, me: &Session, here: &[Arc<Session>]) -> bool {
        let awake: Vec<_> = here.iter().filter(|s| !s.is_asleep() && !std::ptr::eq(&***s, me)).collect();
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = list.entries.iter().filter(|copied| copied.is(message));
        same.any(|copied| copied.takers.iter().any(|taker| awake.iter().any(|s| std::ptr::eq(taker.as_ptr(), Arc::as_ptr(s)))))
    }
    /// Has a session of `here`, other than `me`, a copy? The first one to hear no hands it on for all who ask later.
    pub(super) fn are_elsewhere(&self, message: &Arc<Frozen>, me: &Session, here: &[Arc<Session>]) -> bool {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(copied) = list.entries.iter_mut().find(|copied| copied.is(message)) else {
            return false;
        };
        let other = |taker: &Weak<Session>| {
            taker.upgrade().is_some_and(|taker| !std::ptr::eq(&*taker, me) && here.iter().any(|s| Arc::ptr_eq(s, &taker)))
        };
        let elsewhere = copied.handed_on || copied.takers.iter().any(other);
        copied.handed_on |= !elsewhere;
        elsewhere
    }
}

impl Delivery<'_> {
    /// This session took it.
    pub(super) fn taken_by(&mut self, session: &Arc<Session>) {
        self.takers.push(Arc::downgrade(session));
    }
    /// All have been offered it.
    pub(super) fn finish(mut self, message: &Arc<Frozen>) {
        if self.takers.len() < 2 {
            return;
        }
        self.list.add(message, self.takers);
    }
}

impl List {
    fn add(&mut self, message: &Arc<Frozen>, takers: Vec<Weak<Session>>) {
        if self.entries.len() >= self.sweep_at.max(SWEEP) {
            self.entries.retain(|copied| copied.message.strong_count() > 0);
            self.sweep_at = 2 * self.entries.len();
        }
        self.entries.push(Copied { message: Arc::downgrade(message), takers, handed_on: false });
    }
}

impl Copied {
    fn is(&self, message: &Arc<Frozen>) -> bool {
        self.message.as_ptr() == Arc::as_ptr(message)
    }
}
