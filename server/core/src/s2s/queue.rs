//! What waits for another server, and who is bringing it there. Posting never waits.

use super::ticket::Ticket;
use crate::mailbox::Budget;
use bocage_api::Frozen;
use jid::{DomainPart, Jid};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::Notify;

/// Stanzas that may wait for one peer; more are refused with `resource-constraint`.
pub const MAX_STANZAS: usize = 10_000;
/// Bytes that may wait for one peer.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A stanza on its way to another server.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) stanza: Arc<Frozen>,
    /// Addressed to this one instead of its own `to`: broadcasts share one stanza.
    pub(super) instead: Option<Jid>,
    /// Until when it waits for a peer that cannot be reached, if it has a ticket.
    pub(super) until: Duration,
    /// Of messages that are not to be lost.
    pub(super) ticket: Option<Arc<Ticket>>,
}

/// Who brings what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// Nobody: the next stanza starts one.
    None,
    /// A task that looks for the peer.
    Looking,
    /// A stream that is up.
    Stream,
}

struct State {
    items: VecDeque<Item>,
    bytes: usize,
    driver: Driver,
    reader: Option<Waker>,
    /// The id of the ping that whoever brings has sent, until it is answered.
    asked: Option<String>,
    /// It was, and whoever brings does not know yet.
    answered: bool,
}

impl State {
    /// Whoever brings is the only one who waits here.
    fn wakes(&mut self, cx: &Context<'_>) {
        match &self.reader {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => self.reader = Some(cx.waker().clone()),
        }
    }
}

/// The queue in front of one peer, for one host of ours.
pub struct Link {
    /// Our host.
    pub here: DomainPart,
    /// The peer.
    pub there: DomainPart,
    state: Mutex<State>,
    budget: Arc<Budget>,
    superseded: Notify,
}

/// What posting led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    /// Nobody brings it yet: the poster starts a task.
    First,
}

