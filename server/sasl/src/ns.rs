//! The XML namespaces spoken here.

/// RFC 6120 section 6.
pub(crate) const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// XEP-0388.
pub(crate) const SASL2: &str = "urn:xmpp:sasl:2";
/// XEP-0386; its number stayed 0 although drafts and other documents show `bind2`.
pub(crate) const BIND2: &str = "urn:xmpp:bind:0";
/// XEP-0484.
pub(crate) const FAST: &str = "urn:xmpp:fast:0";
/// XEP-0440.
pub(crate) const SASL_CB: &str = "urn:xmpp:sasl-cb:0";
/// RFC 6120 section 4.8.2.
pub(crate) const STREAM: &str = "http://etherx.jabber.org/streams";
