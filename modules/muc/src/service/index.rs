//! What is known of every room without waking it: that it is there, and whether it may be listed.

use jid::BareJid;
use std::{
    collections::BTreeMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// A room, as the host lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) public: bool,
    pub(crate) name: String,
}

/// The rooms of a host.
#[derive(Default)]
pub(crate) struct Index {
    rooms: RwLock<BTreeMap<BareJid, Known>>,
    loaded: AtomicBool,
}

impl Index {
    pub(crate) fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Release);
    }
    /// Is it known what is stored?
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }
    pub(crate) fn put(&self, room: BareJid, known: Known) {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(room, known);
    }
    pub(crate) fn remove(&self, room: &BareJid) {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).remove(room);
    }
    pub(crate) fn has(&self, room: &BareJid) -> bool {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).contains_key(room)
    }
    /// All rooms.
    pub(crate) fn all(&self) -> Vec<BareJid> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
    /// Those that may be listed, by address, behind `after`.
    pub(crate) fn listed(&self, after: Option<&BareJid>, most: usize) -> Vec<(BareJid, String)> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        let public = rooms.iter().filter(|(room, known)| known.public && after.is_none_or(|after| *room > after));
        public.take(most).map(|(room, known)| (room.clone(), known.name.clone())).collect()
    }
}
