//! One stream, from the end of TLS to the login: features out, elements in, [`Action`]s out.
//!
//! The two profiles take disorder differently, as their texts say: an element out of place inside RFC 6120's SASL fails
//! the exchange, inside a SASL2 exchange it ends the stream (XEP-0388 section 2.4).

mod features;
mod outcome;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use jid::{BareJid, NodePart};
use minidom::Element;

pub use outcome::{Action, Authenticated, Failed, Flavour, Granted, Lookup, Method, StreamFault};
pub use request::UserAgent;

use crate::{
    Bindings, Claim, Condition, Credentials, Entropy, Host, Mechanism, Redeemed, TlsVersion, TokenError, TokenOffer,
    entropy::random,
    offer,
    scram::{self, Account, Challenged, Opening, ScramError, Terms},
    xml,
};
use request::{Request, TokenRequest};

/// Random bytes in our half of the nonce.
const NONCE_LEN: usize = 18;

/// What is known of the connection once TLS stands; without it there is no authentication.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The TLS version.
    pub tls: TlsVersion,
    /// The channel bindings.
    pub bindings: Bindings,
    /// The account in the stream header's `from`, if that is a bare JID of this host.
    pub claim: Option<Claim>,
}

/// The state machine.
pub struct Negotiation {
    host: Arc<Host>,
    connection: Connection,
    offered: Vec<Mechanism>,
    failures: u8,
    state: State,
}

enum State {
    /// Nothing runs.
    Idle,
    /// `<auth/>` came without data: SCRAM's first message is awaited.
    Begun(Box<Request>),
    /// The caller looks up the keys.
    LookingUp(Box<Pending>),
    /// The caller looks whether a token is right.
    Redeeming(Box<TokenRequest>),
    /// The proof is awaited.
    Challenged(Box<Request>, Box<Challenged>),
    /// Authenticated, or the stream is to be closed.
    Done,
}

struct Pending {
    request: Request,
    opening: Opening,
    /// The prepared name, or `None` where the client's cannot be the name of any account.
    username: Option<NodePart>,
    looked_up: NodePart,
}

impl Negotiation {
    /// For a stream whose features have not been sent.
    pub fn new(host: Arc<Host>, connection: Connection) -> Self {
        let offered = offer(connection.claim.as_ref(), &host, &connection.bindings);
        Self { host, connection, offered, failures: 0, state: State::Idle }
    }

    /// The mechanisms of this stream.
    pub fn offered(&self) -> &[Mechanism] {
        &self.offered
    }

    /// `<stream:features/>`; the caller may append to it.
    pub fn features(&self) -> Element {
        features::features(&self.offered, &self.connection.bindings, &self.host.inline)
    }

    /// Takes the next element of the stream. Not to be called between [`Action::Lookup`] and its answer.
    pub fn receive(&mut self, element: Element) -> Action {
        let flavour = Flavour::of(&element);
        let state = core::mem::replace(&mut self.state, State::Idle);
        if matches!(state, State::Done) {
            return self.close(StreamFault::PolicyViolation);
        }
        let (Some(flavour), running) = (flavour, state.flavour()) else {
            return self.out_of_place(state.flavour());
        };
        if running.is_some_and(|running| running != flavour) {
            return self.out_of_place(running);
        }
        match (state, element.name()) {
            (State::Idle, name) if name == flavour.opener() => self.begin(flavour, element),
            (State::Begun(request), "response") => self.first(*request, &element),
            (State::Challenged(request, challenged), "response") => self.last(*request, *challenged, &element),
            (State::Idle | State::Begun(_) | State::Challenged(..), "abort") => self.fail(flavour, Condition::Aborted),
            (State::Idle, _) => self.fail(flavour, Condition::MalformedRequest),
            _ if flavour == Flavour::Sasl2 => self.out_of_place(Some(flavour)),
            _ => self.fail(flavour, Condition::MalformedRequest),
        }
    }

