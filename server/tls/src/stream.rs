//! The two types of a client's connection. Nothing but the acceptor can make a [`Secured`]: there is no constructor, no
//! conversion and no test-only door, so what takes a `Secured` cannot be handed a plaintext connection (H40).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::{CommonState, NamedGroup, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::accept::AcceptError;
use crate::identity::ServerIdentity;

/// RFC 9266 section 2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// A connection before TLS. It can be read and written, for the stream header and `<starttls/>`; what serves stanzas
/// takes [`Secured`].
#[derive(Debug)]
pub struct Plain<S = TcpStream> {
    io: S,
}

impl<S> Plain<S> {
    /// Of a connection just accepted.
    pub fn new(io: S) -> Self {
        Self { io }
    }

    /// The transport below.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    pub(crate) fn into_transport(self) -> S {
        self.io
    }
}

/// What SASL may bind to. `Debug` shows none of it: the exporter's value has no place in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelBindings {
    exporter: [u8; 32],
    end_point: Option<Arc<[u8]>>,
}

impl ChannelBindings {
    /// `tls-exporter` (RFC 9266).
    #[must_use]
    pub fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// `tls-server-end-point` (RFC 5929 section 4), of the certificate that this connection was shown.
    #[must_use]
    pub fn server_end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }
}

impl fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBindings").finish_non_exhaustive()
    }
}

/// The negotiated version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (profile [`Intermediate`](crate::Profile::Intermediate) only).
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    pub(crate) fn of(connection: &CommonState) -> Result<Self, AcceptError> {
        match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Ok(Self::V1_3),
            Some(ProtocolVersion::TLSv1_2) => Ok(Self::V1_2),
            _ => Err(AcceptError::Incomplete),
        }
    }
}

/// A connection whose TLS handshake is complete.
///
/// It is buffered: flush after writing. [`AsyncBufRead`](tokio::io::AsyncBufRead) hands out rustls' own buffer, which saves one per connection.
#[derive(Debug)]
pub struct Secured<S = TcpStream> {
    stream: TlsStream<S>,
    bindings: ChannelBindings,
    version: TlsVersion,
    host: Arc<str>,
}

impl<S> Secured<S> {
    pub(crate) fn new(stream: TlsStream<S>, identity: &ServerIdentity) -> Result<Self, AcceptError> {
        let connection = stream.get_ref().1;
        let version = TlsVersion::of(connection)?;
        // TLS 1.2 tells an empty context from none; RFC 9266 asks for the empty one.
        let exporter = connection.export_keying_material([0; 32], EXPORTER_LABEL, Some(&[]))?;
        let end_point = identity.leaf().end_point.clone();
        Ok(Self { bindings: ChannelBindings { exporter, end_point }, version, host: Arc::clone(identity.host()), stream })
    }

    /// What SASL may bind to.
    pub fn bindings(&self) -> &ChannelBindings {
        &self.bindings
    }

    /// The negotiated version.
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// The host whose certificate the peer was shown.
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// The key exchange group; of a resumed session the one it resumed with.
    pub fn key_exchange(&self) -> Option<NamedGroup> {
        let group = self.stream.get_ref().1.negotiated_key_exchange_group();
        group.map(|group| group.name())
    }

    /// The transport below.
    pub fn get_ref(&self) -> &S {
        self.stream.get_ref().0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Plain<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Plain<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

crate::delegate::reads_and_writes!(Secured);
