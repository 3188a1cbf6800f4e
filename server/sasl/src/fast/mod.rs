//! Fast logins by token (XEP-0484 0.2.0): one message, no password, bound to the TLS channel. The mechanisms are those
//! of `draft-schmaus-kitten-sasl-ht` with SHA-256; without a channel binding there is none.
//!
//! Tokens live in memory only (H11): HT needs them whole, and what is not on disk cannot be taken from there.

mod tokens;

pub use tokens::{ClientId, ClientView, Issued, Moment, Redeemed, TokenError, Tokens};

use crate::{BindingType, Bindings, HashFunction, ns};
use jid::NodePart;
use minidom::{Element, rxml::xml_ncname};
use subtle::ConstantTimeEq;
use xso::FromXml;

/// A mechanism for tokens. Those without a channel binding do not exist as values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenMechanism {
    /// `HT-SHA-256-EXPR`: bound to RFC 9266's `tls-exporter`.
    Exporter,
    /// `HT-SHA-256-ENDP`: bound to RFC 5929's `tls-server-end-point`.
    ServerEndPoint,
}

impl TokenMechanism {
    const ALL: [Self; 2] = [Self::Exporter, Self::ServerEndPoint];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exporter => "HT-SHA-256-EXPR",
            Self::ServerEndPoint => "HT-SHA-256-ENDP",
        }
    }
    /// The mechanism of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
    const fn binding(self) -> BindingType {
        match self {
            Self::Exporter => BindingType::TlsExporter,
            Self::ServerEndPoint => BindingType::TlsServerEndPoint,
        }
    }
    /// What a token is bound to on this connection.
    pub(crate) fn data(self, bindings: &Bindings) -> Option<&[u8]> {
        bindings.data(self.binding())
    }
    /// Those that a connection can use.
    pub(crate) fn offered(bindings: &Bindings) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|mechanism| mechanism.data(bindings).is_some())
    }
}

/// The feature (XEP-0484 section 3.1); early data is never taken, so its attribute is absent.
pub(crate) fn feature(bindings: &Bindings) -> Option<Element> {
    let mechanisms: Vec<_> = TokenMechanism::offered(bindings)
        .map(|mechanism| Element::builder("mechanism", ns::FAST).append(mechanism.name()).build())
        .collect();
    (!mechanisms.is_empty()).then(|| Element::builder("fast", ns::FAST).append_all(mechanisms).build())
}

/// A token is presented.
#[derive(Debug)]
pub struct Attempt {
    /// Whose.
    pub username: NodePart,
    /// The client installation that it was issued to.
    pub client: ClientId,
    /// By this mechanism.
    pub mechanism: TokenMechanism,
    /// It grows with every use, where the client counts.
    pub(crate) count: Option<u32>,
    /// It is not to be used any more.
    pub(crate) invalidate: bool,
    pub(crate) proof: Vec<u8>,
    pub(crate) binding: Vec<u8>,
}

impl Attempt {
    /// Does the proof fit this token?
    fn fits(&self, token: &str) -> bool {
        keyed(token, b"Initiator", &self.binding).ct_eq(&self.proof).into()
    }
    fn answer(&self, token: &str) -> Vec<u8> {
        keyed(token, b"Responder", &self.binding).to_vec()
    }
}

fn keyed(token: &str, role: &[u8], binding: &[u8]) -> crate::hash::Secret {
    HashFunction::Sha256.hmac(token.as_bytes(), &[role, binding])
}

/// `<fast/>` of a client that presents a token. A type of our own: that of xmpp-parsers wants a count.
#[derive(Debug, Default, FromXml)]
#[xml(namespace = ns::FAST, name = "fast")]
pub(crate) struct Fast {
    #[xml(attribute(default))]
    pub(crate) count: Option<u32>,
    #[xml(attribute(default))]
    pub(crate) invalidate: bool,
}

/// What a client asks for with `<request-token/>`; `None` for what is not offered on this connection.
#[must_use]
pub fn requested(requests: &[Element], bindings: &Bindings) -> Option<TokenMechanism> {
    let request = requests.iter().find(|request| request.is("request-token", ns::FAST))?;
    let wanted = TokenMechanism::from_name(request.attr(xml_ncname!("mechanism"))?)?;
    TokenMechanism::offered(bindings).find(|offered| *offered == wanted)
}

/// The initial message: the name, a zero byte, the proof.
pub(crate) fn read(message: &[u8]) -> Option<(&str, &[u8])> {
    let at = message.iter().position(|byte| *byte == 0)?;
    let (name, proof) = message.split_at(at);
    Some((str::from_utf8(name).ok()?, proof.get(1..)?))
}
