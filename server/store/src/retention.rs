//! How long what is kept, by whose it is (H01).

use jid::BareJid;
use std::{collections::HashMap, time::Duration};

/// Periods of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostPeriods {
    /// Archives of its accounts.
    pub messages: Duration,
    /// Archives of rooms at its services.
    pub rooms: Duration,
    /// Messages that wait for its accounts.
    pub offline: Duration,
}

/// Periods by host. What belongs to none of them is kept as short as the strictest keeps anything.
#[derive(Clone, Debug, Default)]
pub struct Retention(HashMap<String, HostPeriods>);

/// Periods of one owner, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Periods {
    pub(crate) kept: i64,
    pub(crate) held: i64,
}

impl Retention {
    /// From periods by domain.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = (String, HostPeriods)>) -> Self {
        Self(hosts.into_iter().collect())
    }

    /// Those of `owner`: an account of a host, or a room at a service below or beside one.
    pub(crate) fn of(&self, owner: &BareJid) -> Periods {
        let domain = owner.domain().as_str();
        if let Some(host) = self.0.get(domain) {
            return Periods { kept: seconds(host.messages), held: seconds(host.offline) };
        }
        let above = domain.match_indices('.').filter_map(|(at, _)| self.0.get(domain.split_at(at).1.trim_start_matches('.')));
        let rooms = above.map(|host| host.rooms).next();
        let strictest = || self.0.values().map(|host| host.rooms).min().unwrap_or_default();
        Periods { kept: seconds(rooms.unwrap_or_else(strictest)), held: 0 }
    }

    /// The longest periods of any owner's kept and held messages.
    pub(crate) fn longest_of_each(&self) -> (i64, i64) {
        let hosts = || self.0.values();
        let kept = hosts().map(|host| host.messages.max(host.rooms)).max().unwrap_or_default();
        (seconds(kept), seconds(hosts().map(|host| host.offline).max().unwrap_or_default()))
    }

    /// Nothing is kept longer than this.
    pub(crate) fn longest(&self) -> i64 {
        let host = |host: &HostPeriods| host.messages.max(host.rooms).max(host.offline);
        seconds(self.0.values().map(host).max().unwrap_or_default())
    }
}

pub(crate) fn seconds(period: Duration) -> i64 {
    i64::try_from(period.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_follow_the_host_and_what_is_nobodys_is_kept_shortest() {
        let day = |days: u64| Duration::from_secs(days * 86_400);
        let host = |n: u64| HostPeriods { messages: day(n), rooms: day(n + 1), offline: day(n + 2) };
        let retention = Retention::new([("a.example".to_owned(), host(5)), ("b.example".to_owned(), host(1))]);
        let of = |owner: &str| retention.of(&BareJid::new(owner).unwrap());
        assert_eq!(of("x@a.example"), Periods { kept: 5 * 86_400, held: 7 * 86_400 });
        assert_eq!(of("room@salons.a.example").kept, 6 * 86_400);
        assert_eq!(of("room@elsewhere.example").kept, 2 * 86_400);
        assert_eq!(retention.longest(), 7 * 86_400);
        assert_eq!(Retention::default().of(&BareJid::new("x@a.example").unwrap()).kept, 0);
    }
}
