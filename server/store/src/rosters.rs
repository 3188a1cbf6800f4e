//! Rosters: one row per item, changed by a decision that runs inside the writer's transaction.

use crate::{
    engine::{Connection, Readers, Row, Value},
    fault::Refusal,
    open::read,
    sql,
    unit::Operation,
    writer::Queue,
};
use bocage_api::{
    BoxFuture,
    store::{Roster, RosterChange, RosterChanged, RosterEdit, RosterItem, Rosters, StoreError, Stored, Subscription},
};
use jid::BareJid;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The tables of rosters.
pub(crate) struct RosterStore {
    queue: Queue,
    readers: Readers,
}

impl RosterStore {
    pub(crate) fn new(queue: Queue, readers: Readers) -> Self {
        Self { queue, readers }
    }
}

fn number(subscription: Subscription) -> i64 {
    i64::from(subscription.to()) + 2 * i64::from(subscription.from())
}
fn subscription(number: i64) -> Subscription {
    Subscription::of(number & 1 != 0, number & 2 != 0)
}

/// From a row of `ROSTER` or `ROSTER_ITEM`; `None` for a roster without items.
fn item(row: &Row) -> Stored<Option<RosterItem>> {
    let Some(contact) = read(row.maybe_text(1))? else { return Ok(None) };
    let flag = |index| read(row.int(index)).map(|number| number != 0);
    let groups = read(row.text(3))?;
    Ok(Some(RosterItem {
        jid: BareJid::new(&contact).map_err(|_| StoreError::Corrupt("the address of a contact"))?,
        name: read(row.maybe_text(2))?,
        groups: serde_json::from_str(&groups).map_err(|_| StoreError::Corrupt("the groups of a contact"))?,
        subscription: subscription(read(row.int(4))?),
        ask: flag(5)?,
        approved: flag(6)?,
        pending_in: read(row.maybe_text(7))?,
        listed: flag(8)?,
    }))
}

struct Change {
    owner: BareJid,
    contact: BareJid,
    change: RosterChange,
}

impl Operation for Change {
    type Output = RosterChanged;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<RosterChanged, Refusal>> {
        Box::pin(async {
            let (owner, contact): (Value<'_>, Value<'_>) = (self.owner.as_str().into(), self.contact.as_str().into());
            let before = match tx.row(&sql::ROSTER_ITEM, &[owner, contact]).await? {
                Some(row) => item(&row)?,
                None => None,
            };
            let rows = tx.row(&sql::ROSTER_COUNT, &[owner]).await?.map(|row| row.int(0)).transpose()?.unwrap_or_default();
            let rows = usize::try_from(rows).unwrap_or_default();
            // Somebody else's code: its panic is its own unit's, not the writer's end.
            let edit = catch_unwind(AssertUnwindSafe(|| (self.change)(before.as_ref(), rows)));
            let after = match edit.map_err(|_| StoreError::Unavailable("the roster change failed".to_owned()))? {
                RosterEdit::Keep => before.clone(),
                RosterEdit::Remove => None,
                RosterEdit::Put(item) => Some(RosterItem { jid: self.contact.clone(), ..item }),
            };
            let grown = i64::from(shown(before.as_ref()) != shown(after.as_ref()));
            let version = self.version(tx, grown, before == after).await?;
            match (&before, &after) {
                (before, after) if before == after => {}
                (_, Some(item)) => self.put(tx, item).await?,
                (_, None) => drop(tx.execute(&sql::DELETE_ROSTER_ITEM, &[owner, contact]).await?),
            }
            Ok(RosterChanged { before, after, version })
        })
    }
}

impl Change {
    async fn version(&self, tx: &mut Connection, grown: i64, unchanged: bool) -> Result<u64, Refusal> {
        let owner: Value<'_> = self.owner.as_str().into();
        let row = if unchanged {
            tx.row(&sql::ROSTER_VERSION, &[owner]).await?
        } else {
            tx.row(&sql::ADD_ROSTER_VERSION, &[owner, grown.into()]).await?
        };
        Ok(row.map(|row| row.int(0)).transpose()?.and_then(|version| u64::try_from(version).ok()).unwrap_or_default())
    }

    async fn put(&self, tx: &mut Connection, item: &RosterItem) -> Result<(), Refusal> {
        let groups = serde_json::to_string(&item.groups).map_err(|_| StoreError::Corrupt("the groups of a contact"))?;
        let values: [Value<'_>; 9] = [
            self.owner.as_str().into(),
            self.contact.as_str().into(),
            item.name.as_deref().into(),
            groups.as_str().into(),
            number(item.subscription).into(),
            i64::from(item.ask).into(),
            i64::from(item.approved).into(),
            item.pending_in.as_deref().into(),
            i64::from(item.listed).into(),
        ];
        tx.execute(&sql::PUT_ROSTER_ITEM, &values).await?;
        Ok(())
    }
}

/// What the client may see of a row.
fn shown(item: Option<&RosterItem>) -> Option<RosterItem> {
    item.filter(|item| item.listed).map(|item| RosterItem { pending_in: None, ..item.clone() })
}

impl Rosters for RosterStore {
    fn roster(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Roster>> {
        let owner = owner.clone();
        Box::pin(async move {
            let rows = read(self.readers.rows(&sql::ROSTER, &[owner.as_str().into()]).await)?;
            let version = read(rows.first().map(|row| row.int(0)).transpose())?.unwrap_or_default();
            let items = rows.iter().filter_map(|row| item(row).transpose()).collect::<Stored<Vec<_>>>()?;
            Ok(Roster { version: u64::try_from(version).unwrap_or_default(), items })
        })
    }
    fn change(&self, owner: BareJid, contact: BareJid, change: RosterChange) -> BoxFuture<'_, Stored<RosterChanged>> {
        self.queue.write(Change { owner, contact, change })
    }
}
