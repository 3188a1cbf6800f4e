//! Addresses of a test's own: every server has one in 127.64.0.0/10 that nothing else uses, so a port which is free
//! there now is free there later.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An address for one server. Test runs at the same time differ by their process.
#[must_use]
pub(crate) fn address() -> Ipv4Addr {
    let count = NEXT.fetch_add(1, Ordering::Relaxed) & 0xff;
    let process = (std::process::id() & 0x3fff) << 8;
    Ipv4Addr::from(0x7f40_0000 | process | count)
}

/// A port that is free at `address`.
#[must_use]
pub(crate) fn port(address: Ipv4Addr) -> SocketAddr {
    TcpListener::bind((address, 0)).unwrap().local_addr().unwrap()
}
