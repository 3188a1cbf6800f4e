//! Accounts: keys, and what goes with an account when it goes (H06).

use crate::{
    archives::{self, SweepAll},
    engine::{Connection, Readers, Row, Value},
    fault::Refusal,
    open::read,
    outbound,
    owners::Owners,
    seal::keyed_hash,
    secrets::SecretStore,
    sql,
    unit::Operation,
    vault::{Doomed, Vault},
    writer::Queue,
};
use bocage_api::{
    BoxFuture,
    store::{AccountKeys, Accounts, Creation, KeyStatistics, Secrets as _, StoreError, Stored, StoredKeys},
};
use jid::{BareJid, DomainPart};
use std::sync::Arc;

const NO_LOCALPART: StoreError = StoreError::Corrupt("an account has a localpart");

/// The table of accounts.
pub(crate) struct AccountStore {
    queue: Queue,
    readers: Readers,
    vault: Arc<Vault>,
    owners: Arc<Owners>,
    secrets: Arc<SecretStore>,
}

impl AccountStore {
    pub(crate) fn new(database: (Queue, Readers), (vault, owners): (Arc<Vault>, Arc<Owners>), secrets: Arc<SecretStore>) -> Self {
        Self { queue: database.0, readers: database.1, vault, owners, secrets }
    }

    /// What is kept of an address that is gone: nobody reads it back without the secret (H06).
    async fn tombstone(&self, account: &BareJid) -> Stored<[u8; 32]> {
        let key = self.secrets.secret("accounts/retired").await?;
        keyed_hash(key.as_slice(), &[account.as_str().as_bytes()])
    }
}

fn parts(account: &BareJid) -> Stored<(&str, &str)> {
    Ok((account.domain().as_str(), account.node().ok_or(NO_LOCALPART)?.as_str()))
}

type Columns<'a> = [Value<'a>; 4];

fn columns(keys: Option<&StoredKeys>) -> Columns<'_> {
    match keys {
        None => [Value::Bytes(None), Value::Int(None), Value::Bytes(None), Value::Bytes(None)],
        Some(keys) => [
            keys.salt.as_slice().into(),
            i64::from(keys.iterations).into(),
            keys.stored_key.as_slice().into(),
            keys.server_key.as_slice().into(),
        ],
    }
}

fn values<'a>(host: &'a str, localpart: &'a str, keys: &'a AccountKeys) -> Vec<Value<'a>> {
    let mut values = vec![host.into(), localpart.into()];
    values.extend(columns(keys.sha256.as_ref()));
    values.extend(columns(keys.sha1.as_ref()));
    values
}

fn keys_at(row: &Row, at: usize) -> Result<Option<StoredKeys>, sqlx::Error> {
    let Some(salt) = row.maybe_bytes(at)? else { return Ok(None) };
    Ok(Some(StoredKeys {
        salt,
        iterations: u32::try_from(row.int(at + 1)?).unwrap_or_default(),
        stored_key: row.bytes(at + 2)?.into(),
        server_key: row.bytes(at + 3)?.into(),
    }))
}

struct Create {
    account: BareJid,
    keys: AccountKeys,
    tombstone: [u8; 32],
}
impl Operation for Create {
    type Output = Creation;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<Creation, Refusal>> {
        Box::pin(async {
            let (host, localpart) = parts(&self.account)?;
            if tx.row(&sql::IS_RETIRED, &[self.tombstone.as_slice().into()]).await?.is_some() {
                return Ok(Creation::Retired);
            }
            let made = tx.execute(&sql::CREATE_ACCOUNT, &values(host, localpart, &self.keys)).await?;
            Ok(if made > 0 { Creation::Created } else { Creation::Exists })
        })
    }
}

struct SetKeys {
    account: BareJid,
    keys: AccountKeys,
}
impl Operation for SetKeys {
    type Output = bool;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async {
            let (host, localpart) = parts(&self.account)?;
            Ok(tx.execute(&sql::SET_KEYS, &values(host, localpart, &self.keys)).await? > 0)
        })
    }
}

