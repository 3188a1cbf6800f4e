//! Elements as rooms write and read them.

use bocage_api::{Kind, Stanza, ns};
use minidom::Element;
use rxml::{Namespace, NcNameStr, xml_ncname};

pub(crate) const ADMIN: &str = "http://jabber.org/protocol/muc#admin";
pub(crate) const OWNER: &str = "http://jabber.org/protocol/muc#owner";
pub(crate) const REQUEST: &str = "http://jabber.org/protocol/muc#request";
pub(crate) const ROOM_CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
pub(crate) const ROOM_INFO: &str = "http://jabber.org/protocol/muc#roominfo";
pub(crate) const REGISTER: &str = "jabber:iq:register";
pub(crate) const MUC_REGISTER: &str = "http://jabber.org/protocol/muc#register";
pub(crate) const CONFERENCE: &str = "jabber:x:conference";
pub(crate) const HATS: &str = "urn:xmpp:hats:0";
pub(crate) const RETRACT: &str = "urn:xmpp:message-retract:1";
pub(crate) const MODERATE: &str = "urn:xmpp:message-moderate:1";
pub(crate) const STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";
pub(crate) const SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
pub(crate) const TRAFFIC: &str = "http://jabber.org/protocol/muc#traffic";

/// Sets an attribute without namespace.
pub(crate) fn set(el: &mut Element, name: &'static NcNameStr, value: &str) {
    el.set_attr(Namespace::NONE, name.to_owned(), value);
}

/// `<name xmlns='ns'>text</name>`
pub(crate) fn text(name: &'static str, namespace: &str, text: &str) -> Element {
    Element::builder(name, namespace).append(text).build()
}

/// The text of a child, if there is one with text.
pub(crate) fn child_text(el: &Element, name: &str, namespace: &str) -> Option<String> {
    el.get_child(name, namespace).map(Element::text).filter(|text| !text.is_empty())
}

/// `<status code='…'/>`
pub(crate) fn status(code: u16) -> Element {
    Element::builder("status", ns::MUC_USER).attr(xml_ncname!("code").to_owned(), code.to_string()).build()
}

/// `<delay/>` in the name of the room (XEP-0203).
pub(crate) fn delay(from: &str, seconds: i64) -> Element {
    Element::builder("delay", ns::DELAY)
        .attr(xml_ncname!("from").to_owned(), from)
        .attr(xml_ncname!("stamp").to_owned(), bocage_api::clock::stamp(seconds))
        .build()
}

/// The head of a stanza alone: what an error answer needs.
pub(crate) fn head(stanza: &Stanza) -> Stanza {
    let mut head = Stanza::new(stanza.kind, stanza.from.clone(), stanza.to.clone());
    head.id.clone_from(&stanza.id);
    head
}

/// A stanza of `kind` with these payloads.
pub(crate) fn stanza(kind: Kind, from: jid::Jid, payloads: impl IntoIterator<Item = Element>) -> Stanza {
    payloads.into_iter().fold(Stanza::new(kind, Some(from), None), Stanza::with)
}
