//! Messages that wait for an account: who is storing, and who is handing out.
//!
//! While a message for an account is being stored, later ones are stored behind it even if a session has come
//! meanwhile: so they arrive in the order in which they were sent.

use super::Router;
use bocage_api::{
    archive::{ArchiveRow, StanzaId},
    store::Stored,
};
use jid::BareJid;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Messages that are handed out at once.
pub(crate) const PAGE: usize = 50;

/// Bounded by the messages that wait for commit and by the sessions that flush.
#[derive(Default)]
pub(super) struct HeldState {
    storing_total: AtomicUsize,
    storing: Mutex<HashMap<BareJid, usize>>,
    flushing: Flushing,
}

/// Accounts whose messages are being handed out, and whether one was stored since the last look.
type Flushing = Arc<Mutex<HashMap<BareJid, News>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    Stored,
}

/// The right to hand out what is held for one account; given back when dropped.
pub struct FlushClaim {
    owner: BareJid,
    flushing: Flushing,
}
impl Drop for FlushClaim {
    fn drop(&mut self) {
        self.flushing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.owner);
    }
}

/// A message for this account is being stored, until this is dropped.
pub(super) struct Storing {
    router: Arc<Router>,
    owner: BareJid,
}
impl Storing {
    pub(super) fn owner(&self) -> &BareJid {
        &self.owner
    }
}
impl Drop for Storing {
    fn drop(&mut self) {
        let mut storing = self.router.held.storing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = storing.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                storing.remove(&self.owner);
            }
        }
        self.router.held.storing_total.fetch_sub(1, Ordering::Release);
    }
}

impl Router {
    pub(super) fn storing(self: &Arc<Self>, owner: BareJid) -> Storing {
        self.held.storing_total.fetch_add(1, Ordering::Acquire);
        *self.held.storing.lock().unwrap_or_else(PoisonError::into_inner).entry(owner.clone()).or_default() += 1;
        Storing { router: self.clone(), owner }
    }
    pub(super) fn is_storing(&self, owner: &BareJid) -> bool {
        self.held.storing_total.load(Ordering::Acquire) > 0
            && self.held.storing.lock().unwrap_or_else(PoisonError::into_inner).contains_key(owner)
    }
    /// Claims the flush of an account; `None` while another session has it.
    pub fn claim_flush(&self, owner: &BareJid) -> Option<FlushClaim> {
        let flushing = self.held.flushing.clone();
        {
            let mut accounts = flushing.lock().unwrap_or_else(PoisonError::into_inner);
            if accounts.contains_key(owner) {
                return None;
            }
            accounts.insert(owner.clone(), News::None);
        }
        Some(FlushClaim { owner: owner.clone(), flushing })
    }
    /// A message was stored: whoever hands out looks once more before it says that nothing is left.
    pub(super) fn was_stored(&self, owner: &BareJid) {
        self.set_news(owner, News::Stored);
    }
    /// Sets what there is to know; what there was, while somebody hands out.
    fn set_news(&self, owner: &BareJid, news: News) -> Option<News> {
        let mut accounts = self.held.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get_mut(owner).map(|known| std::mem::replace(known, news))
    }
    /// A page of what is held, behind `after`; empty when nothing is left and nothing was stored while it was read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn held(&self, owner: &BareJid, after: i64) -> Stored<Vec<ArchiveRow>> {
        loop {
            self.set_news(owner, News::None);
            let rows = self.held_now(owner, after).await?;
            if !rows.is_empty() || self.set_news(owner, News::None) != Some(News::Stored) {
                return Ok(rows);
            }
        }
    }
    async fn held_now(&self, owner: &BareJid, after: i64) -> Stored<Vec<ArchiveRow>> {
        self.stores.archive.held(owner, after, PAGE).await
    }
    /// These were handed out.
    ///
    /// # Errors
    /// When that could not be stored: they will come again.
    pub async fn release(&self, owner: &BareJid, positions: Vec<i64>) -> Stored<()> {
        self.stores.archive.release(owner, positions).await
    }
    /// These were handed out otherwise.
    ///
    /// # Errors
    /// When that could not be stored: they will come again.
    pub async fn release_ids(&self, owner: &BareJid, ids: Vec<StanzaId>) -> Stored<()> {
        self.stores.archive.release_ids(owner, ids).await
    }
    /// What the archive keeps is not handed out to who reads that.
    ///
    /// # Errors
    /// When that could not be stored.
    pub async fn release_kept(&self, owner: &BareJid) -> Stored<()> {
        self.stores.archive.release_kept(owner).await
    }
}
