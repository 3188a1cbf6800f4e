//! Opening: which database, who may read it, and whether it is from the future.

use crate::{
    accounts::AccountStore,
    append::Surroundings,
    archives::{self, Archives, Time},
    audit::{self, TableAudit},
    batch,
    clockgate::ClockGate,
    engine::{Connection, Either, Readers, Target},
    fault::Refusal,
    keyfile::KeyFile,
    names::Names,
    outbound::Outbound,
    owners::Owners,
    permissions,
    recent::Recent,
    records::RecordTable,
    retention::{Retention, seconds},
    rosters::RosterStore,
    seal::day_of,
    secrets::{self, SecretStore},
    sql,
    vault::{Sealing, Vault},
    writer::{Queue, Writer},
};
use bocage_api::{
    Clock, Entropy,
    archive::RESENT_WITHIN,
    store::{StoreError, Stored, Stores},
};
use sqlx::{
    ConnectOptions as _,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// Connections that only read.
const READERS: u32 = 4;
/// KiB of page cache of a SQLite connection: a reader's, the writer's.
const READER_CACHE: &str = "-512";
const WRITER_CACHE: &str = "-8192";
/// The WAL is copied into the database when it has so many pages of 4 KiB: what is written often is copied seldom.
const WAL_PAGES: &str = "4000";
/// The WAL file is cut back to so many bytes after a checkpoint.
const WAL_BYTES: &str = "16777216";
/// A reading connection without work is closed after so long.
const IDLE: Duration = Duration::from_secs(300);

/// What a store is opened from.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: Zeroizing<String>,
    /// Where the epoch keys are kept; a volume of its own that is in no backup.
    pub key_dir: PathBuf,
    /// How long what is kept.
    pub retention: Retention,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite:` nor `postgres://`, or malformed.
    #[error("the database's address is not one that Bocage understands (sqlite:PATH or postgres://…)")]
    Url,
    /// A directory or file of the store cannot be used.
    #[error("{}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody could replace the files in it.
    #[error("{}: everybody may write into this directory: chmod 0700 it (H71)", .0.display())]
    WritableByOthers(PathBuf),
    /// H71.
    #[error("{}: every user may read this file: chmod 0600 it (H71)", .0.display())]
    OpenToOthers(PathBuf),
    /// The key directory cannot be used.
    #[error("{}: the key directory cannot be used: {source}", path.display())]
    KeyDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another server uses it.
    #[error("{}: another Bocage uses this key directory", .0.display())]
    InUse(PathBuf),
    /// Its records do not check.
    #[error("{}: the key file is damaged", .0.display())]
    KeysDamaged(PathBuf),
    /// A newer Bocage has written it.
    #[error("the database was written by a newer Bocage (migration {0}): install that one")]
    FromTheFuture(i64),
    /// It cannot be reached or made.
    #[error("the database cannot be opened: {0}")]
    Database(String),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(crate::fault::store_error(&error).to_string())
    }
}
impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => Self::FromTheFuture(version),
            other => Self::Database(other.to_string()),
        }
    }
}

/// An open store.
pub struct Store {
    pub(crate) readers: Readers,
    pub(crate) queue: Queue,
    records: Arc<RecordTable>,
    periods: (i64, i64),
    stores: Stores,
    gate: Arc<ClockGate>,
    clock: Clock,
    writer: JoinHandle<()>,
}

impl Store {
    /// Opens or makes it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(config: StoreConfig, clock: Clock, entropy: Entropy) -> Result<Self, OpenError> {
        Self::open_sealed(config, (clock, entropy), Sealing::Epoch).await
    }

    pub(crate) async fn open_sealed(
        config: StoreConfig,
        (clock, entropy): (Clock, Entropy),
        sealing: Sealing,
    ) -> Result<Self, OpenError> {
        let target = target(&config.url)?;
        let (file, keys) = KeyFile::open(&config.key_dir)?;
        migrate(&target).await?;
        let readers = readers(&target);
        let wall = archives::stored_wall(&readers).await.map_err(trouble)?;
        let mut connection = Connection::open(&target).await?;
        let (names, started_behind) = names(&mut connection, entropy.clone()).await.map_err(trouble)?;
        let vault = Arc::new(Vault::new(keys, names, (entropy.clone(), sealing)));
        let since = day_of(clock.wall().saturating_sub(seconds(RESENT_WITHIN)));
        let recent = Recent::load(&readers, since).await.map_err(trouble)?;
        let owners = Arc::new(Owners::default());
        let at = Arc::new(Surroundings { vault: vault.clone(), owners: owners.clone(), recent, started_behind });
        let (queue, writer) = Writer::new(connection, target, readers.clone(), (file, at));
        let writer = spawn(writer);
        let gate = Arc::new(ClockGate::new(clock.clone(), wall));
        let secrets = Arc::new(SecretStore::new(queue.clone(), entropy));
        let records = Arc::new(RecordTable::new((queue.clone(), readers.clone()), clock.clone(), gate.clone()));
        let periods = config.retention.longest_of_each();
        let stores = Stores {
            accounts: Arc::new(AccountStore::new((queue.clone(), readers.clone()), (vault.clone(), owners), secrets.clone())),
            rosters: Arc::new(RosterStore::new(queue.clone(), readers.clone())),
            outbound: Arc::new(Outbound::new((queue.clone(), readers.clone()), vault.clone(), clock.clone())),
            archive: Arc::new(Archives::new(
                (queue.clone(), readers.clone()),
                vault,
                Time { retention: config.retention, clock: clock.clone(), gate: gate.clone() },
            )),
            records: records.clone(),
            secrets,
        };
        Ok(Self { readers, queue, records, periods, stores, gate, clock, writer })
    }

    /// The handles.
    #[must_use]
    pub fn handles(&self) -> Stores {
        self.stores.clone()
    }
    /// Could the last transaction be written?
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.queue.writable()
    }
    /// Units that wait for the writer.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.queue.depth()
    }
    /// Writes something, to learn whether that works.
    ///
    /// # Errors
    /// When it does not.
    pub async fn health(&self) -> Stored<()> {
        self.queue.write(Probe).await
    }
    /// What is stored, by table (H10).
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn audit(&self) -> Stored<Vec<TableAudit>> {
        audit::audit(&self.readers, self.periods, &self.records.collections()).await
    }
    /// The clock's jump is right: what has expired by it may be destroyed.
    pub fn accept_clock(&self) {
        self.gate.accept();
    }
    /// Resolves when nothing can be written any more: after [`Store::close`], or because the writer failed, which the
    /// process must not outlive.
    pub async fn ended(&self) {
        self.queue.ended().await;
    }
    /// Writes what is queued, closes, and gives the locks back.
    pub async fn close(self) {
        if let Some(wall) = self.gate.judge(self.clock.wall()) {
            drop(self.queue.write(archives::SetWall(wall)));
        }
        self.queue.stop();
        if self.writer.await.is_err() {
            tracing::error!("the writer ended by a panic");
        }
    }
}

