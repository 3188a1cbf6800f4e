//! Elements to bytes.
//!
//! The default namespace of a stream is its content namespace, and stanzas are `jabber:client` inside this server; so an
//! element is written relative to `jabber:client` and the bytes fit a `jabber:server` stream unchanged. minidom's own
//! writer is not used: it recurses, is six times slower and panics on some prefixes.
//!
//! Whatever an [`Element`] holds, the output is read by everybody: characters that XML cannot carry become U+FFFD, and
//! what has a name or namespace that some parser refuses (`portable`) is left out. From a client such a thing never
//! comes so far; from another server it might, and must cost neither that link nor the recipient's stream.
mod escape;

use std::io::Write as _;

use minidom::element::Nodes;
use minidom::{Element, Node};
use rxml::{AttrMap, XMLNS_XML, XMLNS_XMLNS};

use crate::content::Content;
use crate::error::StreamError;
use crate::ns;
use crate::portable::{is_name, is_namespace};

pub use escape::{attribute_value, text};

/// The attributes of a stream header of ours (RFC 6120 4.7).
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The kind of stream.
    pub content: Content,
    /// Our host.
    pub from: &'a str,
    /// The peer, as far as it is known.
    pub to: Option<&'a str>,
    /// The stream id; the receiving side sets it.
    pub id: Option<&'a str>,
    /// The stream's language.
    pub lang: &'a str,
}

/// The XML declaration and the start tag of a stream.
pub fn open(out: &mut Vec<u8>, header: &Header<'_>) {
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
    attribute(out, "xmlns", header.content.namespace());
    attribute(out, "xmlns:stream", ns::STREAM);
    if header.content == Content::Server {
        attribute(out, "xmlns:db", ns::DIALBACK);
    }
    attribute(out, "from", header.from);
    for (name, value) in [("to", header.to), ("id", header.id)] {
        if let Some(value) = value {
            attribute(out, name, value);
        }
    }
    attribute(out, "version", "1.0");
    attribute(out, "xml:lang", header.lang);
    out.push(b'>');
}

/// A stream error (RFC 6120 4.9.2); [`close`] must follow.
pub fn error(out: &mut Vec<u8>, error: &StreamError) {
    out.extend_from_slice(b"<stream:error><");
    out.extend_from_slice(error.condition.name().as_bytes());
    attribute(out, "xmlns", ns::STREAM_ERROR);
    out.extend_from_slice(b"/>");
    if let Some(explanation) = &error.text {
        out.extend_from_slice(b"<text");
        attribute(out, "xmlns", ns::STREAM_ERROR);
        attribute(out, "xml:lang", "en");
        out.push(b'>');
        text(out, explanation);
        out.extend_from_slice(b"</text>");
    }
    if let Some(application) = &error.application {
        element(out, application, ns::CLIENT);
    }
    out.extend_from_slice(b"</stream:error>");
}

/// The end tag of a stream.
pub fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"</stream:stream>");
}

/// ` name='value'`, the value escaped. The name is taken as it is.
pub fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    attribute_value(out, value);
    out.push(b'\'');
}

/// A child of the stream: a stanza, or one of the stream's own elements, which are written with the prefixes that
/// [`open`] declares (peers exist that look for the literal `stream:features` and `db:result`).
pub fn first_level(out: &mut Vec<u8>, content: Content, element: &Element) {
    let prefix = if element.has_ns(ns::STREAM) {
        "stream:"
    } else if content == Content::Server && element.has_ns(ns::DIALBACK) {
        "db:"
    } else {
        ""
    };
    Walk::new(out, ns::CLIENT).whole(element, prefix);
}

/// An element, where `default` is the default namespace at that point of the document.
pub fn element(out: &mut Vec<u8>, element: &Element, default: &str) {
    Walk::new(out, default).whole(element, "");
}

/// All of an element behind the attributes of its start tag: `/>`, or `>`, the children and the end tag. `default` is
/// the default namespace inside. For whoever writes start tags of his own.
pub fn tail(out: &mut Vec<u8>, element: &Element, default: &str) {
    let mut walk = Walk::new(out, default);
    walk.body(element, "", Declared::No);
    walk.run();
}