struct Delete {
    account: BareJid,
    tombstone: [u8; 32],
    vault: Arc<Vault>,
    owners: Arc<Owners>,
}
impl Operation for Delete {
    type Output = bool;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async {
            let (host, localpart) = parts(&self.account)?;
            let owner = self.account.as_str();
            let deleted = tx.execute(&sql::DELETE_ACCOUNT, &[host.into(), localpart.into()]).await? > 0;
            // What came in since the sweeps.
            archives::forget(tx, &self.owners, &self.account).await?;
            outbound::forget(tx, &self.vault, &self.account).await?;
            for statement in [&sql::DELETE_ROSTER_ITEMS, &sql::DELETE_ROSTER, &sql::DELETE_RECORDS] {
                tx.execute(statement, &[owner.into()]).await?;
            }
            if deleted {
                tx.execute(&sql::RETIRE, &[self.tombstone.as_slice().into()]).await?;
            }
            Ok(deleted)
        })
    }
}

impl Accounts for AccountStore {
    fn keys(&self, account: &BareJid) -> BoxFuture<'_, Stored<Option<AccountKeys>>> {
        let account = account.clone();
        Box::pin(async move {
            let Ok((host, localpart)) = parts(&account) else { return Ok(None) };
            let rows = read(self.readers.rows(&sql::KEYS, &[host.into(), localpart.into()]).await)?;
            let keys = |row: &Row| Ok(AccountKeys { sha256: keys_at(row, 0)?, sha1: keys_at(row, 4)? });
            read(rows.first().map(keys).transpose())
        })
    }
    fn create(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<Creation>> {
        Box::pin(async move {
            let tombstone = self.tombstone(&account).await?;
            self.queue.write(Create { account, keys, tombstone }).await
        })
    }
    fn set_keys(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<bool>> {
        self.queue.write(SetKeys { account, keys })
    }
    fn delete(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>> {
        Box::pin(async move {
            if parts(&account).is_err() {
                return Ok(false);
            }
            let tombstone = self.tombstone(&account).await?;
            // Keys first: whatever fails from here on, the messages are gone, and asking again finishes the rest.
            self.queue.destroy_keys(Doomed::Of(account.clone())).await?;
            while self.queue.write(SweepAll(account.clone())).await? > 0 {}
            let deleted = self
                .queue
                .write(Delete { account: account.clone(), tombstone, vault: self.vault.clone(), owners: self.owners.clone() })
                .await?;
            // What came in between has a key again.
            self.queue.destroy_keys(Doomed::Of(account)).await?;
            Ok(deleted)
        })
    }
    fn list(&self, host: &DomainPart) -> BoxFuture<'_, Stored<Vec<BareJid>>> {
        let host = host.clone();
        Box::pin(async move {
            let rows = read(self.readers.rows(&sql::LIST_ACCOUNTS, &[host.as_str().into()]).await)?;
            let jid = |row: &Row| {
                let localpart = read(row.text(0))?;
                BareJid::new(&format!("{localpart}@{host}")).map_err(|_| StoreError::Corrupt("the localpart of an account"))
            };
            rows.iter().map(jid).collect()
        })
    }
    fn statistics(&self, host: &DomainPart) -> BoxFuture<'_, Stored<KeyStatistics>> {
        let host = host.clone();
        Box::pin(async move {
            let rows = read(self.readers.rows(&sql::ITERATIONS, &[host.as_str().into()]).await)?;
            let sha1 = read(self.readers.rows(&sql::SHA1_ONLY, &[host.as_str().into()]).await)?;
            let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
            let pair = |row: &Row| Ok((u32::try_from(row.int(0)?).unwrap_or_default(), unsigned(row.int(1)?)));
            let iterations = read(rows.iter().map(pair).collect::<Result<Vec<_>, _>>())?;
            let sha1_only = read(sha1.first().map(|row| row.int(0)).transpose())?.map_or(0, unsigned);
            let accounts = iterations.iter().map(|(_, count)| count).sum();
            Ok(KeyStatistics { iterations, sha1_only, accounts })
        })
    }
}
