//! The stream layer without I/O: bytes become elements, elements become bytes (RFC 6120 sections 4 and 11).
//!
//! Three things surprise here.
//! * The parser under [`Reader`] is rxml's *raw* one. Only there is it visible which default namespace a stream header
//!   declares, and each attribute can be counted as it is read; so namespaces are resolved in this crate (`scope`).
//! * Stanzas of a `jabber:server` stream come out as `jabber:client`, and [`write`] never names a content namespace that
//!   is the stream's own: the same bytes are right on both kinds of stream. [`Content`] is the only place that knows.
//! * Nothing in here recurses over what a peer sent, and every count has a bound in [`Limits`] that is checked while
//!   reading.
#![forbid(unsafe_code)]

mod content;
mod error;
mod header;
mod limits;
mod portable;
mod reader;
mod scope;
pub mod write;

pub use content::Content;
pub use error::{Condition, StreamError};
pub use header::{CheckedHeader, StreamHeader};
pub use limits::Limits;
pub use reader::{Event, Reader};

/// The XML namespaces of the stream layer.
pub mod ns {
    /// The content namespace between client and server (RFC 6120 4.8.3), and of every stanza inside this server.
    pub const CLIENT: &str = "jabber:client";
    /// The content namespace between servers (RFC 6120 4.8.3).
    pub const SERVER: &str = "jabber:server";
    /// Server Dialback (XEP-0220), written with the prefix `db`.
    pub const DIALBACK: &str = "jabber:server:dialback";
    /// The stream itself (RFC 6120 4.8.1), written with the prefix `stream`.
    pub const STREAM: &str = "http://etherx.jabber.org/streams";
    /// The conditions inside `<stream:error/>` (RFC 6120 4.9.2).
    pub const STREAM_ERROR: &str = "urn:ietf:params:xml:ns:xmpp-streams";
}

#[cfg(test)]
mod tests;
