//! Stream features between servers, and what the two sides say of them.

use crate::c2s::{SASL, TLS};
use bocage_api::ns;
use minidom::Element;
use rxml::xml_ncname;

/// Namespace of bidi's feature (XEP-0288).
const BIDI_FEATURE: &str = "urn:xmpp:features:bidi";
/// Namespace of bidi (XEP-0288).
pub(super) const BIDI: &str = "urn:xmpp:bidi";
/// Namespace of stream management (XEP-0198).
pub(super) const SM: &str = "urn:xmpp:sm:3";
const DIALBACK: &str = "urn:xmpp:features:dialback";
/// Namespace of stream limits (XEP-0478).
const LIMITS: &str = "urn:xmpp:stream-limits:0";

/// What a peer offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) starttls: bool,
    pub(super) external: bool,
    pub(super) bidi: bool,
    pub(super) sm: bool,
    /// Bytes of one stanza (XEP-0478).
    pub(super) max_bytes: Option<usize>,
}

impl Offer {
    /// Reads `<stream:features/>`; `None`: it is something else.
    pub(super) fn read(element: &Element) -> Option<Self> {
        let external =
            |mechanisms: &Element| mechanisms.children().any(|m| m.is("mechanism", SASL) && m.text().trim() == "EXTERNAL");
        element.is("features", ns::STREAMS).then(|| Self {
            starttls: element.has_child("starttls", TLS),
            external: element.get_child("mechanisms", SASL).is_some_and(external),
            bidi: element.has_child("bidi", BIDI_FEATURE),
            sm: element.has_child("sm", SM),
            max_bytes: element.get_child("limits", LIMITS).and_then(max_bytes),
        })
    }
}

/// The limit that `<limits/>` names.
fn max_bytes(limits: &Element) -> Option<usize> {
    limits.get_child("max-bytes", LIMITS)?.text().trim().parse().ok()
}

/// The limit inside of `<bidi/>`.
pub(super) fn bidi_limit(bidi: &Element) -> Option<usize> {
    bidi.get_child("limits", LIMITS).and_then(max_bytes)
}

/// Before TLS.
pub(super) fn starttls() -> Element {
    Element::builder("starttls", TLS).append(Element::bare("required", TLS)).build()
}
/// For a peer whose certificate is verified.
pub(super) fn external() -> Vec<Element> {
    let mechanism = Element::builder("mechanism", SASL).append("EXTERNAL").build();
    vec![Element::builder("mechanisms", SASL).append(mechanism).build(), Element::bare("bidi", BIDI_FEATURE)]
}
/// On every stream over TLS: peers ask about our keys.
pub(super) fn dialback() -> Element {
    Element::builder("dialback", DIALBACK).append(Element::bare("errors", DIALBACK)).build()
}
/// XEP-0478.
pub(super) fn limits(max_bytes: usize, idle_seconds: u64) -> Element {
    let number = |name, value: String| Element::builder(name, LIMITS).append(value).build();
    Element::builder("limits", LIMITS)
        .append(number("max-bytes", max_bytes.to_string()))
        .append(number("idle-seconds", idle_seconds.to_string()))
        .build()
}
/// XEP-0198.
pub(super) fn sm() -> Element {
    Element::bare("sm", SM)
}
/// Asks for bidi (XEP-0288) with our limits inside.
pub(super) fn bidi(limits: Element) -> Element {
    Element::builder("bidi", BIDI).append(limits).build()
}
/// `<auth/>` of SASL EXTERNAL (XEP-0178) in the name of `here`.
pub(super) fn auth(here: &str) -> Element {
    use base64::Engine as _;
    let authzid = base64::engine::general_purpose::STANDARD.encode(here);
    Element::builder("auth", SASL).attr(xml_ncname!("mechanism").to_owned(), "EXTERNAL").append(authzid).build()
}
/// The authorization identity of `<auth/>`: `Ok(None)` when it names none. `Err`: no base64 text.
pub(super) fn authzid(auth: &Element) -> Result<Option<String>, NotText> {
    use base64::Engine as _;
    let text = auth.text();
    let text = text.trim();
    if text.is_empty() || text == "=" {
        return Ok(None);
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| NotText)?;
    String::from_utf8(bytes).map(|name| Some(name).filter(|name| !name.is_empty())).map_err(|_| NotText)
}

/// What should be text in base64 is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_read() {
        let features =
            Element::builder("features", ns::STREAMS).append_all(external()).append(limits(1_000, 5)).append(sm()).build();
        let offer = Offer::read(&features).unwrap();
        assert_eq!(offer, Offer { external: true, bidi: true, sm: true, max_bytes: Some(1_000), starttls: false });
        assert_eq!(Offer::read(&sm()), None);
    }

    #[test]
    fn an_authzid_is_read() {
        assert_eq!(authzid(&auth("here.example")), Ok(Some("here.example".to_owned())));
        assert_eq!(authzid(&Element::builder("auth", SASL).append("=").build()), Ok(None));
        assert_eq!(authzid(&Element::builder("auth", SASL).append("!").build()), Err(NotText));
    }
}
