//! What push promises; its hooks are tested with the whole server.

use super::*;
use bocage_api::{
    Stanza,
    error::{Condition, ErrorType},
    store::Subscription,
    testing::{FakeHost, Installed, now, on_the_wire, xml},
};

const SERVICE: &str = "push.client.example";

fn set(at: &Installed, payload: &str) -> Result<Option<Element>, StanzaError> {
    at.ask(&Entity::OwnAccount, Action::Set, payload)
}
fn enable(node: &str, form: &str) -> String {
    format!("<enable xmlns='urn:xmpp:push:0' jid='{SERVICE}' node='{node}'>{form}</enable>")
}
fn nodes(host: &FakeHost) -> Vec<String> {
    host.records.keys().into_iter().map(|(.., key)| key).collect()
}
fn owner() -> BareJid {
    "me@bocage.example".parse().unwrap()
}
/// A message comes for nobody; what is sent to the services.
fn missed(host: &FakeHost, at: &Installed, message: &str) -> Vec<Stanza> {
    assert_eq!(now(at.at.undeliverables[0].it.take(&owner(), on_the_wire(message))), Ok(Taken::Declined));
    host.tasks.poll();
    host.outbox.take()
}
const HELLO: &str = "<message xmlns='jabber:client' type='chat' from='juliet@x.example/b'><body>secret words</body></message>";

