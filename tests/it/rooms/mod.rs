//! Rooms (XEP-0045) over real sockets.

mod about;
mod abroad;
mod admins;
mod archive;
mod crowd;
mod group;
mod ids;
mod iqs;
mod keeping;
mod links;
mod membership;
mod messages;
mod nicks;
mod opt_out;
mod outside;
mod presence;
mod recorded;
mod remote;
mod timing;
mod traffic;
mod whois;
mod whole_way;

use bocage_tests::{Person, Village};
use minidom::Element;

const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// What makes a room one where everybody sees real addresses.
pub(crate) const OPEN: [(&str, &str); 3] =
    [("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_publicroom", "0"), ("muc#roomconfig_whois", "anyone")];

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

/// The same without this module, and without limits of rate.
pub(crate) async fn village_without(module: &str, people: &[&str]) -> Village {
    // What our own server takes out of presence for others than contacts (H24) would hide what rooms do.
    let off: Vec<_> = ["profile_egress", module].into_iter().filter(|name| !name.is_empty()).collect();
    let off = format!("[modules]\noff = {off:?}\n");
    Village::with(&format!("{off}[modules.muc]\nrate = 0\njoin_rate = 0\n"), people).await
}

/// The condition of an error, and its text.
pub(crate) fn condition(stanza: &Element) -> (String, Option<String>) {
    assert_eq!(stanza.attr("type"), Some("error"), "{stanza:?}");
    let error = stanza.get_child("error", "jabber:client").expect("an error says which");
    let condition = error.children().find(|el| el.has_ns(STANZAS) && el.name() != "text").expect("a condition");
    (condition.name().to_owned(), error.get_child("text", STANZAS).map(Element::text))
}

/// The error that a request gets.
pub(crate) async fn refused(person: &mut Person, kind: &str, to: &str, payload: &str) -> (String, Option<String>) {
    condition(&person.ask(kind, to, payload).await)
}

/// The next presence of this occupant.
pub(crate) async fn shown(person: &mut Person, occupant: &str) -> Element {
    person.until(|s| s.name() == "presence" && s.attr("from") == Some(occupant)).await
}

/// Leaves on purpose; returns when the room has said so.
pub(crate) async fn depart(person: &mut Person, room: &str, nick: &str) {
    let occupant = format!("{room}/{nick}");
    person.send(&format!("<presence to='{occupant}' type='unavailable'/>")).await;
    person.until(|s| s.attr("type") == Some("unavailable") && s.attr("from") == Some(&occupant)).await;
}

/// Says something to all.
pub(crate) async fn say(person: &mut Person, room: &str, payloads: &str) {
    person.send(&format!("<message to='{room}' type='groupchat'>{payloads}</message>")).await;
}

/// Everything up to a message with these words, which comes last.
pub(crate) async fn heard_up_to(person: &mut Person, words: &str) -> Vec<Element> {
    let mut seen = Vec::new();
    loop {
        let stanza = person.next().await;
        let ends = bocage_tests::text(&stanza) == words && stanza.attr("type") != Some("error");
        seen.push(stanza);
        if ends {
            return seen;
        }
    }
}

/// An `<item/>` of the admins' protocol, as a query.
pub(crate) fn admin(attributes: &str, inside: &str) -> String {
    format!("<query xmlns='{MUC_ADMIN}'><item {attributes}>{inside}</item></query>")
}

/// Features of a disco answer.
pub(crate) async fn features(person: &mut Person, to: &str, node: &str) -> Vec<String> {
    let node = if node.is_empty() { String::new() } else { format!(" node='{node}'") };
    let answer = person.ask("get", to, &format!("<query xmlns='{DISCO_INFO}'{node}/>")).await;
    let query = answer.get_child("query", DISCO_INFO).unwrap_or_else(|| panic!("{answer:?}"));
    query.children().filter(|el| el.name() == "feature").map(|el| el.attr("var").unwrap().to_owned()).collect()
}

/// Addresses of a disco list.
pub(crate) async fn items(person: &mut Person, to: &str) -> Vec<String> {
    let answer = person.ask("get", to, &format!("<query xmlns='{DISCO_ITEMS}'/>")).await;
    let query = answer.get_child("query", DISCO_ITEMS).unwrap_or_else(|| panic!("{answer:?}"));
    query.children().filter_map(|el| el.attr("jid")).map(str::to_owned).collect()
}

/// Addresses of an affiliation's list.
pub(crate) async fn listed(person: &mut Person, room: &str, affiliation: &str) -> Vec<String> {
    let answer = person.ask("get", room, &admin(&format!("affiliation='{affiliation}'"), "")).await;
    let query = answer.get_child("query", MUC_ADMIN).unwrap_or_else(|| panic!("{answer:?}"));
    query.children().filter_map(|el| el.attr("jid")).map(str::to_owned).collect()
}

/// The occupant-id of a stanza.
pub(crate) fn occupant_id(stanza: &Element) -> Option<&str> {
    stanza.get_child("occupant-id", "urn:xmpp:occupant-id:0").and_then(|el| el.attr("id"))
}
