//! `<auth/>` and `<authenticate/>`, read. Types of our own: those of xmpp-parsers refuse a missing `<user-agent/>` and
//! cannot tell an unknown mechanism from bad XML.

use jid::NodePart;
use minidom::Element;
use xso::FromXml;

use super::{Authenticated, Flavour, Method};
use crate::{
    Attempt, Bind2Request, Bindings, ClientId, Condition, Mechanism, Redeemed, TokenMechanism,
    bind2::MAX_REQUESTS,
    fast::{self, Fast},
    ns,
    scram::Proven,
    xml,
};

/// Longest `<software/>` and `<device/>` that is kept, in characters.
const MAX_DESCRIPTION: usize = 128;

/// The client installation behind a SASL2 login; for its own user's eyes only (XEP-0388 section 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAgent {
    /// A UUID in lower case; anything else was dropped.
    pub id: Option<String>,
    /// The software's name.
    pub software: Option<String>,
    /// The device's name.
    pub device: Option<String>,
}

/// An exchange's frame: everything about it but SCRAM.
pub(super) struct Request {
    pub(super) flavour: Flavour,
    pub(super) mechanism: Mechanism,
    /// Set once the client has named itself.
    pub(super) username: Option<NodePart>,
    user_agent: Option<UserAgent>,
    bind: Option<Bind2Request>,
    inline: Vec<Element>,
}

#[derive(FromXml)]
#[xml(namespace = ns::SASL2, name = "authenticate")]
struct Authenticate {
    #[xml(attribute(default))]
    mechanism: Option<String>,
    #[xml(extract(default, name = "initial-response", fields(text(type_ = String))))]
    initial_response: Option<String>,
    #[xml(child(default))]
    user_agent: Option<Agent>,
    #[xml(element(n = ..))]
    inline: Vec<Element>,
}

#[derive(FromXml)]
#[xml(namespace = ns::SASL2, name = "user-agent", on_unknown_child = Discard)]
struct Agent {
    #[xml(attribute(default))]
    id: Option<String>,
    #[xml(extract(default, fields(text(type_ = String))))]
    software: Option<String>,
    #[xml(extract(default, fields(text(type_ = String))))]
    device: Option<String>,
}

impl Request {
    /// The request and the initial response, if there is one.
    pub(super) fn parse(flavour: Flavour, element: Element, offered: &[Mechanism]) -> Result<(Self, Option<Vec<u8>>), Condition> {
        match flavour {
            Flavour::Sasl1 => Self::parse_auth(&element, offered),
            Flavour::Sasl2 => Self::parse_authenticate(element, offered),
        }
    }

    fn parse_auth(element: &Element, offered: &[Mechanism]) -> Result<(Self, Option<Vec<u8>>), Condition> {
        let request = Self::new(Flavour::Sasl1, mechanism(element.attr("mechanism"), offered)?);
        let text = Some(element.text()).filter(|text| !text.is_empty());
        Ok((request, initial(Flavour::Sasl1, text)?))
    }

    fn parse_authenticate(element: Element, offered: &[Mechanism]) -> Result<(Self, Option<Vec<u8>>), Condition> {
        let parsed = Authenticate::try_from(element).map_err(|_| Condition::MalformedRequest)?;
        let mut request = Self::new(Flavour::Sasl2, mechanism(parsed.mechanism.as_deref(), offered)?);
        (request.bind, request.inline) = requests(parsed.inline)?;
        request.user_agent = parsed.user_agent.map(UserAgent::from);
        Ok((request, initial(Flavour::Sasl2, parsed.initial_response)?))
    }

    const fn new(flavour: Flavour, mechanism: Mechanism) -> Self {
        Self { flavour, mechanism, username: None, user_agent: None, bind: None, inline: Vec::new() }
    }

    pub(super) fn of(self, username: NodePart) -> Self {
        Self { username: Some(username), ..self }
    }

    /// `None` if the client was never named, which cannot be.
    pub(super) fn authenticated(self, proven: Proven) -> Option<Authenticated> {
        Some(Authenticated {
            username: self.username?,
            method: Method::Password(self.mechanism),
            client_key: Some(proven.client_key),
            flavour: self.flavour,
            user_agent: self.user_agent,
            bind: self.bind,
            inline: self.inline,
            server_final: proven.server_final.into_bytes(),
        })
    }
}

