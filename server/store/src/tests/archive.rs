//! Archives: pages, what was sent before, tombstones, deletion, and each owner's own period.

use super::{Bench, DAY, NOW, alone, bare, entry, first_word, held, kept, name, on_both, secrecy::found};
use crate::vault::Sealing;
use bocage_api::{
    archive::{
        Append, Appended, ArchiveEntry, ArchivePage, ArchiveQuery, ArchivedMessage, DefaultPolicy, Part, Party, Preferences,
        Retraction, Scope, StanzaId, Target,
    },
    store::{StoreError, Stores},
};
use jid::BareJid;
use std::{sync::Arc, time::Duration};

fn alice() -> BareJid {
    bare("alice@example.org")
}
fn id(text: &str) -> StanzaId {
    entry(&alice(), text, "").id
}
fn numbered(number: i64) -> ArchiveEntry {
    ArchiveEntry { stamp: NOW + number, ..kept(&alice(), &number.to_string(), "x") }
}
/// Ten messages, one a second.
async fn fill(stores: &Stores) {
    for number in 0..10 {
        stores.archive.append(alone(numbered(number))).await.unwrap();
    }
}
async fn page(stores: &Stores, query: ArchiveQuery) -> Option<ArchivePage> {
    stores.archive.page(&alice(), query).await.unwrap()
}
async fn names(stores: &Stores, query: ArchiveQuery) -> Vec<String> {
    page(stores, query).await.unwrap().rows.iter().map(|row| first_word(row.id)).collect()
}
async fn all(stores: &Stores) -> Vec<String> {
    names(stores, ArchiveQuery { limit: 100, ..Default::default() }).await
}

