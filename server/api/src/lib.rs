//! All that a module may know of Bocage: stanza views, policies, rules, filters, services, handles.
//!
//! The list of extension kinds is complete for what is planned; a new one is argued in its commit. Nothing here does
//! I/O, and no type here holds an address that its user does not need.
#![forbid(unsafe_code)]

pub mod archive;
pub mod blocks;
pub mod clock;
pub mod commands;
pub mod config;
pub mod disco;
pub mod element_record;
pub mod error;
mod extend;
mod handles;
mod module;
pub mod ns;
mod records;
pub mod rt;
pub mod stanza;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod traits;
mod views;

pub use blocks::{BlockChange, BlockList};
pub use clock::{Clock, Entropy};
pub use commands::Command;
pub use disco::{DiscoNode, DiscoPart, DiscoTarget};
pub use element_record::ElementRecord;
pub use error::StanzaError;
pub use extend::*;
pub use futures_util::future::BoxFuture;
pub use handles::*;
pub use module::*;
pub use records::*;
pub use stanza::{Frozen, Kind, Stanza, bare};
pub use traits::Traits;
pub use views::*;

/// What the types of this crate are made of, in the versions that it uses.
pub mod dep {
    pub use {bytes, futures_util, http, jid, minidom, rxml, xmpp_parsers, xso};
}
