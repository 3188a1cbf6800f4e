//! Nobody can make the server wait for somebody, or grow for somebody.

use bocage_tests::{Person, Raw, Village, text};

#[tokio::test(flavor = "multi_thread")]
async fn two_who_flood_each_other_without_reading_hurt_nobody() {
    let village = Village::with("[c2s]\nrate = \"off\"\n", &["alice", "bob", "carol", "dan"]).await;
    let (mut alice, mut bob) = (Raw::online(&village, "alice").await, Raw::online(&village, "bob").await);
    let body = "x".repeat(4_000);
    let to = |name: &str| format!("<message to='{name}@village.example' type='chat'><body>{body}</body></message>");
    let (to_alice, to_bob) = (to("alice"), to("bob"));
    tokio::join!(alice.flood(&to_bob, 4_000), bob.flood(&to_alice, 4_000));
    let (mut carol, mut dan) = (Person::online(&village, "carol").await, Person::online(&village, "dan").await);
    carol.send(&format!("<message to='{}' type='chat'><body>calm</body></message>", dan.jid)).await;
    assert_eq!(text(&dan.message().await), "calm");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_floods_themselves_gets_it_all_back() {
    let village = Village::with("[c2s]\nrate = \"off\"\n", &["alice"]).await;
    let mut alice = Raw::online(&village, "alice").await;
    let text = "<message to='alice@village.example' type='chat'><body>echo</body></message>".repeat(50);
    for _ in 0..40 {
        alice.send(&text).await;
    }
    let mut seen = String::new();
    while seen.matches("</message>").count() < 2_000 {
        seen.push_str(&alice.until(">").await);
    }
    assert_eq!(seen.matches("<body>echo</body>").count(), 2_000);
}
