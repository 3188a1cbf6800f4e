//! Storage for modules without SQL of their own. Deletion, export, expiry, audit and quotas work without their code.

use crate::{
    handles::Declared,
    store::{Page, RecordStore, StoreError, Stored},
};
use std::{marker::PhantomData, sync::Arc};

/// A declared collection of values of type `T`, by owner (a bare JID or a host) and key.
pub struct Records<T> {
    name: String,
    store: Arc<dyn RecordStore>,
    of: PhantomData<fn() -> T>,
}
impl<T> Clone for Records<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), store: self.store.clone(), of: PhantomData }
    }
}

/// A value with the revision that [`Records::compare_and_set`] wants back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: i64,
}

impl<T: Declared> Records<T> {
    pub(crate) fn new(name: String, store: Arc<dyn RecordStore>) -> Self {
        Self { name, store, of: PhantomData }
    }
    /// Reads a value.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn get(&self, owner: &str, key: &str) -> Stored<Option<Versioned<T>>> {
        let record = self.store.read(&self.name, owner, key).await?;
        record.map(|r| Ok(Versioned { value: decode(&r.value)?, revision: r.revision })).transpose()
    }
    /// Writes a value; resolves after the commit.
    ///
    /// # Errors
    /// When it was not stored.
    pub async fn put(&self, owner: &str, key: &str, value: &T) -> Stored<()> {
        self.store.put(&self.name, owner, key, encode(value)?).await
    }
    /// Writes only over `revision` (0 = only if absent); `false` when somebody else was first.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn compare_and_set(&self, owner: &str, key: &str, revision: i64, value: &T) -> Stored<bool> {
        self.store.compare_and_set(&self.name, owner, key, (revision, encode(value)?)).await
    }
    /// Deletes a value; `false` when there was none.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn delete(&self, owner: &str, key: &str) -> Stored<bool> {
        self.store.delete(&self.name, owner, key).await
    }
    /// A page of values by key.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list(&self, owner: &str, page: Page) -> Stored<Vec<(String, T)>> {
        let rows = self.store.list(&self.name, owner, page).await?;
        rows.into_iter().map(|r| Ok((r.key, decode(&r.value)?))).collect()
    }
}

fn encode<T: serde::Serialize>(value: &T) -> Stored<Vec<u8>> {
    serde_json::to_vec(value).map_err(|_| StoreError::Corrupt("value cannot be encoded"))
}
fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Stored<T> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Corrupt("record of another shape"))
}
