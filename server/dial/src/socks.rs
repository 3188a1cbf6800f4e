//! SOCKS5 (RFC 1928, 1929). The credentials are for nobody to check: a Tor daemon gives each pair a circuit of its own, so
//! that peers cannot tell by their exit that they are spoken to by the same server. They are derived from a key of this
//! process.

use crate::{settings::Fill, target::Unreachable};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::{net::TcpStream, time};
use tokio_socks::{Error, tcp::Socks5Stream};
use zeroize::Zeroizing;

/// For a connection through the proxy: a circuit takes its time.
const PATIENCE: Duration = Duration::from_secs(25);

/// The proxy.
pub(crate) struct Proxy {
    address: (String, u16),
    key: Zeroizing<[u8; 32]>,
}

impl Proxy {
    pub(crate) fn new(address: (String, u16), fill: &Fill) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        fill(key.as_mut_slice());
        Self { address, key }
    }

    /// A connection to `host`, whose name the proxy resolves, on the circuit of `peer`.
    pub(crate) async fn connect(&self, peer: &str, host: &str, port: u16) -> Result<TcpStream, Unreachable> {
        let (user, password) = (self.credential("user", peer), self.credential("password", peer));
        let connect = async {
            let (proxy, at) = &self.address;
            let socket = TcpStream::connect((proxy.as_str(), *at)).await.map_err(|_| Unreachable::Proxy)?;
            let stream = Socks5Stream::connect_with_password_and_socket(socket, (host, port), &user, &password).await;
            stream.map(Socks5Stream::into_inner).map_err(|error| cause(&error))
        };
        time::timeout(PATIENCE, connect).await.unwrap_or(Err(Unreachable::TimedOut))
    }

    fn credential(&self, purpose: &str, peer: &str) -> String {
        let digest = Sha256::new().chain_update(self.key.as_slice()).chain_update(purpose).chain_update([0]);
        let digest = digest.chain_update(peer.to_ascii_lowercase()).finalize();
        HEXLOWER.encode(&digest).chars().take(32).collect()
    }
}

fn cause(error: &Error) -> Unreachable {
    match error {
        Error::HostUnreachable | Error::NetworkUnreachable | Error::ConnectionRefused => Unreachable::Refused,
        Error::TtlExpired => Unreachable::TimedOut,
        _ => Unreachable::Proxy,
    }
}
