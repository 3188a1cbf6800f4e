//! What routing must know of an account: that it exists, and its roster. Bounded cache, single-flight loads.
//!
//! A change of a roster runs under the account's stripe lock, and so does a load: a load that began before the
//! change can never put the old state back.

use bocage_api::{
    Relation,
    store::{Roster, RosterItem, Stored, Stores},
};
use jid::{BareJid, Jid};
use quick_cache::{Weighter, sync::Cache};
use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::Arc};
use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 64;
/// Roster rows (an account counts as one more) that are remembered.
const CACHED_ROWS: u64 = 200_000;

/// Facts of one account, as of one moment.
#[derive(Debug, Default)]
pub struct Facts {
    /// There is such an account.
    pub exists: bool,
    /// Its roster, rows sorted by JID.
    pub roster: Arc<Roster>,
}

impl Facts {
    /// The row of a contact.
    #[must_use]
    pub fn contact(&self, jid: &BareJid) -> Option<&RosterItem> {
        let items = &self.roster.items;
        items.binary_search_by(|item| item.jid.cmp(jid)).ok().and_then(|at| items.get(at))
    }
    /// What `sender` is to `owner`, whose facts these are.
    #[must_use]
    pub fn relation(&self, owner: &BareJid, sender: &Jid) -> Relation {
        let bare = sender.to_bare();
        if bare == *owner {
            return Relation::Owner;
        }
        match self.contact(&bare) {
            Some(item) if item.subscription.from() || item.subscription.to() => Relation::Contact(item.subscription),
            _ if bare.domain() == owner.domain() => Relation::Neighbour,
            _ => Relation::Stranger,
        }
    }
}

#[derive(Clone)]
struct Rows;
impl Weighter<BareJid, Arc<Facts>> for Rows {
    fn weight(&self, _: &BareJid, facts: &Arc<Facts>) -> u64 {
        facts.roster.items.len() as u64 + 1
    }
}

/// The cache.
pub struct FactsCache {
    cache: Cache<BareJid, Arc<Facts>, Rows>,
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
    stores: Stores,
}

impl FactsCache {
    /// An empty one over `stores`.
    #[must_use]
    pub fn new(stores: Stores) -> Self {
        Self {
            cache: Cache::with_weighter(10_000, CACHED_ROWS, Rows),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
            stores,
        }
    }
    /// What is remembered, without waiting.
    pub fn peek(&self, account: &BareJid) -> Option<Arc<Facts>> {
        self.cache.get(account)
    }
    /// Remembered or loaded.
    ///
    /// # Errors
    /// When the store cannot be read: never an empty answer instead.
    pub async fn load(&self, account: &BareJid) -> Stored<Arc<Facts>> {
        if let Some(facts) = self.peek(account) {
            return Ok(facts);
        }
        let _one_flight = self.lock(account).await;
        if let Some(facts) = self.peek(account) {
            return Ok(facts);
        }
        let exists = self.stores.accounts.keys(account).await?.is_some();
        let mut roster = if exists { self.stores.rosters.roster(account).await? } else { Roster::default() };
        // Look-ups are by binary search: the order of the database's collation will not do.
        roster.items.sort_by(|a, b| a.jid.cmp(&b.jid));
        let roster = Arc::new(roster);
        let facts = Arc::new(Facts { exists, roster });
        self.cache.insert(account.clone(), facts.clone());
        Ok(facts)
    }
    /// Keeps loads and other changes of this account out until it is dropped. Not reentrant: no load under it.
    pub async fn lock(&self, account: &BareJid) -> MutexGuard<'_, ()> {
        let at = usize::try_from(self.hasher.hash_one(account) % STRIPES as u64).unwrap_or(0);
        match self.stripes.get(at).or(self.stripes.first()) {
            Some(stripe) => stripe.lock().await,
            None => unreachable!("there are {STRIPES} stripes"),
        }
    }
    /// Forgets an account whose facts changed; call it under [`FactsCache::lock`].
    pub fn forget(&self, account: &BareJid) {
        self.cache.remove(account);
    }
}
