//! Occupant-ids (XEP-0421), with a way out (H25): how much they may reveal. Rooms compute them, from secrets of their own.
#![forbid(unsafe_code)]

use bocage_api::{Checkpoints, InstallError, Module, OccupantIdPolicy, OptOut, Reveal, RoomView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The module.
pub struct OccupantId;

/// `[modules.occupant_id]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The most that an id may reveal: "stable" follows an account through nicks within one room, "nick" does not.
    pub mode: Mode,
}

/// How much an id reveals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The same under every nick.
    #[default]
    Stable,
    /// Another under another nick.
    Nick,
}

impl Module for OccupantId {
    const NAME: &'static str = "occupant_id";
    type Config = Config;
    type Needs = ();

    fn install(config: Config, (): (), at: &mut Checkpoints) -> Result<(), InstallError> {
        at.occupant_id_policy(Policy(config.mode));
        Ok(())
    }
}

struct Policy(Mode);
impl OccupantIdPolicy for Policy {
    fn reveal(&self, _: &RoomView<'_>, wish: OptOut) -> Reveal {
        match (self.0, wish) {
            (Mode::Stable, OptOut::No) => Reveal::Stable,
            (Mode::Nick, _) | (_, OptOut::Yes) => Reveal::Nick,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{Shows, Whois, testing::FakeHost};

    fn reveal(mode: Mode, wish: OptOut) -> Reveal {
        let at = FakeHost::new().try_install::<OccupantId>(Config { mode }).unwrap();
        let room = "r@salons.bocage.example".parse().unwrap();
        let view = RoomView { room: &room, whois: Whois::Moderators, members_only: false, hidden: true, shows: Shows::default() };
        at.at.occupant_id_policies[0].it.reveal(&view, wish)
    }

    #[test]
    fn h25_ids_last_for_who_did_not_opt_out_and_no_longer_than_the_nick_for_who_did() {
        assert_eq!(reveal(Mode::Stable, OptOut::No), Reveal::Stable);
        assert_eq!(reveal(Mode::Stable, OptOut::Yes), Reveal::Nick);
        assert_eq!(reveal(Mode::Nick, OptOut::No), Reveal::Nick);
        assert_eq!(reveal(Mode::Nick, OptOut::Yes), Reveal::Nick);
    }
}
