//! H22: what a room passes on of messages.

use super::{HOST, OPEN, admin, condition, enter, found, heard_up_to, occupant_id, room, say, shown, village_without};
use bocage_tests::{Person, Village, text};
use minidom::Element;

/// What conversations need. Each is one payload beside a body.
const PASSES: [&str; 19] = [
    "<subject>s</subject>",
    "<thread>t</thread>",
    "<active xmlns='http://jabber.org/protocol/chatstates'/>",
    "<replace xmlns='urn:xmpp:message-correct:0' id='m0'/>",
    "<retract xmlns='urn:xmpp:message-retract:1' id='m0'/>",
    "<reactions xmlns='urn:xmpp:reactions:0' id='m0'><reaction>&#128075;</reaction></reactions>",
    "<reply xmlns='urn:xmpp:reply:0' id='m0'/>",
    "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'/>",
    "<store xmlns='urn:xmpp:hints'/>",
    "<origin-id xmlns='urn:xmpp:sid:0' id='m1'/>",
    "<x xmlns='jabber:x:oob'><url>https://files.example/x</url></x>",
    "<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'/></file-sharing>",
    "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>",
    "<attention xmlns='urn:xmpp:attention:0'/>",
    "<spoiler xmlns='urn:xmpp:spoiler:0'/>",
    "<unstyled xmlns='urn:xmpp:styling:0'/>",
    "<markup xmlns='urn:xmpp:markup:0'/>",
    "<mention xmlns='urn:xmpp:mentions:0'/>",
    "<reference xmlns='urn:xmpp:reference:0' type='data' uri='https://example.org/'/>",
];
/// What tells who somebody is or when they looked, or nobody knows.
const STOPS: [&str; 6] = [
    "<markable xmlns='urn:xmpp:chat-markers:0'/>",
    "<request xmlns='urn:xmpp:receipts'/>",
    "<addresses xmlns='http://jabber.org/protocol/address'><address type='to' jid='real@home.example'/></addresses>",
    "<x xmlns='jabber:x:conference' jid='real@home.example'/>",
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>",
    "<whatever xmlns='urn:example:0'>real@home.example</whatever>",
];
/// What only the room says, and what is nobody's business: taken out whatever modules are off.
const FORGED: [&str; 11] = [
    "<x xmlns='http://jabber.org/protocol/muc#user'><item jid='forged@home.example' role='moderator'/></x>",
    "<stanza-id xmlns='urn:xmpp:sid:0' by='garden@salons.village.example' id='forged'/>",
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>",
    "<hats xmlns='urn:xmpp:hats:0'><hat uri='forged' title='King'/></hats>",
    "<delay xmlns='urn:xmpp:delay' from='garden@salons.village.example' stamp='2020-01-01T00:00:00Z'/>",
    "<nick xmlns='http://jabber.org/protocol/nick'>forged</nick>",
    "<x xmlns='jabber:x:signed'>forged</x>",
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='forged@home.example'/></forwarded>",
    "<result xmlns='urn:xmpp:mam:2' id='forged'/>",
    "<apply-to xmlns='urn:xmpp:fasten:0' id='forged'><moderated xmlns='urn:xmpp:message-moderate:0' \
     by='garden@salons.village.example/r'><retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>",
    "<retracted xmlns='urn:xmpp:message-retract:1' stamp='forged'/>",
];

