//! The store as the command line sees it when no server runs.

use crate::{
    assemble::{machine_clock, machine_entropy, open_store},
    config::Config,
};
use bocage_api::store::{Accounts, Stores};
use std::sync::Arc;

/// An open store.
pub(crate) struct Store {
    store: bocage_store::Store,
    handles: Stores,
}

impl Store {
    /// Opens it as the server would.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let store = open_store(config, &machine_clock(), &machine_entropy()).await?;
        Ok(Self { handles: store.handles(), store })
    }
    /// The accounts.
    pub(crate) fn accounts(&self) -> &Arc<dyn Accounts> {
        &self.handles.accounts
    }
    /// Closes it, so that whoever opens it next finds everything written and no lock.
    pub(crate) async fn close(self) {
        drop(self.handles);
        self.store.close().await;
    }
}
