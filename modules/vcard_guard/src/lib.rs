//! What of a client's presence a room may show (H21): an allow-list, for newcomers' first sight of the others included,
//! because all of a room's presence passes the same filter.
//!
//! Avatar hash, capabilities, idle time, status text, priority: each of them ties a nick to an account seen elsewhere.
#![forbid(unsafe_code)]

use bocage_api::{Checkpoints, InstallError, Module, Payloads, Phase, RoomFilter, RoomStanza, RoomView, Verdict, Whois, ns};
use minidom::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Group calls (XEP-0272 as Dino and Movim do it) are prepared in presence.
const MUJI: &str = "urn:xmpp:jingle:muji:0";

/// The module.
pub struct VcardGuard;

/// `[modules.vcard_guard]`
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// What owners of members-only, hidden rooms with whois "anyone" may let occupants show besides: "caps", "status", "avatar".
    pub allow_in_open_groups: Vec<Extra>,
}

/// Something that identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Extra {
    /// Client capabilities.
    Caps,
    /// Status texts.
    Status,
    /// Avatar hashes.
    Avatar,
}

impl Module for VcardGuard {
    const NAME: &'static str = "vcard_guard";
    type Config = Config;
    type Needs = ();

    fn install(config: Config, (): (), at: &mut Checkpoints) -> Result<(), InstallError> {
        at.room_filter(Phase::Enforce, Guard(config.allow_in_open_groups));
        Ok(())
    }
}

struct Guard(Vec<Extra>);
impl RoomFilter for Guard {
    fn room_emits(&self, room: &RoomView<'_>, what: RoomStanza, payloads: &mut Payloads<'_>) -> Verdict {
        if what == RoomStanza::Presence {
            payloads.retain(|payload| self.passes(room, payload));
        }
        Verdict::Pass
    }
}

impl Guard {
    fn passes(&self, room: &RoomView<'_>, payload: &Element) -> bool {
        let open = room.whois == Whois::Anyone && room.members_only && room.hidden;
        let extra = |extra, shown| open && shown && self.0.contains(&extra);
        match (payload.name(), payload.ns().as_str()) {
            ("show", ns::CLIENT) => true,
            ("status", ns::CLIENT) => extra(Extra::Status, room.shows.status),
            (_, ns::CAPS) => extra(Extra::Caps, room.shows.caps),
            (_, ns::VCARD_UPDATE) => extra(Extra::Avatar, room.shows.avatars),
            (_, MUJI) => open,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        Kind, Shows, Stanza,
        stanza::PresenceType,
        testing::{FakeHost, xml},
    };

    const TELLING: &str = "<presence xmlns='jabber:client'><show>away</show><status>at the sea</status><priority>5</priority>\
        <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/><x xmlns='vcard-temp:x:update'><photo>1</photo></x>\
        <idle xmlns='urn:xmpp:idle:1' since='2026-01-01T00:00:00Z'/><query xmlns='jabber:iq:last' seconds='1'/>\
        <delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/><x xmlns='jabber:x:signed'>s</x>\
        <nick xmlns='http://jabber.org/protocol/nick'>Name</nick><muji xmlns='urn:xmpp:jingle:muji:0'/></presence>";

    fn shown(config: Config, whois: Whois, shows: Shows) -> Vec<String> {
        let at = FakeHost::new().try_install::<VcardGuard>(config).unwrap();
        let room = "r@salons.bocage.example".parse().unwrap();
        let view = RoomView { room: &room, whois, members_only: true, hidden: true, shows };
        let mut stanza = Stanza::new(Kind::Presence(PresenceType::Available), None, None);
        stanza.el = xml(TELLING);
        let verdict = at.at.room_filters[0].1.it.room_emits(&view, RoomStanza::Presence, &mut Payloads::of(&mut stanza));
        assert_eq!(verdict, Verdict::Pass);
        stanza.el.children().map(|el| el.name().to_owned()).collect()
    }

    #[test]
    fn h21_presence_shows_availability_and_nothing_else() {
        for whois in [Whois::Nobody, Whois::Moderators] {
            let all = Config { allow_in_open_groups: vec![Extra::Caps, Extra::Status, Extra::Avatar] };
            assert_eq!(shown(all, whois, Shows { caps: true, status: true, avatars: true }), ["show"]);
        }
    }

    #[test]
    fn h21_open_groups_may_call_and_show_what_operator_and_owner_both_allow() {
        let shows = Shows { caps: true, status: true, avatars: false };
        assert_eq!(shown(Config::default(), Whois::Anyone, shows), ["show", "muji"]);
        let some = Config { allow_in_open_groups: vec![Extra::Caps, Extra::Avatar] };
        assert_eq!(shown(some, Whois::Anyone, shows), ["show", "c", "muji"]);
    }
}
