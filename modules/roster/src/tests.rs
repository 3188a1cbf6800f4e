//! What the roster promises to clients.

use super::*;
use crate::edit::{MAX_GROUPS, MAX_NAME};
use bocage_api::{
    ContactsPort as _,
    stanza::Stanza,
    store::Subscription,
    testing::{FakeHost, Installed, xml},
};

const GET: &str = "<query xmlns='jabber:iq:roster'/>";

fn owner() -> BareJid {
    "me@bocage.example".parse().unwrap()
}
fn set(installed: &Installed, items: &str) -> Result<Option<Element>, StanzaError> {
    installed.ask(&Entity::OwnAccount, Action::Set, &format!("<query xmlns='jabber:iq:roster'>{items}</query>"))
}
fn get(installed: &Installed) -> Element {
    installed.ask(&Entity::OwnAccount, Action::Get, GET).unwrap().unwrap()
}
fn refused(items: &str) -> StanzaError {
    let host = FakeHost::new();
    let refused = set(&host.install::<Roster>(), items).unwrap_err();
    let items = bocage_api::testing::now(host.contacts.as_ref().roster(&owner()));
    assert!(items.unwrap().items.is_empty(), "a refused set changes nothing");
    refused
}

#[test]
fn what_was_set_is_shown_with_its_groups_sorted() {
    let host = FakeHost::new();
    let roster = host.install::<Roster>();
    let nurse = "<item jid='Nurse@Example.com' name='Nurse'><group>b</group><group>a</group></item>";
    assert_eq!(set(&roster, nurse), Ok(None));
    let expected = "<query xmlns='jabber:iq:roster' ver='1'><item jid='nurse@example.com' name='Nurse' \
        subscription='none'><group>a</group><group>b</group></item></query>";
    assert_eq!(get(&roster), xml(expected));
}

#[test]
fn an_unchanged_roster_is_not_sent_again() {
    let host = FakeHost::new();
    let roster = host.install::<Roster>();
    set(&roster, "<item jid='a@x.example'/>").unwrap();
    let with = |ver: &str| {
        let query = format!("<query xmlns='jabber:iq:roster' ver='{ver}'/>");
        roster.ask(&Entity::OwnAccount, Action::Get, &query).unwrap()
    };
    assert_eq!(with("1"), None);
    assert!(with("0").is_some() && with("").is_some() && with("01").is_some());
}

#[test]
fn only_listed_rows_are_shown_and_their_states_with_them() {
    let host = FakeHost::new();
    let row = |jid: &str| RosterItem::new(jid.parse().unwrap());
    let asked = RosterItem { pending_in: Some("<presence/>".into()), ..row("stranger@x.example") };
    host.contacts.put(&owner(), asked);
    let known =
        RosterItem { listed: true, ask: true, approved: true, subscription: Subscription::From, ..row("known@x.example") };
    host.contacts.put(&owner(), known);
    let expected = "<query xmlns='jabber:iq:roster' ver='2'><item jid='known@x.example' subscription='from' \
        ask='subscribe' approved='true'/></query>";
    assert_eq!(get(&host.install::<Roster>()), xml(expected));
}

#[test]
fn asking_for_the_roster_makes_a_session_interested_in_pushes() {
    let host = FakeHost::new();
    get(&host.install::<Roster>());
    assert_eq!(host.contacts.interested_sessions(), ["me@bocage.example/phone".parse::<jid::FullJid>().unwrap()]);
}

#[test]
fn a_set_names_exactly_one_contact_by_bare_jid() {
    assert_eq!(refused(""), StanzaError::bad_request());
    assert_eq!(refused("<item jid='a@x.example'/><item jid='b@x.example'/>"), StanzaError::bad_request());
    assert_eq!(refused("<item name='a'/>"), StanzaError::bad_request());
    assert_eq!(refused("<item jid='a@x.example/phone'/>"), StanzaError::bad_request());
    assert_eq!(refused("<item jid='@'/>"), StanzaError::jid_malformed());
    assert_eq!(refused("<item jid='me@bocage.example'/>"), StanzaError::not_allowed());
}

