//! How long rooms keep what was said (H01): `retention.rooms`. Without this module they keep nothing.
#![forbid(unsafe_code)]

use bocage_api::{Checkpoints, Host, InstallError, Module, RetentionPolicy, config::NoSettings};
use jid::{BareJid, DomainPart};
use std::time::Duration;

/// The module.
pub struct RoomRetention;

impl Module for RoomRetention {
    const NAME: &'static str = "room_retention";
    type Config = NoSettings;
    type Needs = Host;

    fn install(_: NoSettings, host: Host, at: &mut Checkpoints) -> Result<(), InstallError> {
        at.retention_policy(Period { accounts: host.domain, rooms: host.room_retention });
        Ok(())
    }
}

struct Period {
    accounts: DomainPart,
    rooms: Duration,
}
impl RetentionPolicy for Period {
    /// Says nothing about accounts: the shortest answer wins, so it names the longest.
    fn keep(&self, owner: &BareJid) -> Duration {
        if *owner.domain() == *self.accounts { Duration::MAX } else { self.rooms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::FakeHost;

    #[test]
    fn h01_rooms_keep_as_long_as_the_operator_says_and_accounts_are_not_its_business() {
        let at = FakeHost::new().install::<RoomRetention>();
        let keep = |owner: &str| at.at.retention_policies[0].it.keep(&owner.parse().unwrap());
        assert_eq!(keep("room@salons.bocage.example"), Duration::from_secs(7 * 86_400));
        assert_eq!(keep("me@bocage.example"), Duration::MAX);
    }
}