/// The attributes of an element, each with a blank before it. Prefixes other than `xml` are made up and declared.
pub fn attributes(out: &mut Vec<u8>, attributes: &AttrMap) {
    let mut previous = "";
    let mut count = 0_usize;
    for ((namespace, name), value) in attributes {
        match namespace.as_str() {
            _ if !is_name(name.as_str()) => continue,
            "" if *name == "xmlns" => continue,
            "" => {
                attribute(out, name.as_str(), value);
                continue;
            }
            XMLNS_XMLNS => continue,
            XMLNS_XML => out.extend_from_slice(b" xml:"),
            other if !is_namespace(other) => continue,
            other => {
                if other != previous {
                    previous = other;
                    count = count.saturating_add(1);
                    let _ = write!(out, " xmlns:n{count}='");
                    attribute_value(out, other);
                    out.push(b'\'');
                }
                let _ = write!(out, " n{count}:");
            }
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"='");
        attribute_value(out, value);
        out.push(b'\'');
    }
}

/// The default namespace below an element written with a prefix: equal to none, so that each child names its own. An
/// element that inherited the stream's would change its meaning between the two kinds of stream.
const UNKNOWN: &str = "\0";

/// Did an element change the default namespace?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declared {
    Yes,
    No,
}

struct Frame<'e> {
    name: &'e str,
    prefix: &'static str,
    nodes: Nodes<'e>,
    declared: Declared,
}

/// Walks over a tree with a stack of its own.
struct Walk<'e, 'o> {
    out: &'o mut Vec<u8>,
    outer: &'e str,
    defaults: Vec<String>,
    frames: Vec<Frame<'e>>,
}

impl<'e, 'o> Walk<'e, 'o> {
    fn new(out: &'o mut Vec<u8>, outer: &'e str) -> Self {
        Self { out, outer, defaults: Vec::new(), frames: Vec::with_capacity(6) }
    }

    fn whole(&mut self, element: &'e Element, prefix: &'static str) {
        self.start(element, prefix);
        self.run();
    }

    fn run(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            match frame.nodes.next() {
                Some(Node::Text(content)) => text(self.out, content),
                Some(Node::Element(child)) => self.start(child, ""),
                None => self.end(),
            }
        }
    }

    fn start(&mut self, element: &'e Element, prefix: &'static str) {
        let default = self.defaults.last().map_or(self.outer, String::as_str);
        let (prefix, declare) = if !prefix.is_empty() || element.has_ns(default) {
            (prefix, None)
        } else {
            match element.ns() {
                xml if xml == XMLNS_XML => ("xml:", None),
                reserved if reserved == XMLNS_XMLNS => return,
                other if !is_namespace(&other) => return,
                other => ("", Some(other)),
            }
        };
        if !is_name(element.name()) {
            return;
        }
        self.out.push(b'<');
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(element.name().as_bytes());
        if let Some(namespace) = &declare {
            attribute(self.out, "xmlns", namespace);
        }
        attributes(self.out, element.attrs());
        let below = declare.or_else(|| (!prefix.is_empty()).then(|| UNKNOWN.to_owned()));
        let declared = if below.is_some() { Declared::Yes } else { Declared::No };
        self.defaults.extend(below);
        self.body(element, prefix, declared);
    }

    fn body(&mut self, element: &'e Element, prefix: &'static str, declared: Declared) {
        let nodes = element.nodes();
        if nodes.len() == 0 {
            self.out.extend_from_slice(b"/>");
            self.forget(declared);
            return;
        }
        self.out.push(b'>');
        self.frames.push(Frame { name: element.name(), prefix, nodes, declared });
    }

    fn end(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(frame.prefix.as_bytes());
        self.out.extend_from_slice(frame.name.as_bytes());
        self.out.push(b'>');
        self.forget(frame.declared);
    }

    fn forget(&mut self, declared: Declared) {
        if declared == Declared::Yes {
            self.defaults.pop();
        }
    }
}
