//! A locked, full or absent database: nothing is acknowledged that is not stored, and service returns by itself.

use super::{Bench, bare, held, message, on_both, waiting};
use crate::{
    engine::{Connection, Sql},
    fault::Refusal,
    unit::Operation,
};
use bocage_api::store::{AccountKeys, Collection, Creation, RosterEdit, StoreError};
use futures_util::future::BoxFuture;
use sqlx::{ConnectOptions as _, Executor as _, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::{str::FromStr as _, sync::Arc, time::Duration};
use tokio::time::timeout;

static BROKEN: Sql = Sql::shared("INSERT INTO secret (name, value) VALUES ('half', NULL)");
static HALF: Sql = Sql::shared("DELETE FROM secret");

/// Writes something and then fails.
struct Failing;

impl Operation for Failing {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            tx.execute(&HALF, &[]).await?;
            tx.execute(&BROKEN, &[]).await?;
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_failing_unit_does_not_harm_its_neighbours() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let (alice, zoe) = (bare("alice@example.org"), bare("zoe@example.org"));
        let secret = stores.secrets.secret("kept").await.unwrap();
        stores.archive.append(waiting(message(&alice, "taken", "x"), 10)).await.unwrap();
        let before = stores.accounts.create(alice.clone(), AccountKeys::default());
        let failing = store.queue.write(Failing);
        let appends: Vec<_> = ["1", "taken", "2"].map(|id| stores.archive.append(waiting(message(&alice, id, "x"), 10))).into();
        let panics = stores.rosters.change(alice.clone(), zoe.clone(), Arc::new(|_, _| panic!("on purpose")));
        let after = stores.accounts.create(zoe.clone(), AccountKeys::default());
        assert_eq!(before.await, Ok(Creation::Created));
        assert!(failing.await.is_err());
        let appended = futures_util::future::join_all(appends).await;
        assert_eq!(appended.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert!(panics.await.is_err());
        assert_eq!(after.await, Ok(Creation::Created));
        assert_eq!(held(&stores, &alice).await, ["taken", "1", "2"]);
        assert_eq!(secret, stores.secrets.secret("kept").await.unwrap(), "the failing unit left something behind");
        assert!(store.is_writable());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_locked_database_refuses_in_time_and_comes_back() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let stores = store.handles();
    let alice = bare("alice@example.org");
    let mut other = SqliteConnectOptions::new().filename(bench.database()).connect().await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let appends: Vec<_> = (0..600).map(|n| stores.archive.append(waiting(message(&alice, &n.to_string(), "x"), 1000))).collect();
    let results = timeout(Duration::from_secs(10), futures_util::future::join_all(appends)).await.unwrap();
    assert!(results.iter().all(|result| matches!(result, Err(StoreError::Unavailable(_)))));
    assert!(!store.is_writable());
    other.execute("ROLLBACK").await.unwrap();
    assert!(held(&stores, &alice).await.is_empty());
    store.health().await.unwrap();
    assert!(store.is_writable());
    stores.archive.append(waiting(message(&alice, "back", "x"), 10)).await.unwrap();
    assert_eq!(held(&stores, &alice).await, ["back"]);
    store.close().await;
}

static NO_MORE_PAGES: Sql = Sql::shared("PRAGMA max_page_count = 1");
static MORE_PAGES: Sql = Sql::shared("PRAGMA max_page_count = 1000000");

/// Sets how many pages the writer's connection may use.
struct Pages(&'static Sql);

impl Operation for Pages {
    type Output = ();
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            tx.rows(self.0, &[]).await?;
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_full_database_acknowledges_nothing_and_comes_back() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let stores = store.handles();
    let alice = bare("alice@example.org");
    stores.archive.append(waiting(message(&alice, "before", "x"), 1000)).await.unwrap();
    let mut stored = vec!["before".to_owned()];
    let mut refused = 0;
    // The limit belongs to the connection, which is opened anew after the fault: it is set again for each batch.
    for round in 0..6 {
        let limit = store.queue.write(Pages(&NO_MORE_PAGES));
        let appends: Vec<_> = (0..40)
            .map(|n| {
                let id = format!("{round}-{n}");
                (id.clone(), stores.archive.append(waiting(message(&alice, &id, &"x".repeat(3000)), 1000)))
            })
            .collect();
        let _ = limit.await;
        for (id, append) in appends {
            match append.await {
                Ok(_) => stored.push(id),
                Err(StoreError::Unavailable(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(refused > 0, "the database never was full");
    store.queue.write(Pages(&MORE_PAGES)).await.unwrap();
    stores.archive.append(waiting(message(&alice, "after", &"x".repeat(3000)), 1000)).await.unwrap();
    stored.push("after".to_owned());
    assert_eq!(held(&stores, &alice).await, stored);
    assert!(store.is_writable());
    store.close().await;
}

#[tokio::test]
async fn a_postgres_connection_that_is_killed_is_replaced() {
    on_both(async |bench| {
        if bench.is_sqlite() {
            return;
        }
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        stores.archive.append(waiting(message(&alice, "1", "x"), 10)).await.unwrap();
        assert_eq!(held(&stores, &alice).await, ["1"]);
        let mut other = PgConnectOptions::from_str(&bench.config.url).unwrap().connect().await.unwrap();
        let killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bocage' AND datname = current_database()";
        assert!(other.execute(killed).await.unwrap().rows_affected() >= 2);
        stores.archive.append(waiting(message(&alice, "2", "x"), 10)).await.unwrap();
        assert_eq!(held(&stores, &alice).await, ["1", "2"]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_locked_table_in_postgres_is_unavailable_and_comes_back() {
    on_both(async |bench| {
        if bench.is_sqlite() {
            return;
        }
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        let mut other = PgConnectOptions::from_str(&bench.config.url).unwrap().connect().await.unwrap();
        other.execute("BEGIN; LOCK TABLE archive").await.unwrap();
        let append =
            timeout(Duration::from_secs(10), stores.archive.append(waiting(message(&alice, "1", "x"), 10))).await.unwrap();
        assert!(matches!(append, Err(StoreError::Unavailable(_))));
        other.execute("ROLLBACK").await.unwrap();
        stores.archive.append(waiting(message(&alice, "2", "x"), 10)).await.unwrap();
        assert_eq!(held(&stores, &alice).await, ["2"]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let stores = store.handles();
    let alice = bare("alice@example.org");
    // The test runs on one thread: the writer cannot take anything before this awaits.
    let appends: Vec<_> = (0..crate::writer::QUEUE + 1)
        .map(|n| stores.archive.append(waiting(message(&alice, &n.to_string(), "x"), usize::MAX)))
        .collect();
    let results = futures_util::future::join_all(appends).await;
    assert_eq!(results.last(), Some(&Err(StoreError::Busy)));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), crate::writer::QUEUE);
    store.close().await;
}

#[tokio::test]
async fn what_was_queued_is_written_before_the_store_closes() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        let appends: Vec<_> =
            (0..500).map(|n| stores.archive.append(waiting(message(&alice, &n.to_string(), "x"), 1000))).collect();
        store.close().await;
        for append in appends {
            append.await.unwrap();
        }
        let late = stores.archive.append(waiting(message(&alice, "late", "x"), 1000)).await;
        assert!(matches!(late, Err(StoreError::Unavailable(_))));
        assert!(matches!(stores.archive.held_count(&alice).await, Err(StoreError::Unavailable(_))));
        let store = bench.open().await;
        assert_eq!(held(&store.handles(), &alice).await.len(), 500);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn conditions_are_read_inside_the_transaction() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        let collection = Collection { name: "a/b".into(), personal: false, rows_per_owner: 9, value_bytes: 9, lifetime: None };
        stores.records.declare(collection);
        let attempts =
            futures_util::future::join_all((0..20).map(|n| stores.records.compare_and_set("a/b", "o", "k", (0, vec![n]))));
        assert_eq!(attempts.await.into_iter().filter(|won| *won == Ok(true)).count(), 1);
        let creations =
            futures_util::future::join_all((0..20).map(|_| stores.accounts.create(alice.clone(), AccountKeys::default())));
        assert_eq!(creations.await.into_iter().filter(|made| *made == Ok(Creation::Created)).count(), 1);
        let contacts = (0..20).map(|n| {
            let contact = bare(&format!("c{n}@example.org"));
            let item = bocage_api::store::RosterItem { listed: true, ..bocage_api::store::RosterItem::new(contact.clone()) };
            let change = move |_: Option<&_>, count| if count < 5 { RosterEdit::Put(item.clone()) } else { RosterEdit::Keep };
            stores.rosters.change(alice.clone(), contact, Arc::new(change))
        });
        futures_util::future::join_all(contacts).await;
        let roster = stores.rosters.roster(&alice).await.unwrap();
        assert_eq!((roster.items.len(), roster.version), (5, 5));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn messages_wait_for_their_key() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let stores = store.handles();
    let alice = bare("alice@example.org");
    stores.archive.append(waiting(message(&alice, "1", "x"), 10)).await.unwrap();
    // The key directory is gone: an old key still serves, a new one cannot be made durable by a rewrite.
    store.queue.destroy_keys(crate::vault::Doomed::Of(alice.clone())).await.unwrap();
    let keys = &bench.config.key_dir;
    let aside = bench.directory.path().join("aside");
    std::fs::rename(keys, &aside).unwrap();
    let destroyed = stores.accounts.create(alice.clone(), AccountKeys::default()).await;
    assert_eq!(destroyed, Ok(Creation::Created));
    stores.archive.append(waiting(message(&alice, "2", "x"), 10)).await.unwrap();
    assert!(matches!(stores.accounts.delete(alice.clone()).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(stores.archive.append(waiting(message(&alice, "3", "x"), 10)).await, Err(StoreError::Unavailable(_))));
    assert!(store.is_writable(), "the database is not to blame");
    std::fs::rename(&aside, keys).unwrap();
    assert_eq!(stores.accounts.delete(alice.clone()).await, Ok(true));
    stores.archive.append(waiting(message(&alice, "4", "x"), 10)).await.unwrap();
    assert_eq!(held(&stores, &alice).await, ["4"]);
    store.close().await;
}
