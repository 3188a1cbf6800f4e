//! Appends to archives: consecutive ones become one unit and go into the table by many rows at once.
//!
//! Positions are drawn inside the transaction before the rows are sealed, so that the seal binds them; whether a message
//! was there before is asked inside it too, so that a message sent twice cannot pass twice: of what came lately memory
//! knows where it is, and the row decides.

use crate::{
    archives::open_row,
    engine::{Connection, Row, Value},
    fault::Refusal,
    owners::{Fresh, Owners},
    recent::Recent,
    retract,
    seal::{Day, TAG, day_of},
    sql,
    unit::{Unit, never_ran},
    vault::{SealedRow, Vault},
};
use bocage_api::{
    archive::{Append, Appended, ArchiveEntry, ArchiveRow, RESENT_WITHIN, is_resent},
    store::{StoreError, Stored},
};
use futures_util::future::BoxFuture;
use jid::BareJid;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::oneshot;

/// One call with its caller.
pub(crate) struct Call {
    append: Append,
    outcome: Option<Stored<Appended>>,
    caller: oneshot::Sender<Stored<Appended>>,
}

impl Call {
    pub(crate) fn new(append: Append) -> (Self, oneshot::Receiver<Stored<Appended>>) {
        let (caller, ticket) = oneshot::channel();
        (Self { append, outcome: None, caller }, ticket)
    }
    pub(crate) fn refuse(self, error: StoreError) {
        let _ = self.caller.send(Err(error));
    }
    fn is_accepted(&self) -> bool {
        self.outcome.is_none()
    }
}

/// What appends look into.
pub(crate) struct Surroundings {
    pub(crate) vault: Arc<Vault>,
    pub(crate) owners: Arc<Owners>,
    pub(crate) recent: Recent,
    /// Rows up to here are from before the server started.
    pub(crate) started_behind: i64,
}

/// Calls that follow one another.
pub(crate) struct Appends {
    calls: Vec<Call>,
    at: Arc<Surroundings>,
    fresh: Fresh,
    tags: Vec<([u8; TAG], i64)>,
}

type Placed<'a> = (i64, i64, &'a ArchiveEntry, SealedRow);

impl Appends {
    pub(crate) fn new(call: Call, at: Arc<Surroundings>) -> Self {
        Self { calls: vec![call], at, fresh: Fresh::default(), tags: Vec::new() }
    }
    pub(crate) fn push(&mut self, call: Call) {
        self.calls.push(call);
    }

    async fn insert(&mut self, tx: &mut Connection) -> Result<(), Refusal> {
        self.calls.iter_mut().for_each(|call| call.outcome = None);
        self.tags.clear();
        let Self { calls, at, fresh, tags } = self;
        let Surroundings { vault, owners, .. } = &**at;
        let names = calls.iter().flat_map(|call| call.append.entries.iter().map(|entry| &entry.owner)).collect();
        let numbers = owners.numbers(tx, &names, fresh).await?;
        let numbers: HashMap<BareJid, i64> = numbers.into_iter().map(|(owner, num)| (owner.clone(), num)).collect();
        pass_over_resent(calls, at, tx).await?;
        apply_limits(calls, &numbers, tx).await?;
        let sealed = seal(calls, vault, &numbers, tx).await?;
        tags.extend(sealed.iter().filter_map(|(position, .., row)| Some((row.reference?, *position))));
        tx.insert(&sql::APPEND, &sealed, columns).await?;
        for (_, num, entry, _) in sealed {
            if let Some(retraction) = &entry.retracts {
                retract::replace(tx, vault, (&entry.owner, num), (retraction, day_of(entry.stamp))).await?;
            }
        }
        calls.iter_mut().filter(|call| call.is_accepted()).for_each(|call| call.outcome = Some(Ok(Appended::Stored)));
        Ok(())
    }
}