#[tokio::test]
async fn pages_run_in_both_directions_and_say_when_they_end() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        fill(&stores).await;
        let part = |part, limit| ArchiveQuery { part, limit, ..Default::default() };
        for (query, expected, complete) in [
            (part(Part::First, 3), &["0", "1", "2"][..], false),
            (part(Part::After(id("2")), 3), &["3", "4", "5"], false),
            (part(Part::After(id("6")), 3), &["7", "8", "9"], true),
            (part(Part::After(id("9")), 3), &[], true),
            (part(Part::Last, 3), &["7", "8", "9"], false),
            (part(Part::Before(id("7")), 3), &["4", "5", "6"], false),
            (part(Part::Before(id("3")), 3), &["0", "1", "2"], true),
            (part(Part::Index(8), 3), &["8", "9"], true),
        ] {
            let page = page(&stores, query.clone()).await.unwrap();
            let found: Vec<String> = page.rows.iter().map(|row| first_word(row.id)).collect();
            assert_eq!(
                (found.iter().map(String::as_str).collect::<Vec<_>>(), page.complete),
                (expected.to_vec(), complete),
                "{query:?}"
            );
            let goes_on = matches!(query.part, Part::After(_) | Part::Before(_));
            assert_eq!(page.count, (!goes_on).then_some(10), "{query:?}");
        }
        assert_eq!(page(&stores, part(Part::Last, 3)).await.unwrap().index, Some(7));
        let count = page(&stores, part(Part::First, 0)).await.unwrap();
        assert_eq!((count.rows.len(), count.count, count.complete), (0, Some(10), false));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn queries_narrow_by_time_party_and_id() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        fill(&stores).await;
        let other = ArchiveEntry { party: Party::With("zoe@example.org/x".parse().unwrap()), ..numbered(11) };
        stores.archive.append(alone(other)).await.unwrap();
        bench.time.pass(60);
        let query = ArchiveQuery { limit: 100, ..Default::default() };
        let with = |jid: &str| ArchiveQuery { with: Some(jid.parse().unwrap()), ..query.clone() };
        assert_eq!(names(&stores, ArchiveQuery { start: Some(NOW + 8), ..query.clone() }).await, ["8", "9", "11"]);
        assert_eq!(names(&stores, ArchiveQuery { end: Some(NOW + 1), ..query.clone() }).await, ["0", "1"]);
        assert_eq!(names(&stores, with("zoe@example.org")).await, ["11"]);
        assert_eq!(names(&stores, with("zoe@example.org/x")).await, ["11"]);
        assert_eq!(names(&stores, with("bob@elsewhere.example")).await.len(), 10);
        assert!(names(&stores, with("zoe@example.org/y")).await.is_empty());
        let between = ArchiveQuery { after_id: Some(id("3")), before_id: Some(id("6")), ..query.clone() };
        assert_eq!(names(&stores, between).await, ["4", "5"]);
        let ids = |ids: Vec<StanzaId>| ArchiveQuery { ids: Some(ids), ..query.clone() };
        assert_eq!(names(&stores, ids(vec![id("7"), id("2")])).await, ["2", "7"]);
        for missing in [
            ids(vec![id("7"), name("nobody's")]),
            ArchiveQuery { after_id: Some(name("nobody's")), ..query.clone() },
            ArchiveQuery { part: Part::Before(name("nobody's")), ..query.clone() },
        ] {
            assert_eq!(page(&stores, missing).await, None);
        }
        let (first, last) = stores.archive.bounds(&alice()).await.unwrap().unwrap();
        assert_eq!((first.id, first.stamp, last.id), (id("0"), NOW, id("11")));
        assert_eq!(stores.archive.bounds(&bare("nobody@example.org")).await, Ok(None));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_message_sent_twice_is_stored_once_across_a_restart() {
    on_both(async |bench| {
        let store = bench.open().await;
        let zoe = bare("zoe@example.org");
        let pair = |n: &str, body: &str| {
            let recipient = kept(&alice(), n, body);
            let sender = ArchiveEntry { message: recipient.message.clone(), ..kept(&zoe, n, body) };
            Append { entries: vec![recipient, sender], once: true }
        };
        let archive = store.handles().archive;
        let again = |mut append: Append, id: &str| {
            for (at, entry) in append.entries.iter_mut().enumerate() {
                entry.id = name(&format!("{id}{at}"));
            }
            append
        };
        let both = futures_util::future::join(archive.append(pair("1", "a")), archive.append(again(pair("1", "a"), "t"))).await;
        assert_eq!(both, (Ok(Appended::Stored), Ok(Appended::Resent)), "in one batch");
        store.close().await;
        bench.time.pass(DAY - 60);
        let store = bench.open().await;
        let archive = store.handles().archive;
        let later = |mut append: Append| {
            append.entries.iter_mut().for_each(|entry| entry.stamp = bench.time.wall());
            append
        };
        // From before the start: it may not have been delivered.
        let first = pair("1", "a").entries[0].id;
        assert_eq!(archive.append(later(again(pair("1", "a"), "u"))).await, Ok(Appended::ResentSinceStart(first)));
        assert_eq!(archive.append(later(again(pair("1", "b"), "v"))).await, Ok(Appended::Stored), "it says something else");
        let unasked = Append { once: false, ..later(again(pair("1", "a"), "w")) };
        assert_eq!(archive.append(unasked).await, Ok(Appended::Stored));
        assert_eq!(all(&store.handles()).await, ["1", "v0", "w0"]);
        bench.time.pass(2 * DAY);
        assert_eq!(archive.append(later(again(pair("1", "a"), "x"))).await, Ok(Appended::Stored), "a day is over");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_stored_together_is_stored_together_or_not_at_all() {
    on_both(async |bench| {
        let store = bench.open().await;
        let zoe = bare("zoe@example.org");
        let full = ArchiveEntry { held: Some(0), ..kept(&alice(), "1", "x") };
        let append = Append { entries: vec![full, kept(&zoe, "1", "x")], once: true };
        let archive = store.handles().archive;
        assert!(matches!(archive.append(append).await, Err(StoreError::Limit(_))));
        for owner in [alice(), zoe] {
            assert_eq!(archive.bounds(&owner).await, Ok(None));
        }
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn held_rows_of_an_archive_stay_in_it_when_they_are_released() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let archive = &stores.archive;
        archive.append(alone(ArchiveEntry { held: Some(10), ..numbered(1) })).await.unwrap();
        archive.append(alone(entry(&alice(), "2", "not kept"))).await.unwrap();
        assert_eq!(all(&stores).await, ["1"], "what only waits is not found");
        assert_eq!(held(&stores, &alice()).await, ["1", "2"]);
        archive.release_kept(&alice()).await.unwrap();
        assert_eq!(held(&stores, &alice()).await, ["2"]);
        assert_eq!(archive.hold(&alice(), id("1"), 1).await, Ok(false), "the queue is full");
        assert_eq!(archive.hold(&alice(), id("1"), 5).await, Ok(true));
        assert_eq!(archive.hold(&alice(), id("1"), 1).await, Ok(true), "it waits already");
        assert_eq!(archive.hold(&alice(), name("nobody's"), 5).await, Ok(false));
        let rows = archive.held(&alice(), 0, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.kept).collect::<Vec<_>>(), [true, false]);
        archive.release(&alice(), rows.iter().map(|row| row.position).collect()).await.unwrap();
        assert_eq!(archive.held_count(&alice()).await, Ok(0));
        assert_eq!(all(&stores).await, ["1"]);
        archive.append(alone(ArchiveEntry { held: Some(10), ..numbered(3) })).await.unwrap();
        archive.append(alone(entry(&alice(), "4", "not kept"))).await.unwrap();
        archive.append(alone(entry(&alice(), "5", "not kept"))).await.unwrap();
        archive.release_ids(&alice(), vec![id("3"), id("4"), id("nobody's")]).await.unwrap();
        assert_eq!(held(&stores, &alice()).await, ["5"]);
        assert_eq!(all(&stores).await, ["1", "3"]);
        store.close().await;
    })
    .await;
}

fn retraction(target: Target) -> Retraction {
    Retraction { target, tombstone: "<retracted/>".into() }
}
fn by(author: &str, message_id: &str) -> Target {
    Target::Ref { author: bare(author), message_id: message_id.to_owned() }
}

#[tokio::test]
async fn h05_a_retraction_replaces_the_payload_in_its_own_transaction() {
    on_both(async |bench| {
        let store = bench.open_with(if bench.is_sqlite() { Sealing::Raw } else { Sealing::Epoch }).await;
        let stores = store.handles();
        stores.archive.append(alone(kept(&alice(), "1", "the-hedgehog-sleeps"))).await.unwrap();
        let before = page(&stores, ArchiveQuery { limit: 9, ..Default::default() }).await.unwrap().rows.remove(0);
        for (target, id) in [(by("mallory@example.org", "m-1"), "a"), (by("bob@elsewhere.example", "m-2"), "b")] {
            stores
                .archive
                .append(alone(ArchiveEntry { retracts: Some(retraction(target)), ..kept(&alice(), id, "r") }))
                .await
                .unwrap();
        }
        let found_body = || found(bench.directory.path(), "the-hedgehog-sleeps");
        let after = page(&stores, ArchiveQuery { limit: 9, ..Default::default() }).await.unwrap().rows.remove(0);
        assert_eq!(before, after, "neither somebody else's nor another message");
        assert!(!bench.is_sqlite() || found_body());
        let own = ArchiveEntry { retracts: Some(retraction(by("bob@elsewhere.example", "m-1"))), ..kept(&alice(), "c", "r") };
        stores.archive.append(alone(own)).await.unwrap();
        let after = page(&stores, ArchiveQuery { limit: 9, ..Default::default() }).await.unwrap().rows.remove(0);
        assert_eq!((after.position, after.id, after.stamp), (before.position, before.id, before.stamp));
        assert_eq!(&after.message.payload[..], b"<retracted/>");
        let with = ArchiveQuery { limit: 9, with: Some("bob@elsewhere.example".parse().unwrap()), ..Default::default() };
        assert_eq!(names(&stores, with).await.len(), 4, "it is found where it was");
        store.close().await;
        assert!(!bench.is_sqlite() || !found_body(), "even raw, nothing is left of it in any file");
    })
    .await;
}

#[tokio::test]
async fn rooms_keep_authors_as_tags_and_retract_by_name() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let room = bare("garden@salons.example.org");
        let party =
            Party::Author { account: bare("bob@elsewhere.example"), occupant: "garden@salons.example.org/bob".parse().unwrap() };
        let said = |n: &str| {
            let message = ArchivedMessage {
                from: "garden@salons.example.org/bob".into(),
                to: String::new(),
                ..(*kept(&room, n, "x").message).clone()
            };
            ArchiveEntry { party: party.clone(), message: Arc::new(message), ..kept(&room, n, "x") }
        };
        for n in ["1", "2", "3"] {
            stores.archive.append(alone(said(n))).await.unwrap();
        }
        let with = |jid: &str| ArchiveQuery { with: Some(jid.parse().unwrap()), limit: 9, ..Default::default() };
        let count = async |query| stores.archive.page(&room, query).await.unwrap().unwrap().rows.len();
        assert_eq!(count(with("bob@elsewhere.example")).await, 3);
        assert_eq!(count(with("garden@salons.example.org/bob")).await, 3);
        assert_eq!(count(with("zoe@example.org")).await, 0);
        let retract = async |target| stores.archive.retract(&room, retraction(target)).await.unwrap();
        assert!(!retract(Target::OwnId { author: bare("zoe@example.org"), id: said("1").id }).await);
        assert!(retract(Target::OwnId { author: bare("bob@elsewhere.example"), id: said("1").id }).await);
        assert!(retract(Target::Id(said("2").id)).await);
        assert!(retract(by("bob@elsewhere.example", "m-3")).await);
        let rows = stores.archive.page(&room, ArchiveQuery { limit: 9, ..Default::default() }).await.unwrap().unwrap().rows;
        assert!(rows.iter().all(|row| &row.message.payload[..] == b"<retracted/>"));
        assert!(!found(bench.directory.path(), "bob@elsewhere.example"));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn h05_owners_delete_all_one_correspondent_or_what_is_older() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        fill(&stores).await;
        let other = ArchiveEntry { party: Party::With("zoe@example.org/x".parse().unwrap()), ..numbered(11) };
        stores.archive.append(alone(other)).await.unwrap();
        stores.archive.append(alone(kept(&bare("zoe@example.org"), "1", "x"))).await.unwrap();
        let erase = async |scope| stores.archive.erase(&alice(), scope).await.unwrap();
        assert_eq!(erase(Scope::Before(NOW + 4)).await, 4);
        assert_eq!(all(&stores).await, ["4", "5", "6", "7", "8", "9", "11"]);
        assert_eq!(erase(Scope::With(bare("zoe@example.org"))).await, 1);
        assert_eq!(all(&stores).await.len(), 6);
        assert_eq!(erase(Scope::Whole).await, 6);
        assert!(all(&stores).await.is_empty());
        stores.archive.append(alone(numbered(20))).await.unwrap();
        assert_eq!(all(&stores).await, ["20"], "it goes on with a new key");
        assert!(stores.archive.bounds(&bare("zoe@example.org")).await.unwrap().is_some());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn h05_an_old_copy_opens_nothing_after_the_archive_is_deleted() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    fill(&store.handles()).await;
    store.close().await;
    let copy = std::fs::read(bench.database()).unwrap();
    let store = bench.open().await;
    store.handles().archive.erase(&alice(), Scope::Whole).await.unwrap();
    store.close().await;
    std::fs::write(bench.database(), copy).unwrap();
    let store = bench.open().await;
    assert!(store.handles().archive.bounds(&alice()).await.unwrap().is_some(), "the rows are there again");
    assert!(all(&store.handles()).await.is_empty());
    store.close().await;
}

#[tokio::test]
async fn h01_an_owner_may_keep_things_shorter_and_never_longer() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        let (zoe, hour) = (bare("zoe@example.org"), Duration::from_secs(3600));
        for owner in [&alice(), &zoe] {
            stores.archive.append(alone(kept(owner, "1", "x"))).await.unwrap();
        }
        stores.archive.set_keeps(&alice(), Some(hour)).await.unwrap();
        stores.archive.set_keeps(&zoe, Some(hour * 24 * 300)).await.unwrap();
        assert_eq!(stores.archive.keeps(&alice()).await, Ok(hour));
        assert_eq!(stores.archive.keeps(&zoe).await, Ok(hour * 24 * 7));
        bench.time.pass(3601);
        assert!(all(&stores).await.is_empty(), "gone for queries at once");
        assert!(stores.archive.bounds(&zoe).await.unwrap().is_some());
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(1));
        bench.time.pass(DAY);
        let before = keys(bench);
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(0));
        assert_eq!(before - keys(bench), 1, "the key goes with its day");
        bench.time.pass(6 * DAY);
        assert_eq!(stores.archive.expire(bench.time.wall()).await, Ok(1));
        store.close().await;
    })
    .await;
}

