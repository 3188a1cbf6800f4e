//! Rows of messages whose fate is known are deleted here, many at once.

use crate::router::Router;
use bocage_api::store::OutboundKey;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// Before a failed deletion is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Keys to delete. Bounded by the rows that there are.
#[derive(Default)]
pub(super) struct Rows {
    keys: Mutex<Vec<OutboundKey>>,
    some: Notify,
}

impl Rows {
    /// This row may go.
    pub(super) fn forget(&self, key: OutboundKey) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        self.some.notify_one();
    }
    fn take(&self) -> Vec<OutboundKey> {
        std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// Deletes as keys come, until the task is ended.
    pub(super) async fn run(&self, router: &Arc<Router>) {
        loop {
            self.some.notified().await;
            while !self.flush(router).await {
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    /// Deletes what is known now; `false`: the store failed, and it is still to be done.
    pub(super) async fn flush(&self, router: &Arc<Router>) -> bool {
        let keys = self.take();
        if keys.is_empty() || router.stores.outbound.taken(keys.clone()).await.is_ok() {
            return true;
        }
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
        false
    }
}
