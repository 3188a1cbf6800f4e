//! The room says what passes (H21, H22; XEP-0045 section 17.1.1), and it is true.

use super::{DISCO_INFO, OPEN, enter, features, found, heard_up_to, room, say, shown, village_without};
use bocage_tests::{Person, Village};
use std::collections::BTreeSet;

const TRAFFIC: &str = "http://jabber.org/protocol/muc#traffic";
/// What the room itself adds.
const OWN: [&str; 4] = ["http://jabber.org/protocol/muc#user", "urn:xmpp:occupant-id:0", "urn:xmpp:hats:0", "urn:xmpp:sid:0"];
/// Namespaces that clients are known to send.
const SENT: [&str; 38] = [
    "eu.siacs.conversations.axolotl",
    "http://jabber.org/protocol/address",
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/chatstates",
    "http://jabber.org/protocol/nick",
    "http://jabber.org/protocol/url-data",
    "http://jabber.org/protocol/xhtml-im",
    "jabber:iq:last",
    "jabber:x:conference",
    "jabber:x:encrypted",
    "jabber:x:oob",
    "jabber:x:signed",
    "urn:xmpp:attention:0",
    "urn:xmpp:chat-markers:0",
    "urn:xmpp:delay",
    "urn:xmpp:eme:0",
    "urn:xmpp:fallback:0",
    "urn:xmpp:file:metadata:0",
    "urn:xmpp:forward:0",
    "urn:xmpp:hints",
    "urn:xmpp:idle:1",
    "urn:xmpp:jingle-message:0",
    "urn:xmpp:jingle:muji:0",
    "urn:xmpp:markup:0",
    "urn:xmpp:mentions:0",
    "urn:xmpp:message-correct:0",
    "urn:xmpp:message-retract:1",
    "urn:xmpp:omemo:2",
    "urn:xmpp:openpgp:0",
    "urn:xmpp:reactions:0",
    "urn:xmpp:receipts",
    "urn:xmpp:reference:0",
    "urn:xmpp:reply:0",
    "urn:xmpp:sfs:0",
    "urn:xmpp:sims:1",
    "urn:xmpp:spoiler:0",
    "urn:xmpp:sticker:0",
    "urn:xmpp:styling:0",
];

/// Which of them come out at the other end, of messages or of presence.
async fn passing(juliet: &mut Person, romeo: &mut Person, garden: &str) -> BTreeSet<String> {
    let mut passing = BTreeSet::new();
    for namespace in SENT {
        say(juliet, garden, &format!("<body>said</body><x xmlns='{namespace}'/>")).await;
        say(juliet, garden, "<body>mark</body>").await;
        let heard = heard_up_to(romeo, "mark").await;
        if heard.iter().any(|s| s.children().any(|el| el.has_ns(namespace))) {
            passing.insert(namespace.to_owned());
        }
    }
    for (n, namespace) in SENT.into_iter().enumerate() {
        let nick = format!("p{n}");
        juliet.send(&format!("<presence to='{garden}/j' type='unavailable'/>")).await;
        let join = "<x xmlns='http://jabber.org/protocol/muc'/>";
        juliet.send(&format!("<presence to='{garden}/{nick}'>{join}<x xmlns='{namespace}'/></presence>")).await;
        let seen = shown(romeo, &format!("{garden}/{nick}")).await;
        if seen.children().any(|el| el.has_ns(namespace)) {
            passing.insert(namespace.to_owned());
        }
        juliet.send(&format!("<presence to='{garden}/{nick}' type='unavailable'/>")).await;
    }
    passing
}

async fn is_true(village: &Village, fields: &[(&str, &str)]) -> BTreeSet<String> {
    let (mut romeo, mut juliet) = (Person::online(village, "romeo").await, Person::online(village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", fields).await;
    let member = super::admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "");
    romeo.ask("set", &garden, &member).await;
    enter(&mut juliet, &garden, "j").await;
    let said: BTreeSet<String> = features(&mut juliet, &garden, TRAFFIC).await.into_iter().collect();
    let said: BTreeSet<String> = said.into_iter().filter(|namespace| !OWN.contains(&namespace.as_str())).collect();
    let passing = passing(&mut juliet, &mut romeo, &garden).await;
    let known: BTreeSet<String> = said.iter().filter(|namespace| SENT.contains(&namespace.as_str())).cloned().collect();
    assert_eq!(known, passing, "what is said, and what passes");
    said
}

#[tokio::test]
async fn h21_h22_what_the_room_says_of_its_traffic_is_true() {
    let village = village_without("", &["romeo", "juliet"]).await;
    let pseudonymous = is_true(&village, &[]).await;
    let village = village_without("", &["romeo", "juliet"]).await;
    let open = is_true(&village, &OPEN).await;
    assert!(pseudonymous.is_subset(&open) && open.contains("urn:xmpp:omemo:2") && !pseudonymous.contains("urn:xmpp:omemo:2"));
    let village = village_without("vcard_guard", &["romeo", "juliet"]).await;
    assert!(is_true(&village, &[]).await.contains("http://jabber.org/protocol/caps"));
}

#[tokio::test]
async fn other_nodes_of_a_room_are_not_there() {
    let village = village_without("", &["romeo"]).await;
    let mut romeo = Person::online(&village, "romeo").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    let ask = format!("<query xmlns='{DISCO_INFO}' node='urn:example'/>");
    assert_eq!(super::refused(&mut romeo, "get", &garden, &ask).await.0, "item-not-found");
}
