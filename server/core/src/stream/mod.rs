//! What streams with clients and streams with servers have in common.

pub(crate) mod bucket;
mod linger;
pub(crate) mod talk;

pub(crate) use linger::linger;

use bocage_tls::{PeerStream, Plain, Secured};
use tokio::{io::BufReader, net::TcpStream};

/// The socket below a connection.
pub(crate) trait Socket {
    /// It.
    fn socket(&self) -> &TcpStream;
}
impl Socket for Secured<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref()
    }
}
impl Socket for PeerStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref()
    }
}
impl Socket for BufReader<Plain<TcpStream>> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().get_ref()
    }
}
