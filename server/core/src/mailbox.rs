//! Mailboxes never wait. Delivery is [`Mailbox::post`]: it succeeds at once or gives the stanza back.
//!
//! Above the soft mark the *sender's* read arm pauses for a while ([`Posted::Pressure`]); at the hard bound the
//! session is cut and its stanzas take the undeliverable path. One process-wide [`Budget`] bounds all of them.

use bocage_api::{Frozen, archive::StanzaId};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tokio::sync::Notify;

/// Above this many waiting stanzas a sender is slowed down.
pub const SOFT_STANZAS: usize = 256;
/// Above this many waiting bytes a sender is slowed down.
pub const SOFT_BYTES: usize = 256 * 1024;
/// More stanzas than this are never queued for one session.
pub const HARD_STANZAS: usize = 2_048;
/// More bytes than this are never queued for one session.
pub const HARD_BYTES: usize = 2 * 1024 * 1024;

/// How a stanza is addressed when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// As its `to` says.
    Own,
    /// To the bare JID of the session: broadcasts share one stanza.
    Bare,
    /// To the full JID of the session: what rooms send, and copies, share one stanza.
    Full,
}

impl Address {
    /// What is written instead of the stanza's own `to`.
    pub(crate) fn instead<'a>(self, bare: &'a str, session: &'a crate::router::Session) -> Option<&'a str> {
        match self {
            Self::Own => None,
            Self::Bare => Some(bare),
            Self::Full => Some(session.jid.as_str()),
        }
    }
}

/// What a mailbox holds.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The stanza, shared.
    pub stanza: Arc<Frozen>,
    /// How it is addressed.
    pub address: Address,
}

impl Mail {
    /// Is it the message with this row?
    pub(crate) fn is_row(&self, id: StanzaId) -> bool {
        is_row(&self.stanza, id)
    }
}

/// Is it the message with this row?
pub(crate) fn is_row(stanza: &Frozen, id: StanzaId) -> bool {
    stanza.waits == Some(id) || stanza.archived == Some(id)
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// Queued.
    Queued,
    /// Queued above the soft mark: slow down.
    Pressure,
}

/// How a session gets what waits in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in the mailbox.
    Posted,
    /// It was asked to look at what is held.
    Asked,
}

/// Why a delivery failed; the mail is given back.
#[derive(Debug)]
pub enum Refused {
    /// The session is over.
    Closed(Mail),
    /// The hard bound or the budget is reached.
    Full(Mail),
}

