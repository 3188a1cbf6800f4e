//! What rooms and their host say about themselves (XEP-0045 sections 6.2 to 6.6).

use super::{DISCO_INFO, DISCO_ITEMS, HOST, enter, features, form, found, refused, room, village, village_without};
use bocage_tests::Person;
use minidom::Element;

const DATA_POLICY: &str = "urn:xmpp:data-policy:0";

/// Values of FORM_TYPE in a disco answer.
async fn forms(person: &mut Person, to: &str) -> Vec<String> {
    let answer = person.ask("get", to, &format!("<query xmlns='{DISCO_INFO}'/>")).await;
    let query = answer.get_child("query", DISCO_INFO).unwrap_or_else(|| panic!("{answer:?}"));
    let kinds = query.children().filter(|el| el.name() == "x").flat_map(Element::children);
    let kinds = kinds.filter(|field| field.attr("var") == Some("FORM_TYPE"));
    kinds.map(|field| field.get_child("value", "jabber:x:data").unwrap().text()).collect()
}

/// XEP-0504: once, by whoever knows.
#[tokio::test]
async fn h10_the_host_and_each_room_say_once_what_is_kept() {
    for (off, of_host) in [("", 1), ("data_policy", 0)] {
        let village = village_without(off, &["romeo"]).await;
        let mut romeo = Person::online(&village, "romeo").await;
        let garden = room("garden");
        found(&mut romeo, &garden, "r", &[]).await;
        for (to, times) in [(HOST, of_host), (&garden, 1)] {
            let policies = forms(&mut romeo, to).await.iter().filter(|kind| *kind == DATA_POLICY).count();
            assert_eq!(policies, times, "{to} without {off:?}");
            let says = features(&mut romeo, to, "").await.iter().filter(|feature| *feature == DATA_POLICY).count();
            assert_eq!(says, times, "{to} without {off:?}");
        }
    }
}

/// Without these, clients of today do not trust the room's ids, or do not look into its archive.
#[tokio::test]
async fn clients_find_what_they_look_for_in_what_a_room_says() {
    let village = village(&["romeo"]).await;
    let mut romeo = Person::online(&village, "romeo").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    let says = features(&mut romeo, &garden, "").await;
    for feature in [
        "urn:xmpp:sid:0",
        "urn:xmpp:mam:2",
        "urn:xmpp:mam:2#extended",
        "urn:xmpp:occupant-id:0",
        "urn:xmpp:message-retract:1",
        "urn:xmpp:message-retract:1#tombstone",
        "urn:xmpp:message-moderate:1",
        "http://jabber.org/protocol/muc#stable_id",
        "http://jabber.org/protocol/muc#self-ping-optimization",
        "http://jabber.org/protocol/muc#request",
        "vcard-temp",
    ] {
        assert_eq!(says.iter().filter(|said| *said == feature).count(), 1, "{feature}: {says:?}");
    }
    let says = features(&mut romeo, HOST, "").await;
    assert!(says.contains(&"http://jabber.org/protocol/muc#stable_id".to_owned()), "on the service as well: {says:?}");
}

/// Section 6.6, and H26: whether anybody has this nick is not said.
#[tokio::test]
async fn h26_who_is_outside_asks_about_occupants_in_vain() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    for nick in ["r", "nobody"] {
        for namespace in [DISCO_INFO, DISCO_ITEMS] {
            let ask = format!("<query xmlns='{namespace}'/>");
            let answer = refused(&mut juliet, "get", &format!("{garden}/{nick}"), &ask).await;
            assert_eq!(answer, ("bad-request".to_owned(), None), "{nick}");
        }
        let answer = refused(&mut juliet, "get", &format!("{garden}/{nick}"), "<vCard xmlns='vcard-temp'/>").await;
        assert_eq!(answer, ("not-acceptable".to_owned(), None), "{nick}");
    }
}

/// The codes of a notice about the configuration, which holds nothing else (section 10.2.1).
fn notice(stanza: &Element) -> Vec<u16> {
    let user = stanza.get_child("x", "http://jabber.org/protocol/muc#user").filter(|_| stanza.name() == "message");
    let said: Vec<_> = user.iter().flat_map(|user| user.children()).collect();
    assert!(said.iter().all(|el| el.name() == "status"), "nothing but codes: {stanza:?}");
    said.iter().map(|status| status.attr("code").unwrap().parse().unwrap()).collect()
}

async fn told_of(owner: &mut Person, other: &mut Person, room: &str, fields: &[(&str, &str)]) -> Vec<u16> {
    owner.ask("set", room, &form(fields)).await;
    super::say(owner, room, "<body>mark</body>").await;
    super::heard_up_to(other, "mark").await.iter().flat_map(notice).collect()
}

#[tokio::test]
async fn occupants_read_by_code_what_changed_of_their_privacy_and_that_something_else_did() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &super::OPEN).await;
    let member = super::admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "");
    romeo.ask("set", &garden, &member).await;
    enter(&mut juliet, &garden, "j").await;
    let mut told = async |fields: &[(&str, &str)]| told_of(&mut romeo, &mut juliet, &garden, fields).await;
    assert_eq!(told(&[("muc#roomconfig_roomname", "Garden")]).await, [104]);
    assert_eq!(told(&[("muc#roomconfig_roomname", "Garden")]).await, [] as [u16; 0], "nothing changed");
    assert_eq!(told(&[("muc#roomconfig_whois", "moderators")]).await, [173]);
    let logged = [("muc#roomconfig_membersonly", "0"), ("muc#roomconfig_publicroom", "1")];
    assert_eq!(told(&logged).await, [170]);
    assert_eq!(told(&[("muc#roomconfig_publicroom", "0"), ("muc#roomconfig_roomname", "Hall")]).await, [171, 104]);
}
