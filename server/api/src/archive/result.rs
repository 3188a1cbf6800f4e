//! A row on its way to who asked: bytes are spliced, nothing is parsed.

use super::{ArchiveRow, StanzaId};
use crate::{
    clock::stamp,
    stanza::{Frozen, Kind, MessageType},
};
use jid::Jid;

/// What all results of one query share.
#[derive(Clone, Debug)]
pub struct ResultHead {
    /// The archive: `from` of the results. `None` where there is nobody to tell it from others.
    pub archive: Option<Jid>,
    /// Who asked.
    pub asker: Jid,
    /// `queryid` of the query.
    pub queryid: Option<String>,
}

impl ArchiveRow {
    /// `<message><result/></message>` (XEP-0313 section 4.2).
    #[must_use]
    pub fn result(&self, head: &ResultHead) -> Frozen {
        let message = &self.message;
        let mut tail = Vec::with_capacity(message.payload.len() + 512);
        attribute(&mut tail, " from='", head.archive.as_ref().map(Jid::as_str));
        tail.extend_from_slice(b">");
        let start = tail.len();
        tail.extend_from_slice(b"<result xmlns='urn:xmpp:mam:2'");
        attribute(&mut tail, " queryid='", head.queryid.as_deref());
        attribute(&mut tail, " id='", Some(&self.id.to_string()));
        tail.extend_from_slice(b"><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay'");
        attribute(&mut tail, " stamp='", Some(&stamp(self.stamp)));
        tail.extend_from_slice(b"/><message xmlns='jabber:client'");
        attribute(&mut tail, " from='", Some(&message.from));
        attribute(&mut tail, " to='", Some(message.to.as_str()).filter(|to| !to.is_empty()));
        attribute(&mut tail, " type='", message.kind.attribute());
        attribute(&mut tail, " id='", message.message_id.as_deref());
        attribute(&mut tail, " xml:lang='", message.lang.as_deref());
        tail.push(b'>');
        tail.extend_from_slice(&message.payload);
        tail.extend_from_slice(b"</message></forwarded></result>");
        let children = start..tail.len();
        tail.extend_from_slice(b"</message>");
        Frozen {
            kind: Kind::Message(MessageType::Normal),
            from: head.archive.clone(),
            to: Some(head.asker.clone()),
            id: None,
            lang: None,
            tail: tail.into_boxed_slice(),
            children,
            traits: crate::Traits::readable().copied(),
            tree: None,
            archived: None,
            waits: None,
        }
    }
}

/// `<stanza-id/>` (XEP-0359) of a row in the archive of `by`, as bytes.
pub fn write_stanza_id(out: &mut Vec<u8>, by: &str, id: StanzaId) {
    out.extend_from_slice(b"<stanza-id xmlns='urn:xmpp:sid:0'");
    attribute(out, " by='", Some(by));
    attribute(out, " id='", Some(&id.to_string()));
    out.extend_from_slice(b"/>");
}

/// `start` opens an attribute with a single quote.
fn attribute(out: &mut Vec<u8>, start: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    out.extend_from_slice(start.as_bytes());
    // Nearly all values hold nothing to escape, and go as one piece.
    for piece in value.as_bytes().chunk_by(|before, behind| escape(*before).is_none() && escape(*behind).is_none()) {
        let escaped = piece.first().copied().and_then(escape);
        out.extend_from_slice(escaped.unwrap_or(piece));
    }
    out.push(b'\'');
}

fn escape(byte: u8) -> Option<&'static [u8]> {
    Some(match byte {
        b'&' => b"&amp;",
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'\'' => b"&apos;",
        b'"' => b"&quot;",
        b'\t' => b"&#9;",
        b'\n' => b"&#10;",
        b'\r' => b"&#13;",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ArchivedMessage;
    use minidom::Element;

    #[test]
    fn a_result_is_well_formed_whatever_its_attributes_hold() {
        let odd = "<&'\"\n>";
        let row = ArchiveRow {
            position: 1,
            id: StanzaId([1; 16]),
            stamp: 1_700_000_000,
            kept: true,
            message: ArchivedMessage {
                from: "a@x/'".into(),
                to: "b@x".into(),
                kind: MessageType::Chat,
                message_id: Some(odd.into()),
                lang: Some("en".into()),
                payload: "<body>hi</body>".into(),
            },
        };
        let head = ResultHead { archive: None, asker: "b@x/r".parse().unwrap(), queryid: Some(odd.into()) };
        let frozen = row.result(&head);
        let text = format!("<message xmlns='jabber:client'{}", String::from_utf8_lossy(&frozen.tail));
        let whole: Element = text.parse().unwrap();
        let result = whole.get_child("result", crate::ns::MAM).unwrap();
        let name = |name: &str| rxml::NcName::try_from(name).unwrap();
        assert_eq!(result.attr(&*name("queryid")), Some(odd));
        let forwarded = result.get_child("forwarded", crate::ns::FORWARD).unwrap();
        let message = forwarded.get_child("message", crate::ns::CLIENT).unwrap();
        assert_eq!((message.attr(&*name("id")), message.attr(&*name("from"))), (Some(odd), Some("a@x/'")));
        assert_eq!(message.get_child("body", crate::ns::CLIENT).unwrap().text(), "hi");
        let delay = forwarded.get_child("delay", crate::ns::DELAY).unwrap();
        assert_eq!(delay.attr(&*name("stamp")), Some("2023-11-14T22:13:20Z"));
    }
}
