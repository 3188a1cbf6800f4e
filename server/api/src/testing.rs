//! In-memory stand-ins for what core and the store offer, so that a module is tested alone. They never wait: a future
//! of theirs is ready at its first poll, and [`now`] says so loudly where one is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support: a surprise has to be loud")]

mod accounts;
mod archive;
mod blocks;
mod contacts;
mod host;
mod store;

pub use accounts::FakeAccounts;
pub use archive::{MemoryArchive, kept_entry};
pub use blocks::FakeBlocks;
pub use contacts::FakeContacts;
pub use host::{FakeHost, FakeOutbox, FakeTasks, Installed, for_service, now, on_the_wire, xml};
pub use store::{MemoryOutbound, MemoryRecords};
