//! Server-side authentication of clients: SCRAM under SASL (RFC 6120 section 6) and SASL2 (XEP-0388) with Bind 2.
//!
//! Elements go in, [`Action`]s come out. Nothing here reads a socket, a clock, a database or a random source: the caller
//! hands those in. PLAIN and every other mechanism that shows a password to the server do not exist as values.
//!
//! An unknown account is not an error anywhere in this crate: it walks the same steps as a known one, on [`Decoy`] keys.

mod bind2;
mod binding;
mod decoy;
mod entropy;
mod fast;
mod hash;
mod host;
mod keys;
mod mechanism;
mod negotiation;
mod ns;
mod offer;
mod scram;
mod throttle;
mod xml;

#[cfg(test)]
extern crate self as bocage_sasl;
#[cfg(test)]
mod corpus;
#[cfg(test)]
#[path = "../../../tests/fuzz/drive/sasl.rs"]
mod drive;
#[cfg(test)]
mod testing;

pub use bind2::{Bind2Request, resource};
pub use binding::{BindingType, Bindings, TlsVersion};
pub use decoy::{Decoy, HostFacts, KeyShape, SaltForm, Shape};
pub use entropy::Entropy;
pub use fast::{Attempt, ClientId, ClientView, Issued, Moment, Redeemed, TokenError, TokenMechanism, Tokens, requested};
pub use hash::HashFunction;
pub use host::{Host, Inline, MAX_FAILURES, TokenOffer};
pub use keys::{ClientKey, Credentials, DEFAULT_ITERATIONS, PasswordError, ScramKeys};
pub use mechanism::Mechanism;
pub use negotiation::{
    Action, Authenticated, Connection, Failed, Flavour, Granted, Lookup, Method, Negotiation, StreamFault, UserAgent,
};
pub use offer::{AccountMechanisms, Claim, ScramSha1, offer};
pub use throttle::{Source, Throttle, ThrottleLimits, Verdict};
pub use xml::Condition;
