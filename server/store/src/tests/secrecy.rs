//! What is found on a disk: nothing while it is kept, and nothing opens once it is gone (H02). Files are searched for
//! bytes; with the seal switched off the search finds them, so it can.

use super::{Bench, DAY, NOW, alone, bare, entropy, held, kept, message, on_both, waiting};
use crate::{OpenError, vault::Sealing};
use bocage_api::archive::{ArchiveEntry, ArchiveQuery};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

pub(super) const BODY: &str = "the-hedgehog-sleeps-under-the-third-hedge";
const CORRESPONDENT: &str = "bob@elsewhere.example";

fn files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub(super) fn found(root: &Path, text: &str) -> bool {
    let holds = |path: &PathBuf| fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes());
    files(root).iter().any(holds)
}

#[tokio::test]
async fn h02_sealed_text_is_in_no_file_and_raw_text_is() {
    for (sealing, visible) in [(Sealing::Raw, true), (Sealing::Epoch, false)] {
        let bench = Bench::sqlite();
        let store = bench.open_with(sealing).await;
        let alice = bare("alice@example.org");
        store.handles().archive.append(waiting(message(&alice, "1", BODY), 10)).await.unwrap();
        assert!(files(bench.directory.path()).iter().any(|path| path.to_string_lossy().ends_with("-wal")));
        for text in [BODY, CORRESPONDENT] {
            assert_eq!(found(bench.directory.path(), text), visible, "{text} with {sealing:?}, running");
        }
        assert_eq!(held(&store.handles(), &alice).await, ["1"]);
        store.close().await;
        for text in [BODY, CORRESPONDENT] {
            assert_eq!(found(bench.directory.path(), text), visible, "{text} with {sealing:?}, closed");
        }
    }
}

#[tokio::test]
async fn sealed_text_is_in_no_row_of_either_database() {
    for (sealing, rows) in [(Sealing::Raw, 1), (Sealing::Epoch, 0)] {
        on_both(async |bench| {
            let store = bench.open_with(sealing).await;
            store.handles().archive.append(waiting(message(&bare("alice@example.org"), "1", BODY), 10)).await.unwrap();
            let hits = bench
                .beside(
                    "DELETE FROM archive WHERE instr(sealed, CAST('hedgehog' AS BLOB)) > 0",
                    "DELETE FROM archive WHERE position('hedgehog'::bytea in sealed) > 0",
                )
                .await;
            assert_eq!(hits, rows, "{sealing:?} on {}", if bench.is_sqlite() { "SQLite" } else { "PostgreSQL" });
            store.close().await;
        })
        .await;
    }
}

#[tokio::test]
async fn an_old_copy_of_the_database_opens_nothing_after_expiry() {
    let bench = Bench::sqlite();
    let alice = bare("alice@example.org");
    let store = bench.open().await;
    store.handles().archive.append(waiting(message(&alice, "1", BODY), 10)).await.unwrap();
    store.close().await;
    let copy = bench.directory.path().join("copy.db");
    fs::copy(bench.database(), &copy).unwrap();

    let restored = bench.open().await;
    assert_eq!(held(&restored.handles(), &alice).await, ["1"], "the copy is worth something before");
    bench.time.pass(9 * DAY);
    assert_eq!(restored.handles().archive.expire(bench.time.wall()).await, Ok(1));
    restored.close().await;

    fs::copy(&copy, bench.database()).unwrap();
    let restored = bench.open().await;
    assert_eq!(restored.handles().archive.held_count(&alice).await, Ok(1), "the row is there again");
    assert!(held(&restored.handles(), &alice).await.is_empty());
    restored.close().await;
}

/// PostgreSQL's files are searched as they are on its disk: tables and log.
#[tokio::test]
async fn h02_sealed_text_is_neither_in_the_heap_nor_in_the_log_of_postgres_and_raw_text_is() {
    for (sealing, visible) in [(Sealing::Raw, true), (Sealing::Epoch, false)] {
        on_both(async |bench| {
            let Some((heap, log)) = bench.postgres_files().await else { return };
            let store = bench.open_with(sealing).await;
            // Other tests write to the same log.
            let (word, friend) = (entropy().id(), entropy().id());
            let mut entry = message(&bare("alice@example.org"), "1", &word).entries.remove(0);
            let mut said = (*entry.message).clone();
            said.from = format!("{friend}@elsewhere.example/phone");
            entry.message = said.into();
            store.handles().archive.append(alone(ArchiveEntry { kept: true, held: Some(10), ..entry })).await.unwrap();
            bench.beside("", "CHECKPOINT").await;
            for text in [&word, &friend] {
                assert_eq!(is_in(&heap, text), visible, "{text} in the heap with {sealing:?}");
                assert_eq!(is_in(&log, text), visible, "{text} in the log with {sealing:?}");
            }
            store.close().await;
        })
        .await;
    }
}

