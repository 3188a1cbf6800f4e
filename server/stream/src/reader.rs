//! Bytes to elements.
//!
//! The tree is built on our own stack: minidom's and xso's builders recurse and count nothing. A stanza is handed out at
//! the `>` of its end tag. What stands between stanzas never reaches the lexer, which would hold text back until a tag
//! follows: so a peer who speaks HTTP is answered at once, and a keepalive space allocates nothing.
use minidom::Element;
use rxml::error::EndOrError;
use rxml::parser::{Options, RawQName};
use rxml::{AttrMap, Namespace, NcName, Parse, QName, RawEvent, RawParser, WithOptions};

use crate::content::{Content, Place};
use crate::error::{Condition, StreamError};
use crate::header::StreamHeader;
use crate::limits::{Limits, MAX_TOKEN};
use crate::ns;
use crate::scope::Scope;

/// What the peer sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The start tag of the stream.
    Open(StreamHeader),
    /// A first-level element, complete, and its bytes on the wire.
    Element(Element, usize),
    /// The end tag of the stream. Whatever follows is discarded (RFC 6120 4.4).
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    /// A self-closed header has left its end in the parser's queue.
    Opened,
    Open,
    Closed,
}

/// A start tag whose `>` is still to come.
struct Head {
    name: RawQName,
    attributes: AttrMap,
    /// Attributes whose prefix may be declared further on in the same tag.
    prefixed: Vec<(NcName, NcName, String)>,
    count: usize,
    mark: usize,
}

/// An element whose end tag is still to come.
struct Open {
    element: Element,
    below: Place,
    mark: usize,
}

/// Turns one connection's bytes into [`Event`]s.
pub struct Reader {
    parser: RawParser,
    content: Content,
    limits: Limits,
    stage: Stage,
    /// Nothing of the next header or stanza has been read.
    fresh: bool,
    bytes: usize,
    elements: usize,
    head: Option<Head>,
    open: Vec<Open>,
    scope: Scope,
    dead: Option<Box<StreamError>>,
}

impl Reader {
    /// A reader that waits for a stream header.
    #[must_use]
    pub fn new(content: Content, limits: Limits) -> Self {
        Self {
            parser: parser(),
            content,
            limits,
            stage: Stage::Header,
            fresh: true,
            bytes: 0,
            elements: 0,
            head: None,
            open: Vec::new(),
            scope: Scope::default(),
            dead: None,
        }
    }

    /// Other limits from here on; call it between stanzas.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// A new stream header follows on the same connection (RFC 6120 4.3.3). A failed reader stays failed.
    pub fn restart(&mut self) {
        let dead = self.dead.take();
        *self = Self { dead, ..Self::new(self.content, self.limits) };
    }

    /// True while no header or stanza is half read.
    #[must_use]
    pub fn between_stanzas(&self) -> bool {
        self.fresh || self.stage == Stage::Closed
    }

    /// Gives buffers back while nothing is expected; the next byte allocates them again.
    pub fn idle(&mut self) {
        self.parser.release_temporaries();
        self.open.shrink_to_fit();
        self.scope.shrink();
    }