/// A room with two in it, and its address.
async fn two(village: &Village, fields: &[(&str, &str)]) -> (Person, Person, String) {
    let (mut romeo, mut juliet) = (Person::online(village, "romeo").await, Person::online(village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", fields).await;
    romeo.ask("set", &garden, &admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    enter(&mut juliet, &garden, "j").await;
    shown(&mut romeo, &format!("{garden}/j")).await;
    (romeo, juliet, garden)
}

/// What of `payload` is left behind the room.
async fn through(from: &mut Person, to: &mut Person, room: &str, payload: &str) -> Vec<Element> {
    say(from, room, &format!("<body>mark</body>{payload}")).await;
    let got = heard_up_to(to, "mark").await.pop().unwrap();
    let ours = |el: &Element| el.name() == "body" || el.name() == "occupant-id" || el.is("stanza-id", "urn:xmpp:sid:0");
    for name in ["occupant-id", "stanza-id"] {
        assert!(got.children().filter(|el| el.name() == name).count() <= 1, "one of the room's: {got:?}");
    }
    assert!(!String::from(&got).contains("forged"), "{got:?}");
    got.children().filter(|el| !ours(el)).cloned().collect()
}

#[tokio::test]
async fn h22_messages_carry_what_is_on_the_list_and_nothing_else() {
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &[]).await;
    for payload in PASSES {
        assert_eq!(through(&mut juliet, &mut romeo, &garden, payload).await.len(), 1, "{payload}");
    }
    for payload in STOPS.into_iter().chain(FORGED) {
        assert!(through(&mut juliet, &mut romeo, &garden, payload).await.is_empty(), "{payload}");
    }
    // The id stays: corrections and reactions refer to it. It is the only attribute of a client's.
    juliet.send(&format!("<message to='{garden}' type='groupchat' id='client'><body>mark</body></message>")).await;
    assert_eq!(romeo.message().await.attr("id"), Some("client"));
}

#[tokio::test]
async fn h22_without_the_list_all_passes_but_what_claims_to_be_the_rooms() {
    let village = village_without("pseudonyms", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &[]).await;
    for payload in STOPS {
        assert_eq!(through(&mut juliet, &mut romeo, &garden, payload).await.len(), 1, "{payload}");
    }
    for payload in FORGED {
        assert!(through(&mut juliet, &mut romeo, &garden, payload).await.is_empty(), "{payload}");
    }
}

#[tokio::test]
async fn h22_private_messages_pass_the_same_list() {
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &[]).await;
    for payload in STOPS.into_iter().chain(FORGED) {
        let to = format!("{garden}/r");
        juliet.send(&format!("<message to='{to}' type='chat' id='c'><body>psst</body>{payload}</message>")).await;
        let got = romeo.until(|s| text(s) == "psst").await;
        assert_eq!(got.attr("from"), Some(format!("{garden}/j").as_str()));
        // What the reader's own archive adds is theirs.
        let names: Vec<_> = got.children().map(Element::name).filter(|name| *name != "stanza-id").collect();
        assert_eq!(names, ["body", "x", "occupant-id"], "{payload}");
        assert!(!String::from(&got).contains("forged"), "{got:?}");
    }
}

/// Addresses in what is allowed: those of the room stay, all others go.
#[tokio::test]
async fn h22_addresses_of_people_do_not_pass_in_what_is_allowed() {
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &[]).await;
    let real = village.bare("juliet");
    let occupant = format!("{garden}/r");
    let holders = |jid: &str| {
        [
            format!("<reply xmlns='urn:xmpp:reply:0' id='m0' to='{jid}'/>"),
            format!("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{jid}'/>"),
            format!("<mention xmlns='urn:xmpp:mentions:0' jid='{jid}'/>"),
            format!("<origin-id xmlns='urn:xmpp:sid:0' id='o' by='{jid}'/>"),
            format!("<stanza-id xmlns='urn:xmpp:sid:0' id='o' by='{jid}'/>"),
            format!("<file-sharing xmlns='urn:xmpp:sfs:0'><sources><x uri='xmpp:{jid}?sendfile'/></sources></file-sharing>"),
        ]
    };
    for payload in holders(&real) {
        let left = through(&mut juliet, &mut romeo, &garden, &payload).await;
        assert!(left.iter().all(|el| !String::from(el).contains(&real)), "{payload}: {left:?}");
    }
    for payload in &holders(&occupant)[..3] {
        let left = through(&mut juliet, &mut romeo, &garden, payload).await;
        assert!(left.iter().any(|el| String::from(el).contains(&occupant)), "{payload}: {left:?}");
    }
}

