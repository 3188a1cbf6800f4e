//! The elements of both SASL profiles, written. They differ in namespace, in how "no data" looks, and in `<success/>`.

use base64::{Engine, prelude::BASE64_STANDARD};
use minidom::{Element, rxml::xml_ncname};

use crate::{Flavour, ns};

/// A SASL error condition (RFC 6120 section 6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The client sent `<abort/>`.
    Aborted,
    /// Once right, now too old; the client should use another mechanism (FAST tokens).
    CredentialsExpired,
    /// Not base64.
    IncorrectEncoding,
    /// The authorization identity is not the client's own bare JID.
    InvalidAuthzid,
    /// Not a mechanism that was offered.
    InvalidMechanism,
    /// Against the grammar or out of place.
    MalformedRequest,
    /// Wrong password, no such account, or a binding to another channel.
    NotAuthorized,
    /// Try again later.
    TemporaryAuthFailure,
}

impl Condition {
    /// The element's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::CredentialsExpired => "credentials-expired",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

impl Flavour {
    pub(crate) const fn ns(self) -> &'static str {
        match self {
            Self::Sasl1 => ns::SASL,
            Self::Sasl2 => ns::SASL2,
        }
    }

    /// The inverse of [`Flavour::ns`].
    pub(crate) fn of(element: &Element) -> Option<Self> {
        [Self::Sasl1, Self::Sasl2].into_iter().find(|flavour| element.has_ns(flavour.ns()))
    }
}

/// Base64 text by RFC 4648 section 4. XEP-0388's examples break lines around it, RFC 6120's never do.
pub(crate) fn decode(flavour: Flavour, text: &str) -> Option<Vec<u8>> {
    let text = match flavour {
        Flavour::Sasl1 if text == "=" => "",
        Flavour::Sasl1 => text,
        Flavour::Sasl2 => text.trim_matches([' ', '\t', '\r', '\n']),
    };
    BASE64_STANDARD.decode(text).ok()
}

/// Without data only where SCRAM's first message is asked for.
pub(crate) fn challenge(flavour: Flavour, data: &str) -> Element {
    let data = (!data.is_empty()).then(|| BASE64_STANDARD.encode(data));
    Element::builder("challenge", flavour.ns()).append_all(data).build()
}

pub(crate) fn failure(flavour: Flavour, condition: Condition, text: Option<String>) -> Element {
    let text = text.map(|text| {
        Element::builder("text", flavour.ns())
            .attr_ns(minidom::rxml::Namespace::XML, xml_ncname!("lang").into(), "en")
            .append(text)
            .build()
    });
    Element::builder("failure", flavour.ns()).append(Element::bare(condition.name(), ns::SASL)).append_all(text).build()
}

/// RFC 6120 section 6.4.6: the server's own proof rides on the success.
pub(crate) fn success1(data: &[u8]) -> Element {
    Element::builder("success", ns::SASL).append(BASE64_STANDARD.encode(data)).build()
}

/// XEP-0388 section 2.6.1.
pub(crate) fn success2(data: &[u8], identity: &str, inline: Vec<Element>) -> Element {
    Element::builder("success", ns::SASL2)
        .append(Element::builder("additional-data", ns::SASL2).append(BASE64_STANDARD.encode(data)).build())
        .append(Element::builder("authorization-identifier", ns::SASL2).append(identity).build())
        .append_all(inline)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_strict() {
        assert_eq!(decode(Flavour::Sasl1, "eA=="), Some(b"x".to_vec()));
        assert_eq!(decode(Flavour::Sasl1, "="), Some(Vec::new()));
        assert_eq!(decode(Flavour::Sasl2, "\n  eA==\n"), Some(b"x".to_vec()));
        for bad in ["eA", "eB==", "e A==", "==", "!!!=", "eA==\n", "eA==eA=="] {
            assert_eq!(decode(Flavour::Sasl1, bad), None, "{bad:?}");
        }
        assert_eq!(decode(Flavour::Sasl2, "="), None);
    }

    #[test]
    fn failures_carry_conditions_of_rfc_6120_in_both_profiles() {
        let sasl2: Element = "<failure xmlns='urn:xmpp:sasl:2'>\
            <not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
            .parse()
            .unwrap();
        assert_eq!(failure(Flavour::Sasl2, Condition::NotAuthorized, None), sasl2);
        let sasl1: Element = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/>\
            <text xml:lang='en'>why</text></failure>"
            .parse()
            .unwrap();
        assert_eq!(failure(Flavour::Sasl1, Condition::Aborted, Some("why".into())), sasl1);
    }
}
