//! What all links share: the ways to peers, the judge of their certificates, who is admitted.

use super::{dialback::Keys, manners::Manners, memory::Memory, rows::Rows};
use crate::{router::Router, settings::S2s};
use bocage_api::{LinkView, ProtocolVersion, StanzaError};
use bocage_dial::{Dane, Dialer};
use bocage_tls::{self as tls, Acceptor, Connector, Evidence, PeerStream, Refused, TlsProof, TlsVersion, Trust};
use jid::DomainPart;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{Notify, Semaphore, watch},
};

/// Why a peer is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproven {
    /// Its certificate does not prove it.
    #[error(transparent)]
    Certificate(#[from] Refused),
    /// See [`Memory`].
    #[error("the peer offers less than it once did, or is blocked")]
    LessThanBefore,
}

/// Looking up what an inbound peer says of itself in the DNS takes at most so long.
const EVIDENCE: Duration = Duration::from_secs(15);
/// Peers that may be looked for, and asked about, at the same time.
const LOOKING: usize = 64;

/// The part of the server that speaks with other servers.
pub struct Federation {
    /// The router.
    pub router: Arc<Router>,
    /// The door to TLS for connections that come in.
    pub acceptor: Arc<Acceptor>,
    /// What peers were like.
    pub memory: Memory,
    pub(super) dialer: Dialer,
    pub(super) connector: Connector,
    pub(super) settings: S2s,
    pub(super) keys: Keys,
    pub(super) rows: Rows,
    pub(super) manners: Manners,
    pub(super) looking: Semaphore,
    /// Strangers may not make us ask the DNS without end, nor take the places of those whom we look for.
    asking: Semaphore,
    trust: Trust,
    closing: watch::Sender<bool>,
    streams: AtomicUsize,
    fewer: Notify,
}

impl Federation {
    /// With the ways out and the authorities to trust.
    #[must_use]
    pub fn new(router: Arc<Router>, acceptor: Arc<Acceptor>, (dialer, trust): (Dialer, Trust), settings: S2s) -> Arc<Self> {
        let keys = Keys::new(router.entropy.bytes());
        let memory = Memory::new(router.stores.clone(), settings.peer_memory);
        Arc::new(Self {
            connector: Connector::new(&acceptor),
            looking: Semaphore::new(LOOKING),
            asking: Semaphore::new(LOOKING),
            closing: watch::Sender::new(false),
            streams: AtomicUsize::new(0),
            fewer: Notify::new(),
            rows: Rows::default(),
            manners: Manners::default(),
            router,
            acceptor,
            memory,
            dialer,
            settings,
            keys,
            trust,
        })
    }

    /// Is `domain` one that this server may speak with?
    pub fn admits(&self, domain: &str) -> bool {
        let within = |list: &[String]| list.iter().any(|entry| covers(entry, domain));
        !within(&self.settings.deny) && (self.settings.allow.is_empty() || within(&self.settings.allow))
    }

    /// Is `host` served here, as accounts or as a service?
    pub(super) fn serves(&self, host: &str) -> bool {
        self.router.plans().place(host).is_some()
    }

    /// The proof that a connection is with `domain`; `known`: what the DNS said when we looked for it.
    pub(super) async fn prove(
        &self,
        io: &PeerStream<TcpStream>,
        domain: &str,
        known: Option<&Dane>,
    ) -> Result<TlsProof, Unproven> {
        if !io.has_certificate() {
            return Err(Refused::NoCertificate.into());
        }
        let pins = self.settings.pins.get(domain).cloned().unwrap_or_default();
        let dane = match known {
            Some(dane) => dane.clone(),
            // A pin decides alone: nobody need be asked.
            None if !pins.is_empty() || domain.ends_with(".onion") => Dane::Absent,
            None => tokio::time::timeout(EVIDENCE, self.ask(domain)).await.unwrap_or(Dane::Bogus),
        };
        let route = if domain.ends_with(".onion") { tls::Route::Onion } else { tls::Route::Network };
        let evidence = Evidence { pins, dane: converted(dane), route };
        let proof = io.prove(&self.trust, domain, &evidence, self.router.clock.wall())?;
        if self.memory.accepts(domain, &proof).await { Ok(proof) } else { Err(Unproven::LessThanBefore) }
    }

    async fn ask(&self, domain: &str) -> Dane {
        match self.asking.acquire().await {
            Ok(_place) => self.dialer.evidence(domain).await,
            Err(_) => Dane::Bogus,
        }
    }

    /// May a link for this pair exist? The strictest policy decides.
    pub(super) fn policy(&self, here: &DomainPart, there: &DomainPart, proof: &TlsProof) -> Result<(), StanzaError> {
        let plans = self.router.plans();
        let Some(place) = plans.place(here.as_str()) else { return Err(StanzaError::remote_server_not_found()) };
        place.plan().admit(&LinkView { here, there, modern_tls: version(proof) })
    }

    /// What peers are told of our limits (XEP-0478).
    pub(super) fn limits(&self) -> minidom::Element {
        super::features::limits(self.settings.max_stanza_size, self.settings.idle_close.as_secs())
    }
    /// The host in whose name a connection is ended that named none.
    pub(super) fn default_host(&self) -> String {
        self.settings.default_host.clone()
    }
    /// Says when the server stops.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }
    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }
    /// Counts a stream while it lives.
    pub(super) fn count(self: &Arc<Self>) -> Counted {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
    /// Streams that are up.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Ends all streams in order: what waits goes out if the peer takes it; what does not stays as rows.
    pub async fn close(&self, time: Duration) {
        self.closing.send_replace(true);
        let ended = async {
            loop {
                let fewer = self.fewer.notified();
                if self.streams() == 0 {
                    return;
                }
                fewer.await;
            }
        };
        let _ = tokio::time::timeout(time, ended).await;
        self.rows.flush(&self.router).await;
    }
}

/// One stream that is up.
pub(super) struct Counted(Arc<Federation>);
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
        self.0.fewer.notify_waiters();
    }
}

pub(super) fn version(proof: &TlsProof) -> ProtocolVersion {
    match proof.version() {
        TlsVersion::V1_2 => ProtocolVersion::Tls12,
        TlsVersion::V1_3 => ProtocolVersion::Tls13,
    }
}

/// An entry names a domain and all below it.
fn covers(entry: &str, domain: &str) -> bool {
    domain == entry || domain.strip_suffix(entry).is_some_and(|above| above.ends_with('.'))
}

fn converted(dane: Dane) -> tls::Dane {
    match dane {
        Dane::Absent => tls::Dane::Absent,
        Dane::Bogus => tls::Dane::Bogus,
        Dane::Secure(set) => {
            let record =
                |r: bocage_dial::Tlsa| tls::Tlsa { usage: r.usage, selector: r.selector, matching: r.matching, data: r.data };
            tls::Dane::Secure(tls::DaneSet { records: set.records.into_iter().map(record).collect(), names: set.names })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_entry_covers_what_is_below_it_and_nothing_beside_it() {
        assert!(covers("a.example", "a.example") && covers("a.example", "rooms.a.example"));
        assert!(!covers("a.example", "bada.example") && !covers("rooms.a.example", "a.example"));
    }
}
