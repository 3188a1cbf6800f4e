//! Records of modules: one table, bounds by declaration.

use crate::{
    clockgate::ClockGate,
    engine::{Connection, Readers, Row, Value},
    fault::Refusal,
    open::read,
    sql,
    unit::Operation,
    writer::Queue,
};
use bocage_api::{
    BoxFuture, Clock,
    clock::UnixSeconds,
    store::{Collection, Page, Record, RecordStore, StoreError, Stored},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Rows deleted at once.
const SWEEP: i64 = 500;
const WEEK: i64 = 7 * 86_400;
/// Bytes of a key at most.
const KEY_BYTES: usize = 1_024;
/// Rows of a page at most.
const PAGE: usize = 1_000;
const UNDECLARED: StoreError = StoreError::Corrupt("a collection was not declared");

/// The table of records.
pub(crate) struct RecordTable {
    queue: Queue,
    readers: Readers,
    clock: Clock,
    gate: Arc<ClockGate>,
    declared: RwLock<BTreeMap<String, Collection>>,
}

impl RecordTable {
    /// What modules have declared.
    pub(crate) fn collections(&self) -> Vec<Collection> {
        self.declared.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
    pub(crate) fn new(database: (Queue, Readers), clock: Clock, gate: Arc<ClockGate>) -> Self {
        Self { queue: database.0, readers: database.1, clock, gate, declared: RwLock::default() }
    }
    fn collection(&self, name: &str) -> Stored<Collection> {
        self.declared.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned().ok_or(UNDECLARED)
    }
    /// Records written at or before this are gone, whether or not they were swept.
    fn dead_line(&self, collection: &Collection) -> i64 {
        dead_line(collection, self.clock.wall())
    }
    fn write(
        &self,
        (collection, owner, key): (&str, &str, &str),
        (expected, value): (Option<i64>, Vec<u8>),
    ) -> BoxFuture<'_, Stored<bool>> {
        let collection = match self.collection(collection) {
            Ok(collection) => collection,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        if value.len() > collection.value_bytes {
            return Box::pin(std::future::ready(Err(StoreError::Limit("bytes of a record"))));
        }
        // PostgreSQL has no NUL in text.
        if key.len() > KEY_BYTES || key.contains('\0') || owner.contains('\0') {
            return Box::pin(std::future::ready(Err(StoreError::Limit("the key of a record"))));
        }
        let now = self.clock.wall();
        self.queue.write(Put { collection, owner: owner.to_owned(), key: key.to_owned(), value, expected, now })
    }
}

fn dead_line(collection: &Collection, now: UnixSeconds) -> i64 {
    let lifetime = collection.lifetime.and_then(|seconds| i64::try_from(seconds).ok());
    lifetime.map_or(i64::MIN, |lifetime| now.saturating_sub(lifetime))
}

/// When a record was written, as it is stored: about people, what is kept for weeks is dated by the week (H08).
fn stamp(collection: &Collection, lifetime: u64, now: UnixSeconds) -> UnixSeconds {
    let coarse = collection.personal && lifetime >= 4 * WEEK.unsigned_abs();
    if coarse { now - now.rem_euclid(WEEK) } else { now }
}

fn record(row: &Row) -> Result<Record, sqlx::Error> {
    Ok(Record { revision: row.int(0)?, value: row.bytes(1)?, key: row.text(2)? })
}

struct Put {
    collection: Collection,
    owner: String,
    key: String,
    value: Vec<u8>,
    /// Write only over this revision; 0 = only if there is none.
    expected: Option<i64>,
    now: UnixSeconds,
}

impl Operation for Put {
    type Output = bool;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async {
            let place: [Value<'_>; 3] =
                [self.owner.as_str().into(), self.collection.name.as_str().into(), self.key.as_str().into()];
            let row = tx.row(&sql::RECORD_REVISION, &place).await?;
            let (stored, written) = match &row {
                Some(row) => (row.int(0)?, row.maybe_int(1)?),
                None => (0, None),
            };
            let dead = written.is_some_and(|written| written <= dead_line(&self.collection, self.now));
            let visible = if dead { 0 } else { stored };
            if self.expected.is_some_and(|expected| expected != visible) {
                return Ok(false);
            }
            if row.is_none() {
                self.refuse_if_full(tx).await?;
            }
            let written = self.collection.lifetime.map(|lifetime| stamp(&self.collection, lifetime, self.now));
            let values = [place.as_slice(), &[(stored + 1).into(), self.value.as_slice().into(), written.into()]].concat();
            tx.execute(&sql::PUT_RECORD, &values).await?;
            Ok(true)
        })
    }
}

impl Put {
    async fn refuse_if_full(&self, tx: &mut Connection) -> Result<(), Refusal> {
        let row = tx.row(&sql::RECORD_COUNT, &[self.owner.as_str().into(), self.collection.name.as_str().into()]).await?;
        let count = row.map(|row| row.int(0)).transpose()?.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        if count >= self.collection.rows_per_owner { Err(StoreError::Limit("records of this owner").into()) } else { Ok(()) }
    }
}

struct Delete(String, String, String);
impl Operation for Delete {
    type Output = bool;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async {
            let values = [self.0.as_str().into(), self.1.as_str().into(), self.2.as_str().into()];
            Ok(tx.execute(&sql::DELETE_RECORD, &values).await? > 0)
        })
    }
}

