//! The way out to another server. The client certificate is that of the host on whose behalf the link is made; like all
//! identities it is looked up at the time of connecting, so that a reload reaches the next link.
//!
//! No timeouts here: whoever calls bounds the whole future.

use std::io;

use thiserror::Error as ThisError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::accept::{AcceptError, Acceptor, BUFFER_LIMIT, Current};
use crate::peer::names::Reference;
use crate::peer::stream::PeerStream;
use crate::stream::Plain;

/// How an outgoing connection comes to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approach {
    /// TLS from the first byte (XEP-0368), with ALPN.
    Direct,
    /// After `<proceed/>` (RFC 6120 section 5.4).
    Starttls {
        /// Bytes read from the peer behind `<proceed/>`; any at all end the connection (H40).
        pipelined: usize,
    },
}

/// Why an outgoing connection has not come to TLS.
#[derive(Debug, ThisError)]
pub enum ConnectError {
    /// There is no certificate for the host that connects.
    #[error("the host that connects is not served here")]
    NotServed,
    /// No DNS name can be made of the peer's domain.
    #[error("the peer's domain is no DNS name")]
    Name,
    /// Plaintext behind `<proceed/>`.
    #[error("plaintext was sent behind <proceed/>")]
    Pipelined,
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] AcceptError),
}

impl From<io::Error> for ConnectError {
    fn from(cause: io::Error) -> Self {
        Self::Handshake(cause.into())
    }
}

/// Connects to other servers on behalf of the hosts of an [`Acceptor`].
#[derive(Clone, Debug)]
pub struct Connector {
    current: Current,
}

impl Connector {
    /// With the identities of `acceptor`, whose reloads it follows.
    #[must_use]
    pub fn new(acceptor: &Acceptor) -> Self {
        Self { current: acceptor.shared() }
    }

    /// Completes the handshake on behalf of `here` with the server of `there`, which is the SNI (XEP-0368 section 3);
    /// nothing is proven by it yet (see [`PeerStream::prove`]).
    ///
    /// # Errors
    /// See [`ConnectError`]; the connection is gone then.
    pub async fn connect<S>(
        &self,
        plain: Plain<S>,
        here: &str,
        there: &str,
        approach: Approach,
    ) -> Result<PeerStream<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if matches!(approach, Approach::Starttls { pipelined: 1.. }) {
            return Err(ConnectError::Pipelined);
        }
        let identity = self.current.identity(here).ok_or(ConnectError::NotServed)?;
        let reference = Reference::new(there).ok_or(ConnectError::Name)?;
        let connector = TlsConnector::from(identity.client_config(approach));
        let limit = |connection: &mut rustls::ClientConnection| connection.set_buffer_limit(Some(BUFFER_LIMIT));
        let stream = connector.connect_with(reference.server_name(), plain.into_transport(), limit).await?;
        Ok(PeerStream::connected(stream, &identity, reference)?)
    }
}
