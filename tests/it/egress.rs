//! What leaves an account for others than contacts (H24), through the whole server.

use bocage_tests::{Person, Village};
use minidom::Element;

const PROFILE: &str = "<show>away</show><status>at the lake</status><priority>5</priority>\
    <x xmlns='vcard-temp:x:update'><photo>abc</photo></x><idle xmlns='urn:xmpp:idle:1' since='2026-01-01T00:00:00Z'/>\
    <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";

/// All but the priority, which the client writes into what has none.
fn names(stanza: &Element) -> String {
    stanza.children().map(Element::name).filter(|name| *name != "priority").collect::<Vec<_>>().join(" ")
}
fn priority(stanza: &Element) -> String {
    stanza.get_child("priority", "jabber:client").unwrap().text()
}

#[tokio::test]
async fn h24_directed_presence_to_strangers_loses_the_profile_and_to_rooms_the_client_too() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    let bobs = bob.jid.to_string();
    alice.send(&format!("<presence to='{bobs}'>{PROFILE}</presence>")).await;
    let person = bob.until(|s| s.name() == "presence").await;
    assert_eq!((names(&person), priority(&person)), ("show c".into(), "5".into()));
    alice.send(&format!("<presence to='{bobs}'>{PROFILE}<x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    let room = bob.until(|s| s.name() == "presence").await;
    assert_eq!((names(&room), priority(&room)), ("show x".into(), "0".into()));
    alice.send("<presence type='unavailable'><status>good night, I am off to the lake</status></presence>").await;
    let gone = bob.until(|s| s.attr("type") == Some("unavailable")).await;
    assert_eq!(names(&gone), "");
}

#[tokio::test]
async fn h24_contacts_get_the_whole_presence() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    bob.send("<presence type='subscribe' to='alice@village.example'/>").await;
    alice.until(|s| s.attr("type") == Some("subscribe")).await;
    alice.send("<presence type='subscribed' to='bob@village.example'/>").await;
    bob.until(|s| s.attr("type") == Some("subscribed")).await;
    alice.send(&format!("<presence id='all'>{PROFILE}</presence>")).await;
    let shared = bob.until(|s| s.attr("id") == Some("all")).await;
    alice.send(&format!("<presence id='one' to='{}'>{PROFILE}</presence>", bob.jid)).await;
    let directed = bob.until(|s| s.attr("id") == Some("one")).await;
    assert_eq!((names(&shared), names(&directed)), (names(&directed), "show status x idle c".into()));
}
