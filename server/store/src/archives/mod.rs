//! Archives: sealed rows in, sealed rows out, and their end.

mod erase;
mod expiry;
mod page;

pub(crate) use erase::{SweepAll, forget};
pub(crate) use expiry::{SetWall, stored_wall};

use crate::{
    append::Call,
    clockgate::ClockGate,
    engine::{Connection, Readers, Row, Sql},
    fault::Refusal,
    names::Inner,
    open::read,
    owners::{self, Owner},
    retention::{Retention, seconds},
    retract,
    seal::{Day, Place, day_of},
    sql,
    unit::Operation,
    vault::Vault,
    writer::Queue,
};
use bocage_api::{
    BoxFuture, Clock,
    archive::{
        Append, Appended, Archive, ArchivePage, ArchiveQuery, ArchiveRow, ArchiveSettings, Bound, Preferences, Retraction, Scope,
        StanzaId,
    },
    clock::UnixSeconds,
    store::{StoreError, Stored},
};
use jid::BareJid;
use std::{sync::Arc, time::Duration};

/// Rows read at once.
const PAGE: usize = 500;

/// The table of archives.
pub(crate) struct Archives {
    queue: Queue,
    readers: Readers,
    vault: Arc<Vault>,
    retention: Retention,
    clock: Clock,
    gate: Arc<ClockGate>,
}

/// What decides how long something is kept.
pub(crate) struct Time {
    pub(crate) retention: Retention,
    pub(crate) clock: Clock,
    pub(crate) gate: Arc<ClockGate>,
}

impl Archives {
    pub(crate) fn new(database: (Queue, Readers), vault: Arc<Vault>, time: Time) -> Self {
        let Time { retention, clock, gate } = time;
        Self { queue: database.0, readers: database.1, vault, retention, clock, gate }
    }

    async fn owner(&self, owner: &BareJid) -> Stored<Option<Owner>> {
        owners::find(&self.readers, owner).await
    }

    /// Names as the statements take a list of them.
    fn names_of(&self, ids: &[StanzaId]) -> String {
        let names: Vec<Inner> = ids.iter().map(|id| self.vault.names.inner(*id)).collect();
        sql::list_of_bytes(names.iter().map(|name| name.0.as_slice()))
    }

    /// Seconds that an owner's messages are kept.
    fn kept_seconds(&self, owner: &BareJid, settings: &ArchiveSettings) -> i64 {
        let period = self.retention.of(owner).kept;
        settings.keeps.map_or(period, |own| seconds(own).min(period))
    }

    /// What is older is gone for queries.
    fn floor(&self, owner: &BareJid, settings: &ArchiveSettings) -> UnixSeconds {
        self.clock.wall().saturating_sub(self.kept_seconds(owner, settings))
    }

    async fn held_rows(&self, owner: &BareJid, mut after: i64, limit: usize) -> Stored<Vec<ArchiveRow>> {
        let Some(known) = self.owner(owner).await? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        loop {
            let wanted = (limit - found.len()).min(PAGE);
            let count = i64::try_from(wanted).unwrap_or_default();
            let rows = read(self.readers.rows(&sql::HELD, &[known.num.into(), after.into(), count.into()]).await)?;
            for row in &rows {
                after = read(row.int(0))?;
                found.extend(open_row(&self.vault, owner, row)?);
            }
            // Rows without a key are left out, and a short answer must mean that there is no more.
            if rows.len() < wanted || found.len() >= limit {
                return Ok(found);
            }
        }
    }
}

/// A row as the table has it.
pub(crate) struct SealedRow {
    pub(crate) position: i64,
    pub(crate) id: StanzaId,
    pub(crate) day: Day,
    pub(crate) stamp: UnixSeconds,
    pub(crate) segment: Vec<u8>,
    pub(crate) kept: bool,
    pub(crate) sealed: Vec<u8>,
}

