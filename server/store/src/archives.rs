//! Archives: sealed rows in, sealed rows out, and their end.

use crate::{
    append::Append,
    clockgate::ClockGate,
    engine::{Connection, Readers, Row, Sql},
    fault::Refusal,
    open::read,
    seal::{Day, Place, day_of},
    sql,
    unit::Operation,
    vault::{Doomed, Vault},
    writer::Queue,
};
use bocage_api::{
    BoxFuture,
    clock::UnixSeconds,
    store::{Archive, ArchiveEntry, ArchiveRow, StoreError, Stored},
};
use jid::BareJid;
use std::{sync::Arc, time::Duration};

/// Rows deleted at once.
const SWEEP: i64 = 500;
/// Rows read at once.
const PAGE: usize = 500;
/// Days that a message waits for another server at most, whatever the retention.
const OUTBOUND_DAYS: i64 = 7;

/// The table of archives.
pub(crate) struct Archives {
    queue: Queue,
    readers: Readers,
    vault: Arc<Vault>,
    gate: Arc<ClockGate>,
    retention: i64,
}

/// The highest time that expiry believed so far.
pub(crate) async fn stored_wall(readers: &Readers) -> Stored<Option<UnixSeconds>> {
    let rows = read(readers.rows(&sql::WALL, &[]).await)?;
    Ok(read(rows.first().map(|row| row.maybe_int(0)).transpose())?.flatten())
}

impl Archives {
    pub(crate) fn new(database: (Queue, Readers), vault: Arc<Vault>, end: (Arc<ClockGate>, Duration)) -> Self {
        let retention = i64::try_from(end.1.as_secs()).unwrap_or(i64::MAX);
        Self { queue: database.0, readers: database.1, vault, gate: end.0, retention }
    }

    async fn held_rows(&self, owner: &BareJid, mut after: i64, limit: usize) -> Stored<Vec<ArchiveRow>> {
        let mut found = Vec::new();
        loop {
            let wanted = (limit - found.len()).min(PAGE);
            let count = i64::try_from(wanted).unwrap_or_default();
            let rows = read(self.readers.rows(&sql::HELD, &[owner.as_str().into(), after.into(), count.into()]).await)?;
            for row in &rows {
                after = read(row.int(0))?;
                found.extend(self.open(owner, row)?);
            }
            // Rows without a key are left out, and a short answer must mean that there is no more.
            if rows.len() < wanted || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// `None` when the row's key is gone.
    fn open(&self, owner: &BareJid, row: &Row) -> Stored<Option<ArchiveRow>> {
        let (position, id, day, stamp) = (read(row.int(0))?, read(row.text(1))?, read(row.int(2))?, read(row.int(3))?);
        let segment = read(row.bytes(4))?;
        let place = Place { owner, segment: &segment, id: &id, position, stamp };
        let Some(content) = self.vault.open(&place, day, read(row.bytes(5))?)? else { return Ok(None) };
        let entry = ArchiveEntry {
            owner: owner.clone(),
            id,
            stamp,
            with: content.with,
            from: content.from,
            to: content.to,
            kind: content.kind,
            message_id: content.message_id,
            lang: content.lang,
            payload: content.payload,
            held: true,
        };
        Ok(Some(ArchiveRow { position, entry }))
    }

    async fn destroy_before(&self, day: Day, today: Day) -> Stored<u64> {
        self.queue.destroy_keys(Doomed::Before(day)).await?;
        let outbound = day.max(today - OUTBOUND_DAYS);
        let mut deleted = 0;
        for (statement, day) in [(&sql::SWEEP_ARCHIVE, day), (&sql::SWEEP_OUTBOUND, outbound)] {
            loop {
                let rows = self.queue.sweep(Sweep(statement, day)).await?;
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
    }
}

struct Sweep(&'static Sql, Day);
impl Operation for Sweep {
    type Output = u64;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<u64, Refusal>> {
        Box::pin(async { Ok(tx.execute(self.0, &[self.1.into(), SWEEP.into()]).await?) })
    }
}

struct Release {
    owner: BareJid,
    positions: String,
}
impl Operation for Release {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            tx.execute(&sql::RELEASE_HELD, &[self.owner.as_str().into(), self.positions.as_str().into()]).await?;
            Ok(())
        })
    }
}

/// Remembers the time that was believed.
pub(crate) struct SetWall(pub(crate) UnixSeconds);
impl Operation for SetWall {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            tx.execute(&sql::SET_WALL, &[self.0.into()]).await?;
            Ok(())
        })
    }
}

impl Archive for Archives {
    fn append(&self, entry: ArchiveEntry, held_limit: usize) -> BoxFuture<'_, Stored<i64>> {
        self.queue.append(Append::new(entry, held_limit))
    }
    fn held(&self, owner: &BareJid, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<ArchiveRow>>> {
        let owner = owner.clone();
        Box::pin(async move { self.held_rows(&owner, after, limit).await })
    }
    fn release(&self, owner: &BareJid, positions: Vec<i64>) -> BoxFuture<'_, Stored<()>> {
        let owner = owner.clone();
        Box::pin(async move {
            let positions = serde_json::to_string(&positions).map_err(|_| StoreError::Corrupt("a list of positions"))?;
            self.queue.write(Release { owner, positions }).await
        })
    }
    fn held_count(&self, owner: &BareJid) -> BoxFuture<'_, Stored<usize>> {
        let owner = owner.clone();
        Box::pin(async move {
            let rows = read(self.readers.rows(&sql::HELD_COUNT, &[owner.as_str().into()]).await)?;
            let count = read(rows.first().map(|row| row.int(0)).transpose())?.unwrap_or_default();
            Ok(usize::try_from(count).unwrap_or_default())
        })
    }
    fn expire(&self, now: UnixSeconds) -> BoxFuture<'_, Stored<u64>> {
        Box::pin(async move {
            let Some(wall) = self.gate.judge(now) else { return Ok(0) };
            // Before anything is destroyed: what a restart believes must not fall behind it.
            if stored_wall(&self.readers).await? != Some(wall) {
                self.queue.write(SetWall(wall)).await?;
            }
            self.destroy_before(day_of(wall.saturating_sub(self.retention)), day_of(wall)).await
        })
    }
}
