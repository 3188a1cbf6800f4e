//! Where stanzas become bytes. A stanza is serialised once, without its `to`; each recipient's is spliced in.

use bocage_api::{
    Frozen, Stanza, Traits,
    archive::{self, ArchiveRow, StanzaId},
    ns,
    stanza::Kind,
};
use bocage_stream::write;
use jid::{BareJid, Jid};
use minidom::{Element, Node};

/// Whether the payloads stay readable behind [`freeze`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// For services that read them.
    Keep,
    /// Bytes alone: what mailboxes hold.
    Drop,
}

/// Ends all editing.
#[must_use]
pub fn freeze(stanza: Stanza, tree: Tree) -> Frozen {
    let Stanza { kind, from, to, id, lang, el } = stanza;
    let mut tail = Vec::with_capacity(512);
    head(&mut tail, kind, (from.as_ref(), id.as_deref(), lang.as_deref()));
    write::attributes(&mut tail, el.attrs());
    let children = body(&mut tail, &el, kind.name());
    let traits = Traits::of(&el);
    let tree = (tree == Tree::Keep).then(|| Box::new(el));
    Frozen { kind, from, to, id, lang, tail: tail.into_boxed_slice(), children, traits, tree, archived: None, waits: None }
}

/// [`freeze`] for what only travels.
#[must_use]
pub fn freeze_for_wire(stanza: Stanza) -> Frozen {
    freeze(stanza, Tree::Drop)
}

type Head<'a> = (Option<&'a Jid>, Option<&'a str>, Option<&'a str>);

fn head(out: &mut Vec<u8>, kind: Kind, (from, id, lang): Head<'_>) {
    attribute(out, " from='", from.map(Jid::as_str));
    attribute(out, " id='", id);
    attribute(out, " type='", kind.type_attribute());
    attribute(out, " xml:lang='", lang);
}

fn attribute(out: &mut Vec<u8>, start: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.extend_from_slice(start.as_bytes());
        write::attribute_value(out, value);
        out.push(b'\'');
    }
}

fn body(out: &mut Vec<u8>, el: &Element, name: &str) -> std::ops::Range<usize> {
    if el.nodes().next().is_none() {
        out.extend_from_slice(b"/>");
        return 0..0;
    }
    out.push(b'>');
    let start = out.len();
    for node in el.nodes() {
        match node {
            Node::Element(child) => write::element(out, child, ns::CLIENT),
            Node::Text(text) => write::text(out, text),
        }
    }
    let children = start..out.len();
    end(out, name);
    children
}

