//! The machine's clock and dice: the only place that reads them.

use bocage_api::{
    Clock, Entropy,
    clock::{RandomSource, TimeSource, UnixSeconds},
};
use rand::{TryRng, rngs::SysRng};
use std::time::{Duration, Instant, SystemTime};

struct Machine {
    started: Instant,
}

#[allow(clippy::disallowed_methods, reason = "this is where the clock comes from")]
impl TimeSource for Machine {
    fn wall(&self) -> UnixSeconds {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
    fn mono(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The machine's clock.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is where the clock comes from")]
pub fn machine_clock() -> Clock {
    Clock::new(Machine { started: Instant::now() })
}

struct Dice;
impl RandomSource for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        // A server without randomness must not go on with predictable secrets.
        if SysRng.try_fill_bytes(bytes).is_err() {
            tracing::error!("the system gives no randomness");
            std::process::abort();
        }
    }
}

/// The system's randomness.
#[must_use]
pub fn machine_entropy() -> Entropy {
    Entropy::new(Dice)
}
