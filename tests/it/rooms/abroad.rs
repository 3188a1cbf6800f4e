//! H24: what our people show in rooms of other servers, which pass on whatever they get.

use super::{depart, enter, shown};
use bocage_tests::{Kind, Peer, Usage, Way, World};
use minidom::Element;

const NEAR: &str = "near.example";
const FAR: &str = "far.example";
const PROFILE: &str = "<show>away</show><status>at the lake</status><priority>5</priority>\
    <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>\
    <x xmlns='vcard-temp:x:update'><photo>0a5f</photo></x><nick xmlns='http://jabber.org/protocol/nick'>Romeo Montague</nick>\
    <idle xmlns='urn:xmpp:idle:1' since='2026-01-01T00:00:00Z'/><query xmlns='jabber:iq:last' seconds='86511'/>";
/// Each of them ties a nick to an account.
const TELLING: [&str; 7] = ["status", "vcard-temp:x:update", "urn:xmpp:idle:1", "jabber:iq:last", "caps", "nick", "priority"];

/// Which of [`TELLING`] a presence holds.
fn told(stanza: &Element) -> Vec<&'static str> {
    let has = |name: &str| {
        let zero = |el: &Element| el.name() == "priority" && el.text() == "0";
        stanza.children().any(|el| {
            (el.name() == name || el.ns().ends_with(name)) && !el.has_ns("http://jabber.org/protocol/muc#user") && !zero(el)
        })
    };
    TELLING.into_iter().filter(|name| has(name)).collect()
}

/// What Prosody's people see of ours, on entering, later, and when they go: with these settings of ours.
async fn seen(config: &str) -> [Vec<&'static str>; 3] {
    let mut world = World::new();
    let (near, far) = (world.site(NEAR, Way::Starttls, Usage::Both), world.site(FAR, Way::Starttls, Usage::Both));
    world.publish().await;
    let (near, far) = tokio::join!(Peer::start(&world, near, Kind::Bocage, config), Peer::start(&world, far, Kind::Prosody, ""));
    let (mut romeo, mut juliet) = (near.online("romeo").await, far.online("juliet").await);
    let verona = format!("verona@rooms.{FAR}");
    let occupant = format!("{verona}/r");
    enter(&mut juliet, &verona, "j").await;
    romeo.send(&format!("<presence to='{occupant}'><x xmlns='http://jabber.org/protocol/muc'/>{PROFILE}</presence>")).await;
    let first = told(&shown(&mut juliet, &occupant).await);
    romeo.send(&format!("<presence to='{occupant}'>{}</presence>", PROFILE.replace("away", "dnd"))).await;
    let later = told(&shown(&mut juliet, &occupant).await);
    romeo.send(&format!("<presence to='{occupant}' type='unavailable'>{PROFILE}</presence>")).await;
    let gone = shown(&mut juliet, &occupant).await;
    assert_eq!(gone.attr("type"), Some("unavailable"));
    depart(&mut juliet, &verona, "j").await;
    [first, later, told(&gone)]
}

#[tokio::test]
async fn h24_rooms_of_other_servers_are_shown_no_profile_of_ours() {
    let [first, later, gone] = seen("").await;
    assert!(first.is_empty() && later.is_empty() && gone.is_empty(), "{first:?} {later:?} {gone:?}");
}

/// The module is what does it: without it, Prosody shows all.
#[tokio::test]
async fn h24_without_the_module_rooms_elsewhere_show_what_clients_send() {
    let [first, later, gone] = seen("[modules]\noff = [\"profile_egress\"]\n").await;
    for seen in [&first, &later] {
        for name in ["status", "vcard-temp:x:update", "urn:xmpp:idle:1", "caps"] {
            assert!(seen.contains(&name), "{name}: {seen:?}");
        }
    }
    assert!(gone.contains(&"status"), "{gone:?}");
}
