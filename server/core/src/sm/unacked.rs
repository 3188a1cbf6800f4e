//! What was sent and is not acknowledged: it is sent again on the stream that resumes, or finds another way when the
//! session dies. Stanzas are shared, not copied; each costs 16 bytes here.

use crate::mailbox::{Address, Budget, is_row};
use bocage_api::{Frozen, archive::StanzaId};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// With so many stanzas unacknowledged, nothing more is taken from the mailbox.
const SOFT_STANZAS: usize = 512;
/// With so many bytes unacknowledged, nothing more is taken from the mailbox.
const SOFT_BYTES: usize = 512 * 1024;
/// More stanzas than this end the session: its own requests had so many answers that it never acknowledged.
const HARD_STANZAS: usize = 4_096;
/// More bytes than this end the session.
const HARD_BYTES: usize = 4 * 1024 * 1024;

/// Does the store have it, until it is acknowledged?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// No: this is the only copy for this session.
    No,
    /// Yes, as a message that waits for its account.
    Held,
}

struct Sent {
    stanza: Arc<Frozen>,
    address: Address,
    row: Row,
}

/// The other side acknowledges more than it was sent (XEP-0198 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooHigh {
    /// What it said.
    pub(crate) h: u32,
    /// What it was sent.
    pub(crate) send_count: u32,
}

/// Sent and not acknowledged, oldest first.
pub(crate) struct Unacked {
    sent: VecDeque<Sent>,
    bytes: usize,
    /// Stanzas sent since counting began, modulo 2^32.
    count: u32,
    /// The other side was asked, at this time, and has not answered.
    asked: Option<Duration>,
    /// A bound was passed.
    over: bool,
    /// Rows of messages that were acknowledged, to be released. Bounded by what can be sent.
    freed: Vec<StanzaId>,
    budget: Arc<Budget>,
}

impl Unacked {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { sent: VecDeque::new(), bytes: 0, count: 0, asked: None, over: false, freed: Vec::new(), budget }
    }

    /// This is being sent.
    pub(crate) fn push(&mut self, stanza: Arc<Frozen>, address: Address, row: Row) {
        let cost = stanza.cost();
        self.count = self.count.wrapping_add(1);
        self.bytes += cost;
        // Over the budget it is kept all the same, for the moment until the session ends.
        let fits = self.budget.take(cost);
        if !fits {
            self.budget.force(cost);
        }
        self.sent.push_back(Sent { stanza, address, row });
        self.over |= !fits || self.sent.len() > HARD_STANZAS || self.bytes > HARD_BYTES;
    }

    /// Stanzas sent so far.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }
    /// Was all acknowledged that was sent up to this count?
    pub(crate) fn is_acknowledged(&self, count: u32) -> bool {
        let open = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        self.count.wrapping_sub(count) >= open
    }
    /// Up to `h` the other side has all.
    ///
    /// # Errors
    /// [`TooHigh`]; nothing is changed then.
    pub(crate) fn acknowledge(&mut self, h: u32) -> Result<(), TooHigh> {
        let open = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        let left = self.count.wrapping_sub(h);
        if left > open {
            // An older count says nothing new; a newer one than ours is a lie.
            return if left < u32::MAX / 2 { Ok(()) } else { Err(TooHigh { h, send_count: self.count }) };
        }
        for sent in self.sent.drain(..usize::try_from(open - left).unwrap_or(0)) {
            let cost = sent.stanza.cost();
            self.bytes -= cost;
            self.budget.give(cost);
            if sent.row == Row::No {
                self.freed.extend(sent.stanza.waits);
            }
        }
        if self.sent.is_empty() && self.sent.capacity() > 8 {
            self.sent = VecDeque::new();
        }
        Ok(())
    }

    /// Is there a row to be released?
    pub(crate) fn has_freed(&self) -> bool {
        !self.freed.is_empty()
    }
    /// The rows to be released now.
    pub(crate) fn take_freed(&mut self) -> Vec<StanzaId> {
        std::mem::take(&mut self.freed)
    }
    /// Was the message with this row sent already?
    pub(crate) fn has_row(&self, id: StanzaId) -> bool {
        self.freed.contains(&id) || self.sent.iter().any(|sent| sent.row == Row::No && is_row(&sent.stanza, id))
    }
    /// Messages that the store may not have as ones that wait.
    pub(crate) fn without_row(&self) -> impl Iterator<Item = &Arc<Frozen>> {
        self.sent.iter().filter(|sent| sent.row == Row::No && sent.stanza.waits.is_none()).map(|sent| &sent.stanza)
    }
    /// This one, if it is not acknowledged, has a row by now.
    pub(crate) fn exchange(&mut self, old: &Arc<Frozen>, new: &Arc<Frozen>) {
        if let Some(sent) = self.sent.iter_mut().find(|sent| Arc::ptr_eq(&sent.stanza, old)) {
            sent.stanza = new.clone();
        }
    }

    /// The answer to a question came; `true` when there is reason to ask again.
    pub(crate) fn answered(&mut self) -> bool {
        self.asked = None;
        !self.sent.is_empty()
    }
    /// Is it time to ask? Says so once until it is answered.
    pub(crate) fn ask(&mut self, now: Duration) -> bool {
        let ask = self.asked.is_none() && !self.sent.is_empty();
        if ask {
            self.asked = Some(now);
        }
        ask
    }
    /// When the open question was asked.
    pub(crate) fn asked(&self) -> Option<Duration> {
        self.asked
    }
    /// The connection is another one: what was asked on the old one is not answered.
    pub(crate) fn forget_question(&mut self) {
        self.asked = None;
    }

    /// Nothing more should be added that can wait.
    pub(crate) fn is_full(&self) -> bool {
        self.sent.len() >= SOFT_STANZAS || self.bytes >= SOFT_BYTES
    }
    /// A bound was passed: the session has to end.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }
    /// All of it, oldest first, as it was addressed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<Frozen>, Address)> {
        self.sent.iter().map(|sent| (&sent.stanza, sent.address))
    }
    /// The session is over: what nobody else has.
    pub(crate) fn take(&mut self) -> Vec<Arc<Frozen>> {
        self.budget.give(std::mem::take(&mut self.bytes));
        std::mem::take(&mut self.sent).into_iter().filter(|sent| sent.row == Row::No).map(|sent| sent.stanza).collect()
    }
}

