//! What routing must know of an account: that it exists, its roster, its block list. Bounded cache, single-flight loads.
//!
//! A change of a roster runs under the account's stripe lock, and so does a load: a load that began before the
//! change can never put the old state back.

use bocage_api::{
    BlockList, Relation,
    archive::Preferences,
    bare,
    blocks::MAX_BLOCKED,
    store::{Collection, Roster, RosterItem, StoreError, Stored, Stores},
};
use jid::{BareJid, Jid};
use quick_cache::{Weighter, sync::Cache};
use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::Arc};
use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 64;
/// Rows of rosters and block lists (an account counts as one more) that are remembered.
const CACHED_ROWS: u64 = 200_000;

/// Block lists: one record for each account that has one.
const BLOCKED: &str = "core/blocked";
const LIST: &str = "list";
/// Bytes of a block list.
const BLOCKED_BYTES: usize = 128 * MAX_BLOCKED;

/// Facts of one account, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// There is such an account.
    pub exists: bool,
    /// Its roster, rows sorted by JID.
    pub roster: Arc<Roster>,
    /// Its block list.
    pub blocked: Arc<BlockList>,
    /// What its owner wants archived; `None` = never said.
    pub preferences: Option<Preferences>,
}

impl Facts {
    /// The row of a contact.
    #[must_use]
    pub fn contact(&self, jid: &BareJid) -> Option<&RosterItem> {
        self.named(jid.as_str())
    }
    fn named(&self, bare: &str) -> Option<&RosterItem> {
        let items = &self.roster.items;
        items.binary_search_by(|item| item.jid.as_str().cmp(bare)).ok().and_then(|at| items.get(at))
    }
    /// What `sender` is to `owner`, whose facts these are.
    #[must_use]
    pub fn relation(&self, owner: &BareJid, sender: &Jid) -> Relation {
        let bare = bare(sender);
        if bare == owner.as_str() {
            return Relation::Owner;
        }
        match self.named(bare) {
            Some(item) if item.subscription.from() || item.subscription.to() => Relation::Contact(item.subscription),
            _ if sender.domain() == owner.domain() => Relation::Neighbour,
            _ => Relation::Stranger,
        }
    }
}

#[derive(Clone)]
struct Rows;
impl Weighter<BareJid, Arc<Facts>> for Rows {
    fn weight(&self, _: &BareJid, facts: &Arc<Facts>) -> u64 {
        let listed = facts.preferences.as_ref().map_or(0, |preferences| preferences.always.len() + preferences.never.len());
        (facts.roster.items.len() + facts.blocked.len() + listed) as u64 + 1
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
        stores.records.declare(Collection {
            name: BLOCKED.into(),
            personal: true,
            rows_per_owner: 1,
            value_bytes: BLOCKED_BYTES,
            lifetime: None,
        });
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
        match self.peek(account) {
            Some(facts) => Ok(facts),
            None => Ok(self.hold(account).await?.1),
        }
    }
    /// The same, and nobody changes them until the guard is dropped.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hold(&self, account: &BareJid) -> Stored<(MutexGuard<'_, ()>, Arc<Facts>)> {
        let one_flight = self.lock(account).await;
        if let Some(facts) = self.peek(account) {
            return Ok((one_flight, facts));
        }
        let exists = self.stores.accounts.keys(account).await?.is_some();
        let mut facts = Facts { exists, ..Facts::default() };
        if exists {
            let mut roster = self.stores.rosters.roster(account).await?;
            // Look-ups are by binary search: the order of the database's collation will not do.
            roster.items.sort_by(|a, b| a.jid.as_str().cmp(b.jid.as_str()));
            facts.roster = Arc::new(roster);
            facts.blocked = Arc::new(self.blocked(account).await?);
            facts.preferences = self.stores.archive.settings(account).await?.preferences;
        }
        let facts = Arc::new(facts);
        self.cache.insert(account.clone(), facts.clone());
        Ok((one_flight, facts))
    }
    async fn blocked(&self, account: &BareJid) -> Stored<BlockList> {
        let Some(record) = self.stores.records.read(BLOCKED, account.as_str(), LIST).await? else {
            return Ok(BlockList::default());
        };
        let damaged = || StoreError::Corrupt("a block list");
        let names: Vec<String> = serde_json::from_slice(&record.value).map_err(|_| damaged())?;
        let jids = names.iter().map(|name| Jid::new(name).map_err(|_| damaged()));
        Ok(BlockList::of(jids.collect::<Stored<_>>()?))
    }
    /// Stores a block list; call it under [`FactsCache::lock`] or [`FactsCache::hold`].
    ///
    /// # Errors
    /// When it was not committed.
    pub async fn set_blocked(&self, account: &BareJid, list: &BlockList) -> Stored<()> {
        let names: Vec<&str> = list.iter().map(Jid::as_str).collect();
        let value = serde_json::to_vec(&names).map_err(|_| StoreError::Corrupt("a block list"))?;
        let stored = self.stores.records.put(BLOCKED, account.as_str(), LIST, value).await;
        // What failed may have been committed all the same.
        self.forget(account);
        stored
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
