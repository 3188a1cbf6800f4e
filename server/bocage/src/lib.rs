//! Bocage, a server for XMPP, as a library: a binary is `bocage::main` with a list of modules.
//!
//! What would surprise a reader: a third party's server is the same one line with `.with::<Mine>()`; nothing else is
//! needed to add a module, and nothing else can.
#![forbid(unsafe_code)]

pub mod admin;
mod assemble;
mod check;
mod cli;
pub mod config;
mod embedded;
mod logging;
mod modules;
mod permissions;
mod reference;
mod schema;
mod secret;

pub use assemble::{Running, machine_clock, machine_entropy, start};
pub use cli::main;
pub use config::Config;
pub use modules::{Entry, Modules, Settings};
pub use reference::reference;
