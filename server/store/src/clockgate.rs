//! Whether the clock may be believed when something is to be destroyed.
//!
//! A step forward of more than [`STEP`] that the monotonic clock does not share pauses expiry until it is accepted. After
//! a start there is no monotonic clock to ask about the time before: a long absence is believed once wall and monotonic
//! clock have agreed for [`STEP`], which leaves a wrong clock the time to be set right. A step backward destroys nothing,
//! since time is never taken to be before the highest that was believed; what is stored meanwhile is not taken to be older
//! than that either ([`ClockGate::stamp`]), or it would be gone before its time.

use bocage_api::clock::{Clock, UnixSeconds};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One hour.
const STEP: i64 = 3600;

#[derive(Clone, Copy)]
struct Reading {
    wall: UnixSeconds,
    mono: i64,
}

impl Reading {
    /// What the wall clock should show at `mono` if it ran evenly from this reading on.
    fn expected(&self, mono: i64) -> UnixSeconds {
        self.wall.saturating_add(mono.saturating_sub(self.mono))
    }
}

struct State {
    /// The last believed reading.
    believed: Reading,
    /// The first reading after a start that found a long absence.
    returned: Option<Reading>,
    /// The highest wall time that was believed, in this run or an earlier one.
    highest: UnixSeconds,
    /// A doubt was logged and lasts.
    doubted: bool,
    /// So was that the clock stands behind.
    behind: bool,
}

/// Judges civil time before anything is destroyed by it.
pub(crate) struct ClockGate {
    clock: Clock,
    state: Mutex<State>,
}

impl ClockGate {
    /// `stored`: the highest time that an earlier run believed.
    pub(crate) fn new(clock: Clock, stored: Option<UnixSeconds>) -> Self {
        let now = reading(&clock, clock.wall());
        let highest = stored.unwrap_or(now.wall);
        let absent = now.wall.saturating_sub(highest) > STEP;
        let believed = if absent { Reading { wall: highest, ..now } } else { now };
        let highest = highest.max(believed.wall);
        Self {
            clock,
            state: Mutex::new(State { believed, returned: absent.then_some(now), highest, doubted: false, behind: false }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time to expire by, or `None` when `now` must not be believed.
    pub(crate) fn judge(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let now = reading(&self.clock, now);
        let mut state = self.state();
        let jumped = now.wall.saturating_sub(state.believed.expected(now.mono)) > STEP;
        let confirmed = state.returned.is_some_and(|first| {
            now.mono.saturating_sub(first.mono) >= STEP && now.wall.saturating_sub(first.expected(now.mono)) <= STEP
        });
        if jumped && !confirmed {
            if !state.doubted {
                tracing::warn!("the clock is more than an hour ahead of what is known: nothing expires until it is confirmed");
            }
            state.doubted = true;
            return None;
        }
        *state =
            State { believed: now, returned: None, highest: state.highest.max(now.wall), doubted: false, behind: state.behind };
        Some(state.highest)
    }

    /// When something came that is said to have come at `said`: not before what was believed, while the machine's clock stands
    /// more than [`STEP`] behind that.
    pub(crate) fn stamp(&self, said: UnixSeconds) -> UnixSeconds {
        let wall = self.clock.wall();
        let mut state = self.state();
        if state.highest.saturating_sub(wall) <= STEP {
            return said;
        }
        if !state.behind {
            tracing::warn!(
                "the clock is more than an hour behind what is known: messages get the later time until it is confirmed"
            );
            state.behind = true;
        }
        said.max(state.highest)
    }

    /// The machine's time is right, whatever was believed before.
    pub(crate) fn accept(&self) {
        let now = reading(&self.clock, self.clock.wall());
        *self.state() = State { believed: now, returned: None, highest: now.wall, doubted: false, behind: false };
    }
}

fn reading(clock: &Clock, wall: UnixSeconds) -> Reading {
    Reading { wall, mono: i64::try_from(clock.mono().as_secs()).unwrap_or(i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestTime;

    const START: UnixSeconds = 1_700_000_000;

    fn gate(stored: Option<UnixSeconds>) -> (TestTime, ClockGate) {
        let time = TestTime::at(START);
        (time.clone(), ClockGate::new(time.clock(), stored))
    }

    #[test]
    fn time_that_both_clocks_saw_is_believed() {
        let (time, gate) = gate(None);
        time.pass(30 * 86_400);
        assert_eq!(gate.judge(time.wall()), Some(START + 30 * 86_400));
    }

    #[test]
    fn a_jump_is_doubted_until_accepted_and_a_clock_set_back_is_fine_again() {
        let (time, gate) = gate(None);
        time.jump(STEP + 1);
        assert_eq!(gate.judge(time.wall()), None);
        time.pass(10 * STEP);
        assert_eq!(gate.judge(time.wall()), None, "a jump while running is never believed by itself");
        time.jump(-STEP - 1);
        assert_eq!(gate.judge(time.wall()), Some(START + 10 * STEP));
        time.jump(40 * STEP);
        gate.accept();
        assert_eq!(gate.judge(time.wall()), Some(START + 50 * STEP));
    }

    #[test]
    fn time_never_runs_backward() {
        let (time, gate) = gate(Some(START + 1800));
        assert_eq!(gate.judge(time.wall()), Some(START + 1800));
        time.jump(-STEP * 24);
        assert_eq!(gate.judge(time.wall()), Some(START + 1800));
    }

    #[test]
    fn nothing_is_taken_to_be_older_than_what_was_believed() {
        let (time, gate) = gate(Some(START));
        assert_eq!(gate.stamp(START - 9 * STEP), START - 9 * STEP, "what is old is old");
        time.jump(-STEP);
        assert_eq!(gate.stamp(time.wall()), START - STEP, "clocks are set right by minutes all the time");
        time.jump(-30 * 24 * STEP + STEP);
        assert_eq!(gate.stamp(time.wall()), START);
        gate.accept();
        assert_eq!(gate.stamp(time.wall()), START - 30 * 24 * STEP);
    }

    #[test]
    fn a_long_absence_is_believed_after_a_steady_hour() {
        let (time, gate) = gate(Some(START - 9 * STEP));
        assert_eq!(gate.judge(time.wall()), None);
        time.pass(STEP - 1);
        assert_eq!(gate.judge(time.wall()), None);
        time.pass(1);
        assert_eq!(gate.judge(time.wall()), Some(START + STEP));
    }

    #[test]
    fn an_unsteady_hour_after_an_absence_proves_nothing() {
        let (time, gate) = gate(Some(START - 9 * STEP));
        time.jump(2 * STEP);
        time.pass(STEP);
        assert_eq!(gate.judge(time.wall()), None);
    }
}
