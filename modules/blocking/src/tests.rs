//! What blocking promises; presence and pushes are core's and tested with the whole server.

use super::*;
use bocage_api::{
    Delivery, EgressView, RecipientView, Stanza, Verdict,
    commands::{CommandCall, CommandCaller, CommandStep, Lang},
    error::Condition,
    store::{StoreError, Subscription},
    testing::{FakeHost, Installed, now, xml},
};

fn set(at: &Installed, name: &str, items: &str) -> Result<Option<Element>, StanzaError> {
    at.ask(&Entity::OwnAccount, Action::Set, &format!("<{name} xmlns='urn:xmpp:blocking'>{items}</{name}>"))
}
fn list(at: &Installed) -> Element {
    at.ask(&Entity::OwnAccount, Action::Get, "<blocklist xmlns='urn:xmpp:blocking'/>").unwrap().unwrap()
}
fn listed(items: &str) -> Element {
    xml(&format!("<blocklist xmlns='urn:xmpp:blocking'>{items}</blocklist>"))
}
fn stanza(text: &str) -> Stanza {
    Stanza::parse(xml(text)).unwrap().unwrap()
}

#[test]
fn who_is_blocked_is_listed_until_unblocked() {
    let host = FakeHost::new();
    let at = host.install::<Blocking>();
    assert_eq!(list(&at), listed(""));
    assert_eq!(set(&at, "block", "<item jid='B@x.example/r'/><item jid='a.example'/>"), Ok(None));
    assert_eq!(list(&at), listed("<item jid='a.example'/><item jid='b@x.example/r'/>"));
    assert_eq!(set(&at, "unblock", "<item jid='a.example'/>"), Ok(None));
    assert_eq!(list(&at), listed("<item jid='b@x.example/r'/>"));
    for odd in ["<item xmlns='urn:other' jid='b@x.example/r'/>", "<items jid='b@x.example/r'/>"] {
        assert_eq!(set(&at, "unblock", odd), Err(StanzaError::bad_request()), "not everybody");
    }
    assert_eq!(list(&at), listed("<item jid='b@x.example/r'/>"));
    assert_eq!(set(&at, "unblock", ""), Ok(None));
    assert_eq!(list(&at), listed(""));
    assert_eq!(host.blocks.interested_sessions()[0].as_str(), "me@bocage.example/phone");
}

#[test]
fn requests_name_somebody_by_address() {
    let at = FakeHost::new().install::<Blocking>();
    assert_eq!(set(&at, "block", ""), Err(StanzaError::bad_request()));
    assert_eq!(set(&at, "block", "<item/>"), Err(StanzaError::bad_request()));
    assert_eq!(set(&at, "block", "<item jid='@'/>"), Err(StanzaError::jid_malformed()));
    let many: String = (0..=MAX_BLOCKED).map(|n| format!("<item jid='u{n}@x.example'/>")).collect();
    assert_eq!(set(&at, "block", &many), Err(StanzaError::resource_constraint()));
    assert_eq!(list(&at), listed(""));
}

#[test]
fn nobody_else_reads_or_changes_a_list() {
    let at = FakeHost::new().install::<Blocking>();
    for (relation, error) in [
        (Relation::Contact(Subscription::Both), StanzaError::forbidden()),
        (Relation::Neighbour, StanzaError::forbidden()),
        (Relation::Stranger, StanzaError::service_unavailable()),
    ] {
        assert_eq!(at.ask_other(relation, Action::Get, "<blocklist xmlns='urn:xmpp:blocking'/>"), Err(error.clone()));
        let unblock = "<unblock xmlns='urn:xmpp:blocking'/>";
        assert_eq!(at.ask_other(relation, Action::Set, unblock), Err(error));
    }
}

#[test]
fn h49_a_blocked_stranger_hears_what_nobody_would_say() {
    let at = FakeHost::new().install::<Blocking>();
    let judge = |relation, blocked, text: &str| {
        let (owner, sender) = ("me@bocage.example".parse().unwrap(), "b@x.example/r".parse().unwrap());
        let view = RecipientView { owner: &owner, sender: &sender, relation, blocked };
        at.at.recipient_rules[0].1.it.judge(view, &mut stanza(text))
    };
    let unavailable = || Delivery::Reject(StanzaError::service_unavailable());
    let (message, get) = (
        "<message xmlns='jabber:client' type='chat'><body>hi</body></message>",
        "<iq xmlns='jabber:client' type='get' id='1'><q xmlns='x'/></iq>",
    );
    assert_eq!(judge(Relation::Stranger, true, message), Delivery::Silence);
    assert_eq!(judge(Relation::Neighbour, true, message), unavailable());
    assert_eq!(judge(Relation::Contact(Subscription::Both), true, message), unavailable());
    for relation in [Relation::Stranger, Relation::Neighbour] {
        assert_eq!(judge(relation, true, get), unavailable());
        for silent in [
            "<presence xmlns='jabber:client' type='subscribe'/>",
            "<presence xmlns='jabber:client' type='probe'/>",
            "<presence xmlns='jabber:client'/>",
            "<message xmlns='jabber:client' type='groupchat'/>",
            "<message xmlns='jabber:client' type='error'/>",
            "<iq xmlns='jabber:client' type='result' id='1'/>",
        ] {
            assert_eq!(judge(relation, true, silent), Delivery::Silence, "{silent}");
        }
        assert_eq!(judge(relation, false, message), Delivery::Deliver);
    }
}

