//! Stanza errors (RFC 6120 section 8.3). The peer reads a condition; causes go to the log, never to the peer (H42).

use minidom::Element;
use rxml::xml_ncname;
pub use xmpp_parsers::stanza_error::{DefinedCondition as Condition, ErrorType};

/// Namespace of the defined conditions.
pub const NS_STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// A stanza error on its way to the one who sent the stanza.
#[derive(Clone, Debug, PartialEq)]
pub struct StanzaError {
    /// What the sender may do about it.
    pub kind: ErrorType,
    /// The defined condition.
    pub condition: Condition,
    /// Text of the server's own, in English.
    pub text: Option<&'static str>,
    /// Application-specific condition.
    pub application: Option<Box<Element>>,
}

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident => $kind:ident $condition:ident;)*) => {
        impl StanzaError {
            $($(#[$doc])* #[must_use] pub fn $name() -> Self { Self::new(ErrorType::$kind, Condition::$condition) })*
        }
    };
}

conditions! {
    /// Malformed or incomplete request.
    bad_request => Modify BadRequest;
    /// A resource or name is taken.
    conflict => Cancel Conflict;
    /// Known to the protocol, not offered here.
    feature_not_implemented => Cancel FeatureNotImplemented;
    /// The sender lacks the right.
    forbidden => Auth Forbidden;
    /// Something failed on this side.
    internal_server_error => Cancel InternalServerError;
    /// The thing asked for is not there.
    item_not_found => Cancel ItemNotFound;
    /// An address cannot be parsed.
    jid_malformed => Modify JidMalformed;
    /// Understood, but outside of what is accepted here.
    not_acceptable => Modify NotAcceptable;
    /// Nobody may do that.
    not_allowed => Cancel NotAllowed;
    /// Against this server's policy.
    policy_violation => Modify PolicyViolation;
    /// Too much for now.
    resource_constraint => Wait ResourceConstraint;
    /// No such server, or none that proves who it is.
    remote_server_not_found => Cancel RemoteServerNotFound;
    /// The peer did not answer in time.
    remote_server_timeout => Wait RemoteServerTimeout;
    /// Nobody offers this here; also the answer that says nothing (H49).
    service_unavailable => Cancel ServiceUnavailable;
    /// Storage is unavailable for the moment.
    try_later => Wait InternalServerError;
}

impl StanzaError {
    /// An error with this type and condition.
    #[must_use]
    pub fn new(kind: ErrorType, condition: Condition) -> Self {
        Self { kind, condition, text: None, application: None }
    }
    /// The same with a text in English.
    #[must_use]
    pub fn with_text(mut self, text: &'static str) -> Self {
        self.text = Some(text);
        self
    }
    /// The same with an application-specific condition.
    #[must_use]
    pub fn with_application(mut self, element: Element) -> Self {
        self.application = Some(Box::new(element));
        self
    }
    /// Reads an `<error/>`: type and condition; what is unknown is `undefined-condition`.
    #[must_use]
    pub fn read(error: &Element) -> Self {
        match xmpp_parsers::stanza_error::StanzaError::try_from(error.clone()) {
            Ok(error) => Self::new(error.type_, error.defined_condition),
            Err(_) => Self::new(ErrorType::Cancel, Condition::UndefinedCondition),
        }
    }
    /// The `<error/>` child of a stanza in `jabber:client`.
    #[must_use]
    pub fn element(&self) -> Element {
        let kind = match self.kind {
            ErrorType::Auth => "auth",
            ErrorType::Cancel => "cancel",
            ErrorType::Continue => "continue",
            ErrorType::Modify => "modify",
            ErrorType::Wait => "wait",
        };
        let mut error = Element::builder("error", crate::ns::CLIENT)
            .attr(xml_ncname!("type").to_owned(), kind)
            .append(Element::bare(condition_name(&self.condition), NS_STANZAS))
            .build();
        if let Some(text) = self.text {
            let lang = rxml::Namespace::XML.clone();
            let mut node = Element::builder("text", NS_STANZAS).append(text).build();
            node.set_attr(lang, xml_ncname!("lang").to_owned(), "en");
            error.append_child(node);
        }
        if let Some(application) = &self.application {
            error.append_child((**application).clone());
        }
        error
    }
}

impl From<crate::store::StoreError> for StanzaError {
    fn from(error: crate::store::StoreError) -> Self {
        use crate::store::StoreError as S;
        match error {
            S::Busy => Self::resource_constraint(),
            S::Limit(_) => Self::resource_constraint(),
            S::Unavailable(_) | S::Corrupt(_) => Self::try_later(),
        }
    }
}

/// The element name of a condition.
#[must_use]
pub fn condition_name(condition: &Condition) -> &'static str {
    match condition {
        Condition::BadRequest => "bad-request",
        Condition::Conflict => "conflict",
        Condition::FeatureNotImplemented => "feature-not-implemented",
        Condition::Forbidden => "forbidden",
        Condition::Gone { .. } => "gone",
        Condition::InternalServerError => "internal-server-error",
        Condition::ItemNotFound => "item-not-found",
        Condition::JidMalformed => "jid-malformed",
        Condition::NotAcceptable => "not-acceptable",
        Condition::NotAllowed => "not-allowed",
        Condition::NotAuthorized => "not-authorized",
        Condition::PolicyViolation => "policy-violation",
        Condition::RecipientUnavailable => "recipient-unavailable",
        Condition::Redirect { .. } => "redirect",
        Condition::RegistrationRequired => "registration-required",
        Condition::RemoteServerNotFound => "remote-server-not-found",
        Condition::RemoteServerTimeout => "remote-server-timeout",
        Condition::ResourceConstraint => "resource-constraint",
        Condition::ServiceUnavailable => "service-unavailable",
        Condition::SubscriptionRequired => "subscription-required",
        Condition::UndefinedCondition => "undefined-condition",
        Condition::UnexpectedRequest => "unexpected-request",
    }
}
