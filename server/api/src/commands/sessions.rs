//! Conversations under way: few, short-lived, each of one requester.

use super::{Answers, Lang, Then, bad};
use crate::error::{Condition, ErrorType, StanzaError};
use jid::{BareJid, Jid};
use minidom::Element;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Conversations at the same time; of them …
pub(super) const MAX_SESSIONS: usize = 1_000;
/// … those of one account: the oldest gives way.
pub(super) const MAX_PER_CALLER: usize = 5;
/// A conversation ends when nothing is said for so long.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// Steps of a conversation.
pub(super) const MAX_STEPS: usize = 16;
/// Ids of conversations that have ended, for who comes back too late.
const MAX_ENDED: usize = 256;

/// A conversation that waits for its requester.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) caller: Jid,
    pub(super) node: &'static str,
    pub(super) lang: Lang,
    pub(super) answers: Vec<Answers>,
    pub(super) then: Then,
    pub(super) heard: Duration,
}

/// All conversations of one server or service. They live in memory alone and end with the process.
#[derive(Default)]
pub struct CommandSessions(Mutex<State>);

#[derive(Default)]
struct State {
    open: HashMap<String, Session>,
    ended: VecDeque<(String, BareJid)>,
}

impl CommandSessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a conversation out for its next step: two requests at once cannot both continue it.
    ///
    /// # Errors
    /// `bad-sessionid` for somebody else's or none, `session-expired` for one that has ended.
    pub(super) fn take(&self, (id, node): (&str, &str), caller: &Jid, now: Duration) -> Result<Session, StanzaError> {
        let mut state = self.state();
        state.expire(now);
        let own = state.open.get(id).is_some_and(|session| session.caller == *caller && session.node == node);
        if own && let Some(session) = state.open.remove(id) {
            return Ok(session);
        }
        let bare = caller.to_bare();
        Err(if state.ended.iter().any(|(ended, who)| ended == id && *who == bare) { expired() } else { bad("bad-sessionid") })
    }

    /// Puts a conversation (back) to wait.
    ///
    /// # Errors
    /// `resource-constraint` when there are too many.
    pub(super) fn wait(&self, id: String, session: Session) -> Result<(), StanzaError> {
        let mut state = self.state();
        state.expire(session.heard);
        let caller = session.caller.to_bare();
        let of_caller = |(_, other): &(&String, &Session)| other.caller.to_bare() == caller;
        if state.open.iter().filter(of_caller).count() >= MAX_PER_CALLER
            && let Some(oldest) = state.open.iter().filter(of_caller).min_by_key(|(_, s)| s.heard).map(|(id, _)| id.clone())
        {
            state.end(&oldest);
        }
        if state.open.len() >= MAX_SESSIONS {
            return Err(StanzaError::resource_constraint());
        }
        state.open.insert(id, session);
        Ok(())
    }

    /// A conversation that was taken out is over.
    pub(super) fn ended(&self, id: &str, caller: &Jid) {
        self.state().remember(id.to_owned(), caller.to_bare());
    }

    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.state().open.len()
    }
}

impl State {
    fn expire(&mut self, now: Duration) {
        let late = |session: &Session| now.saturating_sub(session.heard) >= LIFETIME;
        let over: Vec<String> = self.open.iter().filter(|(_, s)| late(s)).map(|(id, _)| id.clone()).collect();
        over.iter().for_each(|id| self.end(id));
    }
    fn end(&mut self, id: &str) {
        if let Some(session) = self.open.remove(id) {
            self.remember(id.to_owned(), session.caller.to_bare());
        }
    }
    fn remember(&mut self, id: String, caller: BareJid) {
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((id, caller));
    }
}

/// XEP-0050 section 4.4.
fn expired() -> StanzaError {
    let condition = Element::bare("session-expired", super::NS_COMMANDS);
    StanzaError::new(ErrorType::Cancel, Condition::NotAllowed).with_application(condition)
}
