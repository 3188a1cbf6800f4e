//! How often: token buckets in monotonic time.

use std::time::Duration;

/// Bursts of so many seconds' worth are let through.
const BURST: u32 = 10;

/// A bucket that is full at first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    /// When it is full again.
    full_at: Duration,
}

impl Bucket {
    /// Takes one of `rate` a second; `false`: too fast. Zero means no limit.
    pub(crate) fn take(&mut self, rate: u32, now: Duration) -> bool {
        rate == 0 || self.take_every(Duration::from_secs(1) / rate, rate.saturating_mul(BURST), now)
    }
    /// Takes one of `burst`, of which one comes back every `pause`.
    pub(crate) fn take_every(&mut self, pause: Duration, burst: u32, now: Duration) -> bool {
        let full_at = self.full_at.max(now).saturating_add(pause);
        let fits = full_at.saturating_sub(now) <= pause.saturating_mul(burst);
        if fits {
            self.full_at = full_at;
        }
        fits
    }
    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let (mut bucket, now) = (Bucket::default(), Duration::from_secs(1_000));
        let passed = (0..100).filter(|_| bucket.take(5, now)).count();
        assert_eq!(passed, 50);
        assert!(!bucket.take(5, now));
        assert!(bucket.take(5, now + Duration::from_secs(1)));
        assert!((0..100).all(|_| bucket.take(0, now)));
    }
}