impl Link {
    pub(super) fn new(here: DomainPart, there: DomainPart, budget: Arc<Budget>) -> Self {
        let items = VecDeque::new();
        let state = State { items, bytes: 0, driver: Driver::None, reader: None, asked: None, answered: false };
        Self { here, there, state: Mutex::new(state), budget, superseded: Notify::new() }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues `item`; at the bound it is given back.
    pub(super) fn push(&self, item: Item) -> Result<Pushed, Item> {
        let cost = item.stanza.cost();
        let mut state = self.state();
        let fits = state.items.len() < MAX_STANZAS && state.bytes.saturating_add(cost) <= MAX_BYTES;
        if !fits || !self.budget.take(cost) {
            return Err(item);
        }
        state.bytes += cost;
        state.items.push_back(item);
        let first = state.driver == Driver::None;
        if first {
            state.driver = Driver::Looking;
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(if first { Pushed::First } else { Pushed::Queued })
    }

    /// The oldest.
    pub(super) fn take(&self) -> Option<Item> {
        let mut state = self.state();
        let item = state.items.pop_front()?;
        let cost = item.stanza.cost();
        state.bytes -= cost;
        self.budget.give(cost);
        Some(item)
    }
    /// What was taken but may not have arrived goes to the front again, to wait until `until` at least.
    pub(super) fn put_back(&self, items: impl DoubleEndedIterator<Item = Item>, until: Duration) {
        let mut state = self.state();
        for item in items.rev() {
            let cost = item.stanza.cost();
            // Beyond the bounds rather than lost: it was inside of them when it was taken.
            self.budget.force(cost);
            state.bytes += cost;
            state.items.push_front(Item { until: item.until.max(until), ..item });
        }
    }
    /// Takes out what `which` names.
    pub(super) fn take_out(&self, which: impl Fn(&Item) -> bool) -> Vec<Item> {
        let mut state = self.state();
        let (out, left): (Vec<_>, Vec<_>) = std::mem::take(&mut state.items).into_iter().partition(|item| which(item));
        state.items = left.into();
        let cost: usize = out.iter().map(|item| item.stanza.cost()).sum();
        state.bytes -= cost;
        self.budget.give(cost);
        out
    }
    /// When the first of them has waited long enough.
    pub(super) fn patience_ends(&self) -> Option<Duration> {
        self.state().items.iter().map(|item| item.until).min()
    }
    pub(super) fn is_empty(&self) -> bool {
        self.state().items.is_empty()
    }
    /// Ready when something waits.
    pub(super) fn poll_filled(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.items.is_empty() {
            return Poll::Ready(());
        }
        state.wakes(cx);
        Poll::Pending
    }

    /// The peer was asked: this ping is behind what was brought.
    pub(super) fn ask(&self, id: String) {
        let mut state = self.state();
        (state.asked, state.answered) = (Some(id), false);
    }
    /// Whoever brings asks no more.
    pub(super) fn forget_question(&self) {
        let mut state = self.state();
        (state.asked, state.answered) = (None, false);
    }
    /// The peer has answered the ping `id`, on whatever stream; `false`: nobody has asked that.
    pub(super) fn answer(&self, id: &str) -> bool {
        let mut state = self.state();
        if state.asked.as_deref() != Some(id) {
            return false;
        }
        (state.asked, state.answered) = (None, true);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }
    /// Ready once when the peer has answered.
    pub(super) fn poll_answered(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if std::mem::take(&mut state.answered) {
            return Poll::Ready(());
        }
        state.wakes(cx);
        Poll::Pending
    }

    /// A stream that the peer has opened takes over, unless one is up already.
    pub(super) fn take_over(&self) -> bool {
        let mut state = self.state();
        if state.driver == Driver::Stream {
            return false;
        }
        state.driver = Driver::Stream;
        drop(state);
        self.superseded.notify_waiters();
        true
    }
    /// The task that looks for the peer has found it; `false`: the peer was faster.
    pub(super) fn found(&self) -> bool {
        let mut state = self.state();
        let first = state.driver == Driver::Looking;
        if first {
            state.driver = Driver::Stream;
        }
        first
    }
    /// Is its peer still looked for, or has a stream of the peer's taken over?
    pub(super) fn is_looked_for(&self) -> bool {
        self.state().driver == Driver::Looking
    }
    /// A stream ended: its task looks for the peer again while something waits. `false`: nothing does.
    pub(super) fn look_again(&self) -> bool {
        let mut state = self.state();
        state.reader = None;
        state.driver = if state.items.is_empty() { Driver::None } else { Driver::Looking };
        state.driver == Driver::Looking
    }
    /// May it be forgotten?
    pub(super) fn is_unused(&self) -> bool {
        let state = self.state();
        state.driver == Driver::None && state.items.is_empty()
    }
    /// Resolves when a stream of the peer's has taken over.
    pub(super) async fn superseded(&self) {
        let superseded = self.superseded.notified();
        if self.state().driver != Driver::Stream {
            superseded.await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.give(state.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{Kind, Stanza, stanza::MessageType};

    fn item(id: &str) -> Item {
        let stanza = Stanza::new(Kind::Message(MessageType::Chat), None, None).with_id(id);
        Item { stanza: Arc::new(crate::wire::freeze_for_wire(stanza)), instead: None, until: Duration::ZERO, ticket: None }
    }
    fn link(budget: &Arc<Budget>) -> Link {
        Link::new("here.example".parse().unwrap(), "there.example".parse().unwrap(), budget.clone())
    }
    fn ids(link: &Link) -> Vec<String> {
        std::iter::from_fn(|| link.take()).filter_map(|item| item.stanza.id.clone()).collect()
    }

    #[test]
    fn the_first_stanza_starts_a_task_and_the_bound_holds() {
        let budget = Arc::new(Budget::new(usize::MAX));
        let link = link(&budget);
        assert_eq!(link.push(item("0")).ok(), Some(Pushed::First));
        for _ in 1..MAX_STANZAS {
            assert_eq!(link.push(item("n")).ok(), Some(Pushed::Queued));
        }
        assert!(link.push(item("one too many")).is_err());
        drop(link);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_may_not_have_arrived_comes_first_again_in_order() {
        let budget = Arc::new(Budget::new(usize::MAX));
        let link = link(&budget);
        for id in ["1", "2", "3"] {
            link.push(item(id)).ok().unwrap();
        }
        let taken = [link.take().unwrap(), link.take().unwrap()];
        link.put_back(taken.into_iter(), Duration::from_secs(9));
        assert_eq!(ids(&link), ["1", "2", "3"]);
    }

    #[test]
    fn only_the_ping_that_was_sent_is_answered_and_once() {
        let link = link(&Arc::new(Budget::new(usize::MAX)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(!link.answer("ping"), "nobody asked");
        link.ask("ping".into());
        assert!(!link.answer("pong") && link.poll_answered(&mut cx).is_pending());
        assert!(link.answer("ping") && !link.answer("ping"));
        assert!(link.poll_answered(&mut cx).is_ready() && link.poll_answered(&mut cx).is_pending());
        link.ask("later".into());
        link.forget_question();
        assert!(!link.answer("later"), "the stream that asked is gone");
    }

    #[test]
    fn only_one_stream_brings_what_waits() {
        let link = link(&Arc::new(Budget::new(usize::MAX)));
        link.push(item("1")).ok().unwrap();
        assert!(link.take_over());
        assert!(!link.found());
        assert!(!link.take_over());
        assert!(link.look_again());
        link.take();
        assert!(!link.look_again() && link.is_unused());
    }
}
