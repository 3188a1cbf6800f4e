//! Tests over the whole store. Each body runs on SQLite, and on PostgreSQL when `BOCAGE_TEST_POSTGRES` names a server
//! where it may create databases; where `CI` is set that is a must.

mod archive;
mod content;
mod faults;
mod near;
mod outbound;
mod secrecy;
mod speed;
mod statements;

use crate::{HostPeriods, OpenError, Retention, Store, StoreConfig, vault::Sealing};
use bocage_api::{
    archive::{Append, ArchiveEntry, ArchivedMessage, Party, StanzaId},
    clock::{Clock, Entropy, RandomSource, TimeSource, UnixSeconds},
    stanza::MessageType,
    store::Stores,
};
use jid::{BareJid, Jid};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::{
    path::PathBuf,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

pub(crate) const NOW: UnixSeconds = 1_700_000_000;
pub(crate) const DAY: i64 = 86_400;
pub(crate) const RETENTION: u64 = 7 * 86_400;

/// A clock in the test's hands.
#[derive(Clone)]
pub(crate) struct TestTime(Arc<(AtomicI64, AtomicI64)>);

impl TestTime {
    pub(crate) fn at(wall: UnixSeconds) -> Self {
        Self(Arc::new((AtomicI64::new(wall), AtomicI64::new(5))))
    }
    pub(crate) fn clock(&self) -> Clock {
        Clock::new(self.clone())
    }
    pub(crate) fn wall(&self) -> UnixSeconds {
        self.0.0.load(Ordering::SeqCst)
    }
    pub(crate) fn jump(&self, seconds: i64) {
        self.0.0.fetch_add(seconds, Ordering::SeqCst);
    }
    pub(crate) fn pass(&self, seconds: i64) {
        self.jump(seconds);
        self.0.1.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl TimeSource for TestTime {
    fn wall(&self) -> UnixSeconds {
        self.wall()
    }
    fn mono(&self) -> Duration {
        Duration::from_secs(self.0.1.load(Ordering::SeqCst).unsigned_abs())
    }
}

struct Dice;

impl RandomSource for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

pub(crate) fn entropy() -> Entropy {
    Entropy::new(Dice)
}

/// A place for one store.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) time: TestTime,
    pub(crate) config: StoreConfig,
}

impl Bench {
    fn with(url: Option<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            url: url.unwrap_or_else(|| format!("sqlite:{}", directory.path().join("data/bocage.db").display())).into(),
            key_dir: directory.path().join("keys"),
            retention: uniform(Duration::from_secs(RETENTION)),
        };
        Self { directory, time: TestTime::at(NOW), config }
    }
    pub(crate) fn sqlite() -> Self {
        Self::with(None)
    }
    pub(crate) async fn try_open(&self) -> Result<Store, OpenError> {
        Store::open(self.config.clone(), self.time.clock(), entropy()).await
    }
    pub(crate) async fn open_with(&self, sealing: Sealing) -> Store {
        Store::open_sealed(self.config.clone(), (self.time.clock(), entropy()), sealing).await.unwrap()
    }
    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }
    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("data/bocage.db")
    }
    pub(crate) fn is_sqlite(&self) -> bool {
        self.config.url.starts_with("sqlite:")
    }
    /// Where PostgreSQL has the tables of this database, and its log; this process may read them.
    pub(crate) async fn postgres_files(&self) -> Option<(PathBuf, PathBuf)> {
        if self.is_sqlite() {
            return None;
        }
        let mut other = PgConnectOptions::from_str(&self.config.url).unwrap().connect().await.unwrap();
        let query = "SELECT current_setting('data_directory'), oid::bigint FROM pg_database WHERE datname = current_database()";
        let (root, oid): (String, i64) = sqlx::query_as(query).fetch_one(&mut other).await.unwrap();
        other.close().await.unwrap();
        let root = PathBuf::from(root);
        Some((root.join("base").join(oid.to_string()), root.join("pg_wal")))
    }
    /// Runs SQL beside the store.
    pub(crate) async fn beside(&self, sqlite: &'static str, postgres: &'static str) -> u64 {
        if self.is_sqlite() {
            let mut other = SqliteConnectOptions::new().filename(self.database()).connect().await.unwrap();
            let done = other.execute(sqlite).await.unwrap().rows_affected();
            other.close().await.unwrap();
            return done;
        }
        let mut other = PgConnectOptions::from_str(&self.config.url).unwrap().connect().await.unwrap();
        let done = other.execute(postgres).await.unwrap().rows_affected();
        other.close().await.unwrap();
        done
    }
}

