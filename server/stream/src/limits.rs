//! Bounds on what one peer can make us hold. All are counted while reading, before anything is built.

/// Namespace declarations in scope at once; looking a prefix up walks over them.
pub(crate) const MAX_BINDINGS: usize = 128;

/// Longest name, attribute value or piece of text held by the XML lexer; longer *text* arrives in pieces.
pub(crate) const MAX_TOKEN: usize = 8192;

/// What one stanza, or a stream header, may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on the wire.
    pub stanza_bytes: usize,
    /// Elements inside each other, the stanza being the first.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Elements in all. An empty element is four bytes on the wire and some two hundred in memory.
    pub elements: usize,
}

impl Limits {
    /// Before authentication: a SASL response of 10 kB fits, little else does.
    pub const BEFORE_LOGIN: Self = Self { stanza_bytes: 16 * 1024, depth: 12, attributes: 32, elements: 64 };

    /// After authentication, for a stanza size limit from the configuration.
    #[must_use]
    pub const fn stanza(max_bytes: usize) -> Self {
        Self { stanza_bytes: max_bytes, depth: 100, attributes: 64, elements: 64 + max_bytes / 32 }
    }
}
