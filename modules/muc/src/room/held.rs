//! Leaves that are held back (H27), and what waits meanwhile for who is gone and still shown. It is neither lost nor
//! answered early: who comes back gets it, and when the leave is shown its senders read that nobody is there
//! (XEP-0045 section 7.5), as they would of anybody who left that moment.

use super::{Env, NickKey, Room, emit::Notice};
use bocage_api::{Kind, Stanza, StanzaError};
use std::time::Duration;

/// Stanzas that wait in one room, and their bytes; beyond that a leave is shown at once.
const MAX_WAITING: usize = 100;
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// The leave of an occupant whose last session was lost, not yet shown.
pub(super) struct Held {
    key: NickKey,
    pub(super) until: Duration,
    waiting: Vec<Waiting>,
}

/// Checked and ready to be handed over; `head` is its sender's.
pub(super) struct Waiting {
    head: Stanza,
    ready: Stanza,
    bytes: usize,
}
impl Waiting {
    pub(super) fn new(head: Stanza, ready: Stanza) -> Self {
        let bytes = String::from(&ready.el).len();
        Self { head, ready, bytes }
    }
}

impl Room {
    pub(super) fn hold_back(&mut self, key: NickKey, until: Duration) {
        self.held.push(Held { key, until, waiting: Vec::new() });
    }
    /// Shown, and not there any more?
    pub(super) fn is_held(&self, key: &NickKey) -> bool {
        self.occupants.get(key).is_some_and(|occupant| occupant.seats.is_empty())
    }

    /// Keeps something for who is gone and still shown.
    ///
    /// # Errors
    /// `item-not-found` when there is no room for it: the leave is shown then.
    pub(super) fn wait_for(&mut self, env: &Env, key: &NickKey, waiting: Waiting) -> Result<(), StanzaError> {
        let all = self.held.iter().flat_map(|held| &held.waiting);
        let (count, bytes) = all.fold((0, waiting.bytes), |(count, bytes), other| (count + 1, bytes + other.bytes));
        match self.held.iter_mut().find(|held| held.key == *key) {
            Some(held) if count < MAX_WAITING && bytes <= MAX_WAITING_BYTES => {
                held.waiting.push(waiting);
                Ok(())
            }
            _ => {
                self.release(env, key);
                Err(StanzaError::item_not_found())
            }
        }
    }

    /// A session sat down where the leave was held back: nobody left.
    pub(super) fn came_back(&mut self, env: &Env, key: &NickKey) {
        for Waiting { head, ready, .. } in self.take_waiting(key) {
            match ready.kind {
                Kind::Iq(_) => self.hand_on(env, head, ready, key),
                _ => self.hand_over(env, ready, key),
            }
        }
    }

    /// Shows held leaves whose time has come.
    pub(crate) fn tick(&mut self, env: &Env) {
        let now = env.clock.mono();
        let due: Vec<NickKey> = self.held.iter().filter(|held| held.until <= now).map(|held| held.key.clone()).collect();
        for key in due {
            self.release(env, &key);
        }
        self.give_up_waiting(env, now);
        self.maybe_end();
    }

    fn release(&mut self, env: &Env, key: &NickKey) {
        if self.is_held(key) {
            self.show_to_others(env, key, &Notice::gone(&[]));
            self.occupant_gone(env, key);
        } else {
            self.held.retain(|held| held.key != *key);
        }
    }

    fn take_waiting(&mut self, key: &NickKey) -> Vec<Waiting> {
        let at = self.held.iter().position(|held| held.key == *key);
        at.map(|at| self.held.swap_remove(at).waiting).unwrap_or_default()
    }

    /// Nobody is under this nick any more, and everybody was shown so.
    pub(super) fn occupant_gone(&mut self, env: &Env, key: &NickKey) {
        if let Some(mut occupant) = self.occupants.remove(key) {
            let who = occupant.bare.clone();
            self.remember(occupant.id.take(), &who);
        }
        for Waiting { head, .. } in self.take_waiting(key) {
            self.refuse(env, &head, &StanzaError::item_not_found());
        }
    }
}
