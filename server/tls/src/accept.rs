//! The one door from plaintext to TLS for who connects to us, and the reload of what stands behind it.
//!
//! Which certificate is shown: with STARTTLS the stream's `to` decides, even against the SNI, for it is the name that
//! the client verifies (RFC 6120 section 13.7.2) and the one its session will serve; with direct TLS there is no
//! stream yet, so the SNI does. A name that is not served falls back to the next: SNI, then the first host. An unknown
//! SNI gets no `unrecognized_name`: clients that connect by an SRV target's name exist, and the certificate that they
//! are shown is judged by them. After direct TLS the caller compares the stream's `to` with [`Secured::host`].
//!
//! No timeouts here: whoever calls bounds the whole future.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::server::ClientHello;
use rustls::{Error, ServerConfig};
use thiserror::Error as ThisError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::directory::CertificateDir;
use crate::fault::CertificateError;
use crate::files::Stamp;
use crate::identity::{Profiles, ServerIdentity};
use crate::peer::PeerStream;
use crate::stream::{Plain, Secured};

/// Ciphertext that may wait in rustls for a slow peer: two full records.
pub(crate) const BUFFER_LIMIT: usize = 32 * 1024 + 512;

/// How a connection comes to TLS.
#[derive(Clone, Copy, Debug)]
pub enum Opening<'a> {
    /// TLS from the first byte (XEP-0368): SNI and ALPN.
    Direct,
    /// After `<proceed/>` (RFC 6120 section 5.4).
    Starttls {
        /// The stream's `to`.
        to: Option<&'a str>,
        /// Bytes read from the peer behind `<starttls/>`; any at all end the connection (H40).
        pipelined: usize,
    },
}

/// Why a connection has not come to TLS. The peer has been sent an alert where TLS has one.
#[derive(Debug, ThisError)]
pub enum AcceptError {
    /// Plaintext behind `<starttls/>`: the injection of CVE-2011-0411 and its kin.
    #[error("plaintext was sent behind <starttls/>")]
    Pipelined,
    /// The peer hung up.
    #[error("the peer closed the connection during the handshake")]
    Closed,
    /// The peer does not speak TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// No common version, group, suite, ALPN name; a refused certificate; an attack.
    #[error("TLS handshake failed: {0}")]
    Tls(#[from] Error),
    /// The handshake ended without a known version.
    #[error("TLS handshake ended without a known version")]
    Incomplete,
    /// The transport failed.
    #[error("transport failed during the handshake: {0}")]
    Io(io::Error),
}

impl From<io::Error> for AcceptError {
    fn from(cause: io::Error) -> Self {
        let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match tls {
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            Some(error) => Self::Tls(error.clone()),
            None if cause.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(cause),
        }
    }
}

/// What a reload has brought.
#[derive(Debug)]
pub struct ReloadReport {
    /// Hosts whose certificate is another one now.
    pub changed: Vec<Arc<ServerIdentity>>,
    /// Hosts whose certificate is the same; their tickets are void all the same.
    pub unchanged: Vec<Arc<ServerIdentity>>,
}

/// Accepts TLS for all hosts of the server.
#[derive(Debug)]
pub struct Acceptor {
    directory: CertificateDir,
    hosts: Vec<String>,
    profiles: Profiles,
    current: Current,
    /// The files as the last attempt to load found them, whether it succeeded or not.
    seen: Mutex<Vec<Stamp>>,
}

impl Acceptor {
    /// Reads the certificates of `hosts` from `tls.certificates`; the first host is the default. Blocks on the disk.
    ///
    /// # Errors
    /// Every fault that keeps a host from being served, of all hosts.
    pub fn load(
        directory: impl Into<PathBuf>,
        hosts: &[String],
        profiles: impl Into<Profiles>,
    ) -> Result<Self, Vec<CertificateError>> {
        let profiles = profiles.into();
        let directory = CertificateDir::new(directory);
        let hosts: Vec<String> = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let seen = directory.stamps(&hosts);
        let current = Identities::load(&directory, &hosts, profiles)?;
        Ok(Self { directory, hosts, profiles, current: Current::new(current), seen: Mutex::new(seen) })
    }

    /// Reads the files again. New connections get the new certificates and no old ticket is honoured; a fault changes
    /// nothing. Blocks on the disk.
    ///
    /// # Errors
    /// Every fault, of all hosts.
    pub fn reload(&self) -> Result<ReloadReport, Vec<CertificateError>> {
        // Before reading: what changes meanwhile is noticed by the next `changed_on_disk`.
        let stamps = self.directory.stamps(&self.hosts);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        let new = Arc::new(Identities::load(&self.directory, &self.hosts, self.profiles)?);
        let old = self.current.replace(Arc::clone(&new));
        Ok(new.report(&old))
    }