struct Probe;
impl crate::unit::Operation for Probe {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> futures_util::future::BoxFuture<'a, Result<(), crate::fault::Refusal>> {
        Box::pin(async {
            tx.execute(&sql::PROBE, &[]).await?;
            Ok(())
        })
    }
}

fn trouble(error: StoreError) -> OpenError {
    OpenError::Database(error.to_string())
}

/// With the secret that is there or a new one, and numbers that go on about where the last ones ended: behind the last
/// position.
async fn names(connection: &mut Connection, entropy: Entropy) -> Stored<(Names, i64)> {
    let secret = secrets::make(connection, "archive names", &entropy.bytes().into()).await.map_err(Refusal::into_error)?;
    let row = read(connection.row(&sql::LAST_POSITION, &[]).await)?;
    let last = read(row.map(|row| row.int(0)).transpose())?.unwrap_or_default();
    Ok((Names::new(&secret, last.unsigned_abs() + 1, entropy)?, last))
}

#[allow(clippy::disallowed_methods, reason = "the store's one task; it ends when the store is closed")]
fn spawn(writer: Writer) -> JoinHandle<()> {
    tokio::spawn(writer.run())
}

fn target(url: &str) -> Result<Target, OpenError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return postgres(url).map(Either::Postgres);
    }
    let path = url.strip_prefix("sqlite:").ok_or(OpenError::Url)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(':') {
        return Err(OpenError::Url);
    }
    sqlite(Path::new(path)).map(Either::Sqlite)
}

fn postgres(url: &str) -> Result<PgConnectOptions, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| OpenError::Url)?;
    let host = options.get_host();
    let near = host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
    let near = near || options.get_socket().is_some();
    let sure = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    if !near && !sure {
        tracing::warn!("the connection to the database may be read or forged on its way: add sslmode=verify-full to its address");
    }
    // On this machine there is nothing to negotiate.
    let options = if near && !sure { options.ssl_mode(PgSslMode::Disable) } else { options };
    let (lock, statement) = (batch::LOCK_WAIT.as_millis().to_string(), batch::TRANSACTION.as_millis().to_string());
    // `synchronous_commit`: what was acknowledged outlives a power loss, whatever the server's default is.
    let options = options.application_name("bocage").options([
        ("lock_timeout", lock.as_str()),
        ("statement_timeout", statement.as_str()),
        ("synchronous_commit", "on"),
    ]);
    Ok(options.disable_statement_logging())
}

fn sqlite(path: &Path) -> Result<SqliteConnectOptions, OpenError> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        permissions::private_directory(directory)?;
    }
    permissions::private_database(path)?;
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .foreign_keys(true)
        .busy_timeout(batch::LOCK_WAIT)
        .pragma("secure_delete", "ON")
        .pragma("cache_size", WRITER_CACHE)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .pragma("journal_size_limit", WAL_BYTES)
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging())
}

async fn migrate(target: &Target) -> Result<(), OpenError> {
    match target {
        Either::Sqlite(options) => {
            let pool = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(batch::LOCK_WAIT)
                .connect_with(options.clone())
                .await?;
            let migrated = sqlx::migrate!("migrations/sqlite").run(&pool).await;
            pool.close().await;
            Ok(migrated?)
        }
        Either::Postgres(options) => {
            let pool =
                PgPoolOptions::new().max_connections(1).acquire_timeout(batch::LOCK_WAIT).connect_with(options.clone()).await?;
            let migrated = sqlx::migrate!("migrations/postgres").run(&pool).await;
            pool.close().await;
            Ok(migrated?)
        }
    }
}

fn readers(target: &Target) -> Readers {
    Readers(match target {
        Either::Sqlite(options) => {
            let options = options.clone().pragma("cache_size", READER_CACHE).pragma("query_only", "ON");
            let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(batch::LOCK_WAIT).idle_timeout(IDLE);
            Either::Sqlite(pool.test_before_acquire(false).connect_lazy_with(options))
        }
        Either::Postgres(options) => {
            let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(batch::LOCK_WAIT).idle_timeout(IDLE);
            Either::Postgres(pool.connect_lazy_with(options.clone()))
        }
    })
}

/// For readers of any handle: an error of the database as the caller sees it.
pub(crate) fn read<T>(result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
    result.map_err(|error| crate::fault::store_error(&error))
}
