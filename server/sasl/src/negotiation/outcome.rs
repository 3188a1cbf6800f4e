//! What a [`Negotiation`](crate::Negotiation) asks of its caller.

use jid::{Jid, NodePart};
use minidom::Element;

use super::UserAgent;
use crate::{Attempt, Bind2Request, ClientKey, Condition, Mechanism, TokenMechanism, ns, xml};

/// The profile that a client chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// RFC 6120 section 6: the stream restarts after success.
    Sasl1,
    /// XEP-0388: success is followed by features, without a restart.
    Sasl2,
}

impl Flavour {
    /// The element that starts an exchange.
    pub(crate) const fn opener(self) -> &'static str {
        match self {
            Self::Sasl1 => "auth",
            Self::Sasl2 => "authenticate",
        }
    }
}

/// The next thing to do.
#[derive(Debug)]
pub enum Action {
    /// Send this and go on reading.
    Send(Element),
    /// Ask the throttle, then the store, for this account; answer with
    /// [`credentials`](crate::Negotiation::credentials) or [`throttled`](crate::Negotiation::throttled).
    Lookup(Lookup),
    /// Ask the throttle, then see whether this token is one; answer with [`redeemed`](crate::Negotiation::redeemed) or
    /// [`throttled`](crate::Negotiation::throttled).
    Token(Box<Attempt>),
    /// The client is who it says. Tell the throttle, bind what is asked for, send [`Authenticated::success`].
    Authenticated(Box<Authenticated>),
    /// Send the failure; close the stream if it says so.
    Fail(Box<Failed>),
    /// Close the stream with this error.
    Close(StreamFault),
}

/// An account to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The prepared localpart. A name that no account can have is replaced by one that no account has, so that the
    /// look-up takes as long.
    pub username: NodePart,
}

/// An attempt that failed.
#[derive(Debug)]
pub struct Failed {
    /// The `<failure/>`.
    pub send: Element,
    /// Its condition, for metrics.
    pub condition: Condition,
    /// The account whose password was guessed wrong, existing or not: one for the throttle.
    pub guessed: Option<NodePart>,
    /// The stream is to be closed with this error behind the failure (RFC 6120 section 6.4.5).
    pub close: Option<StreamFault>,
}

/// The stream error to close with (RFC 6120 section 4.9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamFault {
    /// A stanza or another element before authentication.
    NotAuthorized,
    /// Too many attempts, or something other than SASL2 inside a SASL2 exchange.
    PolicyViolation,
    /// The caller and this state machine disagree.
    InternalServerError,
}

impl StreamFault {
    /// The condition's element name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAuthorized => "not-authorized",
            Self::PolicyViolation => "policy-violation",
            Self::InternalServerError => "internal-server-error",
        }
    }
}

/// How a client has proven itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the password.
    Password(Mechanism),
    /// By a token; with the mechanism of the one that is to take its place, when it is time.
    Token(Option<TokenMechanism>),
}

/// A client that has proven itself.
#[derive(Debug)]
pub struct Authenticated {
    /// The account.
    pub username: NodePart,
    /// How.
    pub method: Method,
    /// What can open a sealed archive, where the password was used; drop it where there is none.
    pub client_key: Option<ClientKey>,
    /// The profile.
    pub flavour: Flavour,
    /// The client installation, in SASL2.
    pub user_agent: Option<UserAgent>,
    /// Wants a resource now, in SASL2.
    pub bind: Option<Bind2Request>,
    /// Other requests inside SASL2's `<authenticate/>`, known or not, in the client's order. To be done before `bind`.
    pub inline: Vec<Element>,
    pub(super) server_final: Vec<u8>,
}

/// The answers to a SASL2 client's requests.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The bare JID, or the full one if a resource is bound.
    pub identity: Jid,
    /// The contents of `<bound/>`, if a resource was bound by Bind 2.
    pub bound: Option<Vec<Element>>,
    /// Answers to [`Authenticated::inline`], such as `<resumed/>`.
    pub inline: Vec<Element>,
}

impl Authenticated {
    /// The `<success/>`. SASL1 has no room for `granted`; behind it the stream restarts.
    pub fn success(&self, granted: Granted) -> Element {
        match self.flavour {
            Flavour::Sasl1 => xml::success1(&self.server_final),
            Flavour::Sasl2 => {
                let bound = granted.bound.map(|bound| Element::builder("bound", ns::BIND2).append_all(bound).build());
                let inline = granted.inline.into_iter().chain(bound).collect();
                xml::success2(&self.server_final, granted.identity.as_str(), inline)
            }
        }
    }
}
