//! A name server in the process, for tests: it signs its zones, answers for all of them and for nobody else, and can be
//! told to spoil answers. Signatures are valid from 2020 to 2065, whatever the clock says.
#![allow(clippy::unwrap_used, reason = "test support: a surprise has to be loud")]

mod authority;
mod zone;

pub use authority::Authority;
pub use zone::{Spoil, World};
