//! What archives promise to their owners.

use super::*;
use bocage_api::{
    Frozen, RecordView, Recorder as _,
    archive::{Append, Archive as _, Preferences, StanzaId, Target},
    testing::{FakeHost, Installed, kept_entry, now, on_the_wire, xml},
};
use jid::BareJid;
use std::sync::Arc;

fn owner() -> BareJid {
    "me@bocage.example".parse().unwrap()
}
fn message(attributes: &str, payloads: &str) -> Arc<Frozen> {
    on_the_wire(&format!(
        "<message xmlns='jabber:client' from='you@x.example/a' to='me@bocage.example' {attributes}>{payloads}</message>"
    ))
}
fn wants(config: Config, in_roster: bool, (attributes, payloads): (&str, &str)) -> bool {
    let (owner, party) = (owner(), "you@x.example/a".parse().unwrap());
    let view = RecordView { owner: &owner, party: &party, in_roster, preferences: None };
    keep::Keep { config }.wants(&view, &message(attributes, payloads))
}

#[test]
fn h04_what_says_something_is_kept_and_nothing_else() {
    for (payloads, kept) in [
        ("<body>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/>", true),
        ("<encrypted xmlns='eu.siacs.conversations.axolotl'/>", true),
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true),
        ("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", true),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", false),
        ("<received xmlns='urn:xmpp:receipts'/>", false),
        ("<request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>", false),
        ("<event xmlns='http://jabber.org/protocol/pubsub#event'/>", false),
        ("<result xmlns='urn:xmpp:mam:2'/>", false),
        ("<body>hi</body><no-store xmlns='urn:xmpp:hints'/>", false),
        ("<body>hi</body><no-permanent-store xmlns='urn:xmpp:hints'/>", false),
        ("<store xmlns='urn:xmpp:hints'/>", true),
        ("", false),
    ] {
        assert_eq!(wants(Config::default(), false, ("type='chat'", payloads)), kept, "{payloads}");
    }
    for (kind, kept) in [("", true), ("type='headline'", false), ("type='groupchat'", false), ("type='error'", false)] {
        assert_eq!(wants(Config::default(), false, (kind, "<body>hi</body>")), kept, "{kind}");
    }
}

#[test]
fn h04_plaintext_can_be_left_out() {
    let config = Config { plaintext: Plaintext::Drop, ..Config::default() };
    assert!(!wants(config.clone(), true, ("", "<body>hi</body>")));
    assert!(wants(config.clone(), true, ("", "<encrypted xmlns='urn:xmpp:omemo:2'/>")));
    assert!(wants(config, true, ("", "<retract xmlns='urn:xmpp:message-retract:1' id='1'/><body>fallback</body>")));
}

#[test]
fn the_default_policy_holds_until_the_owner_says_otherwise() {
    for (default_policy, stranger, contact) in
        [(DefaultPolicy::Always, true, true), (DefaultPolicy::Roster, false, true), (DefaultPolicy::Never, false, false)]
    {
        let config = Config { default_policy, ..Config::default() };
        assert_eq!(wants(config.clone(), false, ("", "<body/>")), stranger);
        assert_eq!(wants(config, true, ("", "<body/>")), contact);
    }
}

#[test]
fn h05_a_retraction_names_a_message_of_its_own_author() {
    let keep = keep::Keep { config: Config::default() };
    let retraction = message("id='r1'", "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>");
    let found = keep.retracts(&retraction, 1_700_000_000).unwrap();
    assert_eq!(found.target, Target::Ref { author: "you@x.example".parse().unwrap(), message_id: "m1".into() });
    let tombstone = String::from_utf8(found.tombstone.to_vec()).unwrap();
    let expected = "<retracted xmlns='urn:xmpp:message-retract:1' id='r1' stamp='2023-11-14T22:13:20Z'/>";
    assert_eq!(xml(&tombstone), xml(expected));
    assert!(keep.retracts(&message("id='r1'", "<body>hi</body>"), 0).is_none());
    assert!(keep.retracts(&message("", "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>"), 0).is_none(), "no id to match");
}

fn filled() -> (FakeHost, Installed) {
    let host = FakeHost::new();
    for number in 1..=3 {
        let entries = vec![kept_entry(&owner(), number, ("you@x.example/a", "hi"))];
        now(host.archive.append(Append { entries, once: true })).unwrap();
    }
    let at = host.install::<Mam>();
    (host, at)
}

