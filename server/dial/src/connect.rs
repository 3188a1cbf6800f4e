//! Happy eyeballs (RFC 8305): families take turns, a slow address does not hold up the next.

use crate::target::Unreachable;
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{net::TcpStream, time};

/// Most addresses of one target.
pub(crate) const ADDRESSES: usize = 8;
/// Head start of an address (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// For one target.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to one of `addresses`.
pub(crate) async fn direct(addresses: Vec<IpAddr>, port: u16) -> Result<TcpStream, Unreachable> {
    if addresses.is_empty() {
        return Err(Unreachable::NotFound);
    }
    time::timeout(PATIENCE, race(addresses, port)).await.unwrap_or(Err(Unreachable::TimedOut))
}

async fn race(addresses: Vec<IpAddr>, port: u16) -> Result<TcpStream, Unreachable> {
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut failure = Unreachable::Refused;
    loop {
        match waiting.next() {
            Some(ip) => running.push(TcpStream::connect(SocketAddr::new(ip, port))),
            None if running.is_empty() => return Err(failure),
            None => {}
        }
        let head_start = if waiting.len() == 0 { PATIENCE } else { STAGGER };
        // A failure ends the head start; so does time.
        match time::timeout(head_start, running.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) if error.kind() == ErrorKind::TimedOut => failure = Unreachable::TimedOut,
            Ok(_) | Err(_) => {}
        }
    }
}

/// Addresses that can be those of a peer, IPv6 first, in turns.
pub(crate) fn in_turns(v6: Vec<IpAddr>, v4: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut v6 = v6.into_iter().filter(usable);
    let mut v4 = v4.into_iter().filter(usable);
    let mut list = Vec::new();
    loop {
        let pair = [v6.next(), v4.next()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        list.extend(pair.into_iter().flatten());
    }
    list.truncate(ADDRESSES);
    list
}

/// Loopback is fine: several servers on one machine.
pub(crate) fn usable(address: &IpAddr) -> bool {
    let broadcast = matches!(address.to_canonical(), IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0);
    let canonical = address.to_canonical();
    !canonical.is_unspecified() && !canonical.is_multicast() && !broadcast
}
