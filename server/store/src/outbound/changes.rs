//! Changes of the outbound table: neighbouring ones become one unit, of which only what comes out in the end is written.
//! What is taken before its commit never reaches the disk.

use super::{Epoch, Slot, list};
use crate::{
    engine::{Connection, Value},
    fault::Refusal,
    seal::Day,
    sql,
    unit::{Unit, never_ran},
    vault::Vault,
};
use bocage_api::store::{OutboundDraft, OutboundKey, StoreError, Stored};
use futures_util::future::BoxFuture;
use jid::BareJid;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::oneshot;

enum Wish {
    Keep(Vec<OutboundDraft>, Day),
    Taken(Vec<OutboundKey>),
}

/// One call with its caller.
pub(crate) struct Change {
    wish: Wish,
    outcome: Option<Stored<()>>,
    caller: oneshot::Sender<Stored<()>>,
}

type Asked = (Change, oneshot::Receiver<Stored<()>>);

impl Change {
    pub(crate) fn keep(drafts: Vec<OutboundDraft>, day: Day) -> Asked {
        Self::new(Wish::Keep(drafts, day))
    }
    pub(crate) fn taken(keys: Vec<OutboundKey>) -> Asked {
        Self::new(Wish::Taken(keys))
    }
    fn new(wish: Wish) -> Asked {
        let (caller, ticket) = oneshot::channel();
        (Self { wish, outcome: None, caller }, ticket)
    }
    pub(crate) fn refuse(self, error: StoreError) {
        let _ = self.caller.send(Err(error));
    }
}

/// Calls that follow one another.
pub(crate) struct Changes {
    changes: Vec<Change>,
    vault: Arc<Vault>,
}

/// A draft that is written, and the call that it is from.
#[derive(Clone, Copy)]
struct Kept<'a> {
    call: usize,
    draft: &'a OutboundDraft,
    day: Day,
}

/// What several calls come to: these rows deleted, then those inserted.
#[derive(Default)]
struct Sum<'a> {
    taken: HashSet<OutboundKey>,
    kept: Vec<Option<Kept<'a>>>,
    at: HashMap<OutboundKey, usize>,
}

impl<'a> Sum<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut sum = Self::default();
        for (call, change) in changes.iter().enumerate() {
            match &change.wish {
                Wish::Keep(drafts, day) => drafts.iter().for_each(|draft| sum.keep(Kept { call, draft, day: *day })),
                Wish::Taken(keys) => keys.iter().for_each(|key| sum.take(*key)),
            }
        }
        sum
    }
    /// The first of one key holds, as in the table.
    fn keep(&mut self, kept: Kept<'a>) {
        self.at.entry(kept.draft.key).or_insert_with(|| {
            self.kept.push(Some(kept));
            self.kept.len() - 1
        });
    }
    fn take(&mut self, key: OutboundKey) {
        self.taken.insert(key);
        if let Some(kept) = self.at.remove(&key).and_then(|at| self.kept.get_mut(at)) {
            *kept = None;
        }
    }
}

/// What goes into the columns.
struct Columns {
    slot: Slot,
    epoch: Epoch,
    sealed: Vec<u8>,
}

fn columns(row: &Columns) -> [Value<'_>; sql::OUTBOUND_COLUMNS] {
    [
        row.slot.position.into(),
        row.slot.key.0.as_slice().into(),
        row.slot.day.into(),
        row.epoch.as_slice().into(),
        row.sealed.as_slice().into(),
    ]
}

impl Changes {
    pub(crate) fn new(change: Change, vault: Arc<Vault>) -> Self {
        Self { changes: vec![change], vault }
    }
    pub(crate) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    async fn apply(&mut self, tx: &mut Connection) -> Result<(), Refusal> {
        let sum = Sum::of(&self.changes);
        if !sum.taken.is_empty() {
            let keys = list(sum.taken.iter().map(|key| &key.0))?;
            tx.execute(&sql::TAKE_OUTBOUND, &[keys.as_str().into()]).await?;
        }
        let kept: Vec<Kept<'_>> = sum.kept.into_iter().flatten().collect();
        let mut refused = HashMap::new();
        if !kept.is_empty() {
            let rows = self.sealed(tx, &kept, &mut refused).await?;
            tx.insert(&sql::KEEP_OUTBOUND, &rows, columns).await?;
        }
        for (call, change) in self.changes.iter_mut().enumerate() {
            change.outcome = Some(refused.remove(&call).map_or(Ok(()), Err));
        }
        Ok(())
    }

    /// A call of which a row cannot be sealed is refused as a whole.
    async fn sealed(
        &self,
        tx: &mut Connection,
        kept: &[Kept<'_>],
        refused: &mut HashMap<usize, StoreError>,
    ) -> Result<Vec<Columns>, Refusal> {
        let count = i64::try_from(kept.len()).unwrap_or(i64::MAX);
        let last = tx.row(&sql::NEXT_POSITIONS, &[count.into()]).await?.ok_or(sqlx::Error::RowNotFound)?.int(0)?;
        let mut rows = Vec::with_capacity(kept.len());
        for (position, Kept { call, draft, day }) in (last - count + 1..).zip(kept) {
            let slot = Slot { key: draft.key, day: *day, position };
            match self.vault.seal_outbound(draft, &slot) {
                Ok((epoch, sealed)) => rows.push((*call, Columns { slot, epoch, sealed })),
                Err(error) => drop(refused.insert(*call, error)),
            }
        }
        Ok(rows.into_iter().filter(|(call, _)| !refused.contains_key(call)).map(|(_, row)| row).collect())
    }
}

impl Unit for Changes {
    fn run<'a>(&'a mut self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.apply(tx))
    }
    fn refuse(&mut self, error: StoreError) {
        self.changes.iter_mut().for_each(|change| change.outcome = Some(Err(error.clone())));
    }
    fn settle(self: Box<Self>) {
        for change in self.changes {
            let _ = change.caller.send(change.outcome.unwrap_or_else(|| Err(never_ran())));
        }
    }
    fn split(self: Box<Self>) -> Vec<Box<dyn Unit>> {
        let Self { changes, vault } = *self;
        changes.into_iter().map(|change| Box::new(Self::new(change, vault.clone())) as Box<dyn Unit>).collect()
    }
    fn divisible(&self) -> bool {
        self.changes.len() > 1
    }
    fn keys(&self) -> Vec<(Day, &BareJid)> {
        let mut keys = Vec::new();
        for change in &self.changes {
            if let Wish::Keep(drafts, day) = &change.wish {
                keys.extend(drafts.iter().map(|draft| (*day, &draft.owner)));
            }
        }
        keys
    }
}
