//! Certificates and the acceptance of TLS. What would surprise a reader: a connection has two types. [`Plain`] carries
//! the few elements that may precede STARTTLS; [`Secured`] is all that a session can be made of, and only
//! [`Acceptor::accept`] makes one. No option leads around it. Other servers come as [`PeerStream`], whose handshake proves
//! no name: [`PeerStream::prove`] does, alike in both directions, and only it makes a [`TlsProof`].

mod accept;
mod delegate;
mod directory;
mod fault;
mod files;
mod identity;
mod inspect;
mod leaf;
mod peer;
mod provider;
mod self_signed;
mod stream;

pub use accept::{AcceptError, Acceptor, Opening, ReloadReport};
pub use fault::{CertificateError, Severity};
pub use identity::{Profile, Profiles, ServerIdentity};
pub use inspect::{Finding, HostReport, inspect};
pub use leaf::{Fingerprint, Leaf};
pub use peer::{
    Approach, ConnectError, Connector, Dane, DaneSet, Evidence, PeerStream, Pin, PinError, ProvenBy, Refused, Route, TlsProof,
    Tlsa, Trust,
};
pub use provider::{install_default, provider};
pub use self_signed::{SelfSigned, SelfSignedError, ensure_self_signed, self_signed};
pub use stream::{ChannelBindings, Plain, Secured, TlsVersion};

#[cfg(test)]
mod tests;
