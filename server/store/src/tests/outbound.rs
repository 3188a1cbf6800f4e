//! What waits for other servers: kept until it is taken, in order, readable by nobody else, and gone with its sender.

use super::{Bench, DAY, NOW, bare, on_both, secrecy::BODY, secrecy::found};
use crate::{
    seal::day_of,
    vault::{Doomed, Sealing},
};
use bocage_api::store::{OutboundDraft, OutboundKey, StoreError, Stores};
use futures_util::future::{join_all, try_join_all};
use std::{fs, time::Duration};

const PEER: &str = "elsewhere.example";
const EVERYTHING: &str = "DELETE FROM outbound";

fn key(number: u8) -> OutboundKey {
    OutboundKey([number; 16])
}

fn draft(owner: &str, number: u8) -> OutboundDraft {
    OutboundDraft {
        key: key(number),
        here: "example.org".to_owned(),
        peer: PEER.to_owned(),
        owner: bare(owner),
        deadline: NOW + 3600,
        payload: format!("<body>{BODY} {number}</body>").into(),
    }
}

fn alice(number: u8) -> OutboundDraft {
    draft("alice@example.org", number)
}

async fn waiting(stores: &Stores) -> Vec<u8> {
    let rows = stores.outbound.waiting(0, 1000).await.unwrap();
    assert!(rows.is_sorted_by(|a, b| a.position < b.position));
    rows.iter().map(|row| row.key.0[0]).collect()
}

