//! The store in memory: it keeps the declared bounds, can be told to fail, and forgets with the test.

use crate::{
    clock::UnixSeconds,
    store::{
        AccountKeys, Accounts, Collection, Creation, KeyStatistics, OutboundDraft, OutboundKey, OutboundRow, OutboundStore, Page,
        Record, RecordStore, Secrets, StoreError, Stored,
    },
};
use futures_util::future::BoxFuture;
use jid::{BareJid, DomainPart};
use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
};
use zeroize::Zeroizing;

fn ready<T: Send + 'static>(value: Stored<T>) -> BoxFuture<'static, Stored<T>> {
    Box::pin(async { value })
}

type Place = (String, String, String);

/// Records in memory.
#[derive(Default)]
pub struct MemoryRecords {
    rows: Mutex<BTreeMap<Place, Record>>,
    declared: Mutex<BTreeMap<String, Collection>>,
    failure: Mutex<Option<StoreError>>,
}

impl MemoryRecords {
    /// From now on every call fails like this; `None` = works again.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn fail_with(&self, error: Option<StoreError>) {
        *self.failure.lock().unwrap() = error;
    }
    /// Collection, owner and key of all that is kept.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn keys(&self) -> Vec<(String, String, String)> {
        self.rows.lock().unwrap().keys().cloned().collect()
    }
    /// The values of a collection, as they are stored.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn values(&self, collection: &str) -> Vec<Vec<u8>> {
        let rows = self.rows.lock().unwrap();
        rows.iter().filter(|((name, ..), _)| name == collection).map(|(_, record)| record.value.clone()).collect()
    }
    /// Seconds after which records of a declared collection are gone.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn lifetime(&self, collection: &str) -> Option<u64> {
        self.declared.lock().unwrap().get(collection)?.lifetime
    }

    fn rows(&self) -> Stored<MutexGuard<'_, BTreeMap<Place, Record>>> {
        match self.failure.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(self.rows.lock().unwrap()),
        }
    }
    fn write(&self, place: Place, value: Vec<u8>, expected: Option<i64>) -> Stored<bool> {
        let mut rows = self.rows()?;
        let declared = self.declared.lock().unwrap();
        let collection = declared.get(&place.0).expect("a declared collection");
        if value.len() > collection.value_bytes {
            return Err(StoreError::Limit("size of a value"));
        }
        let same_owner = |other: &&Place| other.0 == place.0 && other.1 == place.1;
        if !rows.contains_key(&place) && rows.keys().filter(same_owner).count() >= collection.rows_per_owner {
            return Err(StoreError::Limit("rows of an owner"));
        }
        let revision = rows.get(&place).map_or(0, |row| row.revision);
        if expected.is_some_and(|expected| expected != revision) {
            return Ok(false);
        }
        rows.insert(place.clone(), Record { key: place.2, revision: revision + 1, value });
        Ok(true)
    }
    fn page(&self, collection: &str, owner: &str, page: &Page) -> Stored<Vec<Record>> {
        let rows = self.rows()?;
        let after = page.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let wanted = rows.iter().filter(|((c, o, key), _)| {
            c == collection
                && o == owner
                && key.starts_with(&page.prefix)
                && std::ops::RangeBounds::contains(&(after.clone(), Bound::Unbounded), key)
        });
        Ok(wanted.take(page.limit).map(|(_, row)| row.clone()).collect())
    }
}

fn place(collection: &str, owner: &str, key: &str) -> Place {
    (collection.to_owned(), owner.to_owned(), key.to_owned())
}

