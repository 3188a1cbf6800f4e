//! Directed presence to others than subscribed contacts loses what identifies people (H24). The server itself adds
//! nothing to any presence.
#![forbid(unsafe_code)]

use bocage_api::{
    Checkpoints, EgressFilter, EgressView, InstallError, Kind, Module, Phase, Relation, Stanza, Verdict, config::NoSettings, ns,
    stanza::PresenceType,
};
use minidom::Element;

/// The module.
pub struct ProfileEgress;

impl Module for ProfileEgress {
    const NAME: &'static str = "profile_egress";
    type Config = NoSettings;
    type Needs = ();

    fn install(_: NoSettings, (): (), at: &mut Checkpoints) -> Result<(), InstallError> {
        at.egress_filter(Phase::Enforce, Strip);
        Ok(())
    }
}

struct Strip;
impl EgressFilter for Strip {
    fn leaves(&self, to: EgressView, stanza: &mut Stanza) -> Verdict {
        let shown = matches!(stanza.kind, Kind::Presence(PresenceType::Available | PresenceType::Unavailable));
        if !shown || sees_presence(to.relation) {
            return Verdict::Pass;
        }
        if to.room {
            stanza.lang = None;
        }
        stanza.retain_payloads(|payload| !(identifies(payload) || (to.room && tells_of_the_client(payload))));
        Verdict::Pass
    }
}

fn sees_presence(relation: Relation) -> bool {
    relation.may_see_presence()
}

/// Of whoever it is shown to.
fn identifies(payload: &Element) -> bool {
    const PROFILE: [&str; 6] =
        [ns::VCARD_UPDATE, "urn:xmpp:idle:1", "jabber:iq:last", ns::DELAY, "jabber:x:delay", "http://jabber.org/protocol/nick"];
    payload.is("status", ns::CLIENT) || PROFILE.iter().any(|namespace| payload.has_ns(*namespace))
}

/// In rooms, where many look on.
fn tells_of_the_client(payload: &Element) -> bool {
    payload.is("priority", ns::CLIENT) || payload.has_ns(ns::CAPS) || payload.has_ns("urn:xmpp:caps")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        store::Subscription,
        testing::{FakeHost, xml},
    };

    const ALL: &str = "<presence xmlns='jabber:client' xml:lang='fr'><show>away</show><status>at the lake</status>\
        <priority>5</priority><x xmlns='vcard-temp:x:update'><photo>abc</photo></x><idle xmlns='urn:xmpp:idle:1'/>\
        <query xmlns='jabber:iq:last' seconds='9'/><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>\
        <nick xmlns='http://jabber.org/protocol/nick'>Al</nick><c xmlns='http://jabber.org/protocol/caps' node='n' ver='v'/>\
        <c xmlns='urn:xmpp:caps'/><x xmlns='http://jabber.org/protocol/muc'/></presence>";

    fn left(text: &str, (relation, room): (Relation, bool)) -> (String, bool) {
        let at = FakeHost::new().install::<ProfileEgress>();
        let mut stanza = Stanza::parse(xml(text)).unwrap().unwrap();
        let verdict = at.at.egress_filters[0].1.it.leaves(EgressView { relation, blocked: false, room }, &mut stanza);
        assert_eq!(verdict, Verdict::Pass);
        let names: Vec<_> = stanza.el.children().map(Element::name).collect();
        (names.join(" "), stanza.lang.is_some())
    }

    #[test]
    fn h24_strangers_get_presence_without_a_profile() {
        for relation in [Relation::Stranger, Relation::Neighbour, Relation::Contact(Subscription::To)] {
            assert_eq!(left(ALL, (relation, false)), ("show priority c c x".into(), true), "{relation:?}");
        }
    }

    #[test]
    fn h24_rooms_learn_nothing_of_the_client_either() {
        assert_eq!(left(ALL, (Relation::Stranger, true)), ("show x".into(), false));
    }

    #[test]
    fn h24_contacts_get_all_of_it() {
        for relation in [Relation::Contact(Subscription::Both), Relation::Contact(Subscription::From)] {
            assert_eq!(left(ALL, (relation, false)).0.split(' ').count(), 11);
        }
    }

    #[test]
    fn h24_requests_keep_what_they_say_and_going_away_says_nothing() {
        let request = "<presence xmlns='jabber:client' type='subscribe'><nick xmlns='http://jabber.org/protocol/nick'>Al</nick>\
            <preauth xmlns='urn:xmpp:pars:0' token='t'/></presence>";
        assert_eq!(left(request, (Relation::Stranger, false)).0, "nick preauth");
        let gone = "<presence xmlns='jabber:client' type='unavailable'><status>bye, Al</status></presence>";
        assert_eq!(left(gone, (Relation::Stranger, true)).0, "");
    }
}
