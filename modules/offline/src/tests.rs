//! What offline storage promises to senders and addressees.

use super::*;
use bocage_api::{
    AccountData,
    archive::{Append, Archive as _, ArchiveEntry},
    testing::{FakeHost, Installed, for_service, kept_entry, now, on_the_wire, xml},
};
use std::time::Duration;

fn owner() -> BareJid {
    "me@bocage.example".parse().unwrap()
}
fn held(at: &Installed, stanza: &str) -> Option<usize> {
    at.at.undeliverables[0].it.holds(&owner(), &on_the_wire(stanza))
}
fn message(attributes: &str, payloads: &str) -> String {
    format!("<message xmlns='jabber:client' from='you@x.example/a' to='me@bocage.example' {attributes}>{payloads}</message>")
}
fn is_kept(attributes: &str, payloads: &str) -> bool {
    held(&FakeHost::new().install::<Offline>(), &message(attributes, payloads)) == Some(1000)
}

#[test]
fn only_chat_and_normal_messages_wait() {
    let body = "<body>hi</body>";
    for (kind, waits) in [
        ("", true),
        ("type='chat'", true),
        ("type='normal'", true),
        ("type='odd'", true),
        ("type='groupchat'", false),
        ("type='headline'", false),
        ("type='error'", false),
    ] {
        assert_eq!(is_kept(kind, body), waits, "{kind}");
    }
}

#[test]
fn what_says_something_waits_and_what_is_true_for_a_moment_does_not() {
    for (payloads, waits) in [
        ("<body>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/>", true),
        ("<body/>", true),
        ("<subject>s</subject>", true),
        ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>", true),
        ("<x xmlns='jabber:x:conference' jid='r@x.example'/>", true),
        ("<received xmlns='urn:xmpp:receipts' id='1'/>", true),
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true),
        ("", false),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>", false),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/><origin-id xmlns='urn:xmpp:sid:0' id='1'/>", false),
        ("<received xmlns='urn:xmpp:receipts'/>", false),
        ("<received xmlns='urn:xmpp:receipts' id=''/>", false),
        ("<request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>", false),
    ] {
        assert_eq!(is_kept("type='chat'", payloads), waits, "{payloads}");
    }
}

#[test]
fn hints_of_the_sender_decide() {
    let hint = |name: &str| format!("<{name} xmlns='urn:xmpp:hints'/>");
    assert!(!is_kept("", &format!("<body>hi</body>{}", hint("no-store"))));
    assert!(is_kept("", &format!("<body>hi</body>{}", hint("no-permanent-store"))), "waiting is no permanent store");
    assert!(is_kept("", &hint("store")));
    assert!(!is_kept("", &hint("no-copy")));
    assert!(!is_kept("", &format!("{}{}", hint("store"), hint("no-store"))), "the stricter of two");
}

#[test]
fn a_tree_that_was_kept_is_judged_like_the_bytes() {
    let at = FakeHost::new().install::<Offline>();
    let judged = |payloads| at.at.undeliverables[0].it.holds(&owner(), &for_service(&message("", payloads)));
    assert_eq!(judged("<body>hi</body>"), Some(1000));
    assert_eq!(judged("<active xmlns='http://jabber.org/protocol/chatstates'/>"), None);
}

#[test]
fn without_time_or_room_nothing_waits_and_nothing_is_promised() {
    let mut host = FakeHost::new();
    let server = bocage_api::DiscoTarget::Server(host.host.domain.clone());
    assert!(host.install::<Offline>().disco(&server).features.contains("msgoffline"));
    let no_room = host.try_install::<Offline>(Config { max_messages: 0 }).unwrap();
    host.host.offline_retention = Duration::ZERO;
    let no_time = host.install::<Offline>();
    for at in [no_room, no_time] {
        assert_eq!(held(&at, &message("", "<body>hi</body>")), None);
        assert!(at.disco(&server).features.is_empty());
    }
    assert!(host.try_install::<Offline>(Config { max_messages: MOST + 1 }).is_err());
}

#[test]
fn an_account_can_take_its_waiting_messages_along_and_leave_none() {
    let host = FakeHost::new();
    let at = host.install::<Offline>();
    let data: &dyn AccountData = at.at.account_data[0].it.as_ref();
    assert!(now(data.export(&owner())).unwrap().is_empty());
    for n in 0..PAGE + 1 {
        let entry = kept_entry(&owner(), u8::try_from(n).unwrap(), ("you@x.example/a", "hi"));
        let entry = ArchiveEntry { stamp: 1_700_000_000, kept: false, held: Some(1000), ..entry };
        now(host.archive.append(Append { entries: vec![entry], once: false })).unwrap();
    }
    let export = now(data.export(&owner())).unwrap();
    let first = "<message xmlns='jabber:client' from='you@x.example/a' to='me@bocage.example' type='chat' id='m0'>\
        <body>hi</body><delay xmlns='urn:xmpp:delay' from='bocage.example' stamp='2023-11-14T22:13:20Z'/></message>";
    assert_eq!(export[0].children().count(), PAGE + 1);
    assert_eq!(export[0].children().next(), Some(&xml(first)));
    now(data.delete(&owner())).unwrap();
    assert!(host.archive.rows().is_empty());
    assert_eq!(data.describe()[0].lifetime, Some(Duration::from_secs(7 * 86_400)));
}