impl RecordStore for MemoryRecords {
    fn declare(&self, collection: Collection) {
        self.declared.lock().unwrap().insert(collection.name.clone(), collection);
    }
    fn read(&self, collection: &str, owner: &str, key: &str) -> BoxFuture<'_, Stored<Option<Record>>> {
        ready(self.rows().map(|rows| rows.get(&place(collection, owner, key)).cloned()))
    }
    fn put(&self, collection: &str, owner: &str, key: &str, value: Vec<u8>) -> BoxFuture<'_, Stored<()>> {
        ready(self.write(place(collection, owner, key), value, None).map(drop))
    }
    fn compare_and_set(&self, collection: &str, owner: &str, key: &str, change: (i64, Vec<u8>)) -> BoxFuture<'_, Stored<bool>> {
        ready(self.write(place(collection, owner, key), change.1, Some(change.0)))
    }
    fn delete(&self, collection: &str, owner: &str, key: &str) -> BoxFuture<'_, Stored<bool>> {
        ready(self.rows().map(|mut rows| rows.remove(&place(collection, owner, key)).is_some()))
    }
    fn list(&self, collection: &str, owner: &str, page: Page) -> BoxFuture<'_, Stored<Vec<Record>>> {
        ready(self.page(collection, owner, &page))
    }
    fn delete_owner(&self, owner: &str) -> BoxFuture<'_, Stored<()>> {
        ready(self.rows().map(|mut rows| rows.retain(|(_, o, _), _| o != owner)))
    }
    fn expire(&self, _: UnixSeconds) -> BoxFuture<'_, Stored<u64>> {
        ready(Ok(0))
    }
}

/// Outbound messages in memory.
#[derive(Default)]
pub struct MemoryOutbound {
    rows: Mutex<Vec<OutboundRow>>,
    last: AtomicI64,
    failure: Mutex<Option<StoreError>>,
}
impl MemoryOutbound {
    /// From now on every call fails like this; `None` = works again.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn fail_with(&self, error: Option<StoreError>) {
        *self.failure.lock().unwrap() = error;
    }
    /// All rows.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn rows(&self) -> Vec<OutboundRow> {
        self.rows.lock().unwrap().clone()
    }
    fn edit<T>(&self, edit: impl FnOnce(&mut Vec<OutboundRow>) -> T) -> Stored<T> {
        match self.failure.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(edit(&mut self.rows.lock().unwrap())),
        }
    }
    fn row(&self, draft: OutboundDraft) -> OutboundRow {
        let OutboundDraft { key, here, peer, owner, deadline, payload } = draft;
        let deadline = deadline.saturating_add(59).div_euclid(60).saturating_mul(60);
        OutboundRow { key, here, peer, owner, deadline, payload, position: self.last.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}
impl OutboundStore for MemoryOutbound {
    fn keep(&self, drafts: Vec<OutboundDraft>) -> BoxFuture<'_, Stored<()>> {
        ready(self.edit(|rows| {
            for draft in drafts {
                if !rows.iter().any(|row| row.key == draft.key) {
                    rows.push(self.row(draft));
                }
            }
        }))
    }
    fn taken(&self, keys: Vec<OutboundKey>) -> BoxFuture<'_, Stored<()>> {
        ready(self.edit(|rows| rows.retain(|row| !keys.contains(&row.key))))
    }
    fn waiting(&self, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<OutboundRow>>> {
        ready(self.edit(|rows| rows.iter().filter(|row| row.position > after).take(limit).cloned().collect()))
    }
}

/// No accounts, and secrets that are all zero.
pub(super) struct Nobody;
impl Accounts for Nobody {
    fn keys(&self, _: &BareJid) -> BoxFuture<'_, Stored<Option<AccountKeys>>> {
        ready(Ok(None))
    }
    fn create(&self, _: BareJid, _: AccountKeys) -> BoxFuture<'_, Stored<Creation>> {
        ready(Ok(Creation::Retired))
    }
    fn set_keys(&self, _: BareJid, _: AccountKeys) -> BoxFuture<'_, Stored<bool>> {
        ready(Ok(false))
    }
    fn delete(&self, _: BareJid) -> BoxFuture<'_, Stored<bool>> {
        ready(Ok(false))
    }
    fn list(&self, _: &DomainPart) -> BoxFuture<'_, Stored<Vec<BareJid>>> {
        ready(Ok(Vec::new()))
    }
    fn statistics(&self, _: &DomainPart) -> BoxFuture<'_, Stored<KeyStatistics>> {
        ready(Ok(KeyStatistics::default()))
    }
}
impl Secrets for Nobody {
    fn secret(&self, _: &'static str) -> BoxFuture<'_, Stored<Zeroizing<[u8; 32]>>> {
        ready(Ok(Zeroizing::new([0; 32])))
    }
}
