//! A database that cannot be written: errors instead of promises, and service that returns by itself.

use bocage_tests::{Person, Village, soon, text};
use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};

const SET: &str = "<query xmlns='jabber:iq:roster'><item jid='bob@village.example' name='Bob'/></query>";

#[tokio::test]
async fn nothing_is_acknowledged_while_the_database_is_locked_and_service_returns() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let mut lock = SqliteConnectOptions::new().filename(village.database()).connect().await.unwrap();
    lock.execute("BEGIN EXCLUSIVE").await.unwrap();
    alice.send(&format!("<iq type='set' id='r'>{SET}</iq>")).await;
    alice.send("<message to='bob@village.example' type='chat' id='m'><body>lost?</body></message>").await;
    let mut answers = [alice.next().await, alice.next().await];
    answers.sort_by_key(|answer| answer.name().to_owned());
    for (answer, id) in answers.iter().zip(["r", "m"]) {
        assert_eq!((answer.attr("id"), answer.attr("type")), (Some(id), Some("error")), "who asked knows that it is not stored");
    }
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