    /// Whether files differ from what the last load or reload found, so that a fault is told once. Blocks on the disk.
    pub fn changed_on_disk(&self) -> bool {
        let stamps = self.directory.stamps(&self.hosts);
        stamps != *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All identities, the default first.
    pub fn identities(&self) -> Vec<Arc<ServerIdentity>> {
        self.current.get().all.clone()
    }

    /// A served host's identity.
    pub fn identity(&self, host: &str) -> Option<Arc<ServerIdentity>> {
        self.current.identity(host)
    }

    /// Completes the handshake, or ends the connection with an alert.
    ///
    /// # Errors
    /// See [`AcceptError`]; the connection is gone then.
    pub async fn accept<S>(&self, plain: Plain<S>, opening: Opening<'_>) -> Result<Secured<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (stream, identity) = self.handshake(plain, opening, ServerIdentity::config).await?;
        Secured::new(stream, &identity)
    }

    /// Completes the handshake with another server, which is asked for a certificate of any issuer and need not have
    /// one; nothing is proven by it yet (see [`PeerStream::prove`]).
    ///
    /// # Errors
    /// See [`AcceptError`]; the connection is gone then.
    pub async fn accept_peer<S>(&self, plain: Plain<S>, opening: Opening<'_>) -> Result<PeerStream<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (stream, identity) = self.handshake(plain, opening, ServerIdentity::config_for_servers).await?;
        PeerStream::accepted(stream, &identity)
    }

    pub(crate) fn shared(&self) -> Current {
        self.current.clone()
    }

    async fn handshake<S>(
        &self,
        plain: Plain<S>,
        opening: Opening<'_>,
        config: ConfigOf,
    ) -> Result<(TlsStream<S>, Arc<ServerIdentity>), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if matches!(opening, Opening::Starttls { pipelined: 1.., .. }) {
            return Err(AcceptError::Pipelined);
        }
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), plain.into_transport()).await?;
        let hello = start.client_hello();
        let identity = self.current.get().choose(opening, &hello);
        let config = config(&identity, opening, &hello);
        let limit = |connection: &mut rustls::ServerConnection| connection.set_buffer_limit(Some(BUFFER_LIMIT));
        let stream = start.into_stream_with(config, limit).await?;
        Ok((stream, identity))
    }
}

type ConfigOf = fn(&ServerIdentity, Opening<'_>, &ClientHello<'_>) -> Arc<ServerConfig>;

/// The identities of now, which acceptor and connectors share, so that a reload reaches all.
#[derive(Clone, Debug)]
pub(crate) struct Current(Arc<RwLock<Arc<Identities>>>);

// Poison cannot leave half an `Arc`.
impl Current {
    fn new(identities: Identities) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(identities))))
    }

    pub(crate) fn identity(&self, host: &str) -> Option<Arc<ServerIdentity>> {
        self.get().find(host).cloned()
    }

    fn get(&self) -> Arc<Identities> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, new: Arc<Identities>) -> Arc<Identities> {
        std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), new)
    }
}

#[derive(Debug)]
pub(crate) struct Identities {
    default: Arc<ServerIdentity>,
    all: Vec<Arc<ServerIdentity>>,
    by_host: HashMap<Arc<str>, Arc<ServerIdentity>>,
}

impl Identities {
    fn load(dir: &CertificateDir, hosts: &[String], profiles: Profiles) -> Result<Self, Vec<CertificateError>> {
        let loaded = dir.load(hosts);
        let mut faults = loaded.faults;
        let mut by_host = HashMap::new();
        for (host, material) in &loaded.hosts {
            match ServerIdentity::new(host, material, profiles) {
                Ok(identity) => drop(by_host.insert(Arc::clone(identity.host()), Arc::new(identity))),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let all: Vec<_> = hosts.iter().filter_map(|host| by_host.get(host.as_str()).cloned()).collect();
        let default = all.first().cloned().ok_or_else(|| vec![CertificateError::NoHosts])?;
        Ok(Self { default, all, by_host })
    }

    fn find(&self, host: &str) -> Option<&Arc<ServerIdentity>> {
        self.by_host.get(host.to_ascii_lowercase().as_str())
    }

    fn choose(&self, opening: Opening<'_>, hello: &ClientHello<'_>) -> Arc<ServerIdentity> {
        let to = match opening {
            Opening::Direct => None,
            Opening::Starttls { to, .. } => to,
        };
        let named = to.and_then(|to| self.find(to));
        let named = named.or_else(|| hello.server_name().and_then(|name| self.find(name)));
        Arc::clone(named.unwrap_or(&self.default))
    }

    fn report(&self, old: &Self) -> ReloadReport {
        let same = |new: &Arc<ServerIdentity>| {
            let before = old.find(new.host());
            before.is_some_and(|old| old.leaf().fingerprint == new.leaf().fingerprint)
        };
        let (unchanged, changed) = self.all.iter().cloned().partition(same);
        ReloadReport { changed, unchanged }
    }
}
