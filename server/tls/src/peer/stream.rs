//! A connection with another server. What would surprise a reader: it can be read and written before anything is
//! proven, since the stream headers say which domain is to be proven. What serves stanzas takes a [`TlsProof`] with it.

use std::sync::Arc;

use rustls::NamedGroup;
use tokio::net::TcpStream;
use tokio_rustls::{TlsStream, client, server};

use crate::accept::AcceptError;
use crate::identity::ServerIdentity;
use crate::leaf::Fingerprint;
use crate::peer::evidence::{Evidence, Route};
use crate::peer::judge::{Case, Shown};
use crate::peer::names::Reference;
use crate::peer::proof::{Refused, TlsProof};
use crate::peer::trust::Trust;
use crate::stream::TlsVersion;

/// A connection whose handshake is complete, with a peer whose name is not proven.
///
/// It is buffered: flush after writing. [`AsyncBufRead`](tokio::io::AsyncBufRead) hands out rustls' own buffer.
#[derive(Debug)]
pub struct PeerStream<S = TcpStream> {
    stream: TlsStream<S>,
    version: TlsVersion,
    host: Arc<str>,
    /// Of a connection that we made.
    there: Option<Reference>,
}

impl<S> PeerStream<S> {
    pub(crate) fn accepted(stream: server::TlsStream<S>, identity: &ServerIdentity) -> Result<Self, AcceptError> {
        Self::new(stream.into(), identity, None)
    }

    pub(super) fn connected(
        stream: client::TlsStream<S>,
        identity: &ServerIdentity,
        there: Reference,
    ) -> Result<Self, AcceptError> {
        Self::new(stream.into(), identity, Some(there))
    }

    fn new(stream: TlsStream<S>, identity: &ServerIdentity, there: Option<Reference>) -> Result<Self, AcceptError> {
        let version = TlsVersion::of(stream.get_ref().1)?;
        Ok(Self { stream, version, host: Arc::clone(identity.host()), there })
    }

    /// Judges whether the peer speaks for `domain` at `now` (unix seconds), by the first that applies of: pins, the
    /// circuit to an onion service, secure and usable TLSA records, PKIX. Costs some signature checks.
    ///
    /// # Errors
    /// Why the proof that applies fails; nothing weaker is tried.
    pub fn prove(&self, trust: &Trust, domain: &str, evidence: &Evidence, now: i64) -> Result<TlsProof, Refused> {
        let shown = Shown::new(self.stream.get_ref().1.peer_certificates())?;
        let circuit = match evidence.route {
            Route::Onion => self.there.as_ref(),
            Route::Network => None,
        };
        let by = shown.judge(&Case { trust, domain, evidence, now, circuit })?;
        Ok(TlsProof {
            domain: domain.to_owned(),
            by,
            version: self.version,
            fingerprint: shown.fingerprint,
            key_fingerprint: shown.key_fingerprint,
        })
    }

    /// Whether the peer has shown a certificate; one that connects to us need not have one.
    pub fn has_certificate(&self) -> bool {
        self.fingerprint().is_some()
    }

    /// SHA-256 of the peer's certificate.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let leaf = self.stream.get_ref().1.peer_certificates()?.first()?;
        Some(Fingerprint::of(leaf))
    }

    /// The negotiated version.
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// The host whose certificate the peer was shown.
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// The negotiated ALPN name: `xmpp-server` or none.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }

    /// The key exchange group.
    pub fn key_exchange(&self) -> Option<NamedGroup> {
        let group = self.stream.get_ref().1.negotiated_key_exchange_group();
        group.map(|group| group.name())
    }

    /// The transport below.
    pub fn get_ref(&self) -> &S {
        self.stream.get_ref().0
    }
}

crate::delegate::reads_and_writes!(PeerStream);
