//! Scenarios of the whole server, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail loudly"
)]

mod accounts;
mod archive;
mod blocking;
mod commands;
mod contacts;
mod devices;
mod egress;
mod embedded;
mod interop;
mod layering;
mod offline;
mod pressure;
mod push;
mod resume;
mod rooms;
mod routing;
mod storage;
mod third_party;
mod tokens;
