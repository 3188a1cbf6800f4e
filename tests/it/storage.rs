//! A database that cannot be written: errors instead of promises, and service that returns by itself.

use bocage_tests::{Person, Village, soon, text};
use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};

const SET: &str = "<query xmlns='jabber:iq:roster'><item jid='bob@village.example' name='Bob'/></query>";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_while_the_database_is_locked_and_service_returns() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let mut lock = SqliteConnectOptions::new().filename(village.database()).connect().await.unwrap();
    lock.execute("BEGIN EXCLUSIVE").await.unwrap();
    assert_eq!(alice.ask("set", "", SET).await.attr("type"), Some("error"), "no result for what is not stored");
    alice.send("<message to='bob@village.example' type='chat' id='m'><body>lost?</body></message>").await;
    let answer = alice.until(|s| s.name() == "message" && s.attr("id") == Some("m")).await;
    assert_eq!(answer.attr("type"), Some("error"), "the sender knows that it is not stored");
    lock.execute("ROLLBACK").await.unwrap();
    lock.close().await.unwrap();
    assert_eq!(alice.ask("set", "", SET).await.attr("type"), Some("result"));
    alice.send("<message to='bob@village.example' type='chat'><body>kept</body></message>").await;
    alice.settle().await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence/>").await;
    assert_eq!(text(&bob.message().await), "kept");
    soon(village.stop()).await;
}

#[tokio::test]
async fn h02_what_waits_is_in_no_file_as_text() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let word = "a-word-that-stands-nowhere";
    alice.send(&format!("<message to='bob@village.example' type='chat'><body>{word}</body></message>")).await;
    alice.settle().await;
    // Positive control: what is stored in the clear is found by the same search.
    alice.ask("set", "", SET).await;
    let (mut words, mut names) = (0, 0);
    for directory in [village.dir.path().join("data"), village.dir.path().join("data/keys")] {
        for file in std::fs::read_dir(directory).unwrap().map(Result::unwrap).filter(|f| f.file_type().unwrap().is_file()) {
            let bytes = std::fs::read(file.path()).unwrap();
            let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            words += usize::from(has(word));
            names += usize::from(has("bob@village.example"));
        }
    }
    assert!(names > 0, "the search finds what is there");
    assert_eq!(words, 0);
}
