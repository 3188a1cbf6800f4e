use super::*;
use bocage_api::{
    Kind, Shows, Stanza,
    stanza::MessageType,
    testing::{FakeHost, xml},
};

fn passed(whois: Whois, payloads: &str) -> Result<Element, Verdict> {
    let at = FakeHost::new().install::<Pseudonyms>();
    let room = "r@salons.bocage.example".parse().unwrap();
    let view = RoomView { room: &room, whois, members_only: true, hidden: true, shows: Shows::default() };
    let mut stanza = Stanza::new(Kind::Message(MessageType::Groupchat), None, None);
    stanza.el = xml(&format!("<message xmlns='jabber:client'>{payloads}</message>"));
    match at.at.room_filters[0].1.it.room_emits(&view, RoomStanza::Message, &mut Payloads::of(&mut stanza)) {
        Verdict::Pass => Ok(stanza.el),
        stop => Err(stop),
    }
}
fn names(whois: Whois, payloads: &str) -> Vec<String> {
    passed(whois, payloads).unwrap().children().map(|el| el.name().to_owned()).collect()
}

#[test]
fn h22_what_is_not_on_the_list_does_not_pass() {
    let payloads = "<body>hi</body><subject>s</subject><thread>t</thread><active xmlns='http://jabber.org/protocol/chatstates'/>\
        <replace xmlns='urn:xmpp:message-correct:0' id='1'/><nick xmlns='http://jabber.org/protocol/nick'>me</nick>\
        <x xmlns='jabber:x:conference' jid='a@b.example'/><addresses xmlns='http://jabber.org/protocol/address'/>\
        <markable xmlns='urn:xmpp:chat-markers:0'/><request xmlns='urn:xmpp:receipts'/><whatever xmlns='urn:example'/>";
    assert_eq!(names(Whois::Moderators, payloads), ["body", "subject", "thread", "active", "replace"]);
}

#[test]
fn h22_addresses_of_the_room_stay_and_all_others_go() {
    let reply = |to: &str| passed(Whois::Moderators, &format!("<reply xmlns='urn:xmpp:reply:0' id='1' to='{to}'/>")).unwrap();
    assert_eq!(
        reply("r@salons.bocage.example/nick"),
        xml(
            "<message xmlns='jabber:client'><reply xmlns='urn:xmpp:reply:0' id='1' to='r@salons.bocage.example/nick'/></message>"
        )
    );
    assert_eq!(
        reply("real@home.example"),
        xml("<message xmlns='jabber:client'><reply xmlns='urn:xmpp:reply:0' id='1'/></message>")
    );
    let refers = |uri: &str| {
        names(Whois::Moderators, &format!("<body>b</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='{uri}'/>"))
    };
    assert_eq!(refers("xmpp:r@salons.bocage.example/nick"), ["body", "reference"]);
    assert_eq!(refers("https://files.example/a@b"), ["body", "reference"]);
    assert_eq!(refers("xmpp:real@home.example"), ["body"]);
    assert_eq!(refers("XMPP:real@home.example?message"), ["body"]);
}

#[test]
fn h22_encrypted_messages_are_refused_where_devices_would_name_people() {
    let encrypted = "<body>fallback</body><encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='27183'/></encrypted>";
    assert!(matches!(passed(Whois::Moderators, encrypted), Err(Verdict::Bounce(_))));
    assert!(matches!(passed(Whois::Nobody, encrypted), Err(Verdict::Bounce(_))));
    assert_eq!(names(Whois::Anyone, encrypted), ["body", "encrypted"]);
}

#[test]
fn h20_new_rooms_are_pseudonymous() {
    let at = FakeHost::new().install::<Pseudonyms>();
    assert_eq!(at.at.room_defaults[0].it.whois(), Whois::Moderators);
}
