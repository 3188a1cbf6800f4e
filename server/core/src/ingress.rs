//! What a stanza from outside must not say: a foreign `from`, or what only a server may add.

use crate::plan::Plans;
use bocage_api::{
    Kind, Stanza, ns,
    stanza::{IqType, PresenceType},
};
use jid::{FullJid, Jid};
use minidom::Element;

/// The sender claimed to be somebody else (RFC 6120 section 8.1.2.1: `invalid-from`).
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidFrom;

/// Stamps `from`: the full JID, or the bare one where RFC 6121 section 3 wants it (subscriptions).
///
/// # Errors
/// [`InvalidFrom`] when the client wrote neither its full nor its bare JID.
pub fn stamp(stanza: &mut Stanza, session: &FullJid) -> Result<(), InvalidFrom> {
    if let Some(from) = &stanza.from
        && from.as_str() != session.as_str()
        && from.as_str() != session.to_bare().as_str()
    {
        return Err(InvalidFrom);
    }
    let bare = matches!(
        stanza.kind,
        Kind::Presence(
            PresenceType::Subscribe | PresenceType::Subscribed | PresenceType::Unsubscribe | PresenceType::Unsubscribed
        )
    );
    stanza.from = Some(if bare { session.to_bare().into() } else { session.clone().into() });
    if bare {
        stanza.to = stanza.to.take().map(|to| to.into_bare().into());
    }
    Ok(())
}

/// Removes what a client must not send: what nobody outside may ([`strip_foreign`]), and what archives and services
/// alone say (XEP-0313, XEP-0060).
pub fn strip(stanza: &mut Stanza, plans: &Plans) {
    strip_foreign(stanza, plans);
    if !matches!(stanza.kind, Kind::Iq(_)) {
        let result = |el: &Element| el.has_ns(ns::MAM) && el.name() == "result";
        stanza.retain_payloads(|el| !result(el) && !el.has_ns("http://jabber.org/protocol/pubsub#event"));
    }
}

/// Removes what is this server's alone to add: stanza-ids and delays in the name of a host served here (XEP-0359,
/// XEP-0203), carbons (XEP-0280). Archives and services of other servers speak for themselves.
pub fn strip_foreign(stanza: &mut Stanza, plans: &Plans) {
    if matches!(stanza.kind, Kind::Iq(_)) {
        return;
    }
    let ours = |el: &Element, attribute: &str| {
        let by = el.attrs().iter().find(|((_, name), _)| **name == *attribute).map(|(_, value)| value.as_str());
        by.is_some_and(|by| Jid::new(by).is_ok_and(|by| plans.place(by.domain().as_str()).is_some()))
    };
    stanza.retain_payloads(|el| {
        let forged = (el.is("stanza-id", ns::SID) && ours(el, "by"))
            || (el.is("delay", ns::DELAY) && ours(el, "from"))
            || (el.has_ns(ns::CARBONS) && el.name() != "private");
        !forged
    });
}

/// Pushes are the server's: a client cannot send one to another's session (RFC 6121 section 2.1.6, XEP-0191).
#[must_use]
pub fn is_forged_push(stanza: &Stanza) -> bool {
    let addressed = stanza.to.as_ref().is_some_and(Jid::is_full);
    let push = |el: &Element| el.has_ns(ns::ROSTER) || el.has_ns("urn:xmpp:blocking");
    stanza.kind == Kind::Iq(IqType::Set) && addressed && stanza.payload().is_some_and(push)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::HostPlan;
    use bocage_api::Checkpoints;

    fn stanza(xml: &str) -> Stanza {
        Stanza::parse(xml.parse().unwrap()).unwrap().unwrap()
    }
    fn plans() -> Plans {
        Plans::new([HostPlan::seal("x.example".parse().unwrap(), Checkpoints::default()).unwrap()]).unwrap()
    }

    #[test]
    fn from_is_stamped_or_refused() {
        let me: FullJid = "a@x.example/r".parse().unwrap();
        for (xml, from) in [
            ("<message xmlns='jabber:client'/>", "a@x.example/r"),
            ("<message xmlns='jabber:client' from='a@x.example'/>", "a@x.example/r"),
            ("<presence xmlns='jabber:client' type='subscribe' to='b@x.example/q'/>", "a@x.example"),
        ] {
            let mut s = stanza(xml);
            stamp(&mut s, &me).unwrap();
            assert_eq!(s.from.unwrap().as_str(), from);
        }
        assert_eq!(stamp(&mut stanza("<message xmlns='jabber:client' from='b@x.example'/>"), &me), Err(InvalidFrom));
        assert_eq!(stamp(&mut stanza("<message xmlns='jabber:client' from='a@x.example/q'/>"), &me), Err(InvalidFrom));
    }

    #[test]
    fn what_only_servers_say_is_stripped() {
        let mut s = stanza(
            "<message xmlns='jabber:client'><body>b</body><stanza-id xmlns='urn:xmpp:sid:0' by='b@x.example' id='F'/>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='room@else.example' id='ok'/><received xmlns='urn:xmpp:carbons:2'/>\
             <result xmlns='urn:xmpp:mam:2'/><delay xmlns='urn:xmpp:delay' from='x.example' stamp='2000-01-01T00:00:00Z'/>\
             <private xmlns='urn:xmpp:carbons:2'/></message>",
        );
        strip(&mut s, &plans());
        let left: Vec<_> = s.el.children().map(Element::name).collect();
        assert_eq!(left, ["body", "stanza-id", "private"]);
    }

    #[test]
    fn archives_and_services_of_other_servers_speak_for_themselves() {
        let mut s = stanza(
            "<message xmlns='jabber:client'><result xmlns='urn:xmpp:mam:2'/><event xmlns='http://jabber.org/protocol/pubsub#event'/>\
             <received xmlns='urn:xmpp:carbons:2'/><stanza-id xmlns='urn:xmpp:sid:0' by='b@x.example' id='F'/></message>",
        );
        strip_foreign(&mut s, &plans());
        let left: Vec<_> = s.el.children().map(Element::name).collect();
        assert_eq!(left, ["result", "event"]);
    }

    #[test]
    fn pushes_to_others_are_forged() {
        assert!(is_forged_push(&stanza(
            "<iq xmlns='jabber:client' type='set' id='1' to='b@x.example/r'><query xmlns='jabber:iq:roster'/></iq>"
        )));
        assert!(!is_forged_push(&stanza("<iq xmlns='jabber:client' type='set' id='1'><query xmlns='jabber:iq:roster'/></iq>")));
    }
}
