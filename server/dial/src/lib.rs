//! Where other servers are, and a connection to them. What would surprise a reader: this crate proves no peer. It says
//! what DNSSEC says ([`Dane`]) and hands out bare TCP. A lookup that fails is never taken for "there is none": who can
//! make lookups fail would otherwise switch DANE off. Whether DNSSEC is judged at all is decided on the root zone alone,
//! so that nobody who breaks one zone can decide it; once the root has been proven, it stays so for this process. Name
//! servers that take signatures away (a stub that does not know DNSSEC, some home routers) mean: no DANE, one warning in
//! the log, and all else works; a resolver that passes signatures on, in `servers`, brings DANE. Peers behind the proxy
//! and `.onion` names never meet DNS. `/etc/hosts` is not read: `peers` in the settings maps names.

#![forbid(unsafe_code)]

mod connect;
mod dane;
mod dialer;
mod dns;
mod inspect;
mod name;
mod order;
mod plan;
mod route;
mod settings;
mod socks;
mod target;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use dialer::Dialer;
pub use inspect::{Authorisation, Caa, Host, Inspector, Place, Service};
pub use name::ascii;
pub use settings::{DialFault, Fill, Peer, Settings, Via};
pub use target::{Dane, DaneSet, Mode, Target, Tlsa, Unreachable};

#[cfg(test)]
mod tests;