/// Draws positions and seals; a call of which an entry cannot be sealed is refused as a whole.
async fn seal<'a>(
    calls: &'a mut [Call],
    vault: &Vault,
    numbers: &HashMap<BareJid, i64>,
    tx: &mut Connection,
) -> Result<Vec<Placed<'a>>, Refusal> {
    let accepted = || calls.iter().enumerate().filter(|(_, call)| call.is_accepted());
    let entries: Vec<(usize, &ArchiveEntry)> =
        accepted().flat_map(|(at, call)| call.append.entries.iter().map(move |entry| (at, entry))).collect();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let last = tx.row(&sql::NEXT_POSITIONS, &[count.into()]).await?.ok_or(sqlx::Error::RowNotFound)?.int(0)?;
    let mut refused: HashMap<usize, StoreError> = HashMap::new();
    let mut rows = Vec::with_capacity(entries.len());
    for (position, (at, entry)) in (last - count + 1..).zip(entries) {
        match vault.seal(entry, position) {
            Ok(row) => rows.push((at, position, row)),
            Err(error) => drop(refused.insert(at, error)),
        }
    }
    rows.retain(|(at, ..)| !refused.contains_key(at));
    for (at, error) in refused {
        if let Some(call) = calls.get_mut(at) {
            call.outcome = Some(Err(error));
        }
    }
    let calls = &*calls;
    let mut entries = calls.iter().filter(|call| call.is_accepted()).flat_map(|call| &call.append.entries);
    let placed = rows.into_iter().filter_map(|(_, position, row)| {
        let entry = entries.next()?;
        Some((position, *numbers.get(&entry.owner)?, entry, row))
    });
    Ok(placed.collect())
}

/// Finds messages that their sender sent before: in the table, and earlier in this unit.
async fn pass_over_resent(calls: &mut [Call], at: &Surroundings, tx: &mut Connection) -> Result<(), Refusal> {
    let Surroundings { vault, recent, started_behind, .. } = at;
    let mut known: Vec<(usize, i64, [u8; TAG])> = Vec::new();
    let mut seen: HashMap<[u8; TAG], usize> = HashMap::new();
    let mut repeated = Vec::new();
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.append.once) {
        let Some(entry) = call.append.entries.first() else { continue };
        let found = reference_tags(vault, entry)?;
        let Some(newest) = found.last().copied() else { continue };
        let earlier = seen.get(&newest).and_then(|at| calls.get(*at)).and_then(|call| call.append.entries.first());
        if earlier.is_some_and(|earlier| is_resent(&earlier.message.payload, &entry.message.payload)) {
            repeated.push((at, Appended::Resent));
            continue;
        }
        seen.insert(newest, at);
        known.extend(found.into_iter().filter_map(|tag| Some((at, recent.find(&tag)?, tag))));
    }
    if !known.is_empty() {
        let positions: Vec<i64> = known.iter().map(|(_, position, _)| *position).collect();
        let list = serde_json::to_string(&positions).map_err(|_| StoreError::Corrupt("a list of positions"))?;
        for row in tx.rows(&sql::RESENT, &[list.as_str().into()]).await? {
            let tag = row.bytes(7)?;
            for (at, ..) in known.iter().filter(|(.., known)| known.as_slice() == tag) {
                let Some(found) = calls.get(*at).and_then(|call| same(&row, call, vault)) else { continue };
                let now = found.position > *started_behind;
                repeated.push((*at, if now { Appended::Resent } else { Appended::ResentSinceStart(found.id) }));
            }
        }
    }
    for (at, how) in repeated {
        if let Some(call) = calls.get_mut(at) {
            call.outcome = Some(Ok(how));
        }
    }
    Ok(())
}

/// Under the keys of the days on which it can have been sent, the newest last.
fn reference_tags(vault: &Vault, entry: &ArchiveEntry) -> Result<Vec<[u8; TAG]>, StoreError> {
    let Some((author, id)) = entry.reference() else { return Ok(Vec::new()) };
    let (first, last) = (day_of(entry.stamp.saturating_sub(window())), day_of(entry.stamp));
    let mut tags = Vec::with_capacity(2);
    for day in first..=last {
        tags.extend(vault.reference(day, &entry.owner, (author, id))?);
    }
    Ok(tags)
}

