//! What makes a commit small: rows, and what finds them, lie near one another.

use super::{Bench, NOW, alone, bare, entropy, kept, on_both};
use bocage_api::archive::{Append, Appended, Archive, ArchiveEntry, ArchiveQuery, Part, StanzaId};
use futures_util::future::join_all;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, sqlite::SqliteConnectOptions};
use std::collections::HashSet;

/// Rows that are there before: their names and tags would fill some hundred pages.
const BEFORE: usize = 12_000;
const MORE: usize = 256;

fn entry(bench: &Bench, number: usize, id: StanzaId) -> ArchiveEntry {
    let stamp = NOW + i64::try_from(number).unwrap_or_default() / 1000;
    assert!(stamp <= bench.time.wall() + 60);
    ArchiveEntry { id, stamp, ..kept(&bare("alice@example.org"), &number.to_string(), "hello") }
}

/// `PRAGMA wal_checkpoint`: busy, frames in the log, frames that were copied.
async fn checkpoint(bench: &Bench, statement: &'static str) -> (i64, i64) {
    let mut other = SqliteConnectOptions::new().filename(bench.database()).connect().await.unwrap();
    let row = sqlx::query(statement).fetch_one(&mut other).await.unwrap();
    let found = (row.get(0), row.get(1));
    other.close().await.unwrap();
    found
}

/// Pages that one commit of many rows writes where many are already.
async fn pages_of_a_commit(name: fn(&dyn Archive) -> StanzaId) -> i64 {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let archive = store.handles().archive;
    for chunk in (0..BEFORE).collect::<Vec<_>>().chunks(1000) {
        let appends = chunk.iter().map(|number| archive.append(alone(entry(&bench, *number, name(&*archive)))));
        assert!(join_all(appends).await.into_iter().all(|stored| stored == Ok(Appended::Stored)));
    }
    assert_eq!(checkpoint(&bench, "PRAGMA wal_checkpoint(TRUNCATE)").await, (0, 0));
    let entries = (BEFORE..BEFORE + MORE).map(|number| entry(&bench, number, name(&*archive)));
    archive.append(Append { entries: entries.collect(), once: false }).await.unwrap();
    let (_, pages) = checkpoint(&bench, "PRAGMA wal_checkpoint(PASSIVE)").await;
    store.close().await;
    pages
}

#[tokio::test]
async fn a_commit_of_many_rows_writes_few_pages() {
    // Some 340 bytes each in the table, 60 in the indexes.
    let pages = pages_of_a_commit(|archive| archive.name()).await;
    assert!((20..60).contains(&pages), "{MORE} rows took {pages} pages");
    let scattered = pages_of_a_commit(|_| StanzaId(entropy().bytes())).await;
    assert!(scattered > 2 * pages, "names without any order took {scattered} pages, those of the store {pages}");
}

#[tokio::test]
async fn names_are_found_again_and_go_on_after_a_restart() {
    on_both(async |bench| {
        let store = bench.open().await;
        let archive = store.handles().archive;
        let owner = bare("alice@example.org");
        let early: Vec<StanzaId> = (0..20).map(|_| archive.name()).collect();
        for (number, id) in early.iter().enumerate() {
            archive.append(alone(entry(bench, number, *id))).await.unwrap();
        }
        store.close().await;
        let store = bench.open().await;
        let archive = store.handles().archive;
        let late = archive.name();
        assert!(!early.contains(&late));
        archive.append(alone(entry(bench, 20, late))).await.unwrap();
        let after = ArchiveQuery { part: Part::After(early[17]), limit: 9, ..ArchiveQuery::default() };
        let page = archive.page(&owner, after).await.unwrap().unwrap();
        assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [early[18], early[19], late]);
        let by_id = ArchiveQuery { ids: Some(vec![early[3], late]), limit: 9, ..ArchiveQuery::default() };
        let page = archive.page(&owner, by_id).await.unwrap().unwrap();
        assert_eq!(page.rows.iter().map(|row| row.id).collect::<HashSet<_>>(), HashSet::from([early[3], late]));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn of_messages_with_one_id_the_newest_is_the_one_that_may_come_again() {
    on_both(async |bench| {
        let store = bench.open().await;
        let archive = store.handles().archive;
        let alice = bare("alice@example.org");
        let say = |body: &str| Append { once: true, ..alone(ArchiveEntry { id: archive.name(), ..kept(&alice, "1", body) }) };
        let mut outcomes = Vec::new();
        for body in ["a", "b", "b", "a", "a"] {
            outcomes.push(archive.append(say(body)).await.unwrap());
        }
        use Appended::{Resent, Stored};
        assert_eq!(outcomes, [Stored, Stored, Resent, Stored, Resent]);
        store.close().await;
    })
    .await;
}
