//! What the best link with each peer was like (H43): a peer that offers less than it once did is refused until an
//! administrator accepts it or the memory fades. Only verified links teach anything.

use bocage_api::store::{Collection, Page, Stored, Stores};
use bocage_tls::{ProvenBy, TlsProof, TlsVersion};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const COLLECTION: &str = "core/peers";
/// All peers are remembered under one owner: what is remembered is the server's, no host's.
const OWNER: &str = "peers";
/// Peers remembered at most.
const MAX_PEERS: usize = 100_000;

/// What a peer was like at its best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// It spoke TLS 1.3.
    pub tls13: bool,
    /// It was proven by DANE.
    pub dane: bool,
    /// It was proven by a pin.
    pub pin: bool,
    /// An administrator blocks it.
    #[serde(default)]
    pub blocked: bool,
}

impl Peer {
    fn of(proof: &TlsProof) -> Self {
        let by = proof.by();
        Self { tls13: proof.version() == TlsVersion::V1_3, dane: by == ProvenBy::Dane, pin: by == ProvenBy::Pin, blocked: false }
    }
    /// Is `now` less than what is remembered? A pin stands above DANE: who is pinned need not have it.
    fn is_more_than(self, now: Self) -> bool {
        (self.tls13 && !now.tls13) || (self.pin && !now.pin) || (self.dane && !now.dane && !now.pin)
    }
    fn best(self, now: Self) -> Self {
        Self { tls13: self.tls13 || now.tls13, dane: self.dane || now.dane, pin: self.pin || now.pin, blocked: self.blocked }
    }
}

/// Remembers peers.
pub struct Memory {
    stores: Stores,
}

impl Memory {
    pub(super) fn new(stores: Stores, lifetime: Duration) -> Self {
        stores.records.declare(Collection {
            name: COLLECTION.into(),
            personal: false,
            rows_per_owner: MAX_PEERS,
            value_bytes: 256,
            lifetime: Some(lifetime.as_secs()),
        });
        Self { stores }
    }

    /// Is it no worse than before? Remembers what is not.
    pub(super) async fn accepts(&self, domain: &str, proof: &TlsProof) -> bool {
        let now = Peer::of(proof);
        // A store that cannot be read says nothing: refusing all peers then would be worse.
        let known = self.peer(domain).await.ok().flatten();
        if known.is_some_and(|known| known.blocked || known.is_more_than(now)) {
            tracing::warn!("a peer offers less than it once did, or is blocked; see `bocage peers list`");
            return false;
        }
        // Written at each proof: that is what keeps the memory from fading. Links are few.
        let _ = self.put(domain, known.unwrap_or_default().best(now)).await;
        true
    }

    /// What is remembered of `domain`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn peer(&self, domain: &str) -> Stored<Option<Peer>> {
        let record = self.stores.records.read(COLLECTION, OWNER, domain).await?;
        Ok(record.and_then(|record| serde_json::from_slice(&record.value).ok()))
    }
    async fn put(&self, domain: &str, peer: Peer) -> Stored<()> {
        let value = serde_json::to_vec(&peer).unwrap_or_default();
        self.stores.records.put(COLLECTION, OWNER, domain, value).await
    }
    /// A page of peers, by domain.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, after: Option<String>, limit: usize) -> Stored<Vec<(String, Peer)>> {
        let page = Page { prefix: String::new(), after, limit };
        let records = self.stores.records.list(COLLECTION, OWNER, page).await?;
        Ok(records.into_iter().filter_map(|r| Some((r.key, serde_json::from_slice(&r.value).ok()?))).collect())
    }
    /// Forgets how `domain` was: the next link is the measure. Resolves to whether it was known.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn accept(&self, domain: &str) -> Stored<bool> {
        self.stores.records.delete(COLLECTION, OWNER, domain).await
    }
    /// Refuses `domain` until it is accepted or the memory fades.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn block(&self, domain: &str) -> Stored<()> {
        let known = self.peer(domain).await?.unwrap_or_default();
        self.put(domain, Peer { blocked: true, ..known }).await
    }
}

#[cfg(test)]
mod tests {
    use super::Peer;

    #[test]
    fn less_than_before_is_refused_and_as_much_is_not() {
        let best = Peer { tls13: true, dane: true, pin: false, blocked: false };
        assert!(best.is_more_than(Peer { dane: false, ..best }));
        assert!(best.is_more_than(Peer { tls13: false, ..best }));
        assert!(!best.is_more_than(best));
        assert!(!best.is_more_than(Peer { dane: false, pin: true, ..best }));
        assert!(Peer { pin: true, ..best }.is_more_than(best));
    }
}
