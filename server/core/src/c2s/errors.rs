//! Stream errors of client sessions, each named for its cause.

use bocage_stream::{Condition, StreamError};

/// The session let its mailbox fill up.
#[must_use]
pub fn too_slow() -> StreamError {
    StreamError::with_text(Condition::PolicyViolation, "too much is waiting for this session")
}
/// The client does not acknowledge what it asks for (XEP-0198).
#[must_use]
pub fn unacknowledged() -> StreamError {
    StreamError::with_text(Condition::PolicyViolation, "too much is not acknowledged on this stream")
}
/// Another session took the resource (RFC 6120 section 7.7.2.2).
#[must_use]
pub fn replaced() -> StreamError {
    StreamError::with_text(Condition::Conflict, "another session took this resource")
}
/// The session goes on elsewhere (XEP-0198 section 5).
#[must_use]
pub fn resumed_elsewhere() -> StreamError {
    StreamError::with_text(Condition::Conflict, "this session was resumed on another connection")
}
/// The server stops.
#[must_use]
pub fn shutdown() -> StreamError {
    StreamError::new(Condition::SystemShutdown)
}
/// The account is gone, or its password changed (H11).
#[must_use]
pub fn revoked() -> StreamError {
    StreamError::with_text(Condition::NotAuthorized, "the account was changed")
}
/// Nothing was heard for too long, or login took too long.
#[must_use]
pub fn timeout() -> StreamError {
    StreamError::new(Condition::ConnectionTimeout)
}
/// A stanza before the session exists (RFC 6120 section 4.9.3.12).
#[must_use]
pub fn not_authorized() -> StreamError {
    StreamError::new(Condition::NotAuthorized)
}
/// RFC 6120 section 4.9.3.9.
#[must_use]
pub fn invalid_from() -> StreamError {
    StreamError::new(Condition::InvalidFrom)
}
/// RFC 6120 section 4.9.3.24.
#[must_use]
pub fn unsupported_stanza() -> StreamError {
    StreamError::new(Condition::UnsupportedStanzaType)
}
/// This side failed.
#[must_use]
pub fn internal() -> StreamError {
    StreamError::new(Condition::InternalServerError)
}
/// Negotiation again on a stream that is through with it.
#[must_use]
pub fn not_authorized_again() -> StreamError {
    StreamError::with_text(Condition::PolicyViolation, "this stream is negotiated already")
}
