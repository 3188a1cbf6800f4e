//! Deletion by the owner (H05): keys first where whole days go, then rows in small ranges.

use super::Archives;
use crate::{
    engine::Connection,
    fault::Refusal,
    owners::{self, Owners},
    seal::{Day, day_of},
    sql,
    unit::Operation,
    vault::Doomed,
};
use bocage_api::{BoxFuture, archive::Scope, clock::UnixSeconds, store::Stored};
use jid::BareJid;

/// Rows deleted at once.
const SWEEP: i64 = 500;

impl Archives {
    pub(super) async fn erase_of(&self, owner: &BareJid, scope: Scope) -> Stored<u64> {
        let Some(known) = self.owner(owner).await? else { return Ok(0) };
        match &scope {
            Scope::Whole => self.queue.destroy_keys(Doomed::Of(owner.clone())).await?,
            Scope::Before(moment) => self.queue.destroy_keys(Doomed::OfBefore(owner.clone(), day_of(*moment))).await?,
            Scope::With(_) => {}
        }
        // Read behind the destruction: what came in between has a key again, and goes too.
        let last = self.queue.write(LastPosition).await?;
        let chunk = |what| Chunk { num: known.num, last, what };
        let mut deleted = 0;
        loop {
            let what = match &scope {
                Scope::Whole => What::Before(UnixSeconds::MAX),
                Scope::Before(moment) => What::Before(*moment),
                Scope::With(jid) => What::With(self.with_tags(owner, (Day::MIN, day_of(self.clock.wall())), jid.as_str())?),
            };
            let rows = self.queue.write(chunk(what)).await?;
            deleted += rows;
            if rows == 0 {
                break;
            }
        }
        if deleted > 0 {
            self.queue.tidy().await?;
        }
        Ok(deleted)
    }
}

struct LastPosition;
impl Operation for LastPosition {
    type Output = i64;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<i64, Refusal>> {
        Box::pin(async { Ok(tx.row(&sql::LAST_POSITION, &[]).await?.ok_or(sqlx::Error::RowNotFound)?.int(0)?) })
    }
}

enum What {
    Before(UnixSeconds),
    With(String),
}

struct Chunk {
    num: i64,
    last: i64,
    what: What,
}
impl Operation for Chunk {
    type Output = u64;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<u64, Refusal>> {
        Box::pin(async {
            Ok(match &self.what {
                What::Before(moment) => {
                    tx.execute(&sql::SWEEP_OWNER, &[self.num.into(), self.last.into(), (*moment).into(), SWEEP.into()]).await?
                }
                What::With(tags) => {
                    let values = [self.num.into(), self.last.into(), tags.as_str().into(), SWEEP.into()];
                    tx.execute(&sql::SWEEP_WITH, &values).await?
                }
            })
        })
    }
}

/// Some rows of an owner who goes.
pub(crate) struct SweepAll(pub(crate) BareJid);
impl Operation for SweepAll {
    type Output = u64;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<u64, Refusal>> {
        Box::pin(sweep(tx, &self.0, SWEEP))
    }
}

async fn sweep(tx: &mut Connection, owner: &BareJid, rows: i64) -> Result<u64, Refusal> {
    let num = owners::make(tx, owner).await?;
    Ok(tx.execute(&sql::SWEEP_OWNER, &[num.into(), i64::MAX.into(), i64::MAX.into(), rows.into()]).await?)
}

/// The end of an owner: what is left of the rows, and what they had set.
pub(crate) async fn forget(tx: &mut Connection, owners: &Owners, owner: &BareJid) -> Result<(), Refusal> {
    sweep(tx, owner, i64::MAX).await?;
    owners.forget(owner);
    tx.execute(&sql::DELETE_OWNER, &[owner.as_str().into()]).await?;
    Ok(())
}
