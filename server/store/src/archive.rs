//! Archives. Offline messages are their held rows; that is all there is until archives can be asked.

use crate::{
    Inner,
    accounts::SWEEP,
    append::Append,
    column,
    engine::{Connection, Readers, Row},
    fault::Refusal,
    read, read_one,
    seal::{Day, Place, day_of},
    sql,
    unit::Operation,
    vault::Doomed,
};
use bocage_api::{
    clock::UnixSeconds,
    store::{Archive, ArchiveEntry, ArchiveRow, StoreError, Stored},
};
use futures_util::future::BoxFuture;
use jid::BareJid;

/// The highest time that expiry believed so far.
pub(crate) async fn stored_wall(readers: &Readers) -> Stored<Option<UnixSeconds>> {
    let row = read_one(readers, &sql::WALL, &[]).await?;
    Ok(row.map(|row| column(row.maybe_int(0))).transpose()?.flatten())
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

/// Rows whose key is gone, a bounded number.
struct Sweep(Day);

impl Operation for Sweep {
    type Output = u64;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<u64, Refusal>> {
        Box::pin(async { Ok(tx.execute(&sql::SWEEP_ARCHIVE, &[self.0.into(), SWEEP.into()]).await?) })
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

impl Inner {
    /// The row, or `None` when its key is gone.
    fn open_row(&self, owner: &BareJid, row: &Row) -> Stored<(i64, Option<ArchiveRow>)> {
        let (position, id, stamp) = (column(row.int(0))?, column(row.text(1))?, column(row.int(3))?);
        let segment = column(row.bytes(4))?;
        let place = Place { owner, segment: &segment, id: &id, position, stamp };
        let content = self.vault.open(&place, column(row.int(2))?, column(row.bytes(5))?)?;
        let entry = content.map(|content| ArchiveEntry {
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
        });
        Ok((position, entry.map(|entry| ArchiveRow { position, entry })))
    }

    async fn held_rows(&self, owner: &BareJid, mut after: i64, limit: usize) -> Stored<Vec<ArchiveRow>> {
        let mut found = Vec::new();
        loop {
            let wanted = limit - found.len();
            let count = i64::try_from(wanted).unwrap_or(i64::MAX);
            let rows = read(&self.readers, &sql::HELD, &[owner.as_str().into(), after.into(), count.into()]).await?;
            for row in &rows {
                let (position, opened) = self.open_row(owner, row)?;
                after = position;
                found.extend(opened);
            }
            // Rows without a key are left out; a short page must mean that there is no more.
            if rows.len() < wanted || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    async fn expire_archive(&self, now: UnixSeconds) -> Stored<u64> {
        let Some(now) = self.gate.judge(now) else { return Ok(0) };
        self.queue.write(SetWall(now)).await?;
        // A day is past as a whole when its last second is older than the retention.
        let first_kept = day_of(now.saturating_sub(self.retention));
        self.queue.destroy_keys(Doomed::Before(first_kept)).await?;
        let mut swept = 0;
        loop {
            match self.queue.sweep(Sweep(first_kept)).await? {
                0 => break,
                rows => swept += rows,
            }
        }
        if swept > 0 {
            self.queue.tidy().await?;
        }
        Ok(swept)
    }
}

impl Archive for Inner {
    fn append(&self, entry: ArchiveEntry, held_limit: usize) -> BoxFuture<'_, Stored<i64>> {
        self.queue.append(Append::new(entry, held_limit))
    }
    fn held(&self, owner: &BareJid, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<ArchiveRow>>> {
        let owner = owner.clone();
        Box::pin(async move { self.held_rows(&owner, after, limit).await })
    }
    fn release(&self, owner: &BareJid, positions: Vec<i64>) -> BoxFuture<'_, Stored<()>> {
        match serde_json::to_string(&positions) {
            _ if positions.is_empty() => Box::pin(std::future::ready(Ok(()))),
            Ok(positions) => self.queue.write(Release { owner: owner.clone(), positions }),
            Err(_) => Box::pin(std::future::ready(Err(StoreError::Corrupt("a list of positions")))),
        }
    }
    fn held_count(&self, owner: &BareJid) -> BoxFuture<'_, Stored<usize>> {
        let owner = owner.clone();
        Box::pin(async move {
            let row = read_one(&self.readers, &sql::HELD_COUNT, &[owner.as_str().into()]).await?;
            let count = row.map(|row| column(row.int(0))).transpose()?.unwrap_or_default();
            Ok(usize::try_from(count).unwrap_or_default())
        })
    }
    fn expire(&self, now: UnixSeconds) -> BoxFuture<'_, Stored<u64>> {
        Box::pin(self.expire_archive(now))
    }
}
