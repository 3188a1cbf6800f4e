//! The parts of tokio that modules may use: they synchronise and wait, they never spawn.

pub use tokio::{select, sync, time};
