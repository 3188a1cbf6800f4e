//! Sessions that could have been resumed and are over: a client that comes too late still learns what was handled, and
//! so what to send again. In RAM, and not for long (H08).

use jid::BareJid;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// So many are remembered …
const MOST: usize = 10_000;
/// … for so long at most.
const TIME: Duration = Duration::from_secs(3_600);

/// Oldest first.
#[derive(Default)]
pub(crate) struct Former(Mutex<VecDeque<Ended>>);

struct Ended {
    id: String,
    account: BareJid,
    h: u32,
    at: Duration,
}

impl Former {
    /// A session of `account` ended at `now`, with so much handled.
    pub(crate) fn remember(&self, id: &str, account: BareJid, h: u32, now: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= MOST || all.front().is_some_and(|ended| now.saturating_sub(ended.at) >= TIME) {
            all.pop_front();
        }
        all.push_back(Ended { id: id.to_owned(), account, h, at: now });
    }
    /// What was handled on the stream `id` of `account`.
    pub(crate) fn handled(&self, id: &str, account: &BareJid, now: Duration) -> Option<u32> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().rev().find(|ended| ended.id == id && ended.account == *account)?;
        (now.saturating_sub(found.at) < TIME).then_some(found.h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_account_learns_of_it_and_only_for_a_while() {
        let former = Former::default();
        let (alice, eve): (BareJid, BareJid) = ("alice@x.example".parse().unwrap(), "eve@x.example".parse().unwrap());
        former.remember("id", alice.clone(), 7, Duration::ZERO);
        assert_eq!(former.handled("id", &alice, Duration::from_secs(60)), Some(7));
        assert_eq!(former.handled("id", &eve, Duration::from_secs(60)), None);
        assert_eq!(former.handled("id", &alice, TIME), None);
        former.remember("other", alice.clone(), 1, TIME);
        assert_eq!(former.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_bound_holds() {
        let former = Former::default();
        for n in 0..MOST + 3 {
            former.remember(&n.to_string(), "a@x.example".parse().unwrap(), 0, Duration::ZERO);
        }
        assert_eq!(former.0.lock().unwrap().len(), MOST);
    }
}