fn keys(bench: &Bench) -> u64 {
    std::fs::metadata(bench.config.key_dir.join("epoch.keys")).unwrap().len() / 64
}

#[tokio::test]
async fn what_still_waits_outlives_its_time_in_the_archive_and_the_other_way_round() {
    on_both(async |bench| {
        let mut short = Bench::sqlite();
        short.config.url = bench.config.url.clone();
        short.config.key_dir = bench.config.key_dir.clone();
        let periods = |messages, offline| {
            let day = |days: u64| Duration::from_secs(days * 86_400);
            let host = crate::HostPeriods { messages: day(messages), rooms: day(1), offline: day(offline) };
            crate::Retention::new([("example.org".to_owned(), host)])
        };
        short.config.retention = periods(1, 3);
        let store = short.open().await;
        let stores = store.handles();
        stores.archive.append(alone(ArchiveEntry { held: Some(9), ..numbered(1) })).await.unwrap();
        short.time.pass(2 * DAY);
        assert_eq!(stores.archive.expire(short.time.wall()).await, Ok(0));
        assert!(all(&stores).await.is_empty());
        assert_eq!(held(&stores, &alice()).await, ["1"]);
        short.time.pass(2 * DAY);
        assert_eq!(stores.archive.expire(short.time.wall()).await, Ok(1));
        store.close().await;
        short.config.retention = periods(3, 1);
        let store = short.open().await;
        let stores = store.handles();
        let stamp = short.time.wall();
        stores.archive.append(alone(ArchiveEntry { held: Some(9), stamp, ..numbered(2) })).await.unwrap();
        short.time.pass(2 * DAY);
        assert_eq!(stores.archive.expire(short.time.wall()).await, Ok(0));
        assert!(held(&stores, &alice()).await.is_empty());
        assert_eq!(all(&stores).await, ["2"]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn preferences_and_periods_survive_and_go_with_the_account() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        stores.accounts.create(alice(), Default::default()).await.unwrap();
        let preferences = Preferences { always: vec!["a@x/r".parse().unwrap()], ..Preferences::new(DefaultPolicy::Roster) };
        stores.archive.set_preferences(&alice(), preferences.clone()).await.unwrap();
        stores.archive.set_keeps(&alice(), Some(Duration::from_secs(60))).await.unwrap();
        store.close().await;
        let store = bench.open().await;
        let stores = store.handles();
        let settings = stores.archive.settings(&alice()).await.unwrap();
        assert_eq!((settings.keeps, settings.preferences), (Some(Duration::from_secs(60)), Some(preferences)));
        stores.accounts.delete(alice()).await.unwrap();
        assert_eq!(stores.archive.settings(&alice()).await, Ok(Default::default()));
        let left = "DELETE FROM archive_owner WHERE owner LIKE 'alice%'";
        assert_eq!(bench.beside(left, left).await, 0);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn h10_every_table_is_counted() {
    on_both(async |bench| {
        let store = bench.open().await;
        let stores = store.handles();
        stores.accounts.create(alice(), Default::default()).await.unwrap();
        fill(&stores).await;
        stores.archive.append(alone(entry(&alice(), "w", "waits"))).await.unwrap();
        let audit = store.audit().await.unwrap();
        let row = |table: &str| audit.iter().find(|row| row.table == table).cloned().unwrap();
        assert_eq!((row("account").rows, row("archive (held)").rows, row("outbound").rows), (1, 1, 0));
        assert_eq!((row("archive (kept)").rows, row("archive (kept)").oldest), (10, Some(NOW)));
        assert_eq!(row("archive (kept)").lifetime, crate::Lifetime::Seconds(7 * DAY));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn rows_of_the_first_schema_wait_on_after_the_upgrade() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    store.handles().archive.append(alone(entry(&alice(), "1", "x"))).await.unwrap();
    store.close().await;
    // Back to the table of the first version, with what it held.
    for statement in [
        "CREATE TABLE first (position INTEGER PRIMARY KEY, owner TEXT NOT NULL, id TEXT NOT NULL, day INTEGER NOT NULL, \
            stamp INTEGER NOT NULL, segment BLOB NOT NULL, with_bare BLOB NOT NULL, with_full BLOB NOT NULL, ref BLOB, \
            held INTEGER NOT NULL, sealed BLOB NOT NULL)",
        "INSERT INTO first SELECT position, (SELECT owner FROM archive_owner WHERE num = archive.owner), lower(hex(id)), day, \
            stamp, segment, with_bare, with_full, ref, held, sealed FROM archive",
        "DROP TABLE archive",
        "DROP TABLE archive_owner",
        "ALTER TABLE first RENAME TO archive",
        "CREATE UNIQUE INDEX archive_id ON archive (owner, id)",
        "CREATE INDEX archive_held ON archive (owner, position) WHERE held = 1",
        "CREATE INDEX archive_day ON archive (day)",
        "DELETE FROM _sqlx_migrations WHERE version >= 2",
    ] {
        bench.beside(statement, statement).await;
    }
    let store = bench.open().await;
    assert_eq!(held(&store.handles(), &alice()).await, ["1"]);
    assert!(all(&store.handles()).await.is_empty());
    store.close().await;
}
