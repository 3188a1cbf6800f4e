//! Which messages are worth keeping (XEP-0313 section 6, XEP-0334; H04).
//!
//! By their payloads: one that says something (a body, an encrypted payload, an invitation …) makes the message worth
//! keeping, those listed here as passing do not.

use crate::ns;
use minidom::Element;

/// Namespaces whose elements alone are not worth a message: they say how to treat it, or what was true for a moment, or
/// answer a question of this moment.
const PASSING: [&str; 8] = [
    ns::CHAT_STATES,
    ns::HINTS,
    ns::SID,
    ns::DELAY,
    ns::MAM,
    ns::CARBONS,
    "jabber:x:event",
    "http://jabber.org/protocol/pubsub#event",
];

/// Encrypted payloads: name and namespace.
const ENCRYPTED: [(&str, &str); 5] = [
    ("encrypted", "eu.siacs.conversations.axolotl"),
    ("encrypted", "urn:xmpp:omemo:1"),
    ("encrypted", "urn:xmpp:omemo:2"),
    ("openpgp", "urn:xmpp:openpgp:0"),
    ("x", "jabber:x:encrypted"),
];

/// Does the sender want it handled so (XEP-0334)?
#[must_use]
pub fn hinted(payloads: &Element, hint: &str) -> bool {
    payloads.has_child(hint, ns::HINTS)
}

/// Does one of the payloads say something?
#[must_use]
pub fn says_something(payloads: &Element) -> bool {
    payloads.children().any(payload_says_something)
}

/// Is one of the payloads an encrypted message?
#[must_use]
pub fn is_encrypted(payloads: &Element) -> bool {
    ENCRYPTED.iter().any(|(name, namespace)| payloads.has_child(*name, *namespace))
}

fn payload_says_something(payload: &Element) -> bool {
    let names_a_message = || payload.attrs().iter().any(|((_, name), value)| name == "id" && !value.is_empty());
    match payload.ns().as_str() {
        ns::RECEIPTS => payload.name() == "received" && names_a_message(),
        ns::MARKERS => payload.name() != "markable" && names_a_message(),
        ns::CLIENT => !matches!(payload.name(), "thread" | "error"),
        other => !PASSING.contains(&other),
    }
}