/// Does a file below `folder` contain this?
fn is_in(folder: &Path, text: &str) -> bool {
    let search = std::process::Command::new("grep").args(["-rqaF", text]).arg(folder).status().unwrap();
    // A file may be gone by the time it is its turn.
    search.success()
}

#[tokio::test]
async fn h02_rows_of_an_old_copy_beside_the_keys_of_today_are_closed() {
    on_both(async |bench| {
        let store = bench.open().await;
        let (stores, alice) = (store.handles(), bare("alice@example.org"));
        for id in ["1", "2"] {
            let entry = message(&alice, id, BODY).entries.remove(0);
            stores.archive.append(alone(ArchiveEntry { kept: true, held: Some(10), ..entry })).await.unwrap();
        }
        let copy = "CREATE TABLE copy AS SELECT * FROM archive";
        bench.beside(copy, copy).await;
        bench.time.pass(9 * DAY);
        let today = ArchiveEntry { stamp: bench.time.wall(), ..kept(&alice, "3", "today") };
        stores.archive.append(alone(today)).await.unwrap();
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(2));
        let restore = "INSERT INTO archive SELECT * FROM copy";
        assert_eq!(bench.beside(restore, restore).await, 2);
        bench.time.jump(-9 * DAY);
        let page = stores.archive.page(&alice, ArchiveQuery { limit: 9, ..Default::default() }).await.unwrap().unwrap();
        assert_eq!(page.rows.iter().map(|row| row.stamp).collect::<Vec<_>>(), [NOW + 9 * DAY], "the rows are there, and closed");
        assert_eq!(stores.archive.held_count(&alice).await, Ok(2));
        assert!(held(&stores, &alice).await.is_empty());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_old_copy_opens_nothing_after_the_account_is_deleted() {
    let bench = Bench::sqlite();
    let alice = bare("alice@example.org");
    let store = bench.open().await;
    store.handles().accounts.create(alice.clone(), Default::default()).await.unwrap();
    store.handles().archive.append(waiting(message(&alice, "1", BODY), 10)).await.unwrap();
    store.close().await;
    let copy = fs::read(bench.database()).unwrap();
    let store = bench.open().await;
    assert_eq!(store.handles().accounts.delete(alice.clone()).await, Ok(true));
    store.close().await;
    fs::write(bench.database(), copy).unwrap();
    let store = bench.open().await;
    assert_eq!(store.handles().archive.held_count(&alice).await, Ok(1));
    assert!(held(&store.handles(), &alice).await.is_empty());
    store.close().await;
}

#[tokio::test]
async fn swapped_rows_do_not_open() {
    on_both(async |bench| {
        let store = bench.open().await;
        let alice = bare("alice@example.org");
        for id in ["1", "2"] {
            store.handles().archive.append(waiting(message(&alice, id, id), 10)).await.unwrap();
        }
        assert_eq!(held(&store.handles(), &alice).await, ["1", "2"]);
        let swap = "UPDATE archive SET sealed = (SELECT a.sealed FROM archive a WHERE a.id <> archive.id)";
        assert_eq!(bench.beside(swap, swap).await, 2);
        assert!(store.handles().archive.held(&alice, 0, 10).await.is_err());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn files_are_private_and_open_ones_are_refused() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    store.health().await.unwrap();
    for path in files(bench.directory.path()) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
    assert!(matches!(bench.try_open().await, Err(OpenError::InUse(_))), "two servers on one store");
    store.close().await;
    for path in [bench.database(), bench.config.key_dir.join("epoch.keys")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(bench.try_open().await, Err(OpenError::OpenToOthers(found)) if found == path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(&bench.config.key_dir, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(bench.try_open().await, Err(OpenError::WritableByOthers(_))));
}

#[tokio::test]
async fn each_fault_at_the_door_has_its_name() {
    let mut bench = Bench::sqlite();
    let good = bench.config.url.clone();
    for url in ["mysql://example.org", "postgres://[", "sqlite:", "sqlite::memory:"] {
        bench.config.url = url.to_owned().into();
        assert!(matches!(bench.try_open().await, Err(OpenError::Url)), "{url}");
    }
    bench.config.url = "postgres://127.0.0.1:1/x".to_owned().into();
    assert!(matches!(bench.try_open().await, Err(OpenError::Database(_))));
    bench.config.url = good;
    fs::create_dir_all(&bench.config.key_dir).unwrap();
    fs::write(bench.config.key_dir.join("epoch.keys"), "nonsense").unwrap();
    fs::set_permissions(bench.config.key_dir.join("epoch.keys"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(bench.try_open().await, Err(OpenError::KeysDamaged(_))));
    bench.config.key_dir = bench.config.key_dir.join("epoch.keys");
    assert!(matches!(bench.try_open().await, Err(OpenError::KeyDir { .. } | OpenError::Directory { .. })));
}
