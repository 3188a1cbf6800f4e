//! What came lately, to know it when its sender sends it again (XEP-0198 section 5, XEP-0359): the tag of each row and its
//! position. Memory answers for nearly all messages that nobody sent before; what it finds is read and compared.

use crate::{
    engine::Readers,
    open::read,
    seal::{Day, TAG},
    sql,
};
use bocage_api::store::Stored;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Rows that are remembered, the newest, some 3 MB; what was sent before them and comes again is taken for new.
const REMEMBERED: usize = 100_000;
/// Rows read at once at start.
const PAGE: i64 = 5_000;

/// Tags by their first bytes: what is found is compared as a whole.
type Short = u64;

/// Positions by tag. A tag that came twice stands for its newest row.
pub(crate) struct Recent {
    known: Mutex<Known>,
    bound: usize,
}

#[derive(Default)]
struct Known {
    positions: HashMap<Short, i64>,
    order: VecDeque<(Short, i64)>,
}

impl Known {
    fn add(&mut self, (tag, position): (Short, i64), bound: usize) {
        self.positions.insert(tag, position);
        self.order.push_back((tag, position));
        while self.order.len() > bound {
            let Some((oldest, position)) = self.order.pop_front() else { break };
            if self.positions.get(&oldest) == Some(&position) {
                self.positions.remove(&oldest);
            }
        }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { known: Mutex::default(), bound: REMEMBERED }
    }
}

impl Recent {
    /// What the table has from the day `since` on.
    pub(crate) async fn load(readers: &Readers, since: Day) -> Stored<Self> {
        let recent = Self::default();
        let first = readers.rows(&sql::FIRST_SINCE, &[since.into()]).await;
        let first = read(read(first)?.first().map(|row| row.maybe_int(0)).transpose())?.flatten();
        let Some(first) = first else { return Ok(recent) };
        let (mut found, mut before) = (Vec::new(), i64::MAX);
        while found.len() < recent.bound {
            let values = [first.into(), before.into(), PAGE.into()];
            let rows = read(readers.rows(&sql::RECENT, &values).await)?;
            for row in &rows {
                before = read(row.int(0))?;
                found.extend(short(&read(row.bytes(1))?).map(|tag| (tag, before)));
            }
            if rows.len() < usize::try_from(PAGE).unwrap_or_default() {
                break;
            }
        }
        found.into_iter().rev().for_each(|row| recent.known().add(row, recent.bound));
        Ok(recent)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a row with this tag may be.
    pub(crate) fn find(&self, tag: &[u8; TAG]) -> Option<i64> {
        self.known().positions.get(&short(tag)?).copied()
    }

    /// Rows of a transaction that is over. It may have failed: a position without a row does no harm.
    pub(crate) fn remember(&self, rows: Vec<([u8; TAG], i64)>) {
        let mut known = self.known();
        for (tag, position) in rows {
            if let Some(tag) = short(&tag) {
                known.add((tag, position), self.bound);
            }
        }
    }
}

fn short(tag: &[u8]) -> Option<Short> {
    tag.first_chunk().copied().map(Short::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: u8) -> [u8; TAG] {
        [number; TAG]
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_what_came_again_counts_as_new() {
        let recent = Recent { known: Mutex::default(), bound: 3 };
        recent.remember((1..=3).map(|number| (tag(number), i64::from(number))).collect());
        recent.remember(vec![(tag(1), 4)]);
        assert_eq!([1, 2, 3].map(|number| recent.find(&tag(number))), [Some(4), Some(2), Some(3)]);
        recent.remember(vec![(tag(5), 5), (tag(6), 6)]);
        assert_eq!([1, 2, 3, 5, 6].map(|number| recent.find(&tag(number))), [Some(4), None, None, Some(5), Some(6)]);
        assert_eq!(recent.known().order.len(), 3);
    }
}
