//! TLS with other servers. What would surprise a reader: the handshake judges nobody. It verifies that the peer holds
//! the key of the certificate that it shows, and leaves the question whose certificate that is to
//! [`PeerStream::prove`], since what decides (pins, DNS) and even the name asked about are known only after the stream
//! headers. One judge serves both directions (H42).
//!
//! The judge knows four proofs and tries one: a pin, else the onion circuit, else DANE, else PKIX. A proof that applies
//! and fails is not replaced by the next.
//!
//! Revocation is not looked at: lists would have to be fetched from third parties, who would learn of every peer, and
//! nobody staples OCSP to a client's certificate. What helps is a short life, and DANE.

mod configs;
mod connect;
mod dane;
mod evidence;
mod judge;
mod later;
mod names;
mod proof;
mod stream;
mod trust;

pub(crate) use configs::PeerConfigs;
pub use connect::{Approach, ConnectError, Connector};
pub(crate) use dane::Usable;
pub use evidence::{Dane, DaneSet, Evidence, Pin, PinError, Route, Tlsa};
pub use proof::{ProvenBy, Refused, TlsProof};
pub use stream::PeerStream;
pub use trust::Trust;