#[test]
fn who_blocks_cannot_write_to_them_and_is_told_why() {
    let at = FakeHost::new().install::<Blocking>();
    let leaves = |blocked| {
        let message = &mut stanza("<message xmlns='jabber:client' to='b@x.example'/>");
        at.at.egress_filters[0].1.it.leaves(EgressView { relation: Relation::Stranger, blocked, room: false }, message)
    };
    assert_eq!(leaves(false), Verdict::Pass);
    let Verdict::Bounce(error) = leaves(true) else { panic!("it bounces") };
    let expected = "<error xmlns='jabber:client' type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>You have blocked this JID</text>\
        <blocked xmlns='urn:xmpp:blocking:errors'/></error>";
    assert_eq!(error.element(), xml(expected));
}

fn report(inner: &str) -> String {
    format!(
        "<item jid='spam@x.example'><report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='me@bocage.example' id='one'/>{inner}</report></item>"
    )
}
fn kept(host: &FakeHost) -> Vec<String> {
    let records = host.records.values("blocking/reports");
    records.into_iter().map(|value| String::from_utf8(value).unwrap()).collect()
}
fn read(at: &Installed, who: CommandCaller, lang: Lang) -> CommandStep {
    let command = &at.at.commands[0].it;
    assert!(command.allowed(&who));
    now(command.step(&CommandCall { who, lang, answers: Vec::new() })).unwrap()
}

#[test]
fn h61_of_a_report_only_whom_why_and_ids_are_kept() {
    let host = FakeHost::new();
    let at = host.install::<Blocking>();
    set(&at, "block", &report("<text xml:lang='en'>he says hello</text>")).unwrap();
    assert_eq!(kept(&host), [r#"{"jid":"spam@x.example","reason":"spam","ids":["one"]}"#]);
    assert!(!host.records.keys()[0].2.contains("me"), "who reported is not kept");
    assert_eq!(list(&at), listed("<item jid='spam@x.example'/>"));
}

#[test]
fn h61_words_are_kept_when_the_reporter_agreed_to_their_being_passed_on() {
    let host = FakeHost::new();
    let at = host.install::<Blocking>();
    set(&at, "block", &report("<text>he says hello</text><third-party/>")).unwrap();
    assert_eq!(kept(&host), [r#"{"jid":"spam@x.example","reason":"spam","ids":["one"],"text":"he says hello"}"#]);
}

#[test]
fn h61_reports_go_after_their_time_and_are_limited_by_account() {
    let host = FakeHost::new();
    let at = host.install::<Blocking>();
    assert_eq!(host.records.lifetime("blocking/reports"), Some(30 * 86_400));
    for _ in 0..25 {
        set(&at, "block", &report("")).unwrap();
    }
    assert_eq!(kept(&host).len(), 20);
}

#[test]
fn a_report_needs_a_reason_and_a_block_holds_when_it_cannot_be_kept() {
    let host = FakeHost::new();
    let at = host.install::<Blocking>();
    let without = "<item jid='a@x.example'><report xmlns='urn:xmpp:reporting:1'/></item>";
    assert_eq!(set(&at, "block", without).map_err(|error| error.condition), Err(Condition::BadRequest));
    host.records.fail_with(Some(StoreError::Busy));
    assert_eq!(set(&at, "block", &report("")), Ok(None));
    assert_eq!(list(&at), listed("<item jid='spam@x.example'/>"));
}

#[test]
fn administrators_read_reports_by_whom_they_name() {
    let host = FakeHost::new();
    let at = host.install::<Blocking>();
    let admin = || CommandCaller::Admin("admin@bocage.example/desk".parse().unwrap());
    let text = |step| match step {
        CommandStep::Done(notes) => notes[0].text.clone(),
        CommandStep::Form(_) => panic!("there is nothing to ask"),
    };
    assert_eq!(text(read(&at, admin(), Lang::Fr)), "Il n’y a aucun signalement.");
    set(&at, "block", &report("")).unwrap();
    set(&at, "block", &report("<text>again</text><report-origin/>")).unwrap();
    assert_eq!(text(read(&at, admin(), Lang::En)), "spam@x.example: 2 for spam, 0 for abuse — again");
    assert!(!at.at.commands[0].it.allowed(&CommandCaller::User("me@bocage.example/phone".parse().unwrap())));
}