struct DeleteOwner(String);
impl Operation for DeleteOwner {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            tx.execute(&sql::DELETE_RECORDS, &[self.0.as_str().into()]).await?;
            Ok(())
        })
    }
}

struct Sweep(String, i64);
impl Operation for Sweep {
    type Output = u64;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<u64, Refusal>> {
        Box::pin(async { Ok(tx.execute(&sql::SWEEP_RECORDS, &[self.0.as_str().into(), self.1.into(), SWEEP.into()]).await?) })
    }
}

impl RecordStore for RecordTable {
    fn declare(&self, collection: Collection) {
        self.declared.write().unwrap_or_else(PoisonError::into_inner).insert(collection.name.clone(), collection);
    }
    fn read(&self, collection: &str, owner: &str, key: &str) -> BoxFuture<'_, Stored<Option<Record>>> {
        let (collection, owner, key) = (self.collection(collection), owner.to_owned(), key.to_owned());
        Box::pin(async move {
            let collection = collection?;
            let dead = self.dead_line(&collection);
            let values = [owner.as_str().into(), collection.name.as_str().into(), key.as_str().into(), dead.into()];
            let rows = read(self.readers.rows(&sql::RECORD, &values).await)?;
            read(rows.first().map(record).transpose())
        })
    }
    fn put(&self, collection: &str, owner: &str, key: &str, value: Vec<u8>) -> BoxFuture<'_, Stored<()>> {
        let written = self.write((collection, owner, key), (None, value));
        Box::pin(async { written.await.map(drop) })
    }
    fn compare_and_set(
        &self,
        collection: &str,
        owner: &str,
        key: &str,
        (expected, value): (i64, Vec<u8>),
    ) -> BoxFuture<'_, Stored<bool>> {
        self.write((collection, owner, key), (Some(expected), value))
    }
    fn delete(&self, collection: &str, owner: &str, key: &str) -> BoxFuture<'_, Stored<bool>> {
        self.queue.write(Delete(owner.to_owned(), collection.to_owned(), key.to_owned()))
    }
    fn list(&self, collection: &str, owner: &str, page: Page) -> BoxFuture<'_, Stored<Vec<Record>>> {
        let (collection, owner) = (self.collection(collection), owner.to_owned());
        Box::pin(async move {
            let collection = collection?;
            let limit = i64::try_from(page.limit.min(PAGE)).unwrap_or_default();
            let values = [
                owner.as_str().into(),
                collection.name.as_str().into(),
                page.prefix.as_str().into(),
                self.dead_line(&collection).into(),
                page.after.as_deref().into(),
                limit.into(),
            ];
            let rows = read(self.readers.rows(&sql::LIST_RECORDS, &values).await)?;
            let records = read(rows.iter().map(record).collect::<Result<Vec<_>, _>>())?;
            // Keys are in order: those with the prefix come first.
            Ok(records.into_iter().take_while(|record| record.key.starts_with(&page.prefix)).collect())
        })
    }
    fn delete_owner(&self, owner: &str) -> BoxFuture<'_, Stored<()>> {
        self.queue.write(DeleteOwner(owner.to_owned()))
    }
    fn expire(&self, now: UnixSeconds) -> BoxFuture<'_, Stored<u64>> {
        let declared = self.collections();
        Box::pin(async move {
            let Some(now) = self.gate.judge(now) else { return Ok(0) };
            let mut deleted = 0;
            for collection in declared.into_iter().filter(|collection| collection.lifetime.is_some()) {
                let dead = dead_line(&collection, now);
                loop {
                    let rows = self.queue.sweep(Sweep(collection.name.clone(), dead)).await?;
                    deleted += rows;
                    if rows == 0 {
                        break;
                    }
                }
            }
            if deleted > 0 {
                self.queue.tidy().await?;
            }
            Ok(deleted)
        })
    }
}