impl SealedRow {
    /// Of a row that begins with the columns `position id day stamp segment kept sealed`.
    pub(crate) fn of(vault: &Vault, row: &Row) -> Stored<Self> {
        Ok(Self {
            position: read(row.int(0))?,
            id: vault.names.outer(read(row.bytes(1))?.as_slice().try_into()?),
            day: read(row.int(2))?,
            stamp: read(row.int(3))?,
            segment: read(row.bytes(4))?,
            kept: read(row.int(5))? != 0,
            sealed: read(row.bytes(6))?,
        })
    }
    /// `None` when its key is gone.
    pub(crate) fn open(self, vault: &Vault, owner: &BareJid) -> Stored<Option<ArchiveRow>> {
        let Self { position, id, day, stamp, segment, kept, sealed } = self;
        let text = id.to_string();
        let place = Place { owner, segment: &segment, id: &text, position, stamp };
        let Some(message) = vault.open(&place, day, sealed)? else { return Ok(None) };
        Ok(Some(ArchiveRow { position, id, stamp, kept, message }))
    }
}

/// See [`SealedRow`].
pub(crate) fn open_row(vault: &Vault, owner: &BareJid, row: &Row) -> Stored<Option<ArchiveRow>> {
    SealedRow::of(vault, row)?.open(vault, owner)
}

/// Rows that reached their owner; `list` as `statements` take it: one that lets go of them, one that deletes what no archive
/// keeps.
struct Release {
    owner: BareJid,
    list: String,
    statements: [&'static Sql; 2],
}
impl Operation for Release {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            let num = owners::make(tx, &self.owner).await?;
            for statement in self.statements {
                tx.execute(statement, &[num.into(), self.list.as_str().into()]).await?;
            }
            Ok(())
        })
    }
}

struct ReleaseKept(BareJid);
impl Operation for ReleaseKept {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            let num = owners::make(tx, &self.0).await?;
            tx.execute(&sql::RELEASE_KEPT, &[num.into()]).await?;
            Ok(())
        })
    }
}

struct Hold {
    owner: BareJid,
    name: Inner,
    limit: usize,
}
impl Operation for Hold {
    type Output = bool;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async {
            let num = owners::make(tx, &self.owner).await?;
            let place = [num.into(), self.name.0.as_slice().into()];
            match tx.row(&sql::IS_HELD, &place).await?.map(|row| row.int(0)).transpose()? {
                None => return Ok(false),
                Some(0) => {}
                Some(_) => return Ok(true),
            }
            let held = tx.row(&sql::HELD_COUNT, &[num.into()]).await?.ok_or(sqlx::Error::RowNotFound)?.int(0)?;
            if usize::try_from(held).unwrap_or(usize::MAX) >= self.limit {
                return Ok(false);
            }
            Ok(tx.execute(&sql::HOLD, &place).await? > 0)
        })
    }
}

struct Retract {
    owner: BareJid,
    retraction: Retraction,
    vault: Arc<Vault>,
    today: i64,
}
impl Operation for Retract {
    type Output = bool;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async {
            let num = owners::make(tx, &self.owner).await?;
            retract::replace(tx, &self.vault, (&self.owner, num), (&self.retraction, self.today)).await
        })
    }
}

struct SetKeeps(BareJid, Option<i64>);
impl Operation for SetKeeps {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            let num = owners::make(tx, &self.0).await?;
            tx.execute(&sql::SET_KEEPS, &[num.into(), self.1.into()]).await?;
            Ok(())
        })
    }
}

struct SetPreferences(BareJid, String);
impl Operation for SetPreferences {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            let num = owners::make(tx, &self.0).await?;
            tx.execute(&sql::SET_PREFERENCES, &[num.into(), self.1.as_str().into()]).await?;
            Ok(())
        })
    }
}

