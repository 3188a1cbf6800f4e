//! Client connections: accept, TLS, login, session.

mod bucket;
pub mod errors;
mod linger;
mod listener;
mod login;
mod session;

/// Namespace of SASL (RFC 6120).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Namespace of SASL2 (XEP-0388).
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// Namespace of STARTTLS (RFC 6120).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";

use linger::linger;
pub use listener::{Waiting, accept, bind};
pub use login::{Login, Opening};
pub use session::{Established, run};
