//! A message to another server that is not to be lost: its sender's side waits here until the peer has it or it is a
//! row. Rows are written late on purpose: a link that is up needs none.

use super::federation::Federation;
use crate::router::Step;
use bocage_api::{
    Frozen, StanzaError,
    store::{OutboundDraft, OutboundKey},
};
use bytes::Bytes;
use jid::Jid;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// A peer that takes a message within this time costs no row.
const GRACE: Duration = Duration::from_millis(200);
/// A row is tried for so long; kept to the minute.
const ROW_TIME: i64 = 120;

/// What became of a message.
pub(super) type Fate = Result<(), StanzaError>;

#[derive(Clone)]
enum State {
    /// The sender's side waits.
    Open,
    /// A row is being committed.
    Storing,
    /// It is a row: the sender's side was told that it is safe.
    Stored(OutboundKey),
    /// Known, and told by the sender's side.
    Settled(Fate),
    /// The sender's side is gone.
    Orphaned,
}

/// Who tells of a fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teller {
    /// The sender's side.
    Sender,
    /// Whoever settled it; this row goes then.
    Row(OutboundKey),
    /// Whoever settled it.
    Nobody,
}

/// The sender's claim on a message in a queue.
pub(super) struct Ticket {
    state: Mutex<State>,
    settled: Notify,
}

impl Ticket {
    pub(super) fn open() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Open), settled: Notify::new() })
    }
    /// Of a row that a former run has left.
    pub(super) fn of_row(key: OutboundKey) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Stored(key)), settled: Notify::new() })
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer has it, or it will not get it. Says who tells the sender.
    pub(super) fn settle(&self, fate: Fate) -> Teller {
        let mut state = self.state();
        let teller = match *state {
            State::Open | State::Storing | State::Settled(_) => Teller::Sender,
            State::Stored(key) => Teller::Row(key),
            State::Orphaned => Teller::Nobody,
        };
        *state = State::Settled(fate);
        drop(state);
        self.settled.notify_waiters();
        teller
    }
    async fn fate(&self) -> Fate {
        loop {
            let settled = self.settled.notified();
            if let State::Settled(fate) = &*self.state() {
                return fate.clone();
            }
            settled.await;
        }
    }
    /// Moves on unless it is settled.
    fn advance(&self, next: State) -> Option<Fate> {
        let mut state = self.state();
        match &*state {
            State::Settled(fate) => Some(fate.clone()),
            _ => {
                *state = next;
                None
            }
        }
    }
}

/// Whoever settles it tells the sender, if the sender's side is dropped.
struct Watch(Arc<Ticket>);
impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if let State::Open | State::Storing = *state {
            *state = State::Orphaned;
        }
    }
}

/// Resolves when the message is safe: the peer has it, it is a row, or its sender is told that it did not go.
pub(super) async fn kept(federation: Arc<Federation>, ticket: Arc<Ticket>, stanza: Arc<Frozen>) -> Step {
    let watch = Watch(ticket);
    let ticket = &watch.0;
    if let Ok(fate) = tokio::time::timeout(GRACE, ticket.fate()).await {
        return told(&stanza, fate);
    }
    let Some(draft) = draft(&federation, &stanza) else { return told(&stanza, ticket.fate().await) };
    if let Some(fate) = ticket.advance(State::Storing) {
        return told(&stanza, fate);
    }
    let key = draft.key;
    match federation.router.stores.outbound.keep(vec![draft]).await {
        Ok(()) => match ticket.advance(State::Stored(key)) {
            None => Step::Done,
            Some(fate) => {
                federation.rows.forget(key);
                told(&stanza, fate)
            }
        },
        // Without a row it is safe only with the peer.
        Err(_) => {
            let fate = ticket.fate().await;
            federation.rows.forget(key);
            told(&stanza, fate)
        }
    }
}

fn told(stanza: &Frozen, fate: Fate) -> Step {
    match fate {
        Ok(()) => Step::Done,
        Err(error) => Step::bounce_frozen(stanza, &error),
    }
}

fn draft(federation: &Federation, stanza: &Frozen) -> Option<OutboundDraft> {
    let (from, to) = (stanza.from.as_ref()?, stanza.to.as_ref()?);
    let router = &federation.router;
    Some(OutboundDraft {
        key: OutboundKey(router.entropy.bytes()),
        here: from.domain().as_str().to_owned(),
        peer: to.domain().as_str().to_owned(),
        owner: Jid::to_bare(from),
        deadline: router.clock.wall().saturating_add(ROW_TIME),
        payload: Bytes::from(crate::wire::frozen_document(stanza)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fate_is_told_by_exactly_one() {
        let ticket = Ticket::open();
        assert_eq!(ticket.settle(Ok(())), Teller::Sender);
        assert_eq!(ticket.fate().await, Ok(()));
        let ticket = Ticket::open();
        drop(Watch(ticket.clone()));
        assert_eq!(ticket.settle(Ok(())), Teller::Nobody);
        let key = OutboundKey([7; 16]);
        assert_eq!(Ticket::of_row(key).settle(Ok(())), Teller::Row(key));
    }

    #[tokio::test]
    async fn what_is_settled_while_it_is_stored_is_still_the_senders_to_tell() {
        let ticket = Ticket::open();
        assert_eq!(ticket.advance(State::Storing), None);
        assert_eq!(ticket.settle(Err(StanzaError::remote_server_timeout())), Teller::Sender);
        assert_eq!(ticket.advance(State::Stored(OutboundKey([1; 16]))), Some(Err(StanzaError::remote_server_timeout())));
    }
}
