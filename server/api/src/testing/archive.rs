//! Archives in memory, and the port of sessions and routing to them.

use crate::{
    ArchivingPort,
    archive::{
        Append, Appended, Archive, ArchiveEntry, ArchivePage, ArchiveQuery, ArchiveRow, ArchiveSettings, Bound, Part,
        Preferences, Retraction, Scope, StanzaId, Target,
    },
    clock::UnixSeconds,
    store::{StoreError, Stored},
};
use futures_util::future::BoxFuture;
use jid::{BareJid, FullJid, Jid};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

fn ready<T: Send + 'static>(value: Stored<T>) -> BoxFuture<'static, Stored<T>> {
    Box::pin(async { value })
}

/// Archives in memory.
#[derive(Default)]
pub struct MemoryArchive {
    rows: Mutex<Vec<(i64, ArchiveEntry)>>,
    settings: Mutex<BTreeMap<BareJid, ArchiveSettings>>,
    readers: Mutex<Vec<FullJid>>,
    last: Mutex<i64>,
    held_reads: AtomicUsize,
    named: AtomicU64,
    started_behind: Mutex<i64>,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl MemoryArchive {
    fn locked(&self) -> MutexGuard<'_, Vec<(i64, ArchiveEntry)>> {
        self.rows.lock().unwrap()
    }
    /// All rows.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn rows(&self) -> Vec<ArchiveEntry> {
        self.locked().iter().map(|(_, entry)| entry.clone()).collect()
    }
    /// The server starts anew: what is there is from before.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn start_anew(&self) {
        *self.started_behind.lock().unwrap() = *self.last.lock().unwrap();
    }
    /// Sessions that were said to read their archive.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn readers(&self) -> Vec<FullJid> {
        self.readers.lock().unwrap().clone()
    }
    /// Pages of held rows that were read.
    pub fn held_reads(&self) -> usize {
        self.held_reads.load(Ordering::Relaxed)
    }
    /// Happens while the next page of held rows is being read.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(happens));
    }
    fn of(&self, owner: &BareJid, wanted: impl Fn(&ArchiveEntry) -> bool) -> Vec<ArchiveRow> {
        let rows = self.locked();
        rows.iter().filter(|(_, entry)| entry.owner == *owner && wanted(entry)).map(row).collect()
    }
    fn insert(&self, append: Append) -> Stored<Appended> {
        let mut rows = self.locked();
        let first = append.entries.first().cloned();
        let same = |known: &ArchiveEntry, new: &ArchiveEntry| {
            known.owner == new.owner
                && new.message.message_id.is_some()
                && known.message.message_id == new.message.message_id
                && known.message.author() == new.message.author()
                && crate::archive::is_resent(&known.message.payload, &new.message.payload)
        };
        let known = first.filter(|_| append.once).and_then(|new| rows.iter().find(|(_, known)| same(known, &new)));
        if let Some((position, known)) = known {
            let before = position <= &*self.started_behind.lock().unwrap();
            return Ok(if before { Appended::ResentSinceStart(known.id) } else { Appended::Resent });
        }
        for entry in &append.entries {
            let held = rows.iter().filter(|(_, known)| known.owner == entry.owner && known.held.is_some()).count();
            if entry.held.is_some_and(|limit| held >= limit) {
                return Err(StoreError::Limit("held rows"));
            }
        }
        for entry in append.entries {
            let mut last = self.last.lock().unwrap();
            *last += 1;
            let retraction = entry.retracts.clone();
            rows.push((*last, entry.clone()));
            if let Some(retraction) = retraction {
                replace(&mut rows, &entry.owner, &retraction);
            }
        }
        Ok(Appended::Stored)
    }
    fn select(&self, owner: &BareJid, query: &ArchiveQuery) -> Option<ArchivePage> {
        let with = query.with.clone();
        let wanted = |entry: &ArchiveEntry| {
            let party = with.as_ref().is_none_or(|with| {
                if with.is_full() { entry.party.full() == with } else { entry.party.account() == crate::bare(with) }
            });
            entry.kept
                && party
                && query.start.is_none_or(|start| entry.stamp >= start)
                && query.end.is_none_or(|end| entry.stamp <= end)
                && query.ids.as_ref().is_none_or(|ids| ids.contains(&entry.id))
        };
        let all = self.of(owner, |entry| entry.kept);
        let known = |id: &StanzaId| all.iter().find(|row| row.id == *id).map(|row| row.position);
        let (after, before) = (query.after_id.as_ref().map(known), query.before_id.as_ref().map(known));
        let asked_for = query.ids.as_ref().is_none_or(|ids| ids.iter().all(|id| known(id).is_some()));
        if after == Some(None) || before == Some(None) || !asked_for {
            return None;
        }
        let (after, before) = (after.flatten().unwrap_or(0), before.flatten().unwrap_or(i64::MAX));
        let mut rows = self.of(owner, wanted);
        rows.retain(|row| row.position > after && row.position < before);
        let count = rows.len();
        let from = match &query.part {
            Part::First => 0,
            Part::Index(index) => usize::try_from(*index).unwrap_or(usize::MAX).min(count),
            Part::After(id) => {
                let position = known(id)?;
                rows.iter().take_while(|row| row.position <= position).count()
            }
            Part::Last => count.saturating_sub(query.limit),
            Part::Before(id) => {
                let position = known(id)?;
                rows.retain(|row| row.position < position);
                rows.len().saturating_sub(query.limit)
            }
        };
        let backward = matches!(query.part, Part::Last | Part::Before(_));
        let complete = if backward { from == 0 } else { from + query.limit >= rows.len() };
        let rows = rows.into_iter().skip(from).take(query.limit).collect();
        Some(ArchivePage { rows, complete, count: Some(count as u64), index: Some(from as u64) })
    }
}