#[test]
fn names_and_groups_are_bounded_and_groups_are_distinct() {
    let (fits, long) = ("n".repeat(MAX_NAME), "n".repeat(MAX_NAME + 1));
    assert_eq!(refused(&format!("<item jid='a@x.example' name='{long}'/>")), StanzaError::not_acceptable());
    assert_eq!(refused("<item jid='a@x.example'><group/></item>"), StanzaError::not_acceptable());
    assert_eq!(refused(&format!("<item jid='a@x.example'><group>{long}</group></item>")), StanzaError::not_acceptable());
    let many: String = (0..=MAX_GROUPS).map(|n| format!("<group>{n}</group>")).collect();
    assert_eq!(refused(&format!("<item jid='a@x.example'>{many}</item>")), StanzaError::not_acceptable());
    let twice = "<item jid='a@x.example'><group>a</group><group>b</group><group>a</group></item>";
    assert_eq!(refused(twice), StanzaError::bad_request());
    let installed = FakeHost::new().install::<Roster>();
    assert_eq!(set(&installed, &format!("<item jid='a@x.example' name='{fits}'><group>{fits}</group></item>")), Ok(None));
}

#[test]
fn a_client_cannot_set_what_is_the_servers() {
    let host = FakeHost::new();
    let roster = host.install::<Roster>();
    set(&roster, "<item jid='a@x.example' subscription='both' ask='subscribe' approved='true'/>").unwrap();
    let expected = "<query xmlns='jabber:iq:roster' ver='1'><item jid='a@x.example' subscription='none'/></query>";
    assert_eq!(get(&roster), xml(expected));
}

#[test]
fn removing_needs_a_contact_that_is_shown() {
    let host = FakeHost::new();
    let roster = host.install::<Roster>();
    let remove = "<item jid='a@x.example' subscription='remove'/>";
    assert_eq!(set(&roster, remove), Err(StanzaError::item_not_found()));
    let request = RosterItem { pending_in: Some("<presence/>".into()), ..RosterItem::new("a@x.example".parse().unwrap()) };
    host.contacts.put(&owner(), request);
    assert_eq!(set(&roster, remove), Err(StanzaError::item_not_found()), "a request is no contact");
    set(&roster, "<item jid='a@x.example'/>").unwrap();
    assert_eq!(set(&roster, remove), Ok(None));
    assert_eq!(set(&roster, remove), Err(StanzaError::item_not_found()));
}

#[test]
fn nobody_else_reads_or_writes_a_roster_and_strangers_do_not_learn_that_it_exists() {
    let host = FakeHost::new();
    let roster = host.install::<Roster>();
    let add = "<query xmlns='jabber:iq:roster'><item jid='evil@x.example'/></query>";
    for (relation, error) in [
        (Relation::Contact(Subscription::Both), StanzaError::forbidden()),
        (Relation::Neighbour, StanzaError::forbidden()),
        (Relation::Stranger, StanzaError::service_unavailable()),
    ] {
        assert_eq!(roster.ask_other(relation, Action::Get, GET), Err(error.clone()));
        assert_eq!(roster.ask_other(relation, Action::Set, add), Err(error));
    }
    assert_eq!(get(&roster), xml("<query xmlns='jabber:iq:roster' ver='0'/>"));
}

#[test]
fn versioning_and_pre_approval_are_advertised() {
    let roster = FakeHost::new().install::<Roster>();
    let adverts: Vec<_> = roster.at.stream_features.iter().filter_map(|f| f.it.advert()).collect();
    assert_eq!(
        adverts,
        [xml("<ver xmlns='urn:xmpp:features:rosterver'/>"), xml("<sub xmlns='urn:xmpp:features:pre-approval'/>")]
    );
    assert!(Stanza::parse(adverts[0].clone()).is_none());
}