fn window() -> i64 {
    crate::retention::seconds(RESENT_WITHIN)
}

/// The row, if it holds the same message. One that cannot be read is no reason to lose what comes now.
fn same(row: &Row, call: &Call, vault: &Vault) -> Option<ArchiveRow> {
    let entry = call.append.entries.first()?;
    let found = open_row(vault, &entry.owner, row).ok()??;
    let recent = entry.stamp.saturating_sub(found.stamp).abs() <= window();
    let (before, now) = (&found.message, &entry.message);
    (recent && before.to == now.to && is_resent(&before.payload, &now.payload)).then_some(found)
}

/// Refuses those whose owner holds enough already.
async fn apply_limits(calls: &mut [Call], numbers: &HashMap<BareJid, i64>, tx: &mut Connection) -> Result<(), Refusal> {
    let entries = || calls.iter().filter(|call| call.is_accepted()).flat_map(|call| &call.append.entries);
    let owners: HashSet<i64> =
        entries().filter(|entry| entry.held.is_some()).filter_map(|entry| numbers.get(&entry.owner).copied()).collect();
    if owners.is_empty() {
        return Ok(());
    }
    let list = serde_json::to_string(&owners).map_err(|_| StoreError::Corrupt("a list of owners"))?;
    let rows = tx.rows(&sql::HELD_COUNTS, &[list.as_str().into()]).await?;
    let pair = |row: &Row| Ok::<_, Refusal>((row.int(0)?, usize::try_from(row.int(1)?).unwrap_or_default()));
    let mut held = rows.iter().map(pair).collect::<Result<HashMap<i64, usize>, Refusal>>()?;
    for call in calls.iter_mut().filter(|call| call.is_accepted()) {
        let mut added = Vec::new();
        for entry in &call.append.entries {
            let (Some(limit), Some(num)) = (entry.held, numbers.get(&entry.owner)) else { continue };
            if held.get(num).copied().unwrap_or_default() >= limit {
                call.outcome = Some(Err(StoreError::Limit("held messages of this account")));
                break;
            }
            added.push(*num);
        }
        if call.is_accepted() {
            added.into_iter().for_each(|num| *held.entry(num).or_default() += 1);
        }
    }
    Ok(())
}

fn columns<'a>((position, owner, entry, row): &'a Placed<'_>) -> [Value<'a>; sql::ARCHIVE_COLUMNS] {
    [
        (*position).into(),
        (*owner).into(),
        row.name.0.as_slice().into(),
        row.day.into(),
        entry.stamp.into(),
        Value::Bytes(Some(&[])),
        row.with_bare.as_slice().into(),
        row.with_full.as_slice().into(),
        row.reference.as_ref().map(|tag| tag.as_slice()).into(),
        i64::from(entry.kept).into(),
        i64::from(entry.held.is_some()).into(),
        row.bytes.as_slice().into(),
    ]
}

impl Unit for Appends {
    fn run<'a>(&'a mut self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.insert(tx))
    }
    fn refuse(&mut self, error: StoreError) {
        self.fresh = Fresh::default();
        self.calls.iter_mut().for_each(|call| call.outcome = Some(Err(error.clone())));
    }
    fn settle(self: Box<Self>) {
        self.at.owners.remember(self.fresh);
        self.at.recent.remember(self.tags);
        for call in self.calls {
            let _ = call.caller.send(call.outcome.unwrap_or_else(|| Err(never_ran())));
        }
    }
    fn split(self: Box<Self>) -> Vec<Box<dyn Unit>> {
        let Self { calls, at, .. } = *self;
        let one = |call| Box::new(Self::new(call, at.clone())) as Box<dyn Unit>;
        calls.into_iter().map(one).collect()
    }
    fn divisible(&self) -> bool {
        self.calls.len() > 1
    }
    fn keys(&self) -> Vec<(Day, &BareJid)> {
        let entries = self.calls.iter().flat_map(|call| &call.append.entries);
        entries.map(|entry| (day_of(entry.stamp), &entry.owner)).collect()
    }
}