    /// Answers [`Action::Lookup`]: the account's keys, or `None`.
    pub fn credentials(&mut self, found: Option<Credentials>, entropy: &dyn Entropy) -> Action {
        let State::LookingUp(pending) = core::mem::replace(&mut self.state, State::Idle) else {
            return self.close(StreamFault::InternalServerError);
        };
        let Pending { request, opening, username, looked_up } = *pending;
        let hash = request.mechanism.hash();
        // The decoy is always computed: an account that exists must not be the faster one.
        let name = username.as_ref().map_or(opening.username.as_str(), |username| username.as_str());
        let decoy = self.host.decoy.keys(&self.host.domain, name, hash, &self.host.facts);
        let real = found.filter(|_| username.is_some()).and_then(|found| found.keys(hash).cloned());
        let (keys, account) = real.map_or((decoy, Account::Decoy), |keys| (keys, Account::Real));
        let nonce = BASE64_STANDARD.encode(random::<NONCE_LEN>(entropy));
        let extensions = scram::extensions(hash, &self.offered, &self.connection.bindings, self.connection.tls);
        let (message, challenged) = opening.challenge(keys, account, &nonce, &extensions);
        let flavour = request.flavour;
        self.state = State::Challenged(Box::new(request.of(looked_up)), Box::new(challenged));
        Action::Send(xml::challenge(flavour, &message))
    }

    /// Answers [`Action::Token`].
    pub fn redeemed(&mut self, outcome: Result<Redeemed, TokenError>) -> Action {
        let State::Redeeming(request) = core::mem::replace(&mut self.state, State::Idle) else {
            return self.close(StreamFault::InternalServerError);
        };
        match outcome {
            Ok(redeemed) => {
                self.state = State::Done;
                Action::Authenticated(Box::new(request.authenticated(redeemed)))
            }
            Err(TokenError::Expired) => self.fail(Flavour::Sasl2, Condition::CredentialsExpired),
            Err(TokenError::Wrong) => self.failed(Flavour::Sasl2, Condition::NotAuthorized, None, Some(request.username)),
        }
    }

    /// Answers [`Action::Lookup`] or [`Action::Token`] with "not now": the throttle refuses, or the store cannot be read.
    pub fn throttled(&mut self) -> Action {
        match core::mem::replace(&mut self.state, State::Idle) {
            State::LookingUp(pending) => self.fail(pending.request.flavour, Condition::TemporaryAuthFailure),
            State::Redeeming(_) => self.fail(Flavour::Sasl2, Condition::TemporaryAuthFailure),
            _ => self.close(StreamFault::InternalServerError),
        }
    }

    fn begin(&mut self, flavour: Flavour, element: Element) -> Action {
        let tokens = flavour == Flavour::Sasl2 && self.host.inline.tokens == TokenOffer::On;
        match TokenRequest::parse(&element, &self.connection.bindings).filter(|_| tokens) {
            Some(Ok((request, attempt))) => {
                self.state = State::Redeeming(Box::new(request));
                return Action::Token(Box::new(attempt));
            }
            Some(Err(condition)) => return self.fail(flavour, condition),
            None => {}
        }
        let (request, initial) = match Request::parse(flavour, element, &self.offered) {
            Ok(parsed) => parsed,
            Err(condition) => return self.fail(flavour, condition),
        };
        match initial {
            Some(message) => self.open(request, &message),
            None => {
                self.state = State::Begun(Box::new(request));
                Action::Send(xml::challenge(flavour, ""))
            }
        }
    }

    fn first(&mut self, request: Request, element: &Element) -> Action {
        match xml::decode(request.flavour, &element.text()) {
            Some(message) => self.open(request, &message),
            None => self.fail(request.flavour, Condition::IncorrectEncoding),
        }
    }

