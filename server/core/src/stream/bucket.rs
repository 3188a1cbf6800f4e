//! A token bucket per stream: bytes per second with a burst (H64).

use std::time::Duration;

/// Counts bytes against a rate.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: u64,
    capacity: u64,
    tokens: u64,
    last: Duration,
}

impl Bucket {
    /// Full at `now`.
    pub(crate) fn new(rate: u64, burst: Duration, now: Duration) -> Self {
        let capacity = rate.saturating_mul(burst.as_secs().max(1));
        Self { rate, capacity, tokens: capacity, last: now }
    }
    /// Takes `bytes`; how long to wait until the debt is paid.
    pub(crate) fn take(&mut self, bytes: usize, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.last);
        let gained = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(self.rate) / 1_000;
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(self.capacity);
            self.last = now;
        }
        let bytes = bytes as u64;
        if self.tokens >= bytes {
            self.tokens -= bytes;
            return None;
        }
        let debt = bytes - self.tokens;
        self.tokens = 0;
        Some(Duration::from_millis(debt.saturating_mul(1_000) / self.rate.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut bucket = Bucket::new(1_000, Duration::from_secs(2), Duration::ZERO);
        assert_eq!(bucket.take(2_000, Duration::ZERO), None);
        assert_eq!(bucket.take(500, Duration::ZERO), Some(Duration::from_millis(500)));
        assert_eq!(bucket.take(1_000, Duration::from_secs(1)), None);
    }
}
