//! What was handled of what came in, in order: a stanza counts when it, and all before it, have come to their end.

use std::collections::VecDeque;

/// One stanza that came in. Nothing is counted for those that came before counting began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry(Option<u32>);

impl Entry {
    /// Of a stream that does not count.
    pub(crate) const NONE: Self = Self(None);
}

/// Counts modulo 2^32, as XEP-0198 section 4 has it. Bounded by the work that may be under way.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    handled: u32,
    /// Those behind `handled`, oldest first: has it come to its end?
    open: VecDeque<bool>,
    /// Handled up to here, the other side is told without being asked.
    promised: Option<u32>,
}

impl Ledger {
    /// A stanza came in.
    pub(crate) fn enter(&mut self) -> Entry {
        let entry = self.handled.wrapping_add(self.waiting());
        self.open.push_back(false);
        Entry(Some(entry))
    }

    /// A stanza has come to its end; `true` when there is an answer to give now ([`Ledger::promise`]).
    pub(crate) fn done(&mut self, entry: Entry) -> bool {
        let Some(number) = entry.0 else { return false };
        let at = usize::try_from(number.wrapping_sub(self.handled)).unwrap_or(usize::MAX);
        if let Some(open) = self.open.get_mut(at) {
            *open = true;
        }
        while self.open.front() == Some(&true) {
            self.open.pop_front();
            self.handled = self.handled.wrapping_add(1);
        }
        if self.open.is_empty() && self.open.capacity() > 16 {
            self.open = VecDeque::new();
        }
        let kept = self.promised.is_some_and(|to| self.handled.wrapping_sub(to) < u32::MAX / 2);
        if kept {
            self.promised = None;
        }
        kept
    }

    /// The count for an `<a/>`.
    pub(crate) fn handled(&self) -> u32 {
        self.handled
    }

    /// The other side asked: it is answered at once, and once more when what it has sent by now is handled.
    pub(crate) fn promise(&mut self) -> u32 {
        self.promised = (!self.is_complete()).then(|| self.handled.wrapping_add(self.waiting()));
        self.handled
    }

    /// Everything that came in is handled.
    pub(crate) fn is_complete(&self) -> bool {
        self.open.is_empty()
    }

    /// Answers for all that is still open.
    pub(crate) fn complete(&mut self) {
        self.handled = self.handled.wrapping_add(self.waiting());
        self.open.clear();
        self.promised = None;
    }

    fn waiting(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stanza_counts_when_all_before_it_have_come_to_their_end() {
        let mut ledger = Ledger::default();
        let (first, second) = (ledger.enter(), ledger.enter());
        ledger.done(second);
        assert_eq!(ledger.handled(), 0);
        ledger.done(first);
        assert_eq!(ledger.handled(), 2);
        assert!(ledger.is_complete());
    }

    #[test]
    fn who_asked_too_early_is_told_once_more() {
        let mut ledger = Ledger::default();
        let first = ledger.enter();
        assert_eq!(ledger.promise(), 0);
        let second = ledger.enter();
        assert!(!ledger.done(second));
        assert!(ledger.done(first));
        assert_eq!(ledger.promise(), 2);
        let third = ledger.enter();
        assert!(!ledger.done(third), "the question was answered whole");
    }

    #[test]
    fn what_came_before_counting_began_does_not_count() {
        let mut ledger = Ledger::default();
        assert!(!ledger.done(Entry::NONE));
        assert_eq!(ledger.handled(), 0);
    }

    proptest! {
        #[test]
        fn the_count_is_the_length_of_the_longest_row_of_handled_ones(
            start in any::<u32>(), ends in prop::collection::vec(0_usize..40, 0..60)
        ) {
            let mut ledger = Ledger { handled: start, ..Ledger::default() };
            let entries: Vec<_> = (0..40).map(|_| ledger.enter()).collect();
            let mut done = [false; 40];
            for end in ends {
                done[end] = true;
                ledger.done(entries[end]);
                let row = done.iter().take_while(|done| **done).count();
                prop_assert_eq!(ledger.handled().wrapping_sub(start), u32::try_from(row).unwrap());
            }
        }
    }
}
