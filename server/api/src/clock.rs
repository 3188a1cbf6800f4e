//! Time and randomness are arguments: nothing below `bocage::start` reads the machine's clock or dice by itself.

use std::{fmt, sync::Arc, time::Duration};

/// A point of civil time in whole seconds since 1970-01-01 UTC. Whole seconds on purpose (H27).
pub type UnixSeconds = i64;

/// What a [`Clock`] reads from.
pub trait TimeSource: Send + Sync + 'static {
    /// Civil time, as the machine believes it; it may jump.
    fn wall(&self) -> UnixSeconds;
    /// Time since an arbitrary start that never jumps.
    fn mono(&self) -> Duration;
}

/// Handle to the server's time.
#[derive(Clone)]
pub struct Clock(Arc<dyn TimeSource>);

impl Clock {
    /// A clock that reads from `source`.
    pub fn new(source: impl TimeSource) -> Self {
        Self(Arc::new(source))
    }
    /// Civil time in whole seconds.
    pub fn wall(&self) -> UnixSeconds {
        self.0.wall()
    }
    /// Monotonic time.
    pub fn mono(&self) -> Duration {
        self.0.mono()
    }
    /// Civil time as XEP-0082 writes it, in whole seconds and UTC.
    pub fn stamp(&self) -> String {
        stamp(self.wall())
    }
}

/// `seconds` as a XEP-0082 DateTime in UTC: `2026-01-31T12:00:00Z`.
pub fn stamp(seconds: UnixSeconds) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What an [`Entropy`] draws from.
pub trait RandomSource: Send + Sync + 'static {
    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// Handle to the server's randomness.
#[derive(Clone)]
pub struct Entropy(Arc<dyn RandomSource>);

impl Entropy {
    /// Randomness from `source`.
    pub fn new(source: impl RandomSource) -> Self {
        Self(Arc::new(source))
    }
    /// Fills `bytes` with unpredictable bytes.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
    /// `N` unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
    /// A random identifier of 128 bits in 32 hexadecimal digits (H27: no clock in it).
    pub fn id(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.bytes::<16>())
    }
    /// A duration drawn evenly from zero to `max`.
    pub fn duration_up_to(&self, max: Duration) -> Duration {
        let draw = u32::from_le_bytes(self.bytes());
        max.mul_f64(f64::from(draw) / f64::from(u32::MAX))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_whole_seconds_in_utc() {
        assert_eq!(stamp(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(stamp(i64::MAX), "1970-01-01T00:00:00Z");
    }
}
