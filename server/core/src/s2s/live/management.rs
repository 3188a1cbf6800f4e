//! Stream management (XEP-0198) between servers: acknowledgements only. Nothing is resumed; what was not acknowledged
//! goes out again on the next stream.

use crate::{c2s::Output, s2s::features::SM};
use minidom::Element;
use rxml::xml_ncname;
use std::time::Duration;

/// With so many stanzas unacknowledged the peer is asked while more is waiting.
const ASK: u32 = 256;

/// How far the two sides have agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Off,
    /// We have asked: what we send counts, what we hear does not yet.
    Requested,
    On,
}

/// Counters of one stream; both run modulo 2^32.
#[derive(Debug, Default)]
pub(in crate::s2s) struct Management {
    stage: Stage,
    received: u32,
    sent: u32,
    acked: u32,
    /// The peer asked; it is answered as soon as all that it sent before is where it belongs.
    owed: bool,
    /// Asked, at this time, and not answered.
    asked: Option<Duration>,
}

/// The peer acknowledges what was never sent (section 4).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooHigh;

impl Management {
    /// `<enable/>` was written at `now`.
    pub(in crate::s2s) fn requested(now: Duration) -> Self {
        Self { stage: Stage::Requested, asked: Some(now), ..Self::default() }
    }
    pub(in crate::s2s) fn off() -> Self {
        Self::default()
    }
    /// Nothing is or will be acknowledged.
    pub(super) fn is_off(&self) -> bool {
        self.stage == Stage::Off
    }
    pub(super) fn is_requested(&self) -> bool {
        self.stage == Stage::Requested
    }
    /// The peer has asked, and is told yes.
    pub(super) fn enable(&mut self) {
        *self = Self { stage: Stage::On, ..Self::default() };
    }
    /// The peer says yes.
    pub(super) fn enabled(&mut self) {
        (self.stage, self.asked) = (Stage::On, None);
    }
    /// The peer says no.
    pub(super) fn failed(&mut self) {
        *self = Self::off();
    }
    pub(super) fn received(&mut self) {
        if self.stage == Stage::On {
            self.received = self.received.wrapping_add(1);
        }
    }
    pub(super) fn sent(&mut self) {
        self.sent = self.sent.wrapping_add(1);
    }
    pub(super) fn owe(&mut self) {
        self.owed = self.stage == Stage::On;
    }
    pub(super) fn owes_answer(&self) -> bool {
        self.owed
    }
    /// Answers the peer once nothing is under way.
    pub(super) fn answer_due(&mut self, idle: bool, output: &mut Output) -> bool {
        let due = self.owed && idle;
        if due {
            self.owed = false;
            let answer = Element::builder("a", SM).attr(xml_ncname!("h").to_owned(), self.received.to_string()).build();
            output.element(&answer);
        }
        due
    }
    /// Asks the peer, when there is reason to and no question is open.
    pub(super) fn ask(&mut self, queue_is_empty: bool, unacked: usize, output: &mut Output, now: Duration) {
        let much = self.sent.wrapping_sub(self.acked) >= ASK;
        if self.stage == Stage::On && self.asked.is_none() && unacked > 0 && (queue_is_empty || much) {
            self.asked = Some(now);
            output.element(&Element::bare("r", SM));
        }
    }
    /// How many of the oldest stanzas `h` acknowledges.
    pub(super) fn acked(&mut self, h: u32) -> Result<usize, TooHigh> {
        self.asked = None;
        let new = h.wrapping_sub(self.acked);
        if new > self.sent.wrapping_sub(self.acked) {
            return Err(TooHigh);
        }
        self.acked = h;
        usize::try_from(new).map_err(|_| TooHigh)
    }
    pub(super) fn is_overdue(&self, now: Duration, limit: Duration) -> bool {
        self.asked.is_some_and(|asked| now.saturating_sub(asked) >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_wrap_and_nothing_unsent_is_acknowledged() {
        let mut management = Management { stage: Stage::On, sent: u32::MAX, acked: u32::MAX, ..Management::default() };
        management.sent();
        management.sent();
        assert_eq!(management.acked(1), Ok(2));
        assert_eq!(management.acked(2), Err(TooHigh));
        assert_eq!(management.acked(0), Err(TooHigh));
    }

    #[test]
    fn what_the_peer_says_before_it_agrees_does_not_count() {
        let mut management = Management::requested(Duration::ZERO);
        management.received();
        management.sent();
        management.enabled();
        management.received();
        assert_eq!((management.received, management.acked(1)), (1, Ok(1)));
    }

    #[test]
    fn the_peer_is_answered_when_nothing_is_under_way() {
        let mut management = Management::default();
        management.enable();
        let mut output = Output::new(Vec::new());
        management.received();
        management.owe();
        assert!(!management.answer_due(false, &mut output) && management.owes_answer());
        assert!(management.answer_due(true, &mut output) && !management.owes_answer());
    }
}