#[test]
fn only_the_owner_reads() {
    let (host, at) = filled();
    let query = "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set></query>";
    let fin = at.ask(&Entity::OwnAccount, Action::Set, query).unwrap().unwrap();
    let set = fin.get_child("set", "http://jabber.org/protocol/rsm").unwrap();
    assert_eq!(set.get_child("count", "http://jabber.org/protocol/rsm").unwrap().text(), "3");
    assert_eq!(host.archive.readers().len(), 1);
    for payload in [query, "<metadata xmlns='urn:xmpp:mam:2'/>", "<prefs xmlns='urn:xmpp:mam:2'/>"] {
        let action = if payload == query { Action::Set } else { Action::Get };
        assert_eq!(at.ask_other(Relation::Stranger, action, payload), Err(StanzaError::service_unavailable()));
        assert_eq!(at.ask_other(Relation::Neighbour, action, payload), Err(StanzaError::forbidden()));
    }
}

#[test]
fn what_is_not_there_cannot_be_paged_from() {
    let (_, at) = filled();
    let unknown = StanzaId([9; 16]);
    let query = format!(
        "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><after>{unknown}</after></set></query>"
    );
    assert_eq!(at.ask(&Entity::OwnAccount, Action::Set, &query), Err(StanzaError::item_not_found()));
}

#[test]
fn the_archive_says_where_it_begins_and_ends() {
    let (_, at) = filled();
    let metadata = at.ask(&Entity::OwnAccount, Action::Get, "<metadata xmlns='urn:xmpp:mam:2'/>").unwrap().unwrap();
    let expected = format!(
        "<metadata xmlns='urn:xmpp:mam:2'><start id='{}' timestamp='2023-11-14T22:13:21Z'/>\
         <end id='{}' timestamp='2023-11-14T22:13:23Z'/></metadata>",
        StanzaId([1; 16]),
        StanzaId([3; 16])
    );
    assert_eq!(metadata, xml(&expected));
    let empty = FakeHost::new().install::<Mam>();
    let metadata = empty.ask(&Entity::OwnAccount, Action::Get, "<metadata xmlns='urn:xmpp:mam:2'/>").unwrap().unwrap();
    assert_eq!(metadata, xml("<metadata xmlns='urn:xmpp:mam:2'/>"));
}

#[test]
fn preferences_are_read_set_and_bounded() {
    let host = FakeHost::new();
    let at = host.install::<Mam>();
    let get = || at.ask(&Entity::OwnAccount, Action::Get, "<prefs xmlns='urn:xmpp:mam:2'/>").unwrap().unwrap();
    assert_eq!(get(), xml("<prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never/></prefs>"));
    let set = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>a@x.example</jid><jid>a@x.example</jid></always>\
        <never><jid>b@x.example/r</jid></never></prefs>";
    let applied = at.ask(&Entity::OwnAccount, Action::Set, set).unwrap().unwrap();
    let expected = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>a@x.example</jid></always>\
        <never><jid>b@x.example/r</jid></never></prefs>";
    assert_eq!(applied, xml(expected));
    assert_eq!(get(), applied);
    let stored = now(host.archive.settings(&owner())).unwrap().preferences.unwrap();
    assert_eq!(stored, Preferences { default: DefaultPolicy::Roster, ..stored.clone() });
    let many: String = (0..1001).map(|n| format!("<jid>u{n}@x.example</jid>")).collect();
    let too_many = format!("<prefs xmlns='urn:xmpp:mam:2' default='never'><always>{many}</always></prefs>");
    assert_eq!(at.ask(&Entity::OwnAccount, Action::Set, &too_many), Err(StanzaError::policy_violation()));
    let unknown = "<prefs xmlns='urn:xmpp:mam:2' default='sometimes'/>";
    assert_eq!(at.ask(&Entity::OwnAccount, Action::Set, unknown), Err(StanzaError::bad_request()));
}

#[test]
fn an_archive_can_be_taken_along_and_is_deleted_with_its_account() {
    let (host, at) = filled();
    let data = &at.at.account_data[0].it;
    let archive = now(data.export(&owner())).unwrap();
    assert_eq!(archive[0].children().filter(|el| el.is("result", ns::MAM)).count(), 3);
    now(data.delete(&owner())).unwrap();
    assert!(host.archive.rows().is_empty());
    assert_eq!(data.describe().len(), 1);
}

#[test]
fn without_retention_there_is_no_archive() {
    let mut host = FakeHost::new();
    host.host.message_retention = std::time::Duration::ZERO;
    let at = host.install::<Mam>();
    assert!(at.at.recorders.is_empty() && at.at.iq_services.is_empty());
}