fn row((position, entry): &(i64, ArchiveEntry)) -> ArchiveRow {
    ArchiveRow { position: *position, id: entry.id, stamp: entry.stamp, kept: entry.kept, message: (*entry.message).clone() }
}

fn replace(rows: &mut [(i64, ArchiveEntry)], owner: &BareJid, retraction: &Retraction) -> bool {
    let hit = |entry: &ArchiveEntry| match &retraction.target {
        Target::Ref { author, message_id } => {
            entry.message.author() == author.as_str() && entry.message.message_id.as_ref() == Some(message_id)
        }
        Target::Id(id) => entry.id == *id,
        Target::OwnId { author, id } => entry.id == *id && entry.party.account() == author.as_str(),
    };
    let Some((_, entry)) = rows.iter_mut().find(|(_, entry)| entry.owner == *owner && hit(entry)) else { return false };
    let mut message = (*entry.message).clone();
    message.payload = retraction.tombstone.clone();
    entry.message = message.into();
    true
}

impl Archive for MemoryArchive {
    fn name(&self) -> StanzaId {
        let number = self.named.fetch_add(1, Ordering::Relaxed);
        StanzaId((0x00b0_ca9e_u128 << 96 | u128::from(number)).to_be_bytes())
    }
    fn append(&self, append: Append) -> BoxFuture<'_, Stored<Appended>> {
        ready(self.insert(append))
    }
    fn page(&self, owner: &BareJid, query: ArchiveQuery) -> BoxFuture<'_, Stored<Option<ArchivePage>>> {
        ready(Ok(self.select(owner, &query)))
    }
    fn bounds(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Option<(Bound, Bound)>>> {
        let rows = self.of(owner, |entry| entry.kept);
        let bound = |row: &ArchiveRow| Bound { id: row.id, stamp: row.stamp };
        ready(Ok(rows.first().map(bound).zip(rows.last().map(bound))))
    }
    fn held(&self, owner: &BareJid, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<ArchiveRow>>> {
        let rows = self.of(owner, |entry| entry.held.is_some()).into_iter().filter(|row| row.position > after);
        let rows = rows.take(limit).collect();
        self.held_reads.fetch_add(1, Ordering::Relaxed);
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(happens) = meanwhile {
            happens();
        }
        ready(Ok(rows))
    }
    fn held_count(&self, owner: &BareJid) -> BoxFuture<'_, Stored<usize>> {
        ready(Ok(self.of(owner, |entry| entry.held.is_some()).len()))
    }
    fn hold(&self, owner: &BareJid, id: StanzaId, limit: usize) -> BoxFuture<'_, Stored<bool>> {
        let held = self.of(owner, |entry| entry.held.is_some()).len();
        let mut rows = self.locked();
        let Some((_, entry)) = rows.iter_mut().find(|(_, entry)| entry.owner == *owner && entry.id == id) else {
            return ready(Ok(false));
        };
        if entry.held.is_none() && held < limit {
            entry.held = Some(limit);
        }
        ready(Ok(entry.held.is_some()))
    }
    fn release(&self, owner: &BareJid, positions: Vec<i64>) -> BoxFuture<'_, Stored<()>> {
        let mut rows = self.locked();
        for (_, entry) in rows.iter_mut().filter(|(position, entry)| entry.owner == *owner && positions.contains(position)) {
            entry.held = None;
        }
        rows.retain(|(_, entry)| entry.kept || entry.held.is_some());
        ready(Ok(()))
    }
    fn release_ids(&self, owner: &BareJid, ids: Vec<StanzaId>) -> BoxFuture<'_, Stored<()>> {
        let mut rows = self.locked();
        for (_, entry) in rows.iter_mut().filter(|(_, entry)| entry.owner == *owner && ids.contains(&entry.id)) {
            entry.held = None;
        }
        rows.retain(|(_, entry)| entry.kept || entry.held.is_some());
        ready(Ok(()))
    }
    fn release_kept(&self, owner: &BareJid) -> BoxFuture<'_, Stored<()>> {
        let mut rows = self.locked();
        rows.iter_mut().filter(|(_, entry)| entry.owner == *owner && entry.kept).for_each(|(_, entry)| entry.held = None);
        ready(Ok(()))
    }
    fn retract(&self, owner: &BareJid, retraction: Retraction) -> BoxFuture<'_, Stored<bool>> {
        ready(Ok(replace(&mut self.locked(), owner, &retraction)))
    }
    fn erase(&self, owner: &BareJid, scope: Scope) -> BoxFuture<'_, Stored<u64>> {
        let mut rows = self.locked();
        let before = rows.len();
        rows.retain(|(_, entry)| {
            entry.owner != *owner
                || match &scope {
                    Scope::Whole => false,
                    Scope::With(jid) => entry.party.account() != jid.as_str(),
                    Scope::Before(moment) => entry.stamp >= *moment,
                }
        });
        ready(Ok((before - rows.len()) as u64))
    }
    fn settings(&self, owner: &BareJid) -> BoxFuture<'_, Stored<ArchiveSettings>> {
        ready(Ok(self.settings.lock().unwrap().get(owner).cloned().unwrap_or_default()))
    }
    fn set_keeps(&self, owner: &BareJid, keeps: Option<Duration>) -> BoxFuture<'_, Stored<()>> {
        self.settings.lock().unwrap().entry(owner.clone()).or_default().keeps = keeps;
        ready(Ok(()))
    }
    fn set_preferences(&self, owner: &BareJid, preferences: Preferences) -> BoxFuture<'_, Stored<()>> {
        self.settings.lock().unwrap().entry(owner.clone()).or_default().preferences = Some(preferences);
        ready(Ok(()))
    }
    fn keeps(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Duration>> {
        let own = self.settings.lock().unwrap().get(owner).and_then(|settings| settings.keeps);
        let week = Duration::from_secs(7 * 86_400);
        ready(Ok(own.map_or(week, |own| own.min(week))))
    }
    fn expire(&self, _: UnixSeconds) -> BoxFuture<'_, Stored<u64>> {
        ready(Ok(0))
    }
}

