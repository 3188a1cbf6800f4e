//! Which days are over. Destruction cannot be undone, so a clock that jumps forward is not believed (H01).

use crate::seal::{Day, day_of};
use bocage_api::{Clock, clock::UnixSeconds};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A step forward larger than this, which the monotonic clock does not confirm, is a jump.
const BELIEVABLE: i64 = 3_600;

/// Judges civil time.
pub(crate) struct Expiry {
    clock: Clock,
    retention: i64,
    /// Civil and monotonic time of the last look.
    seen: Mutex<Option<(UnixSeconds, Duration)>>,
}

/// What may go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All days before this one; `wall` is the highest time that was believed.
    Before { day: Day, wall: UnixSeconds },
    /// Nothing.
    Jumped,
}

impl Expiry {
    pub(crate) fn new(clock: Clock, retention: Duration) -> Self {
        Self { clock, retention: i64::try_from(retention.as_secs()).unwrap_or(i64::MAX), seen: Mutex::default() }
    }
    /// The time is right, whatever it looked like.
    pub(crate) fn accept_clock(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
    /// `highest` is the highest time of an earlier run. At the first look any time is believed that is not before it:
    /// how long the server was off, nobody else knows.
    pub(crate) fn judge(&self, now: UnixSeconds, highest: Option<UnixSeconds>) -> Verdict {
        let mono = self.clock.mono();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((wall, then)) = *seen {
            let passed = i64::try_from(mono.saturating_sub(then).as_secs()).unwrap_or(i64::MAX);
            if now.saturating_sub(wall).saturating_sub(passed) > BELIEVABLE {
                return Verdict::Jumped;
            }
        }
        *seen = Some((now, mono));
        let wall = highest.map_or(now, |highest| highest.max(now));
        Verdict::Before { day: day_of(wall.saturating_sub(self.retention)), wall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::clock::TimeSource;
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    struct Mono(Arc<AtomicU64>);
    impl TimeSource for Mono {
        fn wall(&self) -> UnixSeconds {
            0
        }
        fn mono(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }
    const DAY: i64 = 86_400;

    #[test]
    fn a_jump_destroys_nothing_until_it_is_confirmed() {
        let mono = Arc::new(AtomicU64::new(0));
        let expiry = Expiry::new(Clock::new(Mono(mono.clone())), Duration::from_secs(7 * 86_400));
        assert_eq!(expiry.judge(100 * DAY, None), Verdict::Before { day: 93, wall: 100 * DAY });
        assert_eq!(expiry.judge(120 * DAY, Some(100 * DAY)), Verdict::Jumped);
        mono.store(DAY as u64, Ordering::Relaxed);
        assert_eq!(expiry.judge(101 * DAY, Some(100 * DAY)), Verdict::Before { day: 94, wall: 101 * DAY });
        assert_eq!(expiry.judge(120 * DAY, Some(101 * DAY)), Verdict::Jumped);
        expiry.accept_clock();
        assert_eq!(expiry.judge(120 * DAY, Some(101 * DAY)), Verdict::Before { day: 113, wall: 120 * DAY });
    }

    #[test]
    fn a_clock_set_back_keeps_nothing_longer() {
        let expiry = Expiry::new(Clock::new(Mono(Arc::default())), Duration::from_secs(7 * 86_400));
        assert_eq!(expiry.judge(50 * DAY, Some(100 * DAY)), Verdict::Before { day: 93, wall: 100 * DAY });
    }
}
