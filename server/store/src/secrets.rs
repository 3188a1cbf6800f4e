//! Secrets of the server itself, made at first use and then remembered in memory.

use crate::{engine::Connection, fault::Refusal, sql, unit::Operation, writer::Queue};
use bocage_api::{
    BoxFuture, Entropy,
    store::{Secrets, StoreError, Stored},
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use zeroize::Zeroizing;

type Secret = Zeroizing<[u8; 32]>;

/// The table of secrets. Bounded by the names in the code.
pub(crate) struct SecretStore {
    queue: Queue,
    entropy: Entropy,
    known: Mutex<HashMap<&'static str, Secret>>,
}

impl SecretStore {
    pub(crate) fn new(queue: Queue, entropy: Entropy) -> Self {
        Self { queue, entropy, known: Mutex::default() }
    }
}

struct Make {
    name: &'static str,
    fresh: Secret,
}
impl Operation for Make {
    type Output = Secret;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<Secret, Refusal>> {
        Box::pin(make(tx, self.name, &self.fresh))
    }
}

/// The secret of this name; `fresh` when there was none.
pub(crate) async fn make(tx: &mut Connection, name: &str, fresh: &Secret) -> Result<Secret, Refusal> {
    tx.execute(&sql::MAKE_SECRET, &[name.into(), fresh.as_slice().into()]).await?;
    let row = tx.row(&sql::SECRET, &[name.into()]).await?.ok_or(sqlx::Error::RowNotFound)?;
    let bytes = Zeroizing::new(row.bytes(0)?);
    let secret = bytes.as_slice().try_into().map_err(|_| StoreError::Corrupt("a secret of the server"))?;
    Ok(Zeroizing::new(secret))
}

impl Secrets for SecretStore {
    fn secret(&self, name: &'static str) -> BoxFuture<'_, Stored<Secret>> {
        Box::pin(async move {
            if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
                return Ok(known.clone());
            }
            let secret = self.queue.write(Make { name, fresh: Zeroizing::new(self.entropy.bytes()) }).await?;
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, secret.clone());
            Ok(secret)
        })
    }
}