#[tokio::test]
async fn what_waits_comes_back_in_order_and_outlives_a_restart() {
    on_both(async |bench| {
        let store = bench.open().await;
        let outbound = store.handles().outbound;
        outbound.keep(Vec::new()).await.unwrap();
        outbound.keep(vec![alice(0), draft("zoe@example.org", 1)]).await.unwrap();
        // Enough for all sizes of statements in one batch.
        let calls = (1..50).map(|n| outbound.keep(vec![alice(2 * n), alice(2 * n + 1)]));
        try_join_all(calls.collect::<Vec<_>>()).await.unwrap();
        store.close().await;

        let store = bench.open().await;
        let stores = store.handles();
        assert_eq!(waiting(&stores).await, (0..100).collect::<Vec<_>>());
        let rows = stores.outbound.waiting(0, 2).await.unwrap();
        let (row, expected) = (rows[1].clone(), draft("zoe@example.org", 1));
        assert_eq!((row.here, row.peer, row.owner), (expected.here, expected.peer, expected.owner));
        assert_eq!(row.payload, expected.payload);
        assert!(row.deadline % 60 == 0 && (0..60).contains(&(row.deadline - expected.deadline)));
        let page = stores.outbound.waiting(rows[1].position, 3).await.unwrap();
        assert_eq!(page.iter().map(|row| row.key).collect::<Vec<_>>(), [key(2), key(3), key(4)]);
        let last = stores.outbound.waiting(0, 1000).await.unwrap()[99].position;
        assert!(stores.outbound.waiting(last, 1000).await.unwrap().is_empty());
        stores.outbound.taken((0..100).map(key).collect()).await.unwrap();
        stores.outbound.keep(vec![alice(7)]).await.unwrap();
        assert!(stores.outbound.waiting(0, 9).await.unwrap()[0].position > last, "a position came back");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn taken_behind_keep_leaves_nothing_whatever_was_committed() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let outbound = &stores.outbound;
        // Nothing is awaited in between: the writer sees them in the order of calls.
        let calls = vec![
            outbound.keep(vec![alice(1), alice(2)]),
            outbound.taken(vec![key(2), key(200)]),
            outbound.keep(vec![alice(3)]),
            outbound.taken(vec![key(4)]),
            outbound.keep(vec![alice(4)]),
        ];
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        assert_eq!(waiting(&stores).await, [1, 3, 4]);
        // With a unit between them, they are not one change any more.
        let calls = (
            outbound.keep(vec![alice(5)]),
            stores.archive.release(&bare("z@example.org"), vec![]),
            outbound.taken(vec![key(5), key(3)]),
        );
        assert_eq!(futures_util::join!(calls.0, calls.1, calls.2), (Ok(()), Ok(()), Ok(())));
        assert_eq!(waiting(&stores).await, [1, 4]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_there_is_left_as_it_is() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let other = |number| OutboundDraft { payload: "other".into(), ..alice(number) };
        stores.outbound.keep(vec![alice(1)]).await.unwrap();
        stores.outbound.keep(vec![other(1), alice(2), other(2)]).await.unwrap();
        let rows = stores.outbound.waiting(0, 9).await.unwrap();
        let found: Vec<_> = rows.into_iter().map(|row| (row.key, row.payload)).collect();
        assert_eq!(found, [(key(1), alice(1).payload), (key(2), alice(2).payload)]);
        // Taken and kept again in one batch, it is the new one.
        let again = vec![stores.outbound.taken(vec![key(1)]), stores.outbound.keep(vec![other(1)])];
        try_join_all(again).await.unwrap();
        let rows = stores.outbound.waiting(0, 9).await.unwrap();
        assert_eq!(rows.last().map(|row| (row.key, row.payload.as_ref())), Some((key(1), b"other".as_slice())));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn deletion_leaves_nothing_that_the_account_sent() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let owner = bare("alice@example.org");
        stores.accounts.create(owner.clone(), Default::default()).await.unwrap();
        stores.outbound.keep(vec![alice(1), draft("zoe@example.org", 2)]).await.unwrap();
        bench.time.pass(DAY);
        stores.outbound.keep(vec![alice(3), draft("zoe@example.org", 4)]).await.unwrap();
        assert_eq!(stores.accounts.delete(owner.clone()).await, Ok(true));
        assert_eq!(waiting(&stores).await, [2, 4]);
        // What was lost half-way is finished by asking again.
        stores.outbound.keep(vec![alice(5)]).await.unwrap();
        store.queue.destroy_keys(Doomed::Of(owner.clone())).await.unwrap();
        assert_eq!(stores.accounts.delete(owner).await, Ok(false));
        store.close().await;
        assert_eq!(bench.beside(EVERYTHING, EVERYTHING).await, 2, "rows were left that do not open");
    })
    .await;
}

#[tokio::test]
async fn a_deadline_deletes_nothing_and_a_week_does() {
    on_both(async |bench| {
        let mut month = Bench { directory: tempfile::tempdir().unwrap(), time: bench.time.clone(), config: bench.config.clone() };
        month.config.retention = super::uniform(Duration::from_secs(31 * 86_400));
        let store = month.open().await;
        let stores = store.handles();
        let expire = async |seconds| {
            month.time.pass(seconds);
            stores.archive.expire(month.time.wall()).await.unwrap()
        };
        let midnight = NOW.div_euclid(DAY) * DAY;
        stores.outbound.keep(vec![alice(1)]).await.unwrap();
        assert_eq!(expire(midnight + DAY - NOW).await, 0);
        stores.outbound.keep(vec![alice(2)]).await.unwrap();
        assert_eq!(expire(7 * DAY - 1).await, 0);
        assert_eq!(waiting(&stores).await, [1, 2]);
        assert_eq!(expire(1).await, 1);
        assert_eq!(waiting(&stores).await, [2]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_short_retention_holds_for_what_waits_for_others_too() {
    on_both(async |bench| {
        let mut brief = Bench { directory: tempfile::tempdir().unwrap(), time: bench.time.clone(), config: bench.config.clone() };
        brief.config.retention = super::uniform(Duration::from_secs(3600));
        let store = brief.open().await;
        store.handles().outbound.keep(vec![alice(1)]).await.unwrap();
        brief.time.pass(DAY + 3600);
        assert_eq!(store.handles().archive.expire(brief.time.wall()).await, Ok(1));
        store.close().await;
        assert_eq!(bench.beside(EVERYTHING, EVERYTHING).await, 0);
    })
    .await;
}

#[tokio::test]
async fn rows_that_do_not_open_are_left_out_of_full_pages_and_deleted() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        stores.outbound.keep(vec![alice(1), alice(2)]).await.unwrap();
        bench.time.pass(DAY);
        stores.outbound.keep((3..8).map(alice).collect()).await.unwrap();
        store.queue.destroy_keys(Doomed::Before(day_of(bench.time.wall()))).await.unwrap();
        let copied =
            "UPDATE outbound SET sealed = (SELECT o.sealed FROM outbound o WHERE o.position = 3) WHERE position IN (4, 5)";
        assert_eq!(bench.beside(copied, copied).await, 2);
        let rows = stores.outbound.waiting(0, 2).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.key).collect::<Vec<_>>(), [key(3), key(6)]);
        assert_eq!(waiting(&stores).await, [3, 6, 7]);
        store.close().await;
        assert_eq!(bench.beside(EVERYTHING, EVERYTHING).await, 3, "lost rows are still there");
    })
    .await;
}

