//! Tests of the parts and, against a name server in the process, of the whole.

mod dnssec;
mod forged;
mod parts;
mod proxy;
mod reach;
mod unbound;

use crate::{
    Dialer, Fill, Settings,
    testing::{Authority, World},
};
use std::sync::Arc;
use tempfile::TempDir;

/// Counts instead of guessing.
pub(crate) fn fill() -> Fill {
    let counter = std::sync::atomic::AtomicU64::new(7);
    Arc::new(move |buffer| {
        for byte in buffer {
            let n = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            *byte = n.to_be_bytes()[0];
        }
    })
}

/// A server for `world`, and a dialer that asks it and trusts its root.
pub(crate) async fn both(world: World) -> (Authority, Dialer) {
    both_with(world, Settings::default()).await
}

pub(crate) async fn both_with(world: World, mut settings: Settings) -> (Authority, Dialer) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("root.key");
    std::fs::write(&file, world.anchor()).unwrap();
    let authority = Authority::start(world, None).await;
    settings.servers = vec![authority.address];
    settings.trust_anchor = Some(file);
    let dialer = Dialer::new(settings, fill()).unwrap();
    (authority, dialer)
}
