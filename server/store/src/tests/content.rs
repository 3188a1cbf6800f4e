//! What is put in comes out, on both engines.

use super::{DAY, NOW, alone, bare, entry, first_word, held, kept, message, on_both, waiting};
use bocage_api::store::{
    AccountKeys, Collection, Creation, Page, RosterChange, RosterEdit, RosterItem, StoreError, StoredKeys, Stores, Subscription,
};
use jid::DomainPart;
use std::sync::Arc;
use zeroize::Zeroizing;

fn keys(iterations: u32) -> StoredKeys {
    StoredKeys {
        salt: vec![1, 0, 255],
        iterations,
        stored_key: Zeroizing::new(vec![2; 32]),
        server_key: Zeroizing::new(vec![3; 32]),
    }
}

#[tokio::test]
async fn h06_accounts_live_and_are_retired() {
    on_both(async |bench| {
        let store = bench.open().await;
        let accounts = store.handles().accounts;
        let (alice, zoe) = (bare("alice@example.org"), bare("zoe@example.org"));
        let both = AccountKeys { sha256: Some(keys(10_000)), sha1: Some(keys(4096)) };
        let old = AccountKeys { sha256: None, sha1: Some(keys(4096)) };
        assert_eq!(accounts.create(zoe.clone(), old.clone()).await, Ok(Creation::Created));
        assert_eq!(accounts.create(alice.clone(), both.clone()).await, Ok(Creation::Created));
        assert_eq!(accounts.create(alice.clone(), old.clone()).await, Ok(Creation::Exists));
        assert_eq!(accounts.keys(&alice).await, Ok(Some(both)));
        assert_eq!(accounts.keys(&zoe).await, Ok(Some(old.clone())));
        assert_eq!(accounts.keys(&bare("nobody@example.org")).await, Ok(None));
        assert_eq!(accounts.keys(&bare("example.org")).await, Ok(None));
        let host = DomainPart::new("example.org").unwrap().into_owned();
        assert_eq!(accounts.list(&host).await, Ok(vec![alice.clone(), zoe.clone()]));
        let mut statistics = accounts.statistics(&host).await.unwrap();
        statistics.iterations.sort_unstable();
        assert_eq!((statistics.iterations, statistics.sha1_only, statistics.accounts), (vec![(4096, 1), (10_000, 1)], 1, 2));
        assert_eq!(accounts.set_keys(alice.clone(), old.clone()).await, Ok(true));
        assert_eq!(accounts.keys(&alice).await, Ok(Some(old.clone())));
        assert_eq!(accounts.set_keys(bare("nobody@example.org"), old.clone()).await, Ok(false));
        assert_eq!(accounts.delete(alice.clone()).await, Ok(true));
        assert_eq!(accounts.delete(alice.clone()).await, Ok(false));
        assert_eq!(accounts.keys(&alice).await, Ok(None));
        assert_eq!(accounts.create(alice.clone(), old.clone()).await, Ok(Creation::Retired));
        store.close().await;
        let store = bench.open().await;
        assert_eq!(store.handles().accounts.create(alice, old).await, Ok(Creation::Retired));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn deletion_leaves_nothing_of_the_owner() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let (alice, zoe) = (bare("alice@example.org"), bare("zoe@example.org"));
        stores.records.declare(collection("pets/cats", None));
        for owner in [&alice, &zoe] {
            stores.accounts.create(owner.clone(), AccountKeys::default()).await.unwrap();
            stores.archive.append(waiting(message(owner, "1", "hi"), 10)).await.unwrap();
            put(&stores, owner.as_str(), RosterItem { listed: true, ..RosterItem::new(bare("c@example.org")) }).await;
            stores.records.put("pets/cats", owner.as_str(), "tom", b"1".to_vec()).await.unwrap();
        }
        assert_eq!(stores.accounts.delete(alice.clone()).await, Ok(true));
        assert!(held(&stores, &alice).await.is_empty());
        assert_eq!(stores.archive.held_count(&alice).await, Ok(0));
        assert_eq!(stores.rosters.roster(&alice).await, Ok(Default::default()));
        assert_eq!(stores.records.read("pets/cats", alice.as_str(), "tom").await, Ok(None));
        assert_eq!(held(&stores, &zoe).await, ["1"]);
        assert_eq!(stores.rosters.roster(&zoe).await.unwrap().items.len(), 1);
        assert!(stores.records.read("pets/cats", zoe.as_str(), "tom").await.unwrap().is_some());
        let left = "DELETE FROM roster WHERE owner LIKE 'alice%'";
        assert_eq!(bench.beside(left, left).await, 0);
        store.close().await;
    })
    .await;
}