/// A login by token that waits for the word on it.
pub(super) struct TokenRequest {
    pub(super) username: NodePart,
    user_agent: Option<UserAgent>,
    bind: Option<Bind2Request>,
    inline: Vec<Element>,
}

impl TokenRequest {
    /// `None`: no login by token, or by none that this connection offers.
    pub(super) fn parse(element: &Element, bindings: &Bindings) -> Option<Result<(Self, Attempt), Condition>> {
        let wanted = TokenMechanism::from_name(element.attr("mechanism")?)?;
        let mechanism = TokenMechanism::offered(bindings).find(|offered| *offered == wanted)?;
        Some(Self::parse_for(mechanism, element.clone(), bindings))
    }

    fn parse_for(mechanism: TokenMechanism, element: Element, bindings: &Bindings) -> Result<(Self, Attempt), Condition> {
        let parsed = Authenticate::try_from(element).map_err(|_| Condition::MalformedRequest)?;
        let (bind, mut inline) = requests(parsed.inline)?;
        let at = inline.iter().position(|request| request.is("fast", ns::FAST)).ok_or(Condition::MalformedRequest)?;
        let fast = Fast::try_from(inline.remove(at)).map_err(|_| Condition::MalformedRequest)?;
        let message = initial(Flavour::Sasl2, parsed.initial_response)?.ok_or(Condition::MalformedRequest)?;
        let (name, proof) = fast::read(&message).ok_or(Condition::MalformedRequest)?;
        // A name that no account can have has no tokens either: the answer is the same, and takes as long.
        let username = NodePart::new(name).map_err(|_| Condition::NotAuthorized)?.into_owned();
        let user_agent = parsed.user_agent.map(UserAgent::from);
        let client = user_agent.as_ref().and_then(|agent| agent.id.clone()).map(ClientId).ok_or(Condition::MalformedRequest)?;
        let binding = mechanism.data(bindings).ok_or(Condition::InvalidMechanism)?.to_vec();
        let Fast { count, invalidate } = fast;
        let attempt =
            Attempt { username: username.clone(), client, mechanism, count, invalidate, proof: proof.to_vec(), binding };
        Ok((Self { username, user_agent, bind, inline }, attempt))
    }

    pub(super) fn authenticated(self, redeemed: Redeemed) -> Authenticated {
        Authenticated {
            username: self.username,
            method: Method::Token(redeemed.replace),
            client_key: None,
            flavour: Flavour::Sasl2,
            user_agent: self.user_agent,
            bind: self.bind,
            inline: self.inline,
            server_final: redeemed.answer,
        }
    }
}

/// What a client asks for besides, `<bind/>` apart.
fn requests(inline: Vec<Element>) -> Result<(Option<Bind2Request>, Vec<Element>), Condition> {
    if inline.len() > MAX_REQUESTS {
        return Err(Condition::MalformedRequest);
    }
    let (bind, inline): (Vec<_>, Vec<_>) = inline.into_iter().partition(|child| child.is("bind", ns::BIND2));
    Ok((only_bind(bind)?, inline))
}

fn mechanism(name: Option<&str>, offered: &[Mechanism]) -> Result<Mechanism, Condition> {
    name.and_then(Mechanism::from_name).filter(|mechanism| offered.contains(mechanism)).ok_or(Condition::InvalidMechanism)
}

fn initial(flavour: Flavour, text: Option<String>) -> Result<Option<Vec<u8>>, Condition> {
    text.map(|text| xml::decode(flavour, &text).ok_or(Condition::IncorrectEncoding)).transpose()
}

fn only_bind(mut binds: Vec<Element>) -> Result<Option<Bind2Request>, Condition> {
    let Some(bind) = binds.pop() else {
        return Ok(None);
    };
    let parsed = Bind2Request::parse(bind).filter(|_| binds.is_empty());
    parsed.map(Some).ok_or(Condition::MalformedRequest)
}

impl From<Agent> for UserAgent {
    fn from(agent: Agent) -> Self {
        let short = |text: Option<String>| {
            text.map(|text| text.chars().take(MAX_DESCRIPTION).collect::<String>()).filter(|text| !text.is_empty())
        };
        Self {
            id: agent.id.filter(|id| is_uuid(id)).map(|id| id.to_ascii_lowercase()),
            software: short(agent.software),
            device: short(agent.device),
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