#[tokio::test]
async fn h02_no_file_says_who_sends_what_to_whom() {
    for (sealing, visible) in [(Sealing::Raw, true), (Sealing::Epoch, false)] {
        let bench = Bench::sqlite();
        let store = bench.open_with(sealing).await;
        let stores = store.handles();
        stores.outbound.keep(vec![alice(1)]).await.unwrap();
        let secrets = [BODY, PEER, "alice@example.org", "example.org"];
        for text in secrets {
            assert_eq!(found(bench.directory.path(), text), visible, "{text} with {sealing:?}, running");
        }
        assert_eq!(waiting(&stores).await, [1]);
        store.close().await;
        for text in secrets {
            assert_eq!(found(bench.directory.path(), text), visible, "{text} with {sealing:?}, closed");
        }
        let store = bench.open_with(sealing).await;
        assert_eq!(waiting(&store.handles()).await, [1]);
        store.handles().outbound.taken(vec![key(1)]).await.unwrap();
        store.close().await;
        for text in secrets {
            assert!(!found(bench.directory.path(), text), "{text} with {sealing:?}, taken");
        }
    }
}

#[tokio::test]
async fn what_is_taken_before_its_commit_never_reaches_the_disk() {
    let bench = Bench::sqlite();
    let store = bench.open_with(Sealing::Raw).await;
    let outbound = store.handles().outbound;
    try_join_all([outbound.keep(vec![alice(1)]), outbound.taken(vec![key(1)])]).await.unwrap();
    assert!(!found(bench.directory.path(), BODY));
    outbound.keep(vec![alice(2)]).await.unwrap();
    assert!(found(bench.directory.path(), BODY), "the search finds nothing");
    store.close().await;
}

#[tokio::test]
async fn rows_of_one_sender_are_the_same_persons_only_to_who_has_the_keys() {
    on_both(async |bench| {
        let store = bench.open().await;
        let outbound = store.handles().outbound;
        outbound.keep(vec![alice(1), alice(2), draft("zoe@example.org", 3)]).await.unwrap();
        bench.time.pass(DAY);
        outbound.keep(vec![alice(4)]).await.unwrap();
        store.close().await;
        let doubles = "DELETE FROM outbound WHERE position NOT IN (SELECT MIN(position) FROM outbound GROUP BY epoch)";
        assert_eq!(bench.beside(doubles, doubles).await, 1, "three epochs were expected: alice, zoe, alice a day later");
    })
    .await;
}

#[tokio::test]
async fn an_old_copy_gives_nothing_back_after_the_account_is_deleted() {
    let bench = Bench::sqlite();
    let owner = bare("alice@example.org");
    let store = bench.open().await;
    store.handles().accounts.create(owner.clone(), Default::default()).await.unwrap();
    store.handles().outbound.keep(vec![alice(1)]).await.unwrap();
    store.close().await;
    let copy = fs::read(bench.database()).unwrap();
    let store = bench.open().await;
    assert_eq!(waiting(&store.handles()).await, [1], "the copy is worth something before");
    assert_eq!(store.handles().accounts.delete(owner).await, Ok(true));
    store.close().await;
    fs::write(bench.database(), copy).unwrap();
    let store = bench.open().await;
    assert!(waiting(&store.handles()).await.is_empty());
    store.close().await;
    assert_eq!(bench.beside(EVERYTHING, EVERYTHING).await, 0, "the row came back with the copy and was to be deleted");
}

#[tokio::test]
async fn a_call_is_refused_as_a_whole_and_without_harm_to_its_neighbours() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let stores = store.handles();
    let owner = bare("alice@example.org");
    stores.outbound.keep(vec![alice(1), draft("zoe@example.org", 2)]).await.unwrap();
    let (keys, aside) = (&bench.config.key_dir, bench.directory.path().join("aside"));
    fs::rename(keys, &aside).unwrap();
    assert!(matches!(stores.accounts.delete(owner).await, Err(StoreError::Unavailable(_))), "keys cannot be destroyed");
    let calls = vec![
        stores.outbound.keep(vec![draft("zoe@example.org", 3), alice(4)]),
        stores.outbound.keep(vec![draft("zoe@example.org", 5)]),
    ];
    let results = join_all(calls).await;
    assert!(matches!(results[0], Err(StoreError::Unavailable(_))));
    assert_eq!(results[1], Ok(()));
    assert!(store.is_writable(), "the database is not to blame");
    fs::rename(&aside, keys).unwrap();
    assert_eq!(waiting(&stores).await, [2, 5]);
    stores.outbound.keep(vec![alice(4)]).await.unwrap();
    assert_eq!(waiting(&stores).await, [2, 5, 4]);
    store.close().await;
}
