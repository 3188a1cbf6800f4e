//! The way of a stanza: streams, sessions, routing, presence, life and death of the server.
//!
//! What would surprise a reader: no task that drains a mailbox ever waits for another's capacity, and nothing here
//! reads the machine's clock or dice; both are handed in.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod c2s;
pub mod facts;
pub mod hidden;
pub mod ingress;
pub mod mailbox;
pub mod plan;
pub mod presence;
pub mod router;
pub mod s2s;
pub mod server;
pub mod settings;
mod sm;
mod stream;
pub mod tasks;
pub mod wire;

pub use server::{ListenError, Server, ServerHandle};
pub use settings::Settings;