#[tokio::test(start_paused = true)]
async fn a_notification_says_that_something_waits_and_nothing_else() {
    let host = FakeHost::new();
    let at = host.install::<Push>();
    let secret = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
        <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
        <field var='secret'><value>s3cret</value></field></x>";
    set(&at, &enable("phone", secret)).unwrap();
    let sent = missed(&host, &at, HELLO);
    let expected = "<iq xmlns='jabber:client'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='phone'><item>\
        <notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data'>\
        <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>\
        <field var='message-count'><value>1</value></field></x></notification></item></publish>\
        <publish-options><x xmlns='jabber:x:data' type='submit'>\
        <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
        <field var='secret'><value>s3cret</value></field></x></publish-options></pubsub></iq>";
    let text = String::from(&sent[0].el);
    assert_eq!(
        text.replace(" type=\"text-single\"", "").replace(" type='text-single'", "").parse::<Element>().unwrap(),
        xml(expected)
    );
    assert_eq!(sent[0].from.as_ref().unwrap().as_str(), "bocage.example", "not the account");
    assert_eq!(sent[0].to.as_ref().unwrap().as_str(), SERVICE);
    for private in ["juliet", "secret words", "me@bocage"] {
        assert!(!text.contains(private), "{private}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_words_and_calls_wake_somebody() {
    let host = FakeHost::new();
    let at = host.install::<Push>();
    set(&at, &enable("phone", "")).unwrap();
    for silent in [
        "<message xmlns='jabber:client' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "<message xmlns='jabber:client' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
        "<message xmlns='jabber:client' type='headline'><body>news</body></message>",
    ] {
        assert!(missed(&host, &at, silent).is_empty(), "{silent}");
    }
    let sealed = "<message xmlns='jabber:client'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>";
    assert_eq!(missed(&host, &at, sealed).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sleeping_device_is_woken_by_what_it_registered_itself() {
    let host = FakeHost::new();
    let at = host.install::<Push>();
    set(&at, &enable("phone", "")).unwrap();
    let wait = |session: &str| at.at.sleep_watches[0].it.waits(&session.parse().unwrap(), &on_the_wire(HELLO));
    wait("me@bocage.example/desk");
    host.tasks.poll();
    assert!(host.outbox.take().is_empty(), "the desk registered nothing");
    wait("me@bocage.example/phone");
    host.tasks.poll();
    assert_eq!(host.outbox.take().len(), 1);
}

#[test]
fn a_service_that_refuses_is_forgotten_at_once_and_one_that_fails_after_ten_times() {
    let host = FakeHost::new();
    let (notifier, at) = (notifier(&host), host.install::<Push>());
    let job = Job { owner: owner(), keys: None };
    for (error, kept) in [
        (StanzaError::item_not_found(), 0),
        (StanzaError::forbidden(), 0),
        (StanzaError::remote_server_timeout(), 9),
        (StanzaError::remote_server_not_found(), 9),
        (StanzaError::new(ErrorType::Wait, Condition::InternalServerError), 9),
    ] {
        set(&at, &enable("phone", "")).unwrap();
        host.outbox.answer_with(Some(error.clone()));
        for _ in 0..kept {
            now(notifier.notify(&job));
            assert_eq!(nodes(&host).len(), 1, "{error:?}");
        }
        now(notifier.notify(&job));
        assert!(nodes(&host).is_empty(), "{error:?}");
    }
    set(&at, &enable("phone", "")).unwrap();
    host.outbox.answer_with(None);
    now(notifier.notify(&job));
    assert_eq!(nodes(&host).len(), 1);
}
fn notifier(host: &FakeHost) -> Notifier {
    use bocage_api::FromHost;
    let handles = host.handles(Push::NAME);
    let (host, clock, outbox, records, busy) = FromHost::from_host(&handles).unwrap();
    Notifier { host, clock, outbox, records, busy }
}

#[test]
fn h08_the_last_use_is_known_by_the_week() {
    let registration = Registration::read(&xml(&enable("phone", "")), 1_700_000_000).unwrap();
    let stored = serde_json_text(&registration);
    assert!(stored.ends_with(r#""week":2810}"#), "{stored}");
    assert_eq!(registration.used(1_700_000_000 + 3_600), None);
    assert!(registration.used(1_700_000_000 + 7 * 86_400).is_some());
}
fn serde_json_text(registration: &Registration) -> String {
    let host = FakeHost::new();
    let at = host.install::<Push>();
    set(&at, &enable(&registration.node, "")).unwrap();
    String::from_utf8(host.records.values("push/registrations").remove(0)).unwrap()
}

#[test]
fn h01_registrations_that_are_not_used_go() {
    let host = FakeHost::new();
    host.install::<Push>();
    assert_eq!(host.records.lifetime("push/registrations"), Some(30 * 86_400));
}

#[tokio::test(start_paused = true)]
async fn disabling_takes_one_node_or_all_of_a_service() {
    let host = FakeHost::new();
    let at = host.install::<Push>();
    for node in ["a", "b", "c", "a"] {
        set(&at, &enable(node, "")).unwrap();
    }
    assert_eq!(nodes(&host).len(), 3);
    set(&at, &format!("<disable xmlns='urn:xmpp:push:0' jid='{SERVICE}' node='a'/>")).unwrap();
    assert_eq!(nodes(&host), [format!("{SERVICE} b"), format!("{SERVICE} c")]);
    set(&at, "<disable xmlns='urn:xmpp:push:0' jid='other.example'/>").unwrap();
    assert_eq!(nodes(&host).len(), 2);
    set(&at, &format!("<disable xmlns='urn:xmpp:push:0' jid='{SERVICE}'/>")).unwrap();
    assert!(nodes(&host).is_empty());
    assert!(missed(&host, &at, HELLO).is_empty());
}

#[test]
fn what_is_registered_is_checked_and_bounded() {
    let at = FakeHost::new().install::<Push>();
    assert_eq!(set(&at, "<enable xmlns='urn:xmpp:push:0' node='n'/>"), Err(StanzaError::bad_request()));
    assert_eq!(set(&at, &format!("<enable xmlns='urn:xmpp:push:0' jid='{SERVICE}'/>")), Err(StanzaError::bad_request()));
    assert_eq!(set(&at, "<enable xmlns='urn:xmpp:push:0' jid='@' node='n'/>"), Err(StanzaError::jid_malformed()));
    let other = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:other</value></field></x>";
    assert_eq!(set(&at, &enable("n", other)), Err(StanzaError::bad_request()));
    assert_eq!(set(&at, &enable(&"n".repeat(1_000), "")), Err(StanzaError::not_acceptable()));
    for n in 0..20 {
        set(&at, &enable(&n.to_string(), "")).unwrap();
    }
    assert_eq!(set(&at, &enable("more", "")), Err(StanzaError::resource_constraint()));
    for (relation, error) in [
        (Relation::Contact(Subscription::Both), StanzaError::forbidden()),
        (Relation::Stranger, StanzaError::service_unavailable()),
    ] {
        assert_eq!(at.ask_other(relation, Action::Set, &enable("n", "")), Err(error));
    }
}

#[test]
fn what_comes_while_one_is_on_its_way_is_one_more() {
    let busy = Busy::default();
    let phone = || Some(vec!["phone".to_owned()]);
    assert_eq!(busy.begin(&owner(), phone()), Some(Job { owner: owner(), keys: phone() }));
    assert_eq!(busy.begin(&owner(), phone()), None);
    assert_eq!(busy.begin(&owner(), None), None);
    assert_eq!(busy.end(&owner()), Some(Job { owner: owner(), keys: None }), "all, not the phone alone");
    assert_eq!(busy.end(&owner()), None);
    assert!(busy.begin(&owner(), None).is_some());
}
