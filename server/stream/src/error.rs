//! Stream errors (RFC 6120 4.9).
//!
//! `see-other-host` is missing on purpose: this server never redirects, and what cannot be named cannot be sent.
//! `xml-not-well-formed`, the name of RFC 3920, is missing because it is obsolete.
use std::borrow::Cow;

use minidom::Element;
use rxml::Error as XmlError;

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident = $wire:literal,)*) => {
        /// The defined conditions (RFC 6120 4.9.3).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Condition { $($(#[$doc])* $name,)* }

        impl Condition {
            /// The condition's element name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $wire,)* }
            }

            /// The condition with this element name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($wire => Some(Self::$name),)* _ => None }
            }
        }
    };
}

conditions! {
    /// XML that cannot be processed, and no more exact condition.
    BadFormat = "bad-format",
    /// A prefix that is not supported.
    BadNamespacePrefix = "bad-namespace-prefix",
    /// A newer stream took this one's place.
    Conflict = "conflict",
    /// The peer no longer answers.
    ConnectionTimeout = "connection-timeout",
    /// A host that was served here and is no longer.
    HostGone = "host-gone",
    /// A host that is not served here.
    HostUnknown = "host-unknown",
    /// An address that is missing or malformed.
    ImproperAddressing = "improper-addressing",
    /// Our fault.
    InternalServerError = "internal-server-error",
    /// A `from` that was not negotiated.
    InvalidFrom = "invalid-from",
    /// The wrong stream or content namespace.
    InvalidNamespace = "invalid-namespace",
    /// XML that a schema refuses.
    InvalidXml = "invalid-xml",
    /// Data before authentication, or an action that is not permitted.
    NotAuthorized = "not-authorized",
    /// Not well-formed XML, namespaces included (RFC 6120 11.3).
    NotWellFormed = "not-well-formed",
    /// A local rule, such as a size limit.
    PolicyViolation = "policy-violation",
    /// Another server that is needed cannot be reached.
    RemoteConnectionFailed = "remote-connection-failed",
    /// New features or keys: please come again.
    Reset = "reset",
    /// We lack resources.
    ResourceConstraint = "resource-constraint",
    /// A comment, processing instruction, DTD or entity reference (RFC 6120 11.1).
    RestrictedXml = "restricted-xml",
    /// The server is going down.
    SystemShutdown = "system-shutdown",
    /// Something else, explained by an application-specific element.
    UndefinedCondition = "undefined-condition",
    /// Not UTF-8, by declaration or in fact (RFC 6120 4.9.3.22, 11.6).
    UnsupportedEncoding = "unsupported-encoding",
    /// A mandatory feature that the peer cannot do.
    UnsupportedFeature = "unsupported-feature",
    /// A first-level element that nobody here understands.
    UnsupportedStanzaType = "unsupported-stanza-type",
    /// A version of XMPP that is not supported.
    UnsupportedVersion = "unsupported-version",
}

/// An error that ends a stream.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("stream error {}", condition.name())]
pub struct StreamError {
    /// The defined condition.
    pub condition: Condition,
    /// An explanation in English for whoever debugs the other side.
    pub text: Option<Cow<'static, str>>,
    /// An application-specific condition (RFC 6120 4.9.4).
    pub application: Option<Box<Element>>,
}

impl StreamError {
    /// The bare condition.
    #[must_use]
    pub const fn new(condition: Condition) -> Self {
        Self { condition, text: None, application: None }
    }

    /// A condition with an explanation.
    #[must_use]
    pub const fn with_text(condition: Condition, text: &'static str) -> Self {
        Self { condition, text: Some(Cow::Borrowed(text)), application: None }
    }

    /// A limit was passed.
    pub(crate) const fn policy(text: &'static str) -> Self {
        Self::with_text(Condition::PolicyViolation, text)
    }

    /// A rule of XML or of XML namespaces was broken.
    pub(crate) const fn malformed(text: &'static str) -> Self {
        Self::with_text(Condition::NotWellFormed, text)
    }
}

impl From<Condition> for StreamError {
    fn from(condition: Condition) -> Self {
        Self::new(condition)
    }
}

impl From<XmlError> for StreamError {
    fn from(error: XmlError) -> Self {
        let condition = match error {
            XmlError::RestrictedXml(what) => restricted(what),
            XmlError::UndeclaredEntity => Condition::RestrictedXml,
            // "<!" that begins neither a comment nor CDATA: a DTD or one of its declarations.
            XmlError::InvalidSyntax("malformed cdata or comment section start") => Condition::RestrictedXml,
            XmlError::InvalidUtf8Byte(_) => Condition::UnsupportedEncoding,
            _ => Condition::NotWellFormed,
        };
        Self { condition, text: Some(Cow::Owned(error.to_string())), application: None }
    }
}

/// rxml tells these apart by its texts only; a test sends each, so that an update of rxml cannot change them unseen.
fn restricted(what: &str) -> Condition {
    match what {
        "only utf-8 encoding is allowed" => Condition::UnsupportedEncoding,
        "long name or reference" | "event too long" => Condition::PolicyViolation,
        "only XML version 1.0 is allowed" | "only standalone documents are allowed" => Condition::BadFormat,
        _ => Condition::RestrictedXml,
    }
}
