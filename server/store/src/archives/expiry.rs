//! The end of what has expired (H01, H02): keys of days that are over for their owner, then rows in small ranges.
//!
//! Rows go when their stamp is old enough, keys when the last stamp of their day is: a key lives up to a day longer than
//! the first row that it sealed.

use super::{Archives, PAGE};
use crate::{
    engine::{Connection, Readers, Sql},
    fault::Refusal,
    keyfile::{OwnerTag, owner_tag},
    open::read,
    owners,
    seal::{Day, day_of},
    sql,
    unit::Operation,
    vault::Doomed,
};
use bocage_api::{BoxFuture, clock::UnixSeconds, store::Stored};
use jid::BareJid;
use std::collections::HashMap;

/// Rows deleted at once.
const SWEEP: i64 = 500;
/// Days that a message waits for another server at most, whatever the retention.
const OUTBOUND_DAYS: i64 = 7;

/// The highest time that expiry believed so far.
pub(crate) async fn stored_wall(readers: &Readers) -> Stored<Option<UnixSeconds>> {
    let rows = read(readers.rows(&sql::WALL, &[]).await)?;
    Ok(read(rows.first().map(|row| row.maybe_int(0)).transpose())?.flatten())
}

/// What of one owner is over.
#[derive(Clone, Copy)]
struct Over {
    num: i64,
    /// Stamps of kept rows below this.
    kept: UnixSeconds,
    /// Stamps of held rows below this.
    held: UnixSeconds,
}

impl Archives {
    pub(super) async fn expire_by(&self, now: UnixSeconds) -> Stored<u64> {
        let Some(wall) = self.gate.judge(now) else { return Ok(0) };
        // Before anything is destroyed: what a restart believes must not fall behind it.
        if stored_wall(&self.readers).await? != Some(wall) {
            self.queue.write(SetWall(wall)).await?;
        }
        let owners = self.over(wall).await?;
        let others = day_of(wall.saturating_sub(self.retention.longest()));
        let waiting = self.waiting_since().await?;
        let first = |over: &Over| {
            waiting.get(&over.num).map_or(day_of(over.kept), |day| day_of(over.kept).min((*day).max(day_of(over.held))))
        };
        let days = owners.iter().map(|(tag, over)| (*tag, first(over).max(others))).collect();
        self.queue.destroy_keys(Doomed::Expired(days, others)).await?;
        let mut deleted = self.sweep_days(others, day_of(wall)).await?;
        for (_, over) in owners {
            deleted += self.sweep_owner(over).await?;
        }
        if deleted > 0 {
            self.queue.tidy().await?;
        }
        Ok(deleted)
    }

    /// The first day of each owner who has something waiting: a key is needed as long as that does.
    async fn waiting_since(&self) -> Stored<HashMap<i64, Day>> {
        let rows = read(self.readers.rows(&sql::WAITING_SINCE, &[]).await)?;
        rows.iter().map(|row| Ok((read(row.int(0))?, read(row.int(1))?))).collect()
    }

    async fn over(&self, wall: UnixSeconds) -> Stored<Vec<(OwnerTag, Over)>> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = owners::page(&self.readers, after, SWEEP).await?;
            let Some((_, last)) = page.last() else { return Ok(all) };
            after = last.num;
            for (name, owner) in &page {
                let Ok(jid) = BareJid::new(name) else { continue };
                let kept = wall.saturating_sub(self.kept_seconds(&jid, &owner.settings));
                let held = wall.saturating_sub(self.retention.of(&jid).held);
                all.push((owner_tag(&jid), Over { num: owner.num, kept, held }));
            }
        }
    }

    /// Whatever the stamps say: rows of days that no key is left for.
    async fn sweep_days(&self, day: Day, today: Day) -> Stored<u64> {
        let outbound = day.max(today - OUTBOUND_DAYS);
        let mut deleted = 0;
        for (statement, day) in [(&sql::SWEEP_ARCHIVE, day), (&sql::SWEEP_OUTBOUND, outbound)] {
            loop {
                let rows = self.queue.sweep(SweepDays(statement, day)).await?;
                deleted += rows;
                if rows == 0 {
                    break;
                }
            }
        }
        Ok(deleted)
    }

    /// Held rows, then the oldest; as long as pages of them are over.
    async fn sweep_owner(&self, over: Over) -> Stored<u64> {
        let mut deleted = 0;
        for (statement, newest) in [(&sql::OLDEST_HELD, over.held), (&sql::OLDEST, over.kept)] {
            loop {
                let count = i64::try_from(PAGE).unwrap_or(SWEEP);
                let rows = read(self.readers.rows(statement, &[over.num.into(), count.into()]).await)?;
                let mut last = None;
                for row in &rows {
                    if read(row.int(1))? < newest {
                        last = Some(read(row.int(0))?);
                    }
                }
                let Some(last) = last else { break };
                let done = self.queue.sweep(SweepOld { over, last }).await?;
                deleted += done.deleted;
                if done.changed == 0 || rows.len() < PAGE {
                    break;
                }
            }
        }
        Ok(deleted)
    }
}

struct SweepDays(&'static Sql, Day);
impl Operation for SweepDays {
    type Output = u64;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<u64, Refusal>> {
        Box::pin(async { Ok(tx.execute(self.0, &[self.1.into(), SWEEP.into()]).await?) })
    }
}

struct SweepOld {
    over: Over,
    last: i64,
}

/// What a sweep did.
struct Done {
    deleted: u64,
    changed: u64,
}

impl Operation for SweepOld {
    type Output = Done;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<Done, Refusal>> {
        Box::pin(async {
            let Self { over, last } = *self;
            let unheld = tx.execute(&sql::UNHOLD_OLD, &[over.num.into(), last.into(), over.held.into()]).await?;
            let unkept = tx.execute(&sql::UNKEEP_OLD, &[over.num.into(), last.into(), over.kept.into()]).await?;
            let deleted = tx.execute(&sql::DELETE_OLD, &[over.num.into(), last.into()]).await?;
            Ok(Done { deleted, changed: unheld + unkept + deleted })
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
