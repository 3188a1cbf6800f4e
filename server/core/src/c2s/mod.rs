//! Client connections: accept, TLS, login, session.

pub mod errors;
mod listener;
mod login;
mod session;

/// Namespace of SASL (RFC 6120).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Namespace of SASL2 (XEP-0388).
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// Namespace of STARTTLS (RFC 6120).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";

pub use listener::{Server, Waiting, accept, bind};
pub use login::{Login, Opening};
pub(crate) use session::{
    Acks, CSI, Inactive, enable,
    output::Output,
    work::{Ready, Work},
};
pub use session::{Established, Link, run};
