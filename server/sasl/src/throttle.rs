//! Slows down guessing, in RAM only and under keyed hashes (H08): nothing here can be read back into an address or a
//! name, and nothing survives a restart.
//!
//! What is counted is the *pair* of address and account, so that nobody can lock a person out from elsewhere: an address
//! that never failed for an account is not slowed by what others do to it. A try is counted when it begins and forgiven
//! when it succeeds; a thousand connections at once gain nothing.

use core::{net::IpAddr, num::NonZeroU32, time::Duration};
use std::collections::BTreeMap;

use jid::BareJid;
use zeroize::Zeroizing;

use crate::HashFunction;

/// Longest wait asked of anybody; with the right password one is in after it.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Longest wait for the sake of what an address did to *other* accounts: neighbours share addresses.
const MAX_NEIGHBOUR_DELAY: Duration = Duration::from_secs(8);

/// An address may fail so many times as often as a pair before its other accounts wait, too.
const ADDRESS_FACTOR: f64 = 8.0;

/// An account that failed so many times as often is under attack: addresses that failed for it wait from then on.
const ACCOUNT_FACTOR: f64 = 4.0;

/// Most counters, about 64 bytes each.
const MAX_COUNTERS: usize = 65_536;

/// How many wrong passwords are free (`auth.max_attempts`, such as `5/10m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Tries that cost nothing.
    pub attempts: NonZeroU32,
    /// After which they are forgotten, one by one.
    pub window: Duration,
}

/// Where a try comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One IPv4 address, or the /64 of an IPv6 address.
    Address(IpAddr),
    /// Everybody behind one listener, such as Tor's: delays, but never refusals.
    Shared,
}

/// What to do with a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it pass.
    Go,
    /// Let it pass after this time, whether or not the account exists.
    Delay(Duration),
    /// Too many wait already: `temporary-auth-failure`.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    level: f64,
    seen: Duration,
    /// When the last try that was made to wait goes on.
    queue: Duration,
    /// Has succeeded at least once.
    trusted: Trust,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Stranger,
    Known,
}

/// The counters of one process.
pub struct Throttle {
    key: Zeroizing<[u8; 32]>,
    limits: ThrottleLimits,
    counters: BTreeMap<u64, Counter>,
}

impl Throttle {
    /// Empty, under a fresh random key.
    pub fn new(key: [u8; 32], limits: ThrottleLimits) -> Self {
        Self { key: Zeroizing::new(key), limits, counters: BTreeMap::new() }
    }

    /// Changes the limits; counters stay.
    pub fn reconfigure(&mut self, limits: ThrottleLimits) {
        self.limits = limits;
    }

    /// A try begins, before it is known whether `account` exists. `now` is monotonic.
    pub fn check(&mut self, now: Duration, source: Source, account: &BareJid) -> Verdict {
        let pair = self.pair(source, account);
        let mut counter = self.read(now, pair);
        let wait = self.neighbour_delay(now, source, counter.trusted);
        let over = counter.level - self.free(now, account, counter.level);
        let own = if over < 0.0 { Duration::ZERO } else { exponential(over, MAX_DELAY) };
        let start = if own.is_zero() { now } else { counter.queue.max(now) + own };
        let wait = wait.max(start - now);
        if wait > MAX_DELAY && source != Source::Shared {
            return Verdict::Refuse;
        }
        counter.level = (counter.level + 1.0).min(self.attempts() + 8.0);
        counter.queue = start.min(now + MAX_DELAY);
        self.write(now, pair, counter);
        if wait.is_zero() { Verdict::Go } else { Verdict::Delay(wait.min(MAX_DELAY)) }
    }

    /// The try gave a wrong password.
    pub fn failed(&mut self, now: Duration, source: Source, account: &BareJid) {
        for counter in self.address(source).into_iter().chain([self.account(account)]) {
            let mut counted = self.read(now, counter);
            counted.level += 1.0;
            self.write(now, counter, counted);
        }
    }

    /// The try gave the right password: the pair is forgiven, and spared what others at its address do.
    pub fn succeeded(&mut self, now: Duration, source: Source, account: &BareJid) {
        let pair = self.pair(source, account);
        self.write(now, pair, Counter { level: 0.0, seen: now, queue: Duration::ZERO, trusted: Trust::Known });
    }

    /// Tries of a pair that are free at present.
    fn free(&self, now: Duration, account: &BareJid, level: f64) -> f64 {
        let attacked = self.read(now, self.account(account)).level >= self.attempts() * ACCOUNT_FACTOR;
        if attacked && level >= 1.0 { 1.0 } else { self.attempts() }
    }

