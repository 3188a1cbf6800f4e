//! Stanzas. A [`Stanza`] can be edited; [`Frozen`] cannot, and only there does wire text exist.
//!
//! The head (addresses, id, type, language) is parsed once; payloads stay elements, typed only by who handles them:
//! a typed round trip of what is merely forwarded would lose attributes.

use crate::{archive::StanzaId, error::StanzaError, ns, traits::Traits};
use jid::Jid;
use minidom::Element;
use rxml::{Namespace, xml_ncname};
use std::borrow::Cow;

/// The bare form of an address as text; looking somebody up by it makes no address.
#[must_use]
pub fn bare(jid: &Jid) -> &str {
    jid.as_str().split('/').next().unwrap_or_default()
}

/// Types of `<message/>` (RFC 6121 section 5.2.2). An unknown type is `normal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum MessageType {
    Normal,
    Chat,
    Groupchat,
    Headline,
    Error,
}

/// Types of `<presence/>` (RFC 6121 section 4.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum PresenceType {
    Available,
    Unavailable,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Probe,
    Error,
}

/// Types of `<iq/>` (RFC 6120 section 8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum IqType {
    Get,
    Set,
    Result,
    Error,
}

/// Kind and type of a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Message(MessageType),
    Presence(PresenceType),
    Iq(IqType),
}

impl Kind {
    /// `message`, `presence` or `iq`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Presence(_) => "presence",
            Self::Iq(_) => "iq",
        }
    }
    /// The `type` attribute; `None` where its absence says the same.
    pub fn type_attribute(self) -> Option<&'static str> {
        match self {
            Self::Message(kind) => kind.attribute(),
            Self::Presence(kind) => kind.attribute(),
            Self::Iq(kind) => Some(kind.attribute()),
        }
    }
    /// Is it `type='error'`?
    pub fn is_error(self) -> bool {
        self.type_attribute() == Some("error")
    }
    /// May it be answered by an error? Never an error or a result (RFC 6120 section 8.3.1).
    pub fn may_bounce(self) -> bool {
        !self.is_error() && self != Self::Iq(IqType::Result)
    }
    fn error(self) -> Self {
        match self {
            Self::Message(_) => Self::Message(MessageType::Error),
            Self::Presence(_) => Self::Presence(PresenceType::Error),
            Self::Iq(_) => Self::Iq(IqType::Error),
        }
    }
}

impl MessageType {
    /// From the attribute.
    pub fn parse(attribute: Option<&str>) -> Self {
        match attribute {
            Some("chat") => Self::Chat,
            Some("groupchat") => Self::Groupchat,
            Some("headline") => Self::Headline,
            Some("error") => Self::Error,
            _ => Self::Normal,
        }
    }
    /// The attribute; absent for `normal`.
    pub fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Normal => None,
            Self::Chat => Some("chat"),
            Self::Groupchat => Some("groupchat"),
            Self::Headline => Some("headline"),
            Self::Error => Some("error"),
        }
    }
}

impl PresenceType {
    fn parse(attribute: Option<&str>) -> Option<Self> {
        Some(match attribute {
            None => Self::Available,
            Some("unavailable") => Self::Unavailable,
            Some("subscribe") => Self::Subscribe,
            Some("subscribed") => Self::Subscribed,
            Some("unsubscribe") => Self::Unsubscribe,
            Some("unsubscribed") => Self::Unsubscribed,
            Some("probe") => Self::Probe,
            Some("error") => Self::Error,
            Some(_) => return None,
        })
    }
    /// The attribute; absent for `available`.
    pub fn attribute(self) -> Option<&'static str> {
        Some(match self {
            Self::Available => return None,
            Self::Unavailable => "unavailable",
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
            Self::Probe => "probe",
            Self::Error => "error",
        })
    }
}

impl IqType {
    fn parse(attribute: Option<&str>) -> Option<Self> {
        Some(match attribute? {
            "get" => Self::Get,
            "set" => Self::Set,
            "result" => Self::Result,
            "error" => Self::Error,
            _ => return None,
        })
    }
    /// The attribute.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Result => "result",
            Self::Error => "error",
        }
    }
}

