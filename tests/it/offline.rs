//! Messages for who is not there (XEP-0160): stored before they are accepted, handed out once, in order, then gone.

use bocage_api::{Clock, clock::TimeSource};
use bocage_tests::{Person, Village, text};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

async fn leave_word(village: &Village, words: impl IntoIterator<Item = u32>) {
    let mut alice = Person::online(village, "alice").await;
    for n in words {
        alice.send(&format!("<message to='bob@village.example' type='chat' id='{n}'><body>{n}</body></message>")).await;
    }
    alice.settle().await;
    alice.leave().await;
}

#[tokio::test]
async fn messages_wait_and_arrive_once_in_order_with_their_time() {
    let village = Village::of(&["alice", "bob"]).await;
    leave_word(&village, 0..120).await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence/>").await;
    for n in 0..120 {
        let got = bob.message().await;
        assert_eq!(text(&got), n.to_string());
        let delay = got.get_child("delay", "urn:xmpp:delay").expect("says that it waited");
        assert_eq!(delay.attr("from"), Some("village.example"));
        assert!(delay.attr("stamp").unwrap().ends_with('Z'));
    }
    bob.settle().await;
    bob.leave().await;
    let mut again = Person::login(&village, "bob").await;
    again.send("<presence/>").await;
    again.send("<message to='bob@village.example' type='chat'><body>mark</body></message>").await;
    assert_eq!(text(&again.message().await), "mark", "nothing comes twice");
}

#[tokio::test]
async fn a_negative_priority_leaves_them_where_they_are() {
    let village = Village::of(&["alice", "bob"]).await;
    leave_word(&village, [1]).await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence><priority>-1</priority></presence>").await;
    bob.settle().await;
    bob.send("<presence><priority>0</priority></presence>").await;
    assert_eq!(text(&bob.message().await), "1");
}

#[tokio::test]
async fn they_outlive_the_server() {
    let village = Village::of(&["alice", "bob"]).await;
    leave_word(&village, 0..3).await;
    let dir = village.stop().await;
    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence/>").await;
    for n in 0..3 {
        assert_eq!(text(&bob.message().await), n.to_string());
    }
}

#[tokio::test]
async fn chat_states_alone_and_headlines_do_not_wait() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send("<message to='bob@village.example' type='headline'><body>news</body></message>").await;
    alice
        .send(
            "<message to='bob@village.example' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        )
        .await;
    alice.send("<message to='bob@village.example' type='chat'><body>words</body></message>").await;
    alice.settle().await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence/>").await;
    assert_eq!(text(&bob.message().await), "words");
}

struct Movable(Arc<AtomicI64>);
impl TimeSource for Movable {
    fn wall(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
    fn mono(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }
}

#[tokio::test]
async fn h01_what_waited_longer_than_the_retention_is_gone() {
    let now = Arc::new(AtomicI64::new(1_800_000_000));
    let dir = tempfile::TempDir::with_prefix("village").unwrap();
    let village = Village::start(dir, "", &["alice", "bob"], Clock::new(Movable(now.clone()))).await;
    leave_word(&village, [1]).await;
    now.fetch_add(9 * 86_400, Ordering::Relaxed);
    village.running.stores().archive.expire(now.load(Ordering::Relaxed)).await.unwrap();
    leave_word(&village, [2]).await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence/>").await;
    assert_eq!(text(&bob.message().await), "2");
}

/// A battery is empty, or somebody mistyped: the server starts with a clock that is days off.
#[tokio::test]
async fn h01_a_server_that_starts_with_a_wrong_clock_loses_nothing_and_keeps_nothing_longer() {
    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;
    let now = Arc::new(AtomicI64::new(NOW));
    let mut dir = tempfile::TempDir::with_prefix("village").unwrap();
    for (n, (days, people)) in [(0, &["alice", "bob"][..]), (30, &[]), (-30, &[]), (0, &[])].into_iter().enumerate() {
        now.store(NOW + days * DAY, Ordering::Relaxed);
        let village = Village::start(dir, "", people, Clock::new(Movable(now.clone()))).await;
        village.running.stores().archive.expire(now.load(Ordering::Relaxed)).await.unwrap();
        // Ahead, nothing is known to be wrong: what comes then is as new as it says.
        if days <= 0 {
            leave_word(&village, [u32::try_from(n).unwrap()]).await;
        }
        village.running.stores().archive.expire(now.load(Ordering::Relaxed)).await.unwrap();
        dir = village.stop().await;
    }
    now.store(NOW + 7 * DAY - 60, Ordering::Relaxed);
    let village = Village::start(dir, "", &[], Clock::new(Movable(now.clone()))).await;
    village.running.stores().archive.expire(now.load(Ordering::Relaxed)).await.unwrap();
    now.fetch_add(3_600, Ordering::Relaxed);
    let count = async || village.running.stores().archive.held_count(&village.bare("bob").parse().unwrap()).await.unwrap();
    assert_eq!(count().await, 3);
    // An hour of a steady clock, and the week is over.
    village.running.stores().archive.expire(now.load(Ordering::Relaxed)).await.unwrap();
    assert_eq!(count().await, 0);
}
