//! Messages that wait for other servers. A row names no person and no domain: whose it is follows from the one key that
//! made its `epoch`, so finding a row's key means asking each key of its day.

mod changes;
mod codec;
mod seal;

pub(crate) use changes::{Change, Changes};
pub(crate) use codec::{decode, encode};
pub(crate) use seal::{Epoch, OutboundKeys, Slot, epoch};

use crate::{
    engine::{Connection, Readers, Row},
    fault::Refusal,
    open::read,
    seal::{Day, TAG, day_of},
    sql,
    vault::Vault,
    writer::Queue,
};
use bocage_api::{
    BoxFuture, Clock,
    store::{OutboundDraft, OutboundKey, OutboundRow, OutboundStore, StoreError, Stored},
};
use jid::BareJid;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Rows read at once.
const PAGE: usize = 500;

/// The table of what waits for other servers.
pub(crate) struct Outbound {
    queue: Queue,
    readers: Readers,
    vault: Arc<Vault>,
    clock: Clock,
}

impl Outbound {
    pub(crate) fn new(database: (Queue, Readers), vault: Arc<Vault>, clock: Clock) -> Self {
        Self { queue: database.0, readers: database.1, vault, clock }
    }

    async fn page(&self, mut after: i64, limit: usize) -> Stored<Vec<OutboundRow>> {
        let (mut found, mut lost) = (Vec::new(), Vec::new());
        loop {
            let wanted = (limit - found.len()).min(PAGE);
            let count = i64::try_from(wanted).unwrap_or_default();
            let rows = read(self.readers.rows(&sql::OUTBOUND, &[after.into(), count.into()]).await)?;
            let rows = rows.iter().map(SealedRow::read).collect::<Stored<Vec<_>>>()?;
            let keys = self.vault.outbound_keys(&rows.iter().map(SealedRow::epoch).collect(), None)?;
            let read = rows.len();
            for row in rows {
                after = row.slot.position;
                match self.open(row, &keys) {
                    Ok(row) => found.push(row),
                    Err(key) => lost.push(key),
                }
            }
            // Lost rows are not counted, and a short answer must mean that there is no more.
            if read < wanted || found.len() >= limit {
                break;
            }
        }
        self.give_up(lost).await;
        Ok(found)
    }

    fn open(&self, row: SealedRow, keys: &HashMap<(Day, Epoch), OutboundKeys>) -> Result<OutboundRow, OutboundKey> {
        let lost = row.slot.key;
        let keys = keys.get(&row.epoch()).ok_or(lost)?;
        self.vault.open_outbound(keys, &row.slot, row.sealed).map_err(|_| lost)
    }

    /// What nobody can open any more is not tried at each start.
    async fn give_up(&self, lost: Vec<OutboundKey>) {
        if lost.is_empty() {
            return;
        }
        tracing::warn!(rows = lost.len(), "messages for other servers do not open any more and are deleted");
        if let Err(error) = self.taken(lost).await {
            tracing::warn!(%error, "they are deleted another time");
        }
    }
}

/// A row as it is stored.
struct SealedRow {
    slot: Slot,
    epoch: Epoch,
    sealed: Vec<u8>,
}

impl SealedRow {
    fn read(row: &Row) -> Stored<Self> {
        let key = OutboundKey(sixteen(read(row.bytes(1))?)?);
        let slot = Slot { key, day: read(row.int(2))?, position: read(row.int(0))? };
        Ok(Self { slot, epoch: sixteen(read(row.bytes(3))?)?, sealed: read(row.bytes(4))? })
    }
    fn epoch(&self) -> (Day, Epoch) {
        (self.slot.day, self.epoch)
    }
}

fn sixteen(bytes: Vec<u8>) -> Stored<[u8; TAG]> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("the name of a row"))
}

/// As both engines take a list of bytes.
fn list<'a>(names: impl Iterator<Item = &'a [u8; TAG]>) -> Stored<String> {
    let names: Vec<String> = names.map(|name| format!("{:032x}", u128::from_be_bytes(*name))).collect();
    serde_json::to_string(&names).map_err(|_| StoreError::Corrupt("a list of names"))
}

/// Deletes the rows of `owner`, and those that no key is left for: they may have been the owner's.
pub(crate) async fn forget(tx: &mut Connection, vault: &Vault, owner: &BareJid) -> Result<(), Refusal> {
    let rows = tx.rows(&sql::OUTBOUND_EPOCHS, &[]).await?;
    let epoch = |row: &Row| Ok((row.int(0)?, sixteen(row.bytes(1)?)?));
    let epochs = rows.iter().map(epoch).collect::<Result<HashSet<(Day, Epoch)>, Refusal>>()?;
    let others = vault.outbound_keys(&epochs, Some(owner))?;
    let gone = list(epochs.iter().filter(|epoch| !others.contains_key(*epoch)).map(|(_, epoch)| epoch))?;
    tx.execute(&sql::FORGET_OUTBOUND, &[gone.as_str().into()]).await?;
    Ok(())
}

impl OutboundStore for Outbound {
    fn keep(&self, rows: Vec<OutboundDraft>) -> BoxFuture<'_, Stored<()>> {
        self.queue.outbound(Change::keep(rows, day_of(self.clock.wall())))
    }
    fn taken(&self, keys: Vec<OutboundKey>) -> BoxFuture<'_, Stored<()>> {
        self.queue.outbound(Change::taken(keys))
    }
    fn waiting(&self, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<OutboundRow>>> {
        Box::pin(self.page(after, limit))
    }
}
