//! Accepting connections. A lack of descriptors is waited out, never spun on.

use super::login::{Login, Opening};
use crate::{
    s2s::{self, Federation},
    tasks,
};
use bocage_tls::Plain;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

const BACKLOG: u32 = 4_096;
/// Pause after an accept failed for want of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(200);
/// Of the connections before login, one address may have this share: a divisor.
const ADDRESS_SHARE: usize = 4;

/// Binds a listener.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Counts connections before login, all together and by address (in RAM alone, and only while they last: H08).
pub struct Waiting {
    all: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    per_address: usize,
}

/// One of them.
struct Place {
    waiting: Arc<Waiting>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Waiting {
    /// At most `max` connections.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(max)),
            by_address: Mutex::default(),
            per_address: (max / ADDRESS_SHARE).max(1),
        })
    }
    /// A place, if there is one.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(Place { waiting: self.clone(), address, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.waiting.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Who serves what a listener accepts.
#[derive(Clone)]
pub enum Server {
    /// Clients.
    Clients(Arc<Login>),
    /// Other servers.
    Peers(Arc<Federation>),
}

/// Accepts until the task is ended.
pub async fn accept(listener: TcpListener, opening: Opening, server: Server, waiting: Arc<Waiting>) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Some(place) = waiting.enter(peer.ip()) {
                    connection(socket, peer, opening, (server.clone(), place));
                }
            }
            Err(error) if is_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for the moment");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn connection(socket: TcpStream, peer: SocketAddr, opening: Opening, (server, place): (Server, Place)) {
    // Without it each answer waits for an acknowledgement; a socket that refuses is about to fail anyhow.
    let _ = socket.set_nodelay(true);
    let login = match server {
        Server::Clients(login) => login,
        Server::Peers(federation) => {
            return tasks::spawn_connection(async move { s2s::serve(federation, socket, opening, || drop(place)).await });
        }
    };
    tasks::spawn_connection(async move {
        let established = Box::pin(login.clone().run(Plain::new(socket), peer.ip(), opening)).await;
        drop(place);
        if let Some(established) = established {
            super::run(login.router.clone(), established).await;
        }
    });
}

/// Errors that concern the one connection that was to be accepted.
fn is_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::Interrupted | K::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let waiting = Waiting::new(8);
        let (one, other) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
        let mut places: Vec<_> = (0..8).filter_map(|_| waiting.enter(one)).collect();
        assert_eq!(places.len(), 2);
        assert!(waiting.enter(other).is_some());
        places.pop();
        assert!(waiting.enter(one).is_some());
    }
}
