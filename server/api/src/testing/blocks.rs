//! Block lists in memory, without pushes or presence.

use crate::{BlockChange, BlockList, BlocksPort, StanzaError, store::Stored};
use futures_util::future::BoxFuture;
use jid::{BareJid, FullJid};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Block lists.
#[derive(Default)]
pub struct FakeBlocks {
    lists: Mutex<BTreeMap<BareJid, Arc<BlockList>>>,
    interested: Mutex<Vec<FullJid>>,
}

impl FakeBlocks {
    /// Who asked for pushes.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn interested_sessions(&self) -> Vec<FullJid> {
        self.interested.lock().unwrap().clone()
    }
}

impl BlocksPort for FakeBlocks {
    fn list(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Arc<BlockList>>> {
        let list = self.lists.lock().unwrap().get(owner).cloned().unwrap_or_default();
        Box::pin(async { Ok(list) })
    }
    fn change(&self, owner: &BareJid, change: BlockChange) -> BoxFuture<'_, Result<(), StanzaError>> {
        let mut lists = self.lists.lock().unwrap();
        let list = lists.entry(owner.clone()).or_default();
        let changed = list.after(&change).map(|after| *list = Arc::new(after));
        Box::pin(async { changed })
    }
    fn interested(&self, session: &FullJid) {
        self.interested.lock().unwrap().push(session.clone());
    }
}
