//! Servers, links and the resolver go away and come back.

use crate::interop::pair::{Pair, Setup, none_is_lost, none_is_lost_on_return, say, talk, talk_again};
use bocage_tests::{Person, soon};
use std::time::Duration;

/// Less than a message takes on the wire.
const SHORTEST: usize = 80;

/// What is sent while the other is gone arrives or comes back.
pub(in crate::interop) async fn the_far_one_dies_and_returns(setup: Setup) {
    let mut pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    pair.far.stop().await;
    let ids = write(&mut romeo, &pair.far.bare("juliet")).await;
    pair.far.start_again(&pair.world).await;
    juliet = none_is_lost_on_return(&mut romeo, async || returned(&pair).await, &ids).await;
    talk_again(&mut romeo, &mut juliet).await;
    pair.links_are_sealed();
}

pub(in crate::interop) async fn the_near_one_stops_and_returns(setup: Setup) {
    let mut pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    drop(romeo);
    pair.near.stop().await;
    pair.near.start_again(&pair.world).await;
    romeo = pair.near.online("romeo").await;
    talk_again(&mut romeo, &mut juliet).await;
    pair.links_are_sealed();
}

/// What it was sent and has not read dies with it, and arrives all the same. It is not ours: ours cannot be stopped.
pub(in crate::interop) async fn the_far_one_dies_with_what_it_was_sent(setup: Setup) {
    let mut pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    pair.far.freeze().await;
    let before = sent(&pair);
    let ids = write(&mut romeo, &pair.far.bare("juliet")).await;
    // On the wire there is nothing to wait for but bytes.
    soon(async {
        while sent(&pair) < before + ids.len() * SHORTEST {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    pair.far.stop().await;
    pair.far.start_again(&pair.world).await;
    juliet = none_is_lost_on_return(&mut romeo, async || returned(&pair).await, &ids).await;
    talk_again(&mut romeo, &mut juliet).await;
    pair.links_are_sealed();
}

/// Juliet again. What waited for her may come before her own presence, so that is not awaited.
async fn returned(pair: &Pair) -> Person {
    let mut juliet = pair.far.login("juliet").await;
    juliet.send("<presence/>").await;
    juliet
}

/// Bytes that the far one was sent.
fn sent(pair: &Pair) -> usize {
    pair.far.site.front.recordings().iter().map(|recording| recording.sent.len()).sum()
}

/// What was sent as the links were cut arrives or comes back, and what is sent later arrives, over links that are as safe.
pub(in crate::interop) async fn links_are_cut(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    let links = pair.links();
    let to = juliet.jid.to_string();
    let mut ids = write(&mut romeo, &to).await;
    pair.cut_links();
    ids.extend(write(&mut romeo, &to).await);
    none_is_lost(&mut romeo, &mut juliet, &ids).await;
    talk_again(&mut romeo, &mut juliet).await;
    assert!(pair.links() > links, "by new links");
    pair.links_are_proven().await;
}

/// A link that is there needs no names.
pub(in crate::interop) async fn the_resolver_dies_and_returns(setup: Setup) {
    let mut pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    talk(&mut romeo, &mut juliet).await;
    pair.world.resolver_mut().kill();
    say(&mut romeo, &mut juliet, "still there?").await;
    pair.cut_links();
    let ids = write(&mut romeo, &pair.far.bare("juliet")).await;
    pair.world.publish().await;
    none_is_lost(&mut romeo, &mut juliet, &ids).await;
    talk_again(&mut romeo, &mut juliet).await;
}

/// Some messages that the own server has taken.
async fn write(person: &mut Person, to: &str) -> Vec<String> {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let ids: Vec<String> = (0..5).map(|_| format!("letter{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))).collect();
    for id in &ids {
        person.send(&format!("<message to='{to}' type='chat' id='{id}'><body>{id}</body></message>")).await;
    }
    ids
}
