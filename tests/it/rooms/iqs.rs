//! H23: the room answers iqs itself.

use super::{OPEN, admin, condition, enter, form, found, refused, room, say, shown, village, village_without};
use bocage_tests::{Person, text};

const ASKED: [(&str, &str); 14] = [
    ("get", "<vCard xmlns='vcard-temp'/>"),
    ("get", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"),
    ("get", "<query xmlns='jabber:iq:version'/>"),
    ("get", "<time xmlns='urn:xmpp:time'/>"),
    ("get", "<query xmlns='jabber:iq:last'/>"),
    ("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
    ("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
    ("get", "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"),
    (
        "get",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='eu.siacs.conversations.axolotl.devicelist'/></pubsub>",
    ),
    ("get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>"),
    ("set", "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'/>"),
    ("set", "<command xmlns='http://jabber.org/protocol/commands' node='n' action='execute'/>"),
    ("set", "<open xmlns='http://jabber.org/protocol/ibb' sid='s' block-size='4096'/>"),
    ("get", "<whatever xmlns='urn:example:0'/>"),
];

/// The same answer for all that is asked, about who is there and about oneself, whatever modules are off.
#[tokio::test]
async fn h23_what_is_asked_of_an_occupant_is_answered_by_the_room() {
    for off in ["", "pseudonyms", "vcard_guard"] {
        let village = village_without(off, &["romeo", "juliet"]).await;
        let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
        let room = room("garden");
        found(&mut romeo, &room, "r", &[("muc#roomconfig_membersonly", "1")]).await;
        romeo.ask("set", &room, &admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
        enter(&mut juliet, &room, "j").await;
        shown(&mut romeo, &format!("{room}/j")).await;
        for (kind, payload) in ASKED {
            for nick in ["j", "r"] {
                let answer = romeo.ask(kind, &format!("{room}/{nick}"), payload).await;
                assert_eq!(condition(&answer), ("service-unavailable".to_owned(), None), "{payload}");
                let said = String::from(&answer);
                assert!(!said.contains("juliet"), "{said}");
            }
        }
        assert_eq!(refused(&mut romeo, "get", &format!("{room}/x"), ASKED[0].1).await.0, "item-not-found");
        // Nothing of it ever came to who was asked.
        say(&mut romeo, &room, "<body>mark</body>").await;
        for stanza in super::heard_up_to(&mut juliet, "mark").await {
            assert_ne!(stanza.name(), "iq", "{stanza:?}");
        }
    }
}

/// Where everybody sees real addresses, calls and devices are asked for through the room: each side reads the other's
/// address in it, and ids and errors of the room's own.
#[tokio::test]
async fn h23_open_groups_hand_iqs_on_by_the_addresses_of_the_room() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let hall = room("hall");
    found(&mut romeo, &hall, "r", &OPEN).await;
    romeo.ask("set", &hall, &admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    enter(&mut juliet, &hall, "j").await;
    let (j, r) = (format!("{hall}/j"), format!("{hall}/r"));
    let call = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'/>";
    romeo.send(&format!("<iq type='set' id='own' to='{j}'>{call}</iq>")).await;
    let asked = juliet.until(|s| s.name() == "iq").await;
    assert_eq!((asked.attr("from"), asked.attr("type")), (Some(r.as_str()), Some("set")));
    assert!(asked.has_child("jingle", "urn:xmpp:jingle:1"));
    let id = asked.attr("id").unwrap().to_owned();
    assert_ne!(id, "own", "whose client it is can be told by its ids");
    // Not by whoever claims to answer for her, and once.
    let mut other = Person::online(&village, "juliet").await;
    other.send(&format!("<iq type='result' id='{id}' to='{r}'><forged xmlns='urn:example'/></iq>")).await;
    other.settle().await;
    juliet.send(&format!("<iq type='result' id='{id}' to='{r}'><ok xmlns='urn:example'/></iq>")).await;
    let answer = romeo.until(|s| s.name() == "iq" && s.attr("id") == Some("own")).await;
    assert_eq!((answer.attr("from"), answer.attr("type")), (Some(j.as_str()), Some("result")));
    assert!(answer.has_child("ok", "urn:example"), "{answer:?}");
    // Errors are the room's: the condition, and nothing else of whom it came from.
    romeo.send(&format!("<iq type='get' id='own2' to='{j}'><query xmlns='jabber:iq:version'/></iq>")).await;
    let id = juliet.until(|s| s.name() == "iq").await.attr("id").unwrap().to_owned();
    let error = "<error type='cancel' by='juliet@village.example'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>real name</text></error>";
    juliet.send(&format!("<iq type='error' id='{id}' to='{r}'>{error}</iq>")).await;
    let answer = romeo.until(|s| s.attr("id") == Some("own2")).await;
    assert_eq!(condition(&answer), ("feature-not-implemented".to_owned(), None));
    assert!(!String::from(&answer).contains("juliet"), "{answer:?}");
    // What an account answers is asked of the account: a stranger's vCard is nobody's (H49).
    assert_eq!(refused(&mut romeo, "get", &j, "<vCard xmlns='vcard-temp'/>").await.0, "service-unavailable");
    // Nothing that only servers push, and nothing once addresses are closed again.
    assert_eq!(refused(&mut romeo, "set", &j, "<query xmlns='jabber:iq:roster'/>").await.0, "service-unavailable");
    romeo.ask("set", &hall, &form(&[("muc#roomconfig_whois", "moderators")])).await;
    assert_eq!(refused(&mut romeo, "set", &j, call).await.0, "service-unavailable");
}

/// XEP-0410: whoever pings learns whether they are inside, without anybody else taking part.
#[tokio::test]
async fn h23_pings_of_oneself_say_who_is_inside() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    found(&mut romeo, &garden, "r", &[]).await;
    assert_eq!(refused(&mut juliet, "get", &format!("{garden}/j"), ping).await.0, "not-acceptable");
    enter(&mut juliet, &garden, "j").await;
    for nick in ["j", "r"] {
        assert_eq!(juliet.ask("get", &format!("{garden}/{nick}"), ping).await.attr("type"), Some("result"));
    }
    super::depart(&mut juliet, &garden, "j").await;
    assert_eq!(refused(&mut juliet, "get", &format!("{garden}/j"), ping).await.0, "not-acceptable");
    assert_eq!(refused(&mut juliet, "get", &format!("{garden}/r"), ping).await.0, "not-acceptable");
}

/// What comes back from an occupant's client is for the room alone.
#[tokio::test]
async fn h23_errors_of_occupants_are_shown_to_nobody() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    enter(&mut juliet, &garden, "j").await;
    let error = "<error type='cancel' by='juliet@village.example'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>real name</text></error>";
    juliet.send(&format!("<message to='{garden}/r' type='error' id='e'>{error}</message>")).await;
    juliet.send(&format!("<message to='{garden}' type='error' id='e'>{error}</message>")).await;
    say(&mut juliet, &garden, "<body>mark</body>").await;
    let heard = super::heard_up_to(&mut romeo, "mark").await;
    assert!(heard.iter().all(|s| s.attr("type") != Some("error")), "{heard:?}");
    assert_eq!(text(heard.last().unwrap()), "mark");
    // One that says that nobody is there ends it: for the others without the words of any server.
    let gone = error.replace("policy-violation", "recipient-unavailable");
    juliet.send(&format!("<message to='{garden}' type='error' id='e'>{gone}</message>")).await;
    let left = romeo.until(|s| s.attr("type") == Some("unavailable")).await;
    assert_eq!(super::codes(&left), [333]);
    assert!(!String::from(&left).contains("real name"));
}

/// XEP-0045 section 7.2.18: a client that lost track of being outside learns it, and can enter again.
#[tokio::test]
async fn who_believes_to_be_inside_reads_that_they_are_not() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    // The same whether there is a room or none.
    for room in [garden.clone(), super::room("nowhere")] {
        juliet.send(&format!("<presence to='{room}/j'><show>away</show></presence>")).await;
        let out = juliet.until(|s| s.attr("from") == Some(&format!("{room}/j"))).await;
        assert_eq!((out.attr("type"), super::codes(&out)), (Some("unavailable"), vec![110, 307, 333]));
    }
    say(&mut romeo, &garden, "<body>mark</body>").await;
    let heard = super::heard_up_to(&mut romeo, "mark").await;
    assert!(heard.iter().all(|s| s.attr("from") != Some(&format!("{garden}/j"))), "{heard:?}");
}