    fn neighbour_delay(&self, now: Duration, source: Source, trusted: Trust) -> Duration {
        let Some(address) = self.address(source).filter(|_| trusted == Trust::Stranger) else {
            return Duration::ZERO;
        };
        let over = self.read(now, address).level - self.attempts() * ADDRESS_FACTOR;
        if over < 0.0 { Duration::ZERO } else { exponential(over, MAX_NEIGHBOUR_DELAY) }
    }

    fn attempts(&self) -> f64 {
        f64::from(self.limits.attempts.get())
    }

    fn pair(&self, source: Source, account: &BareJid) -> u64 {
        self.id(b'p', &prefix(source), account.as_str())
    }

    /// A shared source is not an address that could be counted.
    fn address(&self, source: Source) -> Option<u64> {
        (source != Source::Shared).then(|| self.id(b'a', &prefix(source), ""))
    }

    fn account(&self, account: &BareJid) -> u64 {
        self.id(b'u', &[], account.as_str())
    }

    fn id(&self, kind: u8, prefix: &[u8], account: &str) -> u64 {
        let mac = HashFunction::Sha256.hmac(self.key.as_slice(), &[&[kind], prefix, account.as_bytes()]);
        mac.iter().take(8).fold(0, |id, byte| (id << 8) | u64::from(*byte))
    }

    /// The counter with what has leaked away since.
    fn read(&self, now: Duration, id: u64) -> Counter {
        let fresh = Counter { level: 0.0, seen: now, queue: Duration::ZERO, trusted: Trust::Stranger };
        let mut counter = self.counters.get(&id).copied().unwrap_or(fresh);
        let share = now.saturating_sub(counter.seen).as_secs_f64() / self.limits.window.as_secs_f64().max(1.0);
        counter.level = (counter.level - share * self.attempts()).max(0.0);
        counter
    }

    fn write(&mut self, now: Duration, id: u64, counter: Counter) {
        if self.counters.len() >= MAX_COUNTERS && !self.counters.contains_key(&id) {
            self.forget(now);
        }
        self.counters.insert(id, Counter { seen: now, ..counter });
    }

    /// Drops the half that matters least: low levels first, so that a flood of names does not wash out its own address.
    fn forget(&mut self, now: Duration) {
        let mut levels: Vec<(u64, f64)> = self.counters.keys().map(|id| (*id, self.read(now, *id).level)).collect();
        let half = levels.len() / 2;
        let (least, _, _) = levels.select_nth_unstable_by(half, |a, b| a.1.total_cmp(&b.1));
        for (id, _) in least {
            self.counters.remove(id);
        }
    }
}

/// One second, doubled for each try over the limit.
fn exponential(over: f64, most: Duration) -> Duration {
    Duration::from_secs_f64(over.clamp(0.0, 16.0).exp2()).min(most)
}