impl Drop for Unacked {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        Stanza,
        stanza::{Kind, MessageType},
    };

    fn stanza(id: u32) -> Arc<Frozen> {
        let stanza = Stanza::new(Kind::Message(MessageType::Chat), None, None).with_id(id.to_string());
        Arc::new(crate::wire::freeze_for_wire(stanza))
    }
    fn unacked(count: u32) -> (Unacked, Arc<Budget>) {
        let budget = Arc::new(Budget::new(usize::MAX));
        let mut unacked = Unacked::new(budget.clone());
        (0..count).for_each(|n| unacked.push(stanza(n), Address::Own, Row::No));
        (unacked, budget)
    }
    fn ids(unacked: &Unacked) -> Vec<&str> {
        unacked.iter().filter_map(|(stanza, _)| stanza.id.as_deref()).collect()
    }

    #[test]
    fn what_is_acknowledged_is_forgotten_and_its_room_given_back() {
        let (mut unacked, budget) = unacked(4);
        assert_eq!(unacked.acknowledge(3), Ok(()));
        assert_eq!(ids(&unacked), ["3"]);
        assert_eq!(unacked.acknowledge(2), Ok(()), "an older count says nothing new");
        assert_eq!(unacked.acknowledge(4), Ok(()));
        assert_eq!((ids(&unacked).len(), budget.used()), (0, 0));
    }

    #[test]
    fn nobody_acknowledges_what_was_never_sent() {
        let (mut unacked, _) = unacked(2);
        assert_eq!(unacked.acknowledge(3), Err(TooHigh { h: 3, send_count: 2 }));
        assert_eq!(ids(&unacked), ["0", "1"]);
    }

    #[test]
    fn counters_wrap() {
        let (mut unacked, _) = unacked(0);
        unacked.count = u32::MAX;
        unacked.push(stanza(1), Address::Own, Row::No);
        unacked.push(stanza(2), Address::Own, Row::No);
        assert_eq!(unacked.acknowledge(0), Ok(()));
        assert_eq!(ids(&unacked), ["2"]);
        assert!(unacked.acknowledge(2).is_err());
    }

    #[test]
    fn what_the_store_still_has_is_not_handed_on() {
        let (mut unacked, _) = unacked(1);
        unacked.push(stanza(1), Address::Own, Row::Held);
        let written = unacked.count();
        unacked.acknowledge(1).unwrap();
        assert!(unacked.is_acknowledged(1) && !unacked.is_acknowledged(written));
        assert!(unacked.take().is_empty(), "the store has the other one");
    }

    #[test]
    fn the_row_of_a_message_is_released_when_that_is_acknowledged() {
        let (mut unacked, _) = unacked(1);
        let id = StanzaId([7; 16]);
        let old = stanza(1);
        unacked.push(old.clone(), Address::Own, Row::No);
        assert_eq!(unacked.without_row().count(), 2);
        unacked.exchange(&old, &Arc::new(Frozen { waits: Some(id), ..(*old).clone() }));
        assert!(unacked.without_row().count() == 1 && unacked.has_row(id) && !unacked.has_freed());
        unacked.acknowledge(2).unwrap();
        assert!(unacked.has_row(id), "a page that is being read may have it still");
        assert_eq!(unacked.take_freed(), [id]);
        assert!(!unacked.has_row(id) && !unacked.has_freed());
    }

    #[test]
    fn a_question_is_asked_once_until_it_is_answered() {
        let (mut unacked, _) = unacked(1);
        let now = Duration::from_secs(5);
        assert!(unacked.ask(now) && !unacked.ask(now));
        assert_eq!(unacked.asked(), Some(now));
        assert!(unacked.answered() && unacked.ask(now));
        unacked.acknowledge(1).unwrap();
        assert!(!unacked.answered() && !unacked.ask(now));
    }

    #[test]
    fn h64_the_bounds_hold() {
        let (mut unacked, _) = unacked(u32::try_from(SOFT_STANZAS).unwrap());
        assert!(unacked.is_full() && !unacked.is_over());
        for n in 0..=u32::try_from(HARD_STANZAS - SOFT_STANZAS).unwrap() {
            unacked.push(stanza(n), Address::Own, Row::No);
        }
        assert!(unacked.is_over());
        let mut poor = Unacked::new(Arc::new(Budget::new(10)));
        poor.push(stanza(1), Address::Own, Row::No);
        assert!(poor.is_over());
        assert_eq!(size_of::<Sent>(), 16);
    }
}