impl Archive for Archives {
    fn name(&self) -> StanzaId {
        self.vault.names.fresh()
    }
    fn append(&self, mut append: Append) -> BoxFuture<'_, Stored<Appended>> {
        append.entries.iter_mut().for_each(|entry| entry.stamp = self.gate.stamp(entry.stamp));
        self.queue.append(Call::new(append))
    }
    fn page(&self, owner: &BareJid, query: ArchiveQuery) -> BoxFuture<'_, Stored<Option<ArchivePage>>> {
        let owner = owner.clone();
        Box::pin(async move { self.page_of(&owner, query).await })
    }
    fn bounds(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Option<(Bound, Bound)>>> {
        let owner = owner.clone();
        Box::pin(async move { self.bounds_of(&owner).await })
    }
    fn held(&self, owner: &BareJid, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<ArchiveRow>>> {
        let owner = owner.clone();
        Box::pin(async move { self.held_rows(&owner, after, limit).await })
    }
    fn held_count(&self, owner: &BareJid) -> BoxFuture<'_, Stored<usize>> {
        let owner = owner.clone();
        Box::pin(async move {
            let Some(known) = self.owner(&owner).await? else { return Ok(0) };
            let rows = read(self.readers.rows(&sql::HELD_COUNT, &[known.num.into()]).await)?;
            let count = read(rows.first().map(|row| row.int(0)).transpose())?.unwrap_or_default();
            Ok(usize::try_from(count).unwrap_or_default())
        })
    }
    fn hold(&self, owner: &BareJid, id: StanzaId, limit: usize) -> BoxFuture<'_, Stored<bool>> {
        self.queue.write(Hold { owner: owner.clone(), name: self.vault.names.inner(id), limit })
    }
    fn release(&self, owner: &BareJid, positions: Vec<i64>) -> BoxFuture<'_, Stored<()>> {
        let owner = owner.clone();
        Box::pin(async move {
            let list = serde_json::to_string(&positions).map_err(|_| StoreError::Corrupt("a list of positions"))?;
            let statements = [&sql::RELEASE_HELD, &sql::DELETE_RELEASED];
            self.queue.write(Release { owner, list, statements }).await
        })
    }
    fn release_ids(&self, owner: &BareJid, ids: Vec<StanzaId>) -> BoxFuture<'_, Stored<()>> {
        let list = self.names_of(&ids);
        let statements = [&sql::RELEASE_IDS, &sql::DELETE_RELEASED_IDS];
        self.queue.write(Release { owner: owner.clone(), list, statements })
    }
    fn release_kept(&self, owner: &BareJid) -> BoxFuture<'_, Stored<()>> {
        self.queue.write(ReleaseKept(owner.clone()))
    }
    fn retract(&self, owner: &BareJid, retraction: Retraction) -> BoxFuture<'_, Stored<bool>> {
        let today = day_of(self.clock.wall());
        self.queue.write(Retract { owner: owner.clone(), retraction, vault: self.vault.clone(), today })
    }
    fn erase(&self, owner: &BareJid, scope: Scope) -> BoxFuture<'_, Stored<u64>> {
        let owner = owner.clone();
        Box::pin(async move { self.erase_of(&owner, scope).await })
    }
    fn settings(&self, owner: &BareJid) -> BoxFuture<'_, Stored<ArchiveSettings>> {
        let owner = owner.clone();
        Box::pin(async move { Ok(self.owner(&owner).await?.map(|known| known.settings).unwrap_or_default()) })
    }
    fn set_keeps(&self, owner: &BareJid, keeps: Option<Duration>) -> BoxFuture<'_, Stored<()>> {
        self.queue.write(SetKeeps(owner.clone(), keeps.map(seconds)))
    }
    fn set_preferences(&self, owner: &BareJid, preferences: Preferences) -> BoxFuture<'_, Stored<()>> {
        let owner = owner.clone();
        Box::pin(async move {
            let text = serde_json::to_string(&preferences).map_err(|_| StoreError::Corrupt("preferences"))?;
            self.queue.write(SetPreferences(owner, text)).await
        })
    }
    fn keeps(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Duration>> {
        let owner = owner.clone();
        Box::pin(async move {
            let settings = self.owner(&owner).await?.map(|known| known.settings).unwrap_or_default();
            Ok(Duration::from_secs(self.kept_seconds(&owner, &settings).unsigned_abs()))
        })
    }
    fn expire(&self, now: UnixSeconds) -> BoxFuture<'_, Stored<u64>> {
        Box::pin(self.expire_by(now))
    }
}
