//! The store as the command line sees it when no server runs.

use crate::config::Config;
use bocage_api::store::{Accounts, Stores};
use std::sync::Arc;

/// An open store.
pub(crate) struct Store(Stores);

impl Store {
    /// Opens it as the server would.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let _ = config;
        anyhow::bail!("this build has no store yet")
    }
    /// The accounts.
    pub(crate) fn accounts(&self) -> &Arc<dyn Accounts> {
        &self.0.accounts
    }
    /// Closes it, so that the server that opens it next finds no lock.
    pub(crate) async fn close(self) {}
}