async fn put(stores: &Stores, owner: &str, item: RosterItem) -> u64 {
    let contact = item.jid.clone();
    let change: RosterChange = Arc::new(move |_, _| RosterEdit::Put(item.clone()));
    stores.rosters.change(bare(owner), contact, change).await.unwrap().version
}

#[tokio::test]
async fn rosters_change_by_row_and_version() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let owner = bare("alice@example.org");
        let item = RosterItem {
            name: Some("Bob".to_owned()),
            groups: vec!["a \"b\"".to_owned(), "é".to_owned()],
            subscription: Subscription::To,
            ask: true,
            approved: true,
            pending_in: Some("<presence/>".to_owned()),
            listed: true,
            ..RosterItem::new(bare("bob@example.org"))
        };
        let pending = RosterItem { pending_in: Some("<presence/>".to_owned()), ..RosterItem::new(bare("a@example.org")) };
        assert_eq!(put(&stores, owner.as_str(), pending.clone()).await, 0);
        assert_eq!(put(&stores, owner.as_str(), item.clone()).await, 1);
        assert_eq!(put(&stores, owner.as_str(), item.clone()).await, 1, "nothing changed");
        assert_eq!(put(&stores, owner.as_str(), RosterItem { pending_in: None, ..item.clone() }).await, 1, "nothing visible");
        assert_eq!(put(&stores, owner.as_str(), item.clone()).await, 1);
        let roster = stores.rosters.roster(&owner).await.unwrap();
        assert_eq!((roster.version, roster.items), (1, vec![pending, item.clone()]));
        let look: RosterChange = Arc::new(|found, count| {
            assert_eq!((found.map(|item| item.ask), count), (Some(true), 2));
            RosterEdit::Keep
        });
        let kept = stores.rosters.change(owner.clone(), item.jid.clone(), look).await.unwrap();
        assert_eq!((kept.before.as_ref(), kept.after.as_ref(), kept.version), (Some(&item), Some(&item), 1));
        let removed = stores.rosters.change(owner.clone(), item.jid.clone(), Arc::new(|_, _| RosterEdit::Remove)).await.unwrap();
        assert_eq!((removed.after, removed.version), (None, 2));
        assert_eq!(stores.rosters.roster(&owner).await.unwrap().items.len(), 1);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn held_messages_come_back_in_order_and_go() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let (alice, zoe) = (bare("alice@example.org"), bare("zoe@example.org"));
        let full = message(&alice, "0", "first");
        stores.archive.append(waiting(full.clone(), 100)).await.unwrap();
        // Enough for all sizes of statements in one batch.
        let appends: Vec<_> =
            (1..100).map(|n| stores.archive.append(waiting(message(&alice, &n.to_string(), "x"), 100))).collect();
        let other = stores.archive.append(waiting(message(&zoe, "1", "x"), 100));
        futures_util::future::try_join_all(appends).await.unwrap();
        other.await.unwrap();
        let rows = stores.archive.held(&alice, 0, 1000).await.unwrap();
        let positions: Vec<i64> = rows.iter().skip(1).map(|row| row.position).collect();
        assert!(positions.is_sorted_by(|a, b| a < b) && rows[0].position < positions[0]);
        let first = &full.entries[0];
        assert_eq!((rows[0].id, rows[0].stamp, rows[0].kept, &rows[0].message), (first.id, NOW, false, &*first.message));
        let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(rows.iter().map(|row| first_word(row.id)).collect::<Vec<_>>(), expected);
        let page = stores.archive.held(&alice, rows[9].position, 5).await.unwrap();
        assert_eq!(page.iter().map(|row| first_word(row.id)).collect::<Vec<_>>(), ["10", "11", "12", "13", "14"]);
        stores.archive.release(&zoe, positions.clone()).await.unwrap();
        assert_eq!(stores.archive.held_count(&alice).await, Ok(100), "rows of another owner");
        stores.archive.release(&alice, positions).await.unwrap();
        assert_eq!(held(&stores, &alice).await, ["0"]);
        store.close().await;
        let stores_after = bench.open().await;
        assert_eq!(held(&stores_after.handles(), &alice).await, ["0"]);
        stores_after.handles().archive.append(waiting(message(&alice, "n", "x"), 100)).await.unwrap();
        let next = stores_after.handles().archive.held(&alice, 1, 10).await.unwrap();
        assert!(next[0].position > 100, "a position came back");
        stores_after.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_limit_of_held_messages_holds_within_a_batch() {
    on_both(async |bench| {
        let store = bench.open().await;
        let archive = store.handles().archive;
        let (alice, zoe) = (bare("alice@example.org"), bare("zoe@example.org"));
        archive.append(waiting(message(&alice, "0", "x"), 3)).await.unwrap();
        let appends: Vec<_> = (1..5).map(|n| archive.append(waiting(message(&alice, &n.to_string(), "x"), 3))).collect();
        let kept = archive.append(alone(kept(&alice, "kept", "x")));
        let other = archive.append(waiting(message(&zoe, "1", "x"), 3));
        let results = futures_util::future::join_all(appends).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
        assert!(matches!(results[2], Err(StoreError::Limit(_))));
        assert!(kept.await.is_ok() && other.await.is_ok());
        assert_eq!(archive.held_count(&alice).await, Ok(3));
        store.close().await;
    })
    .await;
}