    fn open(&mut self, request: Request, message: &[u8]) -> Action {
        let terms = Terms { offered: &self.offered, bindings: &self.connection.bindings };
        let opening = match Opening::read(request.mechanism, message, &terms) {
            Ok(opening) => opening,
            Err(error) => return self.fail_scram(request.flavour, error, None),
        };
        let username = NodePart::new(&opening.username).ok().map(|name| name.into_owned());
        if !self.may_act_as(opening.authzid.as_deref(), username.as_ref()) {
            return self.fail(request.flavour, Condition::InvalidAuthzid);
        }
        let looked_up = username.clone().or_else(|| self.host.decoy.nobody(&self.host.domain, &opening.username));
        let Some(looked_up) = looked_up else {
            return self.fail(request.flavour, Condition::MalformedRequest);
        };
        let lookup = Lookup { username: looked_up.clone() };
        self.state = State::LookingUp(Box::new(Pending { request, opening, username, looked_up }));
        Action::Lookup(lookup)
    }

    /// H41; XEP-0388 section 2.3 adds that the stream header must agree.
    fn may_act_as(&self, authzid: Option<&str>, username: Option<&NodePart>) -> bool {
        let Some(authzid) = authzid else {
            return true;
        };
        let own = username.map(|username| BareJid::from_parts(Some(username), &self.host.domain));
        let claimed = self.connection.claim.as_ref().map(|claim| &claim.username);
        own.is_some_and(|own| BareJid::new(authzid).is_ok_and(|wanted| wanted == own))
            && claimed.is_none_or(|claimed| Some(claimed) == username)
    }

    fn last(&mut self, request: Request, challenged: Challenged, element: &Element) -> Action {
        let flavour = request.flavour;
        let Some(message) = xml::decode(flavour, &element.text()) else {
            return self.fail(flavour, Condition::IncorrectEncoding);
        };
        match challenged.verify(&message) {
            Ok(proven) => match request.authenticated(proven) {
                Some(authenticated) => {
                    self.state = State::Done;
                    Action::Authenticated(Box::new(authenticated))
                }
                None => self.close(StreamFault::InternalServerError),
            },
            Err(error) => self.fail_scram(flavour, error, request.username),
        }
    }

    fn fail_scram(&mut self, flavour: Flavour, error: ScramError, username: Option<NodePart>) -> Action {
        let guessed = username.filter(|_| error == ScramError::WrongProof);
        self.failed(flavour, error.condition(), error.text(), guessed)
    }

    fn fail(&mut self, flavour: Flavour, condition: Condition) -> Action {
        self.failed(flavour, condition, None, None)
    }

    fn failed(&mut self, flavour: Flavour, condition: Condition, text: Option<String>, guessed: Option<NodePart>) -> Action {
        self.failures = self.failures.saturating_add(1);
        let close = (self.failures >= self.host.max_failures).then_some(StreamFault::PolicyViolation);
        self.state = if close.is_some() { State::Done } else { State::Idle };
        Action::Fail(Box::new(Failed { send: xml::failure(flavour, condition, text), condition, guessed, close }))
    }

    /// RFC 6120 section 4.9.3.12 outside an exchange.
    fn out_of_place(&mut self, running: Option<Flavour>) -> Action {
        match running {
            Some(Flavour::Sasl2) => self.close(StreamFault::PolicyViolation),
            _ => self.close(StreamFault::NotAuthorized),
        }
    }

    fn close(&mut self, fault: StreamFault) -> Action {
        self.state = State::Done;
        Action::Close(fault)
    }
}

impl State {
    /// The profile of the exchange under way.
    fn flavour(&self) -> Option<Flavour> {
        match self {
            Self::Idle | Self::Done => None,
            Self::Begun(request) | Self::Challenged(request, _) => Some(request.flavour),
            Self::LookingUp(pending) => Some(pending.request.flavour),
            Self::Redeeming(_) => Some(Flavour::Sasl2),
        }
    }
}