fn end(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// Writes a stanza for somebody: as addressed, or to `instead`.
pub fn write_stanza(out: &mut Vec<u8>, stanza: &Frozen, instead: Option<&str>) {
    out.push(b'<');
    out.extend_from_slice(stanza.kind.name().as_bytes());
    attribute(out, " to='", instead.or(stanza.to.as_ref().map(Jid::as_str)));
    out.extend_from_slice(&stanza.tail);
}

/// The stanza as a document of its own: what is kept of a subscription request.
#[must_use]
pub fn document(stanza: Stanza) -> String {
    frozen_document(&freeze_for_wire(stanza))
}

/// The same of what is frozen: what is kept of a message to another server.
#[must_use]
pub fn frozen_document(frozen: &Frozen) -> String {
    let mut out = Vec::with_capacity(frozen.tail.len() + 64);
    whole(&mut out, frozen);
    String::from_utf8(out).unwrap_or_default()
}

/// With its namespace, as it stands inside of something else.
fn whole(out: &mut Vec<u8>, frozen: &Frozen) {
    out.push(b'<');
    out.extend_from_slice(frozen.kind.name().as_bytes());
    attribute(out, " xmlns='", Some(ns::CLIENT));
    attribute(out, " to='", frozen.to.as_ref().map(Jid::as_str));
    out.extend_from_slice(&frozen.tail);
}

/// A copy of a message for the other devices of `owner` (XEP-0280): bytes are spliced. Each device is its own addressee.
#[must_use]
pub fn carbon((element, owner): (&str, BareJid), message: &Frozen) -> Frozen {
    let from = Jid::from(owner);
    let mut tail = Vec::with_capacity(message.tail.len() + 320);
    head(&mut tail, message.kind, (Some(&from), None, None));
    tail.push(b'>');
    let start = tail.len();
    tail.push(b'<');
    tail.extend_from_slice(element.as_bytes());
    attribute(&mut tail, " xmlns='", Some(ns::CARBONS));
    tail.extend_from_slice(b"><forwarded xmlns='urn:xmpp:forward:0'>");
    whole(&mut tail, message);
    tail.extend_from_slice(b"</forwarded>");
    end(&mut tail, element);
    let children = start..tail.len();
    end(&mut tail, "message");
    Frozen {
        kind: message.kind,
        from: Some(from),
        to: None,
        id: None,
        lang: None,
        tail: tail.into_boxed_slice(),
        children,
        traits: message.traits.copied(),
        tree: None,
        archived: None,
        waits: None,
    }
}

/// Reads what [`document`] wrote.
#[must_use]
pub fn stanza(document: &str) -> Option<Stanza> {
    Stanza::parse(document.parse().ok()?)?.ok()
}

/// Says under which name the archive of `by` has the message (XEP-0359). It is not part of the payload.
pub fn add_stanza_id(frozen: &mut Frozen, by: &str, id: StanzaId) {
    frozen.archived = Some(id);
    if frozen.children.is_empty() {
        return;
    }
    let mut tail = std::mem::take(&mut frozen.tail).into_vec();
    tail.truncate(frozen.children.end);
    archive::write_stanza_id(&mut tail, by, id);
    end(&mut tail, frozen.kind.name());
    frozen.tail = tail.into_boxed_slice();
}

/// A stored message on its way again, with the delay that says so (XEP-0203) and, where the owner's archive keeps it, its
/// name there. Nothing is parsed but its addresses: bytes are spliced.
#[must_use]
pub fn thaw(row: ArchiveRow, owner: &BareJid) -> Frozen {
    let message = row.message;
    let kind = Kind::Message(message.kind);
    let from = Jid::new(&message.from).ok();
    let mut tail = Vec::with_capacity(message.payload.len() + 384);
    head(&mut tail, kind, (from.as_ref(), message.message_id.as_deref(), message.lang.as_deref()));
    tail.push(b'>');
    let start = tail.len();
    tail.extend_from_slice(&message.payload);
    tail.extend_from_slice(b"<delay xmlns='urn:xmpp:delay'");
    attribute(&mut tail, " from='", Some(owner.domain().as_str()));
    attribute(&mut tail, " stamp='", Some(&bocage_api::clock::stamp(row.stamp)));
    tail.extend_from_slice(b"/>");
    let children = start..tail.len();
    if row.kept {
        archive::write_stanza_id(&mut tail, owner.as_str(), row.id);
    }
    end(&mut tail, "message");
    Frozen {
        kind,
        from,
        to: Jid::new(&message.to).ok(),
        id: message.message_id,
        lang: message.lang,
        tail: tail.into_boxed_slice(),
        children,
        traits: Traits::readable(),
        tree: None,
        archived: row.kept.then_some(row.id),
        waits: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(xml: &str) -> String {
        let stanza = Stanza::parse(xml.parse().unwrap()).unwrap().unwrap();
        let mut out = Vec::new();
        write_stanza(&mut out, &freeze_for_wire(stanza), None);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_frozen_says_the_same() {
        let xml = "<message xmlns='jabber:client' to='b@x/r' from='a@x/r' id='1&lt;' type='chat' xml:lang='fr'><body>&lt;hi&amp;</body><x xmlns='u'/></message>";
        let again: Element = text(xml).replacen("<message", "<message xmlns='jabber:client'", 1).parse().unwrap();
        assert_eq!(again, xml.parse::<Element>().unwrap());
    }

    #[test]
    fn a_copy_holds_the_message_with_its_namespace_and_all_its_attributes() {
        let xml =
            "<message xmlns='jabber:client' to='b@x/r' from='a@x/r' id='1' type='chat' xml:lang='fr'><body>hi</body></message>";
        let message = freeze_for_wire(Stanza::parse(xml.parse().unwrap()).unwrap().unwrap());
        let copy = carbon(("received", "b@x".parse().unwrap()), &message);
        let mut out = Vec::new();
        write_stanza(&mut out, &copy, Some("b@x/other"));
        let text = String::from_utf8(out).unwrap().replacen("<message", "<message xmlns='jabber:client'", 1);
        let expected = format!(
            "<message xmlns='jabber:client' to='b@x/other' from='b@x' type='chat'><received xmlns='urn:xmpp:carbons:2'>\
             <forwarded xmlns='urn:xmpp:forward:0'>{xml}</forwarded></received></message>"
        );
        assert_eq!(text.parse::<Element>().unwrap(), expected.parse::<Element>().unwrap());
        assert!(copy.traits.is_copy() && copy.traits.has_body());
    }

    #[test]
    fn the_name_in_the_archive_stands_behind_the_payload() {
        let xml = "<message xmlns='jabber:client' to='b@x'><body>hi</body></message>";
        let mut frozen = freeze_for_wire(Stanza::parse(xml.parse().unwrap()).unwrap().unwrap());
        add_stanza_id(&mut frozen, "b@x", StanzaId([1; 16]));
        assert_eq!(frozen.payload_bytes(), b"<body>hi</body>");
        let mut out = Vec::new();
        write_stanza(&mut out, &frozen, None);
        let expected = "<message to='b@x'><body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='b@x' \
             id='01010101010101010101010101010101'/></message>";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn an_empty_stanza_is_closed_at_once() {
        assert_eq!(text("<presence xmlns='jabber:client'/>"), "<presence/>");
    }

    #[test]
    fn the_recipient_is_spliced() {
        let stanza = Stanza::parse("<presence xmlns='jabber:client' from='a@x/r'><show>away</show></presence>".parse().unwrap())
            .unwrap()
            .unwrap();
        let mut out = Vec::new();
        write_stanza(&mut out, &freeze_for_wire(stanza), Some("b@x"));
        assert_eq!(String::from_utf8(out).unwrap(), "<presence to='b@x' from='a@x/r'><show>away</show></presence>");
    }
}