fn collection(name: &str, lifetime: Option<u64>) -> Collection {
    Collection { name: name.to_owned(), personal: true, rows_per_owner: 3, value_bytes: 10, lifetime }
}

#[tokio::test]
async fn records_keep_their_terms() {
    on_both(async |bench| {
        let store = bench.open().await;
        let records = store.handles().records;
        records.declare(collection("a/b", None));
        let limit = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Limit(_)));
        assert!(records.put("not/declared", "o", "k", Vec::new()).await.is_err());
        assert!(limit(records.put("a/b", "o", "k", vec![0; 11]).await));
        assert!(limit(records.put("a/b", "o", "k\0", Vec::new()).await));
        assert_eq!(records.read("a/b", "o", "k").await, Ok(None));
        assert_eq!(records.compare_and_set("a/b", "o", "k", (0, b"1".to_vec())).await, Ok(true));
        assert_eq!(records.compare_and_set("a/b", "o", "k", (0, b"2".to_vec())).await, Ok(false));
        let revision = records.read("a/b", "o", "k").await.unwrap().unwrap().revision;
        assert_eq!(records.compare_and_set("a/b", "o", "k", (revision, b"2".to_vec())).await, Ok(true));
        let found = records.read("a/b", "o", "k").await.unwrap().unwrap();
        assert!(found.value == b"2" && found.revision > revision);
        records.put("a/b", "o", "kä", Vec::new()).await.unwrap();
        records.put("a/b", "o", "l", Vec::new()).await.unwrap();
        assert!(limit(records.put("a/b", "o", "m", Vec::new()).await));
        records.put("a/b", "o", "l", vec![1]).await.unwrap();
        let listed = async |prefix: &str, after: Option<&str>, limit| {
            let page = Page { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
            let found = records.list("a/b", "o", page).await.unwrap();
            found.into_iter().map(|record| record.key).collect::<Vec<_>>()
        };
        assert_eq!(listed("", None, 9).await, ["k", "kä", "l"]);
        assert_eq!(listed("k", None, 9).await, ["k", "kä"]);
        assert_eq!(listed("k", Some("k"), 9).await, ["kä"]);
        assert_eq!(listed("", Some("k"), 1).await, ["kä"]);
        assert_eq!(listed("l", Some("a"), 9).await, ["l"]);
        assert_eq!(records.delete("a/b", "o", "k").await, Ok(true));
        assert_eq!(records.delete("a/b", "o", "k").await, Ok(false));
        records.delete_owner("o").await.unwrap();
        assert!(listed("", None, 9).await.is_empty());
        let written = "DELETE FROM record WHERE written IS NOT NULL";
        assert_eq!(bench.beside(written, written).await, 0);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn records_with_a_lifetime_go() {
    on_both(async |bench| {
        let store = bench.open().await;
        let records = store.handles().records;
        records.declare(collection("a/brief", Some(100)));
        records.declare(collection("a/lasting", None));
        records.put("a/brief", "o", "old", b"1".to_vec()).await.unwrap();
        records.put("a/lasting", "o", "old", b"1".to_vec()).await.unwrap();
        bench.time.pass(60);
        records.put("a/brief", "o", "young", b"1".to_vec()).await.unwrap();
        bench.time.pass(50);
        assert_eq!(records.read("a/brief", "o", "old").await, Ok(None));
        assert_eq!(records.list("a/brief", "o", Page { limit: 9, ..Page::default() }).await.unwrap().len(), 1);
        assert_eq!(records.compare_and_set("a/brief", "o", "old", (0, b"2".to_vec())).await, Ok(true), "expired is as none");
        bench.time.pass(60);
        assert_eq!(records.expire(bench.time.wall()).await, Ok(1));
        assert!(records.read("a/brief", "o", "old").await.unwrap().is_some());
        assert!(records.read("a/lasting", "o", "old").await.unwrap().is_some());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn secrets_outlive_a_restart() {
    on_both(async |bench| {
        let store = bench.open().await;
        let secret = store.handles().secrets.secret("a").await.unwrap();
        assert_ne!(secret, store.handles().secrets.secret("b").await.unwrap());
        store.close().await;
        let store = bench.open().await;
        assert_eq!(secret, store.handles().secrets.secret("a").await.unwrap());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn h01_rows_expire_to_the_second_and_keys_with_their_day() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        let midnight = NOW.div_euclid(DAY) * DAY;
        for (id, stamp) in [("first", midnight + 1), ("last", midnight + DAY - 1), ("next", midnight + DAY)] {
            let entry = bocage_api::store::ArchiveEntry { stamp, ..entry(&alice, id, "x") };
            stores.archive.append(alone(entry)).await.unwrap();
        }
        bench.time.pass(midnight + 7 * DAY + 1 - NOW);
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(0));
        bench.time.pass(1);
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(1));
        assert_eq!(held(&stores, &alice).await, ["last", "next"]);
        bench.time.pass(DAY - 2);
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(1));
        assert_eq!(held(&stores, &alice).await, ["next"]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_jump_of_the_clock_destroys_nothing_until_it_is_accepted() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        stores.archive.append(waiting(message(&alice, "1", "x"), 10)).await.unwrap();
        bench.time.jump(30 * DAY);
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(0));
        assert_eq!(held(&stores, &alice).await, ["1"]);
        store.accept_clock();
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(1));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn h01_a_clock_that_falls_back_by_days_neither_shortens_nor_lengthens_what_is_kept() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        let now = |id: &str| {
            let entry = bocage_api::store::ArchiveEntry { stamp: bench.time.wall(), ..entry(&alice, id, "x") };
            stores.archive.append(alone(entry))
        };
        now("before").await.unwrap();
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(0));
        bench.time.jump(-30 * DAY);
        now("meanwhile").await.unwrap();
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(0));
        store.close().await;
        // A restart believes what was believed before.
        let store = bench.open().await;
        let stores = store.handles();
        let later = bocage_api::store::ArchiveEntry { stamp: bench.time.wall(), ..entry(&alice, "restarted", "x") };
        stores.archive.append(alone(later)).await.unwrap();
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(0));
        assert_eq!(held(&stores, &alice).await, ["before", "meanwhile", "restarted"]);
        // The clock is right again: everything lives as long as was promised, and no longer.
        bench.time.jump(30 * DAY);
        bench.time.pass(7 * DAY - 1);
        store.accept_clock();
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(0));
        bench.time.pass(2);
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(3));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn rows_without_a_key_are_left_out_of_full_pages() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let alice = bare("alice@example.org");
        for (id, stamp) in [("1", NOW - DAY), ("2", NOW - DAY), ("3", NOW), ("4", NOW)] {
            let entry = bocage_api::store::ArchiveEntry { stamp, ..entry(&alice, id, "x") };
            stores.archive.append(alone(entry)).await.unwrap();
        }
        let yesterday = crate::vault::Doomed::Before(crate::seal::day_of(NOW));
        store.queue.destroy_keys(yesterday).await.unwrap();
        let rows = stores.archive.held(&alice, 0, 2).await.unwrap();
        assert_eq!(rows.iter().map(|row| first_word(row.id)).collect::<Vec<_>>(), ["3", "4"]);
        store.close().await;
    })
    .await;
}
