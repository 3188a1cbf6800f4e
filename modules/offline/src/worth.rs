//! Which messages are worth keeping until somebody reads them (XEP-0160 section 3, XEP-0334; H04).
//!
//! By their payloads: one that says something (a body, an encrypted payload, an invitation …) makes the message worth
//! keeping, those listed here as passing do not. `<no-store/>` and `<store/>` decide before that.

use bocage_api::{Frozen, ns};
use minidom::Element;
use std::borrow::Cow;

/// Namespaces whose elements alone are not worth a message: they say how to treat it, or what was true for a moment.
const PASSING: [&str; 5] = [ns::CHAT_STATES, ns::HINTS, ns::SID, ns::DELAY, "jabber:x:event"];

/// Should the message wait?
pub(crate) fn keeping(message: &Frozen) -> bool {
    // What core's own writer wrote can be read; were it not so, keeping it is the smaller harm.
    let Some(payloads) = payloads(message) else { return true };
    let hint = |name: &str| payloads.has_child(name, ns::HINTS);
    !hint("no-store") && (hint("store") || payloads.children().any(says_something))
}

fn says_something(payload: &Element) -> bool {
    let names_a_message = || payload.attrs().iter().any(|((_, name), value)| name == "id" && !value.is_empty());
    match payload.ns().as_str() {
        ns::RECEIPTS => payload.name() == "received" && names_a_message(),
        ns::MARKERS => payload.name() != "markable" && names_a_message(),
        ns::CLIENT => !matches!(payload.name(), "thread" | "error"),
        other => !PASSING.contains(&other),
    }
}

/// The message's payloads as a tree. Mailboxes keep bytes alone, and those are in the namespace of a client stream.
pub(crate) fn payloads(message: &Frozen) -> Option<Cow<'_, Element>> {
    match &message.tree {
        Some(tree) => Some(Cow::Borrowed(tree)),
        None => read(message.payload_bytes()).map(Cow::Owned),
    }
}

/// A bare `<message/>` around these bytes.
pub(crate) fn read(payload: &[u8]) -> Option<Element> {
    let text = [b"<message xmlns='jabber:client'>".as_slice(), payload, b"</message>"].concat();
    xso::from_bytes(&text).ok()
}