    /// Reads up to and including the last byte of one event; `None` if `input` ends before.
    ///
    /// # Errors
    /// The stream error to send before closing. Every further call returns the same one.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, StreamError> {
        if let Some(error) = &self.dead {
            return Err(StreamError::clone(error));
        }
        self.advance(input).inspect_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: &StreamError) {
        self.dead = Some(Box::new(error.clone()));
        self.head = None;
        self.open = Vec::new();
        self.scope = Scope::default();
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Event>, StreamError> {
        if self.stage == Stage::Closed {
            *input = &[];
            return Ok(None);
        }
        if self.stage == Stage::Opened {
            self.stage = Stage::Open;
            if let Ok(Some(event)) = self.parser.parse(&mut &[][..], false) {
                return self.take(event);
            }
        }
        if self.fresh {
            self.skip_blank(input)?;
            if input.is_empty() {
                return Ok(None);
            }
        }
        loop {
            let before = input.len();
            let parsed = self.parser.parse(input, false);
            let used = before.saturating_sub(input.len());
            self.account(used)?;
            match parsed {
                Ok(Some(event)) => {
                    if let Some(event) = self.take(event)? {
                        return Ok(Some(event));
                    }
                }
                Ok(None) => return Ok(None),
                Err(EndOrError::NeedMoreData) if used == 0 || input.is_empty() => return Ok(None),
                Err(EndOrError::NeedMoreData) => {}
                Err(EndOrError::Error(error)) => return Err(error.into()),
            }
        }
    }

    /// Skips blanks and judges what is no tag by its first byte, so that the verdict neither waits for more nor depends
    /// on how much came at once. Keepalives between stanzas cost nothing (RFC 6120 4.6.1); blanks before a header count,
    /// for somebody may send nothing else. They are forgiven even before an XML declaration: a line feed behind
    /// `<auth/>` is common.
    fn skip_blank(&mut self, input: &mut &[u8]) -> Result<(), StreamError> {
        let blank = input.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        *input = input.get(blank..).unwrap_or_default();
        if self.stage == Stage::Header {
            self.bytes = self.bytes.saturating_add(blank);
            within(self.bytes, self.limits.stanza_bytes, "header too long")?;
        }
        match input.first() {
            None | Some(b'<') => Ok(()),
            Some(0x20..) if self.stage == Stage::Open => Err(TEXT_BETWEEN),
            Some(_) => Err(StreamError::malformed("not a tag")),
        }
    }

    fn account(&mut self, used: usize) -> Result<(), StreamError> {
        if used > 0 {
            self.fresh = false;
            self.bytes = self.bytes.saturating_add(used);
        }
        within(self.bytes, self.limits.stanza_bytes, "stanza too big")
    }

    fn take(&mut self, event: RawEvent) -> Result<Option<Event>, StreamError> {
        match event {
            RawEvent::XmlDeclaration(..) => Ok(None),
            RawEvent::ElementHeadOpen(_, name) => self.start(name).map(|()| None),
            RawEvent::Attribute(_, name, value) => self.attribute(name, value).map(|()| None),
            RawEvent::ElementHeadClose(_) => self.enter(),
            RawEvent::Text(_, text) => self.text(text).map(|()| None),
            RawEvent::ElementFoot(_) => Ok(self.leave()),
        }
    }

    fn start(&mut self, name: RawQName) -> Result<(), StreamError> {
        self.elements = self.elements.saturating_add(1);
        within(self.elements, self.limits.elements, "too many elements")?;
        within(self.open.len().saturating_add(1), self.limits.depth, "nested too deeply")?;
        let mark = self.scope.mark();
        self.head = Some(Head { name, attributes: AttrMap::new(), prefixed: Vec::new(), count: 0, mark });
        Ok(())
    }

    fn attribute(&mut self, (prefix, name): RawQName, value: String) -> Result<(), StreamError> {
        let Some(head) = self.head.as_mut() else { return Ok(()) };
        head.count = head.count.saturating_add(1);
        if head.count > self.limits.attributes {
            return Err(StreamError::policy("too many attributes"));
        }
        match prefix {
            None if name == "xmlns" => self.declare(None, value),
            None => insert(self.content, &mut head.attributes, (Namespace::NONE, name), value),
            Some(prefix) if prefix == "xmlns" => self.declare(Some(name), value),
            Some(prefix) => {
                head.prefixed.push((prefix, name, value));
                Ok(())
            }
        }
    }

    fn declare(&mut self, prefix: Option<NcName>, namespace: String) -> Result<(), StreamError> {
        self.content.demand_namespace(&namespace)?;
        let mark = self.head.as_ref().map_or(0, |head| head.mark);
        self.scope.declare(mark, prefix, namespace)
    }

    fn enter(&mut self) -> Result<Option<Event>, StreamError> {
        let Some(mut head) = self.head.take() else { return Ok(None) };
        for (prefix, name, value) in head.prefixed.drain(..) {
            let namespace = self.scope.resolve(Some(&prefix))?.clone();
            insert(self.content, &mut head.attributes, (namespace, name), value)?;
        }
        if self.stage == Stage::Header { self.stream(&head).map(Some) } else { self.push(head).map(|()| None) }
    }

    /// The root element: its namespace and the default namespace it declares (RFC 6120 4.8.1, 4.8.2, 4.9.3.10).
    fn stream(&mut self, head: &Head) -> Result<Event, StreamError> {
        let (prefix, name) = &head.name;
        if *self.scope.resolve(prefix.as_ref())? != ns::STREAM {
            return Err(StreamError::with_text(Condition::InvalidNamespace, "not the stream namespace"));
        }
        if *name != "stream" {
            return Err(StreamError::with_text(Condition::BadFormat, "not a stream header"));
        }
        if !self.content.allows_default(self.scope.resolve(None)?) {
            return Err(StreamError::with_text(Condition::InvalidNamespace, "not the content namespace"));
        }
        self.stage = Stage::Opened;
        self.settle();
        let value = |name: &str| head.attributes.get(Namespace::none(), name).cloned();
        Ok(Event::Open(StreamHeader {
            to: value("to"),
            from: value("from"),
            id: value("id"),
            version: value("version"),
            lang: head.attributes.get(Namespace::xml(), "lang").cloned(),
        }))
    }

    fn push(&mut self, head: Head) -> Result<(), StreamError> {
        let place = self.open.last().map_or(Place::FirstLevel, |parent| parent.below);
        let (prefix, name) = head.name;
        let namespace = self.scope.resolve(prefix.as_ref())?;
        self.content.demand_name(name.as_str())?;
        let in_content = self.content.holds(namespace, place)?;
        let namespace = if in_content { ns::CLIENT } else { namespace.as_str() };
        let mut element = Element::bare(name.as_str(), namespace);
        *element.attrs_mut() = head.attributes;
        let below = if in_content { Place::InContent } else { Place::Foreign };
        self.open.push(Open { element, below, mark: head.mark });
        Ok(())
    }

    fn leave(&mut self) -> Option<Event> {
        let Some(done) = self.open.pop() else {
            self.stage = Stage::Closed;
            return Some(Event::Close);
        };
        self.scope.unwind(done.mark);
        if let Some(parent) = self.open.last_mut() {
            parent.element.append_child(done.element);
            return None;
        }
        let bytes = self.bytes;
        self.settle();
        Some(Event::Element(done.element, bytes))
    }

    /// Back between stanzas.
    fn settle(&mut self) {
        self.fresh = true;
        self.bytes = 0;
        self.elements = 0;
    }

    fn text(&mut self, text: String) -> Result<(), StreamError> {
        // Outside of a stanza only a CDATA section gets here.
        let parent = self.open.last_mut().ok_or(TEXT_BETWEEN)?;
        parent.element.append_text(text);
        Ok(())
    }
}

const TEXT_BETWEEN: StreamError = StreamError::with_text(Condition::BadFormat, "text between stanzas");

fn parser() -> RawParser {
    WithOptions::with_options(Options { max_token_length: MAX_TOKEN, ..Options::default() })
}

fn within(value: usize, limit: usize, what: &'static str) -> Result<(), StreamError> {
    if value > limit { Err(StreamError::policy(what)) } else { Ok(()) }
}

fn insert(content: Content, attributes: &mut AttrMap, name: QName, value: String) -> Result<(), StreamError> {
    let (namespace, name) = name;
    content.demand_name(name.as_str())?;
    match attributes.insert(namespace, name, value) {
        None => Ok(()),
        Some(_) => Err(StreamError::malformed("duplicate attribute")),
    }
}