/// Bytes that all mailboxes together may hold.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    limit: usize,
}
impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }
    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.limit;
        if !fits {
            self.give(bytes);
        }
        fits
    }
    pub(crate) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
    /// Takes beyond the limit, for what was taken before.
    pub(crate) fn force(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Queue {
    mail: VecDeque<Mail>,
    bytes: usize,
    closed: bool,
    /// Nobody reads at present: senders need not wait for that.
    asleep: bool,
    flush_held: bool,
    reader: Option<Waker>,
}

/// The queue in front of a session.
#[derive(Debug)]
pub struct Mailbox {
    queue: Mutex<Queue>,
    drained: Notify,
    budget: Arc<Budget>,
}

impl Mailbox {
    /// An empty one that counts against `budget`.
    #[must_use]
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { queue: Mutex::default(), drained: Notify::new(), budget }
    }
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers without waiting.
    ///
    /// # Errors
    /// [`Refused`] gives the mail back.
    pub fn post(&self, mail: Mail) -> Result<Posted, Refused> {
        self.push(self.queue(), mail)
    }
    /// Delivers what waits in the store as well: to a session that sleeps, or that does not `look` there. One that does is
    /// asked to, and [`Stored::Asked`] says so; it cannot fall asleep or wake in between.
    ///
    /// # Errors
    /// [`Refused`] gives the mail back.
    pub fn post_stored(&self, mail: Mail, looks: bool) -> Result<Stored, Refused> {
        let mut queue = self.queue();
        if looks && !queue.asleep && !queue.closed {
            queue.flush_held = true;
            let reader = queue.reader.take();
            drop(queue);
            if let Some(reader) = reader {
                reader.wake();
            }
            return Ok(Stored::Asked);
        }
        self.push(queue, mail).map(|_| Stored::Posted)
    }
    fn push(&self, mut queue: MutexGuard<'_, Queue>, mail: Mail) -> Result<Posted, Refused> {
        let cost = mail.stanza.cost();
        if queue.closed {
            return Err(Refused::Closed(mail));
        }
        let fits = queue.mail.len() < HARD_STANZAS && queue.bytes.saturating_add(cost) <= HARD_BYTES;
        if !fits || !self.budget.take(cost) {
            return Err(Refused::Full(mail));
        }
        queue.bytes += cost;
        queue.mail.push_back(mail);
        let pressure = !queue.asleep && (queue.mail.len() > SOFT_STANZAS || queue.bytes > SOFT_BYTES);
        let reader = queue.reader.take();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(if pressure { Posted::Pressure } else { Posted::Queued })
    }

    /// Asks the session to deliver what is held for its account.
    pub fn flush_held(&self) {
        let mut queue = self.queue();
        queue.flush_held = true;
        let reader = queue.reader.take();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
    /// Was that asked since the last call?
    pub fn take_flush_held(&self) -> bool {
        std::mem::take(&mut self.queue().flush_held)
    }

    /// The session lost its connection, and may come back: senders do not wait for it.
    pub fn sleep(&self) {
        self.queue().asleep = true;
        self.drained.notify_waiters();
    }
    /// It came back.
    pub fn wake(&self) {
        self.queue().asleep = false;
    }

    /// Hands out waiting mail, oldest first, until `want` says enough.
    pub fn drain(&self, mut write: impl FnMut(&Mail) -> More) {
        loop {
            let Some((mail, empty)) = self.take() else { return };
            let more = write(&mail);
            if empty || more == More::Enough {
                return;
            }
        }
    }

    fn take(&self) -> Option<(Mail, bool)> {
        let mut queue = self.queue();
        let mail = queue.mail.pop_front()?;
        let cost = mail.stanza.cost();
        queue.bytes -= cost;
        let empty = queue.mail.is_empty();
        if empty && queue.mail.capacity() > 16 {
            queue.mail = VecDeque::new();
        }
        let relaxed = queue.mail.len() == SOFT_STANZAS / 2 || empty;
        drop(queue);
        self.budget.give(cost);
        if relaxed {
            self.drained.notify_waiters();
        }
        Some((mail, empty))
    }

    /// Ready when there is something to do: mail (if it is `wanted` now), or a call by [`Mailbox::flush_held`].
    pub fn poll_filled(&self, cx: &mut Context<'_>, wanted: Wanted) -> Poll<()> {
        let mut queue = self.queue();
        if queue.flush_held || (wanted == Wanted::Mail && !queue.mail.is_empty()) {
            return Poll::Ready(());
        }
        match &queue.reader {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => queue.reader = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
    /// Is a message with this row among what waits?
    pub fn has_row(&self, id: StanzaId) -> bool {
        self.queue().mail.iter().any(|mail| mail.is_row(id))
    }
    /// What waits, oldest first.
    pub fn waiting(&self) -> Vec<Arc<Frozen>> {
        self.queue().mail.iter().map(|mail| mail.stanza.clone()).collect()
    }
    /// This one, if it still waits, has a row by now.
    pub fn exchange(&self, old: &Arc<Frozen>, new: &Arc<Frozen>) {
        if let Some(mail) = self.queue().mail.iter_mut().find(|mail| Arc::ptr_eq(&mail.stanza, old)) {
            mail.stanza = new.clone();
        }
    }
    /// Resolves when the queue has shrunk well below the soft mark.
    pub async fn drained(&self) {
        let drained = self.drained.notified();
        {
            let queue = self.queue();
            if queue.asleep || queue.mail.len() <= SOFT_STANZAS / 2 {
                return;
            }
        }
        drained.await;
    }
    /// Ends it; what was waiting is given back.
    pub fn close(&self) -> Vec<Mail> {
        let mut queue = self.queue();
        queue.closed = true;
        let left: Vec<Mail> = std::mem::take(&mut queue.mail).into();
        self.budget.give(std::mem::take(&mut queue.bytes));
        drop(queue);
        self.drained.notify_waiters();
        left
    }
}

/// What a session waits for at its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Mail and calls.
    Mail,
    /// Calls alone: mail waits behind held messages.
    Calls,
}

/// Whether a writer wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// Yes.
    Yes,
    /// Not now.
    Enough,
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        Stanza,
        stanza::{Kind, MessageType},
    };

    fn mail() -> Mail {
        let stanza = crate::wire::freeze_for_wire(Stanza::new(Kind::Message(MessageType::Chat), None, None));
        Mail { stanza: Arc::new(stanza), address: Address::Own }
    }

    #[test]
    fn posting_never_waits_and_the_bound_holds() {
        let budget = Arc::new(Budget::new(usize::MAX));
        let mailbox = Mailbox::new(budget.clone());
        let posted = (0..HARD_STANZAS).map(|_| mailbox.post(mail()).unwrap()).collect::<Vec<_>>();
        assert_eq!(posted[0], Posted::Queued);
        assert_eq!(posted[SOFT_STANZAS], Posted::Pressure);
        assert!(matches!(mailbox.post(mail()), Err(Refused::Full(_))));
        assert_eq!(mailbox.close().len(), HARD_STANZAS);
        assert_eq!(budget.used(), 0);
        assert!(matches!(mailbox.post(mail()), Err(Refused::Closed(_))));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_session_that_is_asleep() {
        let mailbox = Mailbox::new(Arc::new(Budget::new(usize::MAX)));
        for _ in 0..SOFT_STANZAS + 1 {
            mailbox.post(mail()).unwrap();
        }
        mailbox.sleep();
        assert_eq!(mailbox.post(mail()).unwrap(), Posted::Queued);
        mailbox.drained().await;
        mailbox.wake();
        assert_eq!(mailbox.post(mail()).unwrap(), Posted::Pressure);
    }

    #[test]
    fn the_budget_of_the_process_holds() {
        let mailbox = Mailbox::new(Arc::new(Budget::new(mail().stanza.cost())));
        mailbox.post(mail()).unwrap();
        assert!(matches!(mailbox.post(mail()), Err(Refused::Full(_))));
        mailbox.drain(|_| More::Yes);
        mailbox.post(mail()).unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_relief_gets_it() {
        let mailbox = Arc::new(Mailbox::new(Arc::new(Budget::new(usize::MAX))));
        for _ in 0..SOFT_STANZAS + 1 {
            mailbox.post(mail()).unwrap();
        }
        let waiter = mailbox.clone();
        let (done, _) = tokio::join!(waiter.drained(), async { mailbox.drain(|_| More::Yes) });
        assert_eq!(done, ());
    }
}
