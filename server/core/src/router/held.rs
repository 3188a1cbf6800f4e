//! Messages that wait for an account: who is storing, and who is handing out.
//!
//! While a message for an account is being stored, later ones are stored behind it even if a session has come
//! meanwhile: so they arrive in the order in which they were sent.

use super::Router;
use bocage_api::store::{ArchiveRow, Stored};
use jid::BareJid;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Bounded by the messages that wait for commit and by the sessions that flush.
#[derive(Default)]
pub(super) struct HeldState {
    storing_total: AtomicUsize,
    storing: Mutex<HashMap<BareJid, usize>>,
    flushing: Arc<Mutex<HashSet<BareJid>>>,
}

/// The right to hand out what is held for one account; given back when dropped.
pub struct FlushClaim {
    owner: BareJid,
    flushing: Arc<Mutex<HashSet<BareJid>>>,
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
        let free = flushing.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.clone());
        free.then(|| FlushClaim { owner: owner.clone(), flushing })
    }
    /// A page of what is held, behind `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn held(&self, owner: &BareJid, after: i64) -> Stored<Vec<ArchiveRow>> {
        for place in self.undeliverables(owner) {
            let rows = place.it.held(owner, after).await?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }
    /// These were handed out.
    ///
    /// # Errors
    /// When that could not be stored: they will come again.
    pub async fn release(&self, owner: &BareJid, positions: Vec<i64>) -> Stored<()> {
        for place in self.undeliverables(owner) {
            place.it.delivered(owner, positions.clone()).await?;
        }
        Ok(())
    }
    fn undeliverables(&self, owner: &BareJid) -> Vec<bocage_api::Named<dyn bocage_api::Undeliverable>> {
        self.plans().accounts(owner.domain().as_str()).map(|plan| plan.at.undeliverables.clone()).unwrap_or_default()
    }
}
