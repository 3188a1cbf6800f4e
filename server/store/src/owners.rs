//! Whose archives there are: each owner has a number, which their rows name instead of an address.

use crate::{
    engine::{Connection, Readers, Row},
    fault::Refusal,
    open::read,
    sql,
};
use bocage_api::{
    archive::{ArchiveSettings, Preferences},
    store::{StoreError, Stored},
};
use jid::BareJid;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Numbers remembered at most; when it is full it starts anew.
const KNOWN: usize = 100_000;

/// Numbers of owners that are committed.
#[derive(Default)]
pub(crate) struct Owners {
    known: Mutex<HashMap<BareJid, i64>>,
    /// Grows with each owner that goes: what was looked up before is not remembered behind it.
    gone: AtomicU64,
}

/// Numbers that a unit looked up or made; remembered when it is committed.
#[derive(Default)]
pub(crate) struct Fresh {
    numbers: Vec<(BareJid, i64)>,
    gone: u64,
}

/// An owner as the table has it.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) num: i64,
    pub(crate) settings: ArchiveSettings,
}

impl Owners {
    fn known(&self) -> MutexGuard<'_, HashMap<BareJid, i64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of all of them; new owners get one.
    pub(crate) async fn numbers<'a>(
        &self,
        tx: &mut Connection,
        owners: &HashSet<&'a BareJid>,
        fresh: &mut Fresh,
    ) -> Result<HashMap<&'a BareJid, i64>, Refusal> {
        *fresh = Fresh { numbers: Vec::new(), gone: self.gone.load(Ordering::Acquire) };
        let mut numbers: HashMap<&BareJid, i64> = {
            let known = self.known();
            owners.iter().filter_map(|owner| known.get(*owner).map(|num| (*owner, *num))).collect()
        };
        for owner in owners {
            if !numbers.contains_key(owner) {
                let num = make(tx, owner).await?;
                numbers.insert(owner, num);
                fresh.numbers.push(((*owner).clone(), num));
            }
        }
        Ok(numbers)
    }

    /// What a committed unit found.
    pub(crate) fn remember(&self, fresh: Fresh) {
        let mut known = self.known();
        if fresh.gone != self.gone.load(Ordering::Acquire) {
            return;
        }
        if known.len() + fresh.numbers.len() > KNOWN {
            known.clear();
        }
        known.extend(fresh.numbers);
    }

    /// The owner's row is about to go: for the writer, before it does.
    pub(crate) fn forget(&self, owner: &BareJid) {
        let mut known = self.known();
        self.gone.fetch_add(1, Ordering::Release);
        known.remove(owner);
    }
}

/// The number of an owner, made if need be.
pub(crate) async fn make(tx: &mut Connection, owner: &BareJid) -> Result<i64, Refusal> {
    let row = tx.row(&sql::MAKE_OWNER, &[owner.as_str().into()]).await?;
    Ok(row.ok_or(sqlx::Error::RowNotFound)?.int(0)?)
}

/// The owner, if there is a row of it; `None` = nothing was ever archived or set.
pub(crate) async fn find(readers: &Readers, owner: &BareJid) -> Stored<Option<Owner>> {
    let rows = read(readers.rows(&sql::OWNER, &[owner.as_str().into()]).await)?;
    rows.first().map(self::row).transpose()
}

/// All owners behind this number, some at a time.
pub(crate) async fn page(readers: &Readers, after: i64, limit: i64) -> Stored<Vec<(String, Owner)>> {
    let rows = read(readers.rows(&sql::OWNERS, &[after.into(), limit.into()]).await)?;
    rows.iter().map(|row| Ok((read(row.text(3))?, self::row(row)?))).collect()
}

fn row(row: &Row) -> Stored<Owner> {
    let keeps = read(row.maybe_int(1))?.map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
    let preferences = read(row.maybe_text(2))?;
    let preferences = preferences.map(|text| serde_json::from_str::<Preferences>(&text)).transpose();
    let preferences = preferences.map_err(|_| StoreError::Corrupt("preferences of an archive"))?;
    Ok(Owner { num: read(row.int(0))?, settings: ArchiveSettings { keeps, preferences } })
}
