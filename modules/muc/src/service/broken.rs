//! Rooms that panicked: one that does so twice in a while stays closed for as long.

use jid::BareJid;
use std::{collections::HashMap, time::Duration};

/// How long panics of a room are remembered.
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// Rooms whose panics are remembered; above that, who panicked longest ago is forgotten.
const MAX_BROKEN: usize = 1_000;

/// When each room panicked last, and how often.
#[derive(Default)]
pub(super) struct Broken(HashMap<BareJid, (Duration, u32)>);

impl Broken {
    /// A room panicked.
    pub(super) fn note(&mut self, room: &BareJid, now: Duration) {
        self.0.retain(|_, (at, _)| now.saturating_sub(*at) < TEN_MINUTES);
        if self.0.len() >= MAX_BROKEN && !self.0.contains_key(room) {
            let oldest = self.0.iter().min_by_key(|(_, (at, _))| *at).map(|(room, _)| room.clone());
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        let (at, count) = self.0.entry(room.clone()).or_default();
        (*at, *count) = (now, *count + 1);
    }
    /// Does it stay closed?
    pub(super) fn is_closed(&self, room: &BareJid, now: Duration) -> bool {
        self.0.get(room).is_some_and(|(at, count)| *count > 1 && now.saturating_sub(*at) < TEN_MINUTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(n: usize) -> BareJid {
        format!("r{n}@salons.bocage.example").parse().unwrap()
    }
    const NOW: Duration = Duration::from_secs(100_000);

    #[test]
    fn a_room_that_panics_twice_in_ten_minutes_stays_closed_for_ten_more() {
        let mut broken = Broken::default();
        broken.note(&room(1), NOW);
        assert!(!broken.is_closed(&room(1), NOW));
        broken.note(&room(1), NOW + Duration::from_secs(599));
        assert!(broken.is_closed(&room(1), NOW + Duration::from_secs(599)));
        assert!(!broken.is_closed(&room(1), NOW + Duration::from_secs(599) + TEN_MINUTES));
        broken.note(&room(2), NOW);
        broken.note(&room(2), NOW + TEN_MINUTES);
        assert!(!broken.is_closed(&room(2), NOW + TEN_MINUTES), "the first was long ago");
    }

    #[test]
    fn no_more_than_so_many_are_remembered_and_the_oldest_goes_first() {
        let mut broken = Broken::default();
        for n in 0..=MAX_BROKEN {
            for _ in 0..2 {
                broken.note(&room(n), NOW + Duration::from_millis(u64::try_from(n).unwrap()));
            }
        }
        assert_eq!(broken.0.len(), MAX_BROKEN);
        let later = NOW + Duration::from_secs(10);
        assert!(!broken.is_closed(&room(0), later) && broken.is_closed(&room(1), later));
    }
}
