//! The machine's clock and dice: the only place that reads them.

use bocage_api::{
    Clock, Entropy,
    clock::{RandomSource, TimeSource, UnixSeconds},
};
use rand::Rng as _;
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
        // ChaCha, seeded by the system, anew every 64 KiB: asking the kernel for each id costs more than the rest of it.
        // Without a seed it panics: nothing goes on with predictable secrets.
        rand::rng().fill_bytes(bytes);
    }
}

/// The system's randomness.
#[must_use]
pub fn machine_entropy() -> Entropy {
    Entropy::new(Dice)
}