/// A person has one IPv4 address or a /64.
fn prefix(source: Source) -> Vec<u8> {
    match source {
        Source::Shared => Vec::new(),
        Source::Address(address) => match address.to_canonical() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn throttle() -> Throttle {
        let attempts = NonZeroU32::new(5).unwrap();
        Throttle::new([3; 32], ThrottleLimits { attempts, window: Duration::from_secs(600) })
    }

    fn at(address: &str) -> Source {
        Source::Address(address.parse().unwrap())
    }

    fn jid(name: &str) -> BareJid {
        BareJid::new(&format!("{name}@example.org")).unwrap()
    }

    /// Wrong passwords one after the other, as fast as the throttle lets them; the time that took.
    fn guess(throttle: &mut Throttle, from: Duration, source: Source, tries: usize) -> Duration {
        let mut now = from;
        for _ in 0..tries {
            match throttle.check(now, source, &jid("victim")) {
                Verdict::Go => {}
                Verdict::Delay(wait) => now += wait,
                Verdict::Refuse => now += Duration::from_secs(1),
            }
            throttle.failed(now, source, &jid("victim"));
        }
        now - from
    }

    #[test]
    fn h64_forty_guesses_from_one_address_take_minutes_and_the_victim_walks_in() {
        let mut throttle = throttle();
        let start = Duration::from_secs(1000);
        assert_eq!(guess(&mut throttle, start, at("192.0.2.78"), 5), Duration::ZERO);
        assert!(guess(&mut throttle, start, at("192.0.2.78"), 35) > Duration::from_secs(600));
        let elsewhere = at("192.0.2.1");
        assert_eq!(throttle.check(start, elsewhere, &jid("victim")), Verdict::Go);
        assert!(guess(&mut throttle, start, at("192.0.2.79"), 2) > Duration::ZERO, "an account under attack is stricter");
    }

    #[test]
    fn many_at_once_gain_nothing() {
        let mut throttle = throttle();
        let verdicts: Vec<_> = (0..100).map(|_| throttle.check(Duration::ZERO, at("192.0.2.78"), &jid("victim"))).collect();
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Go).count(), 5);
        assert!(verdicts.iter().filter(|verdict| **verdict == Verdict::Refuse).count() > 85);
    }

    #[test]
    fn the_right_password_is_forgiven_and_spared_its_neighbours() {
        let mut throttle = throttle();
        let now = Duration::from_secs(5);
        for _ in 0..50 {
            assert_eq!(throttle.check(now, at("192.0.2.7"), &jid("alice")), Verdict::Go);
            throttle.succeeded(now, at("192.0.2.7"), &jid("alice"));
        }
        for n in 0..100 {
            throttle.failed(now, at("192.0.2.7"), &jid(&format!("name{n}")));
        }
        assert_eq!(throttle.check(now, at("192.0.2.7"), &jid("alice")), Verdict::Go);
        assert_eq!(throttle.check(now, at("192.0.2.7"), &jid("bob")), Verdict::Delay(MAX_NEIGHBOUR_DELAY));
        assert_eq!(throttle.check(now, at("192.0.2.8"), &jid("bob")), Verdict::Go);
    }

    #[test]
    fn whoever_waits_gets_in_and_the_window_forgets() {
        let mut throttle = throttle();
        guess(&mut throttle, Duration::ZERO, at("192.0.2.7"), 30);
        let now = Duration::from_secs(3600);
        assert!(matches!(
            throttle.check(now - Duration::from_secs(3300), at("192.0.2.7"), &jid("victim")),
            Verdict::Refuse | Verdict::Delay(_)
        ));
        assert_eq!(throttle.check(now, at("192.0.2.7"), &jid("victim")), Verdict::Go);
    }

    #[test]
    fn a_shared_source_is_slowed_but_never_refused() {
        let mut throttle = throttle();
        for _ in 0..200 {
            assert_ne!(throttle.check(Duration::ZERO, Source::Shared, &jid("victim")), Verdict::Refuse);
            throttle.failed(Duration::ZERO, Source::Shared, &jid("victim"));
        }
        assert_eq!(throttle.check(Duration::ZERO, Source::Shared, &jid("victim")), Verdict::Delay(MAX_DELAY));
        assert_eq!(throttle.check(Duration::ZERO, Source::Shared, &jid("alice")), Verdict::Go);
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_address_is_ipv4() {
        assert_eq!(prefix(at("2001:db8:1:2::1")), prefix(at("2001:db8:1:2:3:4:5:6")));
        assert_ne!(prefix(at("2001:db8:1:2::1")), prefix(at("2001:db8:1:3::1")));
        assert_eq!(prefix(at("::ffff:192.0.2.1")), prefix(at("192.0.2.1")));
    }

    #[test]
    fn memory_is_bounded_and_the_worst_is_remembered() {
        let mut throttle = throttle();
        guess(&mut throttle, Duration::ZERO, at("192.0.2.78"), 8);
        for n in 0..70_000_u32 {
            let address = Source::Address(IpAddr::V4(n.into()));
            throttle.check(Duration::from_secs(60), address, &jid("someone"));
        }
        assert!(throttle.counters.len() <= MAX_COUNTERS);
        assert!(matches!(throttle.check(Duration::from_secs(60), at("192.0.2.78"), &jid("victim")), Verdict::Delay(_)));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_longest(steps in prop::collection::vec((0_u64..40, 0_u8..3, 0_u8..3), 1..200)) {
            let mut throttle = throttle();
            let mut now = Duration::ZERO;
            for (pause, address, name) in steps {
                now += Duration::from_secs(pause);
                let (source, account) = (at(&format!("192.0.2.{address}")), jid(&format!("n{name}")));
                if let Verdict::Delay(wait) = throttle.check(now, source, &account) {
                    prop_assert!(wait <= MAX_DELAY && !wait.is_zero());
                }
                throttle.failed(now, source, &account);
            }
        }
    }
}
