//! The two content namespaces, handled here and nowhere else (RFC 6120 4.8.2, 4.8.3).
//!
//! A stanza and its children in the same namespace form the *content*; what stands below a foreign element (such as
//! `<forwarded/>`) keeps the namespace it was sent with. Inside the content both namespaces are read as `jabber:client`:
//! a `jabber:server` body on a client stream would otherwise pass every filter here and become a real body at the next
//! server.
use crate::error::{Condition, StreamError};
use crate::ns;
use crate::portable;

/// Which content namespace a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `jabber:client`
    Client,
    /// `jabber:server`
    Server,
}

/// Where an element stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A direct child of the stream.
    FirstLevel,
    /// Below an element of the content.
    InContent,
    /// Below a foreign element.
    Foreign,
}

impl Content {
    /// The namespace's name.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Client => ns::CLIENT,
            Self::Server => ns::SERVER,
        }
    }

    /// May a stream header declare this default namespace? Declaring none, or the stream's, is the style where each
    /// stanza names its own (RFC 6120 4.8.2).
    pub(crate) fn allows_default(self, default: &str) -> bool {
        default == self.namespace() || default == ns::STREAM || default.is_empty()
    }

    /// A client is told that a name is one that some parsers refuse. A server is not: a stream error would let each of
    /// its users cut its link; the writer leaves such things out.
    pub(crate) fn demand_name(self, name: &str) -> Result<(), StreamError> {
        self.demand(|| portable::is_name(name), "name that not every XML parser reads")
    }

    /// The same for a namespace, where it is declared.
    pub(crate) fn demand_namespace(self, name: &str) -> Result<(), StreamError> {
        self.demand(|| portable::is_namespace(name), "namespace that not every XML parser reads")
    }

    fn demand(self, portable: impl FnOnce() -> bool, complaint: &'static str) -> Result<(), StreamError> {
        if self == Self::Server || portable() { Ok(()) } else { Err(StreamError::policy(complaint)) }
    }

    /// True if the element belongs to the content and is to be read as `jabber:client`.
    pub(crate) fn holds(self, name: &str, place: Place) -> Result<bool, StreamError> {
        let content = name == ns::CLIENT || name == ns::SERVER;
        match place {
            Place::FirstLevel if content && name != self.namespace() => {
                Err(StreamError::with_text(Condition::InvalidNamespace, "content namespace of another kind of stream"))
            }
            Place::FirstLevel | Place::InContent => Ok(content),
            Place::Foreign => Ok(false),
        }
    }
}
