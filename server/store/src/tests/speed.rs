//! Group commit keeps up. A coarse bound: it fails when each message waits for a commit of its own.

use super::{NOW, bare, message, on_both, waiting};
use bocage_api::store::{OutboundDraft, OutboundKey};
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

const MESSAGES: usize = 4000;
const IN_FLIGHT: usize = 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_share_their_commits() {
    on_both(async |bench| {
        let store = bench.open().await;
        let archive = store.handles().archive;
        let owners: Vec<_> = (0..200).map(|n| bare(&format!("u{n}@example.org"))).collect();
        let started = Instant::now();
        let append =
            |n: usize| archive.append(waiting(message(&owners[n % owners.len()], &n.to_string(), &"x".repeat(300)), 1000));
        let stored =
            stream::iter(0..MESSAGES).map(append).buffer_unordered(IN_FLIGHT).filter(|it| std::future::ready(it.is_ok()));
        assert_eq!(stored.count().await, MESSAGES);
        let took = started.elapsed();
        println!(
            "{} appends/s on {}",
            MESSAGES as u128 * 1000 / took.as_millis().max(1),
            if bench.is_sqlite() { "SQLite" } else { "PostgreSQL" }
        );
        assert!(took.as_secs() < 20, "{took:?}");
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outbound_changes_share_their_commits() {
    on_both(async |bench| {
        let store = bench.open().await;
        let outbound = store.handles().outbound;
        let started = Instant::now();
        let pass = async |n: usize| {
            let key = OutboundKey((n as u128).to_be_bytes());
            let draft = OutboundDraft {
                key,
                here: "example.org".to_owned(),
                peer: "elsewhere.example".to_owned(),
                owner: bare(&format!("u{}@example.org", n % 200)),
                deadline: NOW,
                payload: vec![b'x'; 300].into(),
            };
            outbound.keep(vec![draft]).await.unwrap();
            outbound.taken(vec![key]).await.unwrap();
        };
        stream::iter(0..MESSAGES).map(pass).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>().await;
        let took = started.elapsed();
        let engine = if bench.is_sqlite() { "SQLite" } else { "PostgreSQL" };
        println!("{} messages/s kept and taken on {engine}", MESSAGES as u128 * 1000 / took.as_millis().max(1));
        assert!(took.as_secs() < 20, "{took:?}");
        assert!(outbound.waiting(0, 1).await.unwrap().is_empty());
        store.close().await;
    })
    .await;
}
