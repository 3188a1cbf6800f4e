//! Harness of the scenario tests: the whole server in the test's process, tokio-xmpp as the people.
//!
//! Nothing here sleeps: every wait is for an event, with a deadline that only a failing test reaches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a harness may fail loudly")]

mod authority;
mod dns;
mod leash;
mod loopback;
mod peers;
mod person;
mod pump;
mod raw;
mod recorder;
mod socks;
mod tls;
mod village;
mod world;

pub use authority::{Authority, Leaf, Usage};
pub use dns::{Resolver, Zone};
pub use leash::Leash;
pub use peers::{Kind, PEOPLE, Peer};
pub use person::{Person, element, text};
pub use raw::Raw;
pub use recorder::{Recorder, Recording};
pub use socks::{Request, Socks};
pub use tls::Direct;
pub use village::Village;
pub use world::{Site, Way, World};

use std::time::Duration;

/// Longer than anything takes that works.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for `future`; fails the test at the deadline.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("it happens before the deadline")
}