/// A stanza that can still be edited.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// Kind and type.
    pub kind: Kind,
    /// Sender; stamped by the server for clients, proven for servers.
    pub from: Option<Jid>,
    /// Addressee.
    pub to: Option<Jid>,
    /// `id` attribute.
    pub id: Option<String>,
    /// `xml:lang` attribute.
    pub lang: Option<String>,
    /// Other attributes and the payloads; its own head attributes are gone. Namespace `jabber:client`.
    pub el: Element,
}

/// An element that is no valid stanza, with the error that its sender gets (RFC 6120 section 8).
#[derive(Debug)]
pub struct Refused {
    /// As much of it as could be read: enough to answer.
    pub stanza: Stanza,
    /// What is wrong.
    pub error: StanzaError,
    /// The address that it was for, as it was written, where only its resource is none.
    pub written_to: Option<String>,
}

impl Refused {
    /// The error answer, from the address that was written, as far as it is one: who wrote it knows by that which of its
    /// stanzas came back (RFC 6120 section 8.3.1). `by`: who says so.
    #[must_use]
    pub fn answer(&self, by: Option<&Jid>) -> Option<Stanza> {
        let mut answer = self.stanza.bounce(&self.error)?;
        if let (Some(written), Some(to)) = (&self.written_to, &self.stanza.to) {
            answer.from = None;
            let resource = written.split_once('/').map(|(_, resource)| resource).unwrap_or_default();
            // What is mapped to nothing is nothing (RFC 3454 table B.1).
            let nothing =
                |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
            let seen: String = resource.chars().filter(|c| !nothing(c)).collect();
            answer.el.set_attr(Namespace::NONE, xml_ncname!("from").to_owned(), format!("{to}/{seen}"));
        }
        if let (Some(by), Some(error)) = (by, answer.el.get_child_mut("error", ns::CLIENT)) {
            error.set_attr(Namespace::NONE, xml_ncname!("by").to_owned(), by.as_str());
        }
        Some(answer)
    }
}

impl Stanza {
    /// Reads the head of `el`. `None`: the element is no stanza of `jabber:client` at all.
    ///
    /// # Errors
    /// [`Refused`] when an address is malformed, an iq lacks `id`, `type` or its one payload, or a type is unknown.
    pub fn parse(mut el: Element) -> Option<Result<Self, Box<Refused>>> {
        if !el.has_ns(ns::CLIENT) {
            return None;
        }
        let mut take = |name: &rxml::NcNameStr| el.attrs_mut().remove(&Namespace::NONE, name);
        let (from, to) = (take(xml_ncname!("from")), take(xml_ncname!("to")));
        let (id, kind) = (take(xml_ncname!("id")), take(xml_ncname!("type")));
        let lang = el.attrs_mut().remove(&Namespace::XML, xml_ncname!("lang"));
        let (kind, kind_error) = Self::kind(el.name(), kind.as_deref())?;
        let mut fault = kind_error;
        let mut address = |text: Option<String>| match text.as_deref().map(Jid::new).transpose() {
            Ok(jid) => (jid, None),
            Err(_) => {
                fault = Some(StanzaError::jid_malformed());
                // Whose resource alone is malformed is known by the rest.
                let rest = text.as_deref().and_then(|text| Jid::new(text.split_once('/')?.0).ok());
                let written = text.filter(|_| rest.is_some());
                (rest, written)
            }
        };
        let ((to, written_to), (from, _)) = (address(to), address(from));
        let stanza = Self { kind, from, to, id, lang, el };
        Some(match fault.or_else(|| stanza.fault()) {
            None => Ok(stanza),
            Some(error) => Err(Box::new(Refused { stanza, error, written_to })),
        })
    }

