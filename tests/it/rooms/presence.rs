//! H21: what a room shows of presence.

use super::{OPEN, admin, enter, form, found, room, shown, village_without};
use bocage_tests::{Person, Village};
use minidom::Element;

/// Everything that clients are known to show, and what they might forge.
const TELLING: &str = "<show>away</show><status>at the sea</status><priority>5</priority>\
    <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>\
    <x xmlns='vcard-temp:x:update'><photo>0a5f</photo></x>\
    <idle xmlns='urn:xmpp:idle:1' since='2026-01-01T00:00:00Z'/><query xmlns='jabber:iq:last' seconds='86511'/>\
    <delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/><x xmlns='jabber:x:delay' stamp='20260101T00:00:00'/>\
    <x xmlns='jabber:x:signed'>sig</x><nick xmlns='http://jabber.org/protocol/nick'>Juliet Capulet</nick>\
    <muji xmlns='urn:xmpp:jingle:muji:0'/><telephone xmlns='urn:xmpp:example:0'/>\
    <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator' jid='forged@village.example'/></x>\
    <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>\
    <hats xmlns='urn:xmpp:hats:0'><hat uri='forged' title='King'/></hats>";

fn names(stanza: &Element) -> Vec<String> {
    // A priority of zero is what the reader's parser makes of none.
    let none = |el: &&Element| el.is("priority", "jabber:client") && el.text() == "0";
    let shown = stanza.children().filter(|el| !none(el));
    let mut names: Vec<String> = shown.map(|el| format!("{} {}", el.name(), el.ns())).collect();
    names.sort();
    names
}

/// No more than availability and what the room itself says.
fn shows_availability_alone(stanza: &Element) {
    assert_eq!(
        names(stanza),
        ["occupant-id urn:xmpp:occupant-id:0", "show jabber:client", "x http://jabber.org/protocol/muc#user"]
    );
    assert!(stanza.attrs().iter().all(|((_, name), _)| ["from", "to", "type"].contains(&name.as_str())), "{stanza:?}");
    let said = String::from(stanza);
    assert!(!said.contains("forged") && !said.contains("King"), "{said}");
}

async fn joins(person: &mut Person, room: &str, nick: &str) {
    person
        .send(&format!(
            "<presence to='{room}/{nick}' id='client-id'><x xmlns='http://jabber.org/protocol/muc'/>{TELLING}</presence>"
        ))
        .await;
}

async fn three(village: &Village) -> [Person; 3] {
    [Person::online(village, "romeo").await, Person::online(village, "juliet").await, Person::online(village, "paris").await]
}

#[tokio::test]
async fn h21_presence_carries_only_what_the_room_allows() {
    let village = village_without("", &["romeo", "juliet", "paris"]).await;
    let [mut romeo, mut juliet, mut paris] = three(&village).await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    let occupant = format!("{garden}/j");
    joins(&mut juliet, &garden, "j").await;
    shows_availability_alone(&shown(&mut romeo, &occupant).await);
    let own = shown(&mut juliet, &occupant).await;
    assert_eq!(own.attr("id"), Some("client-id"), "whose it is gets it back");
    // The flood for newcomers is no other way.
    let flood = enter(&mut paris, &garden, "p").await;
    shows_availability_alone(flood.iter().find(|s| s.attr("from") == Some(&occupant)).unwrap());
    // Nor are changes, new nicks, and leaving.
    let changed = TELLING.replace("away", "dnd");
    juliet.send(&format!("<presence to='{occupant}' id='second'>{changed}</presence>")).await;
    for person in [&mut romeo, &mut paris] {
        let seen = shown(person, &occupant).await;
        assert_eq!(seen.get_child("show", "jabber:client").unwrap().text(), "dnd");
        shows_availability_alone(&seen);
    }
    juliet.send(&format!("<presence to='{garden}/jj' id='third'>{changed}</presence>")).await;
    shows_availability_alone(&shown(&mut paris, &format!("{garden}/jj")).await);
    juliet.send(&format!("<presence to='{garden}/jj' type='unavailable' id='fourth'>{TELLING}</presence>")).await;
    let gone = shown(&mut paris, &format!("{garden}/jj")).await;
    assert_eq!(names(&gone), ["occupant-id urn:xmpp:occupant-id:0", "x http://jabber.org/protocol/muc#user"]);
    assert_eq!((gone.attr("id"), String::from(&gone).contains("forged")), (None, false));
}

/// What the module is for; the room's own names stay the room's all the same.
#[tokio::test]
async fn h21_without_the_guard_clients_show_what_they_send_but_still_cannot_forge() {
    let village = village_without("vcard_guard", &["romeo", "juliet", "paris"]).await;
    let [mut romeo, mut juliet, _] = three(&village).await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    joins(&mut juliet, &garden, "j").await;
    let seen = shown(&mut romeo, &format!("{garden}/j")).await;
    let all = names(&seen);
    for passes in ["c http://jabber.org/protocol/caps", "status jabber:client", "x vcard-temp:x:update", "idle urn:xmpp:idle:1"] {
        assert!(all.iter().any(|name| name == passes), "{all:?}");
    }
    let said = String::from(&seen);
    assert!(!said.contains("forged") && !said.contains("King") && !said.contains("urn:xmpp:delay"), "{said}");
    assert_eq!(all.iter().filter(|name| name.contains("muc#user")).count(), 1);
}

/// Groups where real addresses are open may call, and show more where operator and owner both say so.
#[tokio::test]
async fn h21_open_groups_may_call_and_add_back_what_both_allow() {
    let toml = "[modules]\noff = [\"profile_egress\"]\n[modules.vcard_guard]\nallow_in_open_groups = [\"caps\", \"status\"]\n";
    let village = Village::with(toml, &["romeo", "juliet", "paris"]).await;
    let [mut romeo, mut juliet, _] = three(&village).await;
    let garden = room("garden");
    let fields: Vec<_> = OPEN.into_iter().chain([("x-bocage#presence_shows", "caps")]).collect();
    found(&mut romeo, &garden, "r", &fields).await;
    romeo.ask("set", &garden, &admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    joins(&mut juliet, &garden, "j").await;
    let occupant = format!("{garden}/j");
    let has = |stanza: &Element, name: &str| names(stanza).iter().any(|full| full.starts_with(name));
    let seen = shown(&mut romeo, &occupant).await;
    assert!(has(&seen, "muji ") && has(&seen, "c ") && !has(&seen, "status ") && !has(&seen, "idle "), "{seen:?}");
    // The owner takes it back: what was shown is not shown to who comes next.
    romeo.ask("set", &garden, &form(&[("x-bocage#presence_shows", "")])).await;
    let changed = TELLING.replace("away", "dnd");
    juliet.send(&format!("<presence to='{occupant}'>{changed}</presence>")).await;
    let seen = romeo.until(|s| s.attr("from") == Some(&occupant) && !has(s, "c ")).await;
    assert!(has(&seen, "muji "));
}
