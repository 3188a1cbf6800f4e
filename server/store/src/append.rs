//! Appends to archives: consecutive ones become one unit and go into the table by many rows at once.
//!
//! Positions are drawn inside the transaction before the rows are sealed, so that the seal binds them.

use crate::{
    engine::{Connection, Row, Value},
    fault::Refusal,
    seal::{Day, day_of},
    sql,
    unit::{Unit, never_ran},
    vault::{SealedRow, Vault},
};
use bocage_api::store::{ArchiveEntry, StoreError, Stored};
use futures_util::future::BoxFuture;
use jid::BareJid;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::oneshot;

/// One append with its caller.
pub(crate) struct Append {
    entry: ArchiveEntry,
    held_limit: usize,
    outcome: Option<Stored<i64>>,
    caller: oneshot::Sender<Stored<i64>>,
}

impl Append {
    pub(crate) fn new(entry: ArchiveEntry, held_limit: usize) -> (Self, oneshot::Receiver<Stored<i64>>) {
        let (caller, ticket) = oneshot::channel();
        (Self { entry, held_limit, outcome: None, caller }, ticket)
    }
    pub(crate) fn refuse(self, error: StoreError) {
        let _ = self.caller.send(Err(error));
    }
}

/// Appends that follow one another.
pub(crate) struct Appends {
    appends: Vec<Append>,
    vault: Arc<Vault>,
}

impl Appends {
    pub(crate) fn new(append: Append, vault: Arc<Vault>) -> Self {
        Self { appends: vec![append], vault }
    }
    pub(crate) fn push(&mut self, append: Append) {
        self.appends.push(append);
    }

    async fn insert(&mut self, tx: &mut Connection) -> Result<(), Refusal> {
        self.apply_limits(tx).await?;
        let mut accepted: Vec<&mut Append> = self.appends.iter_mut().filter(|append| append.outcome.is_none()).collect();
        if accepted.is_empty() {
            return Ok(());
        }
        let count = count(accepted.len());
        let last = tx.row(&sql::NEXT_POSITIONS, &[count.into()]).await?.ok_or(sqlx::Error::RowNotFound)?.int(0)?;
        let mut sealed = Vec::with_capacity(accepted.len());
        for (position, append) in (last - count + 1..).zip(&mut accepted) {
            match self.vault.seal(&append.entry, position) {
                Ok(row) => {
                    sealed.push((position, &append.entry, row));
                    append.outcome = Some(Ok(position));
                }
                Err(error) => append.outcome = Some(Err(error)),
            }
        }
        Ok(tx.insert(&sql::APPEND, &sealed, columns).await?)
    }

    /// Refuses those whose owner holds enough already.
    async fn apply_limits(&mut self, tx: &mut Connection) -> Result<(), Refusal> {
        let owners: HashSet<&str> = self.appends.iter().filter(|it| it.entry.held).map(|it| it.entry.owner.as_str()).collect();
        let mut held = held_counts(tx, &owners).await?;
        for append in &mut self.appends {
            append.outcome = None;
            if !append.entry.held {
                continue;
            }
            let count = held.entry(append.entry.owner.as_str().to_owned()).or_default();
            if *count >= append.held_limit {
                append.outcome = Some(Err(StoreError::Limit("held messages of this account")));
            } else {
                *count += 1;
            }
        }
        Ok(())
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

async fn held_counts(tx: &mut Connection, owners: &HashSet<&str>) -> Result<HashMap<String, usize>, Refusal> {
    if owners.is_empty() {
        return Ok(HashMap::new());
    }
    let list = serde_json::to_string(owners).map_err(|_| StoreError::Corrupt("a list of owners"))?;
    let rows = tx.rows(&sql::HELD_COUNTS, &[list.as_str().into()]).await?;
    let pair = |row: &Row| Ok((row.text(0)?, usize::try_from(row.int(1)?).unwrap_or_default()));
    rows.iter().map(pair).collect()
}

type Placed<'a> = (i64, &'a ArchiveEntry, SealedRow);

fn columns<'a>((position, entry, row): &'a Placed<'_>) -> [Value<'a>; sql::ARCHIVE_COLUMNS] {
    [
        (*position).into(),
        entry.owner.as_str().into(),
        entry.id.as_str().into(),
        row.day.into(),
        entry.stamp.into(),
        Value::Bytes(Some(&[])),
        row.with_bare.as_slice().into(),
        row.with_full.as_slice().into(),
        row.reference.as_ref().map(|tag| tag.as_slice()).into(),
        i64::from(entry.held).into(),
        row.bytes.as_slice().into(),
    ]
}

impl Unit for Appends {
    fn run<'a>(&'a mut self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.insert(tx))
    }
    fn refuse(&mut self, error: StoreError) {
        self.appends.iter_mut().for_each(|append| append.outcome = Some(Err(error.clone())));
    }
    fn settle(self: Box<Self>) {
        for append in self.appends {
            let _ = append.caller.send(append.outcome.unwrap_or_else(|| Err(never_ran())));
        }
    }
    fn split(self: Box<Self>) -> Vec<Box<dyn Unit>> {
        let Self { appends, vault } = *self;
        appends.into_iter().map(|append| Box::new(Self::new(append, vault.clone())) as Box<dyn Unit>).collect()
    }
    fn divisible(&self) -> bool {
        self.appends.len() > 1
    }
    fn keys(&self) -> Vec<(Day, &BareJid)> {
        self.appends.iter().map(|append| (day_of(append.entry.stamp), &append.entry.owner)).collect()
    }
}