    fn kind(name: &str, attribute: Option<&str>) -> Option<(Kind, Option<StanzaError>)> {
        Some(match name {
            "message" => (Kind::Message(MessageType::parse(attribute)), None),
            "presence" => match PresenceType::parse(attribute) {
                Some(kind) => (Kind::Presence(kind), None),
                None => (Kind::Presence(PresenceType::Probe), Some(StanzaError::bad_request())),
            },
            "iq" => match IqType::parse(attribute) {
                Some(kind) => (Kind::Iq(kind), None),
                None => (Kind::Iq(IqType::Get), Some(StanzaError::bad_request())),
            },
            _ => return None,
        })
    }

    /// RFC 6120 section 8.2.3: an iq has an id; a request has exactly one payload.
    fn fault(&self) -> Option<StanzaError> {
        let Kind::Iq(kind) = self.kind else { return None };
        let request = matches!(kind, IqType::Get | IqType::Set);
        let bad = self.id.is_none() || (request && self.el.children().count() != 1);
        bad.then(StanzaError::bad_request)
    }

    /// A stanza of the server's own.
    pub fn new(kind: Kind, from: Option<Jid>, to: Option<Jid>) -> Self {
        Self { kind, from, to, id: None, lang: None, el: Element::bare(kind.name(), ns::CLIENT) }
    }
    /// The same with an id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
    /// The same with one payload more.
    #[must_use]
    pub fn with(mut self, payload: impl Into<Element>) -> Self {
        self.el.append_child(payload.into());
        self
    }
    /// The error answer: `None` where the RFC forbids one (to errors and results).
    #[must_use]
    pub fn bounce(&self, error: &StanzaError) -> Option<Self> {
        self.kind.may_bounce().then(|| {
            let answer = Self::new(self.kind.error(), self.to.clone(), self.from.clone());
            Self { id: self.id.clone(), ..answer }.with(error.element())
        })
    }
    /// The result of an iq.
    #[must_use]
    pub fn result(&self, payload: Option<Element>) -> Self {
        let mut answer = Self::new(Kind::Iq(IqType::Result), self.to.clone(), self.from.clone());
        answer.id.clone_from(&self.id);
        match payload {
            Some(payload) => answer.with(payload),
            None => answer,
        }
    }
    /// The payload of an iq request.
    pub fn payload(&self) -> Option<&Element> {
        self.el.children().next()
    }
    /// Does it carry this payload?
    pub fn has(&self, name: &str, namespace: &str) -> bool {
        self.el.has_child(name, namespace)
    }
    /// Keeps only the payloads (and text nodes) for which `keep` says so.
    pub fn retain_payloads(&mut self, mut keep: impl FnMut(&Element) -> bool) {
        if self.el.children().all(&mut keep) {
            return;
        }
        for node in self.el.take_nodes() {
            match &node {
                minidom::Node::Element(el) if !keep(el) => {}
                _ => self.el.append_node(node),
            }
        }
    }
    /// The body, if it has one.
    pub fn body(&self) -> Option<String> {
        self.el.get_child("body", ns::CLIENT).map(Element::text)
    }
    /// The `<priority/>` of a presence; 0 when absent or not a number (RFC 6121 section 4.7.2.3).
    pub fn priority(&self) -> i8 {
        self.el.get_child("priority", ns::CLIENT).and_then(|p| p.text().trim().parse().ok()).unwrap_or(0)
    }
}

/// A stanza that nobody can edit any more: head, and the bytes behind its recipient-dependent start.
///
/// Only core makes one. Wire form: `<` [`Kind::name`], ` to='…'` when there is one, then [`Frozen::tail`].
#[derive(Clone, Debug)]
pub struct Frozen {
    /// Kind and type.
    pub kind: Kind,
    /// Sender.
    pub from: Option<Jid>,
    /// Addressee.
    pub to: Option<Jid>,
    /// `id` attribute.
    pub id: Option<String>,
    /// `xml:lang` attribute.
    pub lang: Option<String>,
    /// From the space or `>` behind name and `to` up to the end tag, in the namespace of a client stream.
    pub tail: Box<[u8]>,
    /// Where in `tail` the children begin and end.
    pub children: std::ops::Range<usize>,
    /// What routing has to know of the payloads.
    pub traits: Traits,
    /// The payloads, kept only for services that read them.
    pub tree: Option<Box<Element>>,
    /// Its name in the archive of the account that it is for, where that has it.
    pub archived: Option<StanzaId>,
    /// Its row among the messages that wait for that account, where it has one: who gets it releases that.
    pub waits: Option<StanzaId>,
}