impl ArchivingPort for MemoryArchive {
    fn preferences(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Option<Preferences>>> {
        ready(Ok(self.settings.lock().unwrap().get(owner).and_then(|settings| settings.preferences.clone())))
    }
    fn set_preferences(&self, owner: &BareJid, preferences: Preferences) -> BoxFuture<'_, Stored<()>> {
        Archive::set_preferences(self, owner, preferences)
    }
    fn reads_archive(&self, session: &FullJid) {
        self.readers.lock().unwrap().push(session.clone());
    }
}

/// A kept row of `owner`, with what tests care about.
///
/// # Panics
/// When an address is none.
pub fn kept_entry(owner: &BareJid, number: u8, (from, body): (&str, &str)) -> ArchiveEntry {
    let from: Jid = from.parse().unwrap();
    ArchiveEntry {
        owner: owner.clone(),
        id: StanzaId([number; 16]),
        stamp: 1_700_000_000 + i64::from(number),
        party: crate::archive::Party::With(from.clone()),
        message: crate::archive::ArchivedMessage {
            from: from.as_str().to_owned(),
            to: owner.as_str().to_owned(),
            kind: crate::stanza::MessageType::Chat,
            message_id: Some(format!("m{number}")),
            lang: None,
            payload: format!("<body>{body}</body>").into(),
        }
        .into(),
        kept: true,
        held: None,
        retracts: None,
    }
}
