//! What every XML parser in use reads, and not only rxml.
//!
//! Two things that are well-formed for rxml and the standard break the *stream* of the person they are sent to. Expat
//! (Gajim, slixmpp, Prosody, ejabberd) knows the names of XML's fourth edition only, a third less than the fifth has;
//! and it refuses a namespace that contains the character with which the application joins namespace and name, such as
//! the `}` of Python's `ElementTree`, unless a URI may contain it. No protocol of the XSF needs either.

/// An element or attribute name in ASCII.
#[inline]
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A namespace without ASCII characters that no URI has (RFC 3986 section 2); that it is a URI is not asked. The fold
/// has no early exit: so it is vectorised.
#[inline]
pub(crate) fn is_namespace(name: &str) -> bool {
    !name.bytes().fold(false, |bad, byte| {
        bad | (byte <= b' ') | matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{'..=b'}' | 0x7F)
    })
}