impl Frozen {
    /// What a mailbox counts for it, in bytes.
    pub fn cost(&self) -> usize {
        size_of::<Self>() + self.tail.len()
    }
    /// The bytes of the children: what an archive keeps.
    pub fn payload_bytes(&self) -> &[u8] {
        self.tail.get(self.children.clone()).unwrap_or_default()
    }
    /// The stanza again without a copy, when the tree was kept.
    pub fn into_stanza(self) -> Option<Stanza> {
        let Self { kind, from, to, id, lang, tree, .. } = self;
        Some(Stanza { kind, from, to, id, lang, el: *tree? })
    }
    /// The payloads as a tree: the kept one, or read from the bytes.
    pub fn payloads(&self) -> Option<Cow<'_, Element>> {
        match &self.tree {
            Some(tree) => Some(Cow::Borrowed(tree)),
            None => crate::archive::payload_tree(self.payload_bytes()).map(Cow::Owned),
        }
    }
    /// The stanza again, payloads and all, when the tree was kept.
    pub fn thaw(&self) -> Option<Stanza> {
        let el = (**self.tree.as_ref()?).clone();
        Some(Stanza {
            kind: self.kind,
            from: self.from.clone(),
            to: self.to.clone(),
            id: self.id.clone(),
            lang: self.lang.clone(),
            el,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(xml: &str) -> Result<Stanza, Box<Refused>> {
        Stanza::parse(xml.parse().unwrap()).unwrap()
    }

    #[test]
    fn head_is_taken_out_of_the_element() {
        let s = stanza(
            "<message xmlns='jabber:client' to='A@B.example/C' id='1' type='chat' xml:lang='fr' x='y'><body>hi</body></message>",
        )
        .unwrap();
        assert_eq!(s.kind, Kind::Message(MessageType::Chat));
        assert_eq!(s.to.unwrap().as_str(), "a@b.example/C");
        assert_eq!((s.id.as_deref(), s.lang.as_deref()), (Some("1"), Some("fr")));
        assert_eq!(s.el.attrs().iter().count(), 1);
    }

    #[test]
    fn faults_name_their_condition() {
        let condition = |xml: &str| stanza(xml).unwrap_err().error.condition;
        assert_eq!(condition("<iq xmlns='jabber:client' type='get'><a xmlns='b'/></iq>"), Condition::BadRequest);
        assert_eq!(condition("<iq xmlns='jabber:client' type='get' id='1'/>"), Condition::BadRequest);
        assert_eq!(
            condition("<iq xmlns='jabber:client' type='get' id='1'><a xmlns='b'/><a xmlns='b'/></iq>"),
            Condition::BadRequest
        );
        assert_eq!(condition("<iq xmlns='jabber:client' type='up' id='1'><a xmlns='b'/></iq>"), Condition::BadRequest);
        assert_eq!(condition("<presence xmlns='jabber:client' type='hidden'/>"), Condition::BadRequest);
        assert_eq!(condition("<message xmlns='jabber:client' to='@'/>"), Condition::JidMalformed);
    }

    #[test]
    fn errors_and_results_are_never_answered() {
        let s = stanza("<message xmlns='jabber:client' type='error'/>").unwrap();
        assert!(s.bounce(&StanzaError::forbidden()).is_none());
        let s = stanza("<iq xmlns='jabber:client' type='result' id='1'/>").unwrap();
        assert!(s.bounce(&StanzaError::forbidden()).is_none());
    }

    use crate::error::Condition;
}
