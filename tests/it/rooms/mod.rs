//! Rooms (XEP-0045) over real sockets.

mod whole_way;

use bocage_tests::{Person, Village};
use minidom::Element;

/// The host of the village's rooms.
pub(crate) const HOST: &str = "salons.village.example";

/// The address of a room.
pub(crate) fn room(name: &str) -> String {
    format!("{name}@{HOST}")
}

/// `muc#user` of a stanza.
pub(crate) fn user(stanza: &Element) -> &Element {
    stanza.get_child("x", "http://jabber.org/protocol/muc#user").expect("it says something about an occupant")
}

/// Status codes, sorted.
pub(crate) fn codes(stanza: &Element) -> Vec<u16> {
    let codes = user(stanza).children().filter(|el| el.name() == "status").map(|el| el.attr("code").unwrap().parse().unwrap());
    let mut codes: Vec<u16> = codes.collect();
    codes.sort_unstable();
    codes
}

/// The `<item/>`.
pub(crate) fn item(stanza: &Element) -> &Element {
    user(stanza).children().find(|el| el.name() == "item").expect("an item")
}

/// Enters; everything up to the subject.
pub(crate) async fn enter(person: &mut Person, room: &str, nick: &str) -> Vec<Element> {
    person.send(&format!("<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    let mut seen = Vec::new();
    loop {
        let stanza = person.next().await;
        let ends = stanza.name() == "message" && stanza.get_child("subject", "jabber:client").is_some();
        seen.push(stanza);
        if ends {
            return seen;
        }
    }
}

/// The owner's form with these fields.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| format!("<field var='{name}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>{fields}</x></query>"
    )
}

/// Makes a room and sets it up.
pub(crate) async fn found(owner: &mut Person, room: &str, nick: &str, fields: &[(&str, &str)]) {
    enter(owner, room, nick).await;
    let answer = owner.ask("set", room, &form(fields)).await;
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
}

/// A village with these people.
pub(crate) async fn village(people: &[&str]) -> Village {
    Village::of(people).await
}
