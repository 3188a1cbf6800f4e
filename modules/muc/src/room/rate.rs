//! How often: token buckets in monotonic time.

use std::time::Duration;

/// Bursts of so many seconds' worth are let through.
const BURST: u32 = 10;

/// A bucket that is full at first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    spent: Duration,
}

impl Bucket {
    /// Takes one of `rate` a second; `false`: too fast. Zero means no limit.
    pub(super) fn take(&mut self, rate: u32, now: Duration) -> bool {
        if rate == 0 {
            return true;
        }
        let burst = Duration::from_secs(BURST.into());
        let spent = self.spent.max(now.saturating_sub(burst));
        let next = spent.saturating_add(Duration::from_secs(1) / rate);
        let fits = next <= now.max(burst);
        if fits {
            self.spent = next;
        }
        fits
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