/// Where the PostgreSQL of the tests is, if there is one.
pub(crate) fn postgres_server() -> Option<String> {
    let found = std::env::var("BOCAGE_TEST_POSTGRES").ok();
    let demanded = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(found.is_some() || !demanded, "CI=true, but BOCAGE_TEST_POSTGRES does not name a PostgreSQL server");
    if found.is_none() {
        println!("BOCAGE_TEST_POSTGRES is not set: this ran on SQLite only");
    }
    found
}

/// A fresh database on `server`: its URL and the statement that drops it.
async fn fresh_database(server: &str) -> (String, String) {
    let name = format!("bocage_{}", entropy().id());
    let mut admin = PgConnectOptions::from_str(server).unwrap().connect().await.unwrap();
    admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    admin.close().await.unwrap();
    let (base, query) = server.split_once('?').map_or((server, String::new()), |(base, query)| (base, format!("?{query}")));
    let root = base.rsplit_once('/').filter(|(root, _)| !root.ends_with('/')).map_or(base, |(root, _)| root);
    (format!("{root}/{name}{query}"), format!("DROP DATABASE {name} WITH (FORCE)"))
}

/// Runs `body` on each engine.
pub(crate) async fn on_both(body: impl AsyncFn(&Bench)) {
    body(&Bench::sqlite()).await;
    let Some(server) = postgres_server() else { return };
    let (url, drop) = fresh_database(&server).await;
    body(&Bench::with(Some(url))).await;
    let mut admin = PgConnectOptions::from_str(&server).unwrap().connect().await.unwrap();
    admin.execute(sqlx::AssertSqlSafe(drop)).await.unwrap();
}

pub(crate) fn bare(text: &str) -> BareJid {
    BareJid::new(text).unwrap()
}

/// One period for everything at the domains of the tests.
pub(crate) fn uniform(period: Duration) -> Retention {
    let periods = HostPeriods { messages: period, rooms: period, offline: period };
    Retention::new(["example.org", "elsewhere.example"].map(|host| (host.to_owned(), periods)))
}

/// A name that tests can read.
pub(crate) fn name(text: &str) -> StanzaId {
    let mut id = [b' '; 16];
    id.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    StanzaId(id)
}

fn text(id: StanzaId) -> String {
    String::from_utf8_lossy(&id.0).trim_end().to_owned()
}

/// A held message to `owner`.
pub(crate) fn entry(owner: &BareJid, id: &str, body: &str) -> ArchiveEntry {
    ArchiveEntry {
        owner: owner.clone(),
        id: name(&format!("{id} {:.10}", owner.as_str())),
        stamp: NOW,
        party: Party::With(Jid::new("bob@elsewhere.example/phone").unwrap()),
        message: Arc::new(ArchivedMessage {
            from: "bob@elsewhere.example/phone".to_owned(),
            to: owner.as_str().to_owned(),
            kind: MessageType::Chat,
            message_id: Some(format!("m-{id}")),
            lang: None,
            payload: format!("<body>{body}</body>").into(),
        }),
        kept: false,
        held: Some(10),
        retracts: None,
    }
}

/// The same alone in its call.
pub(crate) fn message(owner: &BareJid, id: &str, body: &str) -> Append {
    alone(entry(owner, id, body))
}

pub(crate) fn alone(entry: ArchiveEntry) -> Append {
    Append { entries: vec![entry], once: false }
}

/// The same with another bound on what waits.
pub(crate) fn waiting(mut append: Append, limit: usize) -> Append {
    append.entries.iter_mut().for_each(|entry| entry.held = Some(limit));
    append
}

/// A message of the archive that waits for nobody.
pub(crate) fn kept(owner: &BareJid, id: &str, body: &str) -> ArchiveEntry {
    ArchiveEntry { kept: true, held: None, ..entry(owner, id, body) }
}

pub(crate) async fn held(stores: &Stores, owner: &BareJid) -> Vec<String> {
    let rows = stores.archive.held(owner, 0, 1000).await.unwrap();
    rows.into_iter().map(|row| first_word(row.id)).collect()
}

pub(crate) fn first_word(id: StanzaId) -> String {
    text(id).split(' ').next().unwrap_or_default().to_owned()
}
