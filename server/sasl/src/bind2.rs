//! Bind 2 (XEP-0386): a resource bound in the same round trip as the login.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jid::ResourcePart;
use minidom::Element;
use xso::FromXml;

use crate::{Entropy, entropy::random, ns};

/// Random bytes in a resource: nobody guesses a full JID (RFC 6120 section 13.10.2 wants it hard).
const RESOURCE_LEN: usize = 12;

/// Longest client tag that becomes part of a resource, in bytes.
const MAX_TAG: usize = 128;

/// Most feature requests in one `<bind/>`.
pub(crate) const MAX_REQUESTS: usize = 16;

/// A client's wish to bind, with the features it wants switched on in the same step.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind2Request {
    /// The client software's name for itself; the network may see it.
    pub tag: Option<String>,
    /// Feature requests, known or not, in the client's order.
    pub inline: Vec<Element>,
}

#[derive(FromXml)]
#[xml(namespace = ns::BIND2, name = "bind")]
struct Bind {
    #[xml(extract(default, fields(text(type_ = String))))]
    tag: Option<String>,
    #[xml(element(n = ..))]
    inline: Vec<Element>,
}

impl Bind2Request {
    /// `None` if the element is not a valid `<bind/>`.
    pub(crate) fn parse(element: Element) -> Option<Self> {
        let bind = Bind::try_from(element).ok()?;
        let tag = bind.tag.filter(|tag| !tag.is_empty());
        (bind.inline.len() <= MAX_REQUESTS).then_some(Self { tag, inline: bind.inline })
    }
}

/// A fresh resource, `TAG/RANDOM` as XEP-0386 recommends; a tag that cannot stand in a resource is left out.
pub fn resource(tag: Option<&str>, entropy: &dyn Entropy) -> String {
    let unique = BASE64_URL_SAFE_NO_PAD.encode(random::<RESOURCE_LEN>(entropy));
    tag.filter(|tag| !tag.is_empty() && tag.len() <= MAX_TAG)
        .map(|tag| format!("{tag}/{unique}"))
        .filter(|tagged| ResourcePart::new(tagged).is_ok_and(|prepared| prepared.as_str() == tagged))
        .unwrap_or(unique)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::counter;

    #[test]
    fn a_resource_holds_the_tag_as_it_is_or_not_at_all() {
        let entropy = counter();
        let tagged = resource(Some("AwesomeXMPP"), &entropy);
        assert!(tagged.starts_with("AwesomeXMPP/") && tagged.len() == 12 + 16, "{tagged}");
        for bad in ["", "a\nb", "\u{feff}", &"x".repeat(129), "\u{2168}"] {
            assert_eq!(resource(Some(bad), &entropy).len(), 16, "{bad:?}");
        }
        assert_ne!(resource(None, &entropy), resource(None, &entropy));
    }

    #[test]
    fn a_request_keeps_what_it_does_not_know() {
        let element = "<bind xmlns='urn:xmpp:bind:0' extra=''><tag>T</tag><enable xmlns='urn:xmpp:carbons:2'/>\
            <unknown xmlns='urn:example'/></bind>";
        let bind = Bind2Request::parse(element.parse().unwrap()).unwrap();
        assert_eq!(bind.tag.as_deref(), Some("T"));
        assert_eq!(bind.inline.iter().map(Element::name).collect::<Vec<_>>(), ["enable", "unknown"]);
        let two = "<bind xmlns='urn:xmpp:bind:0'><tag>T</tag><tag>U</tag></bind>";
        assert_eq!(Bind2Request::parse(two.parse().unwrap()), None);
    }
}
