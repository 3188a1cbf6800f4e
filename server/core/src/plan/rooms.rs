//! What the plan says about rooms, failing closed: a panic is the strictest answer, and so is the lack of a policy.

use super::{HostPlan, guard::caught};
use bocage_api::{OptOut, Payloads, Reveal, RoomStanza, RoomView, StanzaError, Verdict, Whois};
use jid::BareJid;
use std::time::Duration;

impl HostPlan {
    /// Room filters in order. Presence is never silenced: whatever stops it leaves the bare skeleton (no ghosts).
    pub fn room_emits(&self, room: &RoomView<'_>, what: RoomStanza, payloads: &mut Payloads<'_>) -> Verdict {
        for (_, filter) in &self.at.room_filters {
            let verdict = caught(filter.module, "room filter", || filter.it.room_emits(room, what, payloads));
            match verdict.unwrap_or_else(|| Verdict::Bounce(StanzaError::internal_server_error())) {
                Verdict::Pass => {}
                _ if what == RoomStanza::Presence => {
                    payloads.clear();
                    return Verdict::Pass;
                }
                stop => return stop,
            }
        }
        Verdict::Pass
    }

    /// The least that a policy allows; nothing without one.
    #[must_use]
    pub fn reveal(&self, room: &RoomView<'_>, wish: OptOut) -> Reveal {
        let answers = self.at.occupant_id_policies.iter().map(|policy| {
            caught(policy.module, "occupant-id policy", || policy.it.reveal(room, wish)).unwrap_or(Reveal::Nothing)
        });
        answers.min().unwrap_or(Reveal::Nothing)
    }

    /// Who may see real JIDs in a new room.
    #[must_use]
    pub fn room_whois(&self) -> Whois {
        let answers = self
            .at
            .room_defaults
            .iter()
            .map(|default| caught(default.module, "room default", || default.it.whois()).unwrap_or(Whois::Nobody));
        answers.min().unwrap_or(Whois::Moderators)
    }

    /// The longest delay of leaves. One that panics has none: the others still hold.
    #[must_use]
    pub fn leave_jitter(&self) -> Duration {
        let answers = self.at.room_defaults.iter().filter_map(|d| caught(d.module, "room default", || d.it.leave_jitter()));
        answers.max().unwrap_or_default()
    }

    /// May `who` enter `room`?
    ///
    /// # Errors
    /// The first refusal.
    pub fn room_admits(&self, room: &BareJid, who: &BareJid) -> Result<(), StanzaError> {
        self.at.room_defaults.iter().try_for_each(|default| {
            let admitted = caught(default.module, "room default", || default.it.admit(room, who));
            admitted.unwrap_or_else(|| Err(StanzaError::internal_server_error()))
        })
    }

    /// The shortest period of all policies; nothing without one.
    #[must_use]
    pub fn keep(&self, owner: &BareJid) -> Duration {
        let answers = self
            .at
            .retention_policies
            .iter()
            .map(|policy| caught(policy.module, "retention policy", || policy.it.keep(owner)).unwrap_or_default());
        answers.min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{Checkpoints, Kind, OccupantIdPolicy, Phase, RoomDefaults, RoomFilter, Shows, Stanza, stanza::PresenceType};
    use minidom::Element;

    struct Broken;
    impl RoomFilter for Broken {
        fn room_emits(&self, _: &RoomView<'_>, _: RoomStanza, _: &mut Payloads<'_>) -> Verdict {
            panic!("broken")
        }
    }
    impl OccupantIdPolicy for Broken {
        fn reveal(&self, _: &RoomView<'_>, _: OptOut) -> Reveal {
            panic!("broken")
        }
    }
    impl RoomDefaults for Broken {
        fn whois(&self) -> Whois {
            panic!("broken")
        }
        fn admit(&self, _: &BareJid, _: &BareJid) -> Result<(), StanzaError> {
            panic!("broken")
        }
    }

    fn plan(wire: impl FnOnce(&mut Checkpoints)) -> HostPlan {
        let mut at = Checkpoints::default();
        wire(at.of("broken"));
        HostPlan::seal("x.example".parse().unwrap(), at).unwrap()
    }
    fn room(jid: &BareJid) -> RoomView<'_> {
        RoomView { room: jid, whois: Whois::Moderators, members_only: false, hidden: true, shows: Shows::default() }
    }

    #[test]
    fn a_panicking_room_filter_bounces_messages_and_strips_presence_bare() {
        let (plan, jid) = (plan(|at| at.room_filter(Phase::Enforce, Broken)), "r@x.example".parse().unwrap());
        let mut stanza = Stanza::new(Kind::Presence(PresenceType::Available), None, None).with(Element::bare("a", "b"));
        assert_eq!(plan.room_emits(&room(&jid), RoomStanza::Presence, &mut Payloads::of(&mut stanza)), Verdict::Pass);
        assert_eq!(stanza.el.children().count(), 0);
        let verdict = plan.room_emits(&room(&jid), RoomStanza::Message, &mut Payloads::of(&mut stanza));
        assert_eq!(verdict, Verdict::Bounce(StanzaError::internal_server_error()));
    }

    #[test]
    fn panicking_and_absent_policies_are_the_strictest() {
        let jid: BareJid = "r@x.example".parse().unwrap();
        let none = plan(|_| {});
        assert_eq!(none.reveal(&room(&jid), OptOut::No), Reveal::Nothing);
        assert_eq!((none.room_whois(), none.keep(&jid)), (Whois::Moderators, Duration::ZERO));
        let broken = plan(|at| {
            at.occupant_id_policy(Broken);
            at.room_default(Broken);
        });
        assert_eq!(broken.reveal(&room(&jid), OptOut::No), Reveal::Nothing);
        assert_eq!(broken.room_whois(), Whois::Nobody);
        assert_eq!(broken.room_admits(&jid, &jid), Err(StanzaError::internal_server_error()));
    }
}