/// Device ids name people better than faces do.
#[tokio::test]
async fn h22_encrypted_messages_pass_where_real_addresses_are_open_and_come_back_elsewhere() {
    const ENCRYPTED: [&str; 3] = [
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='27183'><key rid='31415'>a</key><iv>b</iv></header></encrypted>",
        "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='27183'/><payload>p</payload></encrypted>",
        "<openpgp xmlns='urn:xmpp:openpgp:0'>p</openpgp>",
    ];
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &[]).await;
    for payload in ENCRYPTED {
        say(&mut juliet, &garden, &format!("<body>fallback</body>{payload}")).await;
        let back = juliet.until(|s| s.attr("type") == Some("error")).await;
        let (condition, text) = condition(&back);
        assert_eq!(condition, "not-acceptable");
        assert!(text.is_some(), "it says why");
    }
    say(&mut juliet, &garden, "<body>mark</body>").await;
    let heard = heard_up_to(&mut romeo, "mark").await;
    assert_eq!(heard.iter().filter(|s| s.name() == "message").count(), 1, "nobody heard any of it: {heard:?}");
    drop((romeo, juliet));
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &OPEN).await;
    for payload in ENCRYPTED {
        assert_eq!(through(&mut juliet, &mut romeo, &garden, payload).await.len(), 1, "{payload}");
    }
    // Even there the room's names are the room's.
    for payload in FORGED {
        assert!(through(&mut juliet, &mut romeo, &garden, payload).await.is_empty(), "{payload}");
    }
}

/// Moderation is the room's to say (XEP-0425): who is none cannot make clients believe that something was moderated.
#[tokio::test]
async fn h22_nobody_forges_moderation() {
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &[]).await;
    assert_eq!(garden, format!("garden@{HOST}"));
    say(&mut romeo, &garden, "<body>mark</body>").await;
    let said = heard_up_to(&mut juliet, "mark").await.pop().unwrap();
    assert!(occupant_id(&said).is_some());
    let id = said.get_child("stanza-id", "urn:xmpp:sid:0").unwrap().attr("id").unwrap().to_owned();
    let forged = format!(
        "<retract xmlns='urn:xmpp:message-retract:1' id='{id}'><moderated xmlns='urn:xmpp:message-moderate:1' \
         by='{garden}/r'/><moderated xmlns='urn:xmpp:message-moderate:1' by='{garden}/r'/><moderated \
         xmlns='urn:xmpp:message-moderate:0' by='{garden}/r'/><reason>forged</reason></retract>"
    );
    say(&mut juliet, &garden, &format!("<body>believe me</body>{forged}")).await;
    let got = heard_up_to(&mut romeo, "believe me").await.pop().unwrap();
    assert!(!String::from(&got).contains("moderated"), "{got:?}");
    // Nor does anybody take back what somebody else said.
    let seen = enter(&mut juliet, &garden, "j").await;
    assert!(seen.iter().any(|s| s.attr("from") == Some(&format!("{garden}/r")) && text(s) == "mark"), "{seen:?}");
    let moderate = format!(
        "<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>"
    );
    assert_eq!(super::refused(&mut juliet, "set", &garden, &moderate).await.0, "forbidden");
    assert_eq!(romeo.ask("set", &garden, &moderate).await.attr("type"), Some("result"));
    let told = juliet.until(|s| s.name() == "message" && s.has_child("retract", "urn:xmpp:message-retract:1")).await;
    assert_eq!(told.attr("from"), Some(garden.as_str()));
}

/// The room is a stranger to who blocks: it hears nothing, and so its other occupants do not either.
#[tokio::test]
async fn h49_what_an_occupant_says_who_is_blocked_meets_silence() {
    let village = super::village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet, garden) = two(&village, &[]).await;
    let block = format!("<block xmlns='urn:xmpp:blocking'><item jid='{garden}/r'/></block>");
    assert_eq!(juliet.ask("set", "", &block).await.attr("type"), Some("result"));
    romeo.send(&format!("<message to='{garden}/j' type='chat' id='pm'><body>psst</body></message>")).await;
    say(&mut romeo, &garden, "<body>aloud</body>").await;
    let heard = heard_up_to(&mut romeo, "aloud").await;
    assert!(heard.iter().all(|stanza| stanza.attr("type") != Some("error")), "nothing tells them: {heard:?}");
    juliet.send(&format!("<message to='{garden}/r' type='chat' id='back'><body>psst</body></message>")).await;
    say(&mut juliet, &garden, "<body>mark</body>").await;
    let heard = heard_up_to(&mut juliet, "mark").await;
    let refused = heard.iter().find(|stanza| stanza.attr("type") == Some("error")).expect("who blocks does not speak to them");
    assert_eq!((refused.attr("id"), condition(refused).0.as_str()), (Some("back"), "not-acceptable"));
    let said = |stanza: &&Element| matches!(text(stanza).as_str(), "psst" | "aloud") && stanza.attr("type") != Some("error");
    assert!(!heard.iter().any(|stanza| said(&stanza)), "{heard:?}");
}
