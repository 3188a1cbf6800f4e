//! Rosters in memory, with a record of who became interested in pushes.

use crate::{
    ContactEdit, ContactsPort, StanzaError,
    store::{Roster, RosterChange, RosterChanged, RosterEdit, RosterItem, Rosters, Stored},
};
use futures_util::future::BoxFuture;
use jid::{BareJid, FullJid};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Rosters without pushes or presence.
#[derive(Default)]
pub struct FakeContacts {
    rosters: Mutex<BTreeMap<BareJid, Roster>>,
    interested: Mutex<Vec<FullJid>>,
}

impl FakeContacts {
    /// Puts a row into the roster of `owner`.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn put(&self, owner: &BareJid, item: RosterItem) {
        self.edit(owner, &item.jid.clone(), |_, _| RosterEdit::Put(item.clone()));
    }
    /// Who asked for pushes.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn interested_sessions(&self) -> Vec<FullJid> {
        self.interested.lock().unwrap().clone()
    }

    fn edit(
        &self,
        owner: &BareJid,
        contact: &BareJid,
        change: impl Fn(Option<&RosterItem>, usize) -> RosterEdit,
    ) -> RosterChanged {
        let mut rosters = self.rosters.lock().unwrap();
        let roster = rosters.entry(owner.clone()).or_default();
        let at = roster.items.binary_search_by(|item| item.jid.cmp(contact));
        let before = at.ok().and_then(|at| roster.items.get(at).cloned());
        let after = match change(before.as_ref(), roster.items.len()) {
            RosterEdit::Keep => before.clone(),
            RosterEdit::Put(item) => Some(item),
            RosterEdit::Remove => None,
        };
        if before != after {
            roster.items.retain(|item| item.jid != *contact);
            roster.items.extend(after.clone());
            roster.items.sort_by(|a, b| a.jid.cmp(&b.jid));
            roster.version += 1;
        }
        RosterChanged { before, after, version: roster.version }
    }
}

impl Rosters for FakeContacts {
    fn roster(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Roster>> {
        let roster = self.rosters.lock().unwrap().get(owner).cloned().unwrap_or_default();
        Box::pin(async { Ok(roster) })
    }
    fn change(&self, owner: BareJid, contact: BareJid, change: RosterChange) -> BoxFuture<'_, Stored<RosterChanged>> {
        let changed = self.edit(&owner, &contact, |item, rows| change(item, rows));
        Box::pin(async { Ok(changed) })
    }
}

impl ContactsPort for FakeContacts {
    fn roster(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Arc<Roster>>> {
        let roster = Arc::new(self.rosters.lock().unwrap().get(owner).cloned().unwrap_or_default());
        Box::pin(async { Ok(roster) })
    }
    fn set(&self, owner: &BareJid, contact: ContactEdit) -> BoxFuture<'_, Result<(), StanzaError>> {
        self.edit(owner, &contact.jid, |item, _| {
            let row = item.cloned().unwrap_or_else(|| RosterItem::new(contact.jid.clone()));
            RosterEdit::Put(RosterItem { name: contact.name.clone(), groups: contact.groups.clone(), listed: true, ..row })
        });
        Box::pin(async { Ok(()) })
    }
    fn remove(&self, owner: &BareJid, contact: &BareJid) -> BoxFuture<'_, Result<(), StanzaError>> {
        let changed = self.edit(owner, contact, |_, _| RosterEdit::Remove);
        let removed = changed.before.map(drop).ok_or_else(StanzaError::item_not_found);
        Box::pin(async { removed })
    }
    fn interested(&self, session: &FullJid) {
        self.interested.lock().unwrap().push(session.clone());
    }
}
