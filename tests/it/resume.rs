//! Stream management (XEP-0198): what is acknowledged, what is sent again, and sessions that outlive their connections.

use bocage_tests::{Person, Raw, Village, soon, text};

const RESUMABLE: &str = "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>";

/// A session that can be resumed, and its id. It has presence, and what that echoed is acknowledged.
async fn resumable(village: &Village, name: &str) -> (Raw, String) {
    let (mut raw, answer) = Raw::login(village, name, RESUMABLE).await;
    let id = answer.split_once("<enabled").unwrap().1.split_once(" id='").unwrap().1.split_once('\'').unwrap().0.to_owned();
    assert!(id.len() >= 32, "{id}");
    raw.until("</stream:features>").await;
    raw.send("<presence/>").await;
    raw.until("<r xmlns='urn:xmpp:sm:3'/>").await;
    raw.send("<a xmlns='urn:xmpp:sm:3' h='1'/>").await;
    (raw, id)
}

/// A new connection that asks for the session `id`, having `h`.
async fn resume(village: &Village, name: &str, id: &str, h: u32) -> (Raw, String) {
    let request = format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>{RESUMABLE}");
    Raw::login(village, name, &request).await
}

fn chat(to: &str, n: impl std::fmt::Display) -> String {
    format!("<message to='{to}' type='chat' id='{n}'><body>word {n}</body></message>")
}

#[tokio::test]
async fn a_session_that_lost_its_connection_gets_what_came_meanwhile_once() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut bob, id) = resumable(&village, "bob").await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send(&chat("bob@village.example", 0)).await;
    bob.until("word 0").await;
    bob.cut().await;
    for n in 1..4 {
        alice.send(&chat("bob@village.example", n)).await;
    }
    alice.settle().await;
    let (mut bob, answer) = resume(&village, "bob", &id, 1).await;
    assert!(answer.contains("<resumed ") && answer.contains("h='1'"), "{answer}");
    assert!(!answer.contains("<bound"), "nothing is bound beside what is resumed: {answer}");
    let mut got = bob.until("word 3").await;
    // What was still being stored when it came back goes ahead of all else, until it has it.
    bob.send("<a xmlns='urn:xmpp:sm:3' h='5'/>").await;
    alice.send(&chat("bob@village.example", "mark")).await;
    got += &bob.until("word mark").await;
    for n in 0..4 {
        assert_eq!(got.matches(&format!("word {n}<")).count(), 1, "{got}");
    }
    assert!(!got.contains("features"), "{got}");
    let said: Vec<_> = got.split("word ").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    assert_eq!(said, ["0", "1", "2", "3", "mark"], "in the order in which it was sent");
    bob.send("<a xmlns='urn:xmpp:sm:3' h='6'/>").await;
    soon(waiting(&village, 0)).await;
}

/// The server could die at any moment now.
#[tokio::test]
async fn what_comes_for_a_session_that_sleeps_is_stored_before_it_is_acknowledged() {
    for policy in ["always", "never"] {
        let village = Village::with(&format!("[modules.mam]\ndefault_policy = \"{policy}\"\n"), &["alice", "bob"]).await;
        let (bob, id) = resumable(&village, "bob").await;
        let (mut alice, _) = resumable(&village, "alice").await;
        bob.cut().await;
        for n in 0..20 {
            alice.send(&chat("bob@village.example", n)).await;
        }
        alice.send("<r xmlns='urn:xmpp:sm:3'/>").await;
        alice.until("<a xmlns='urn:xmpp:sm:3' h='21'/>").await;
        soon(waiting(&village, 20)).await;
        // Who comes anew gets it, and so does the one that slept: they are two devices.
        let mut anew = Person::login(&village, "bob").await;
        anew.send("<presence/>").await;
        for n in 0..20 {
            assert_eq!(text(&anew.message().await), format!("word {n}"));
        }
        soon(waiting(&village, 0)).await;
        let (mut bob, _) = resume(&village, "bob", &id, 1).await;
        alice.send(&chat("bob@village.example", "mark")).await;
        let got = bob.until("word mark").await;
        let said: Vec<_> = got.split("word ").skip(1).filter_map(|rest| rest.split('<').next()).collect();
        let all: Vec<_> = (0..20).map(|n| n.to_string()).chain(["mark".to_owned()]).collect();
        assert_eq!(said, all);
        assert_eq!(text(&anew.message().await), "word mark", "nothing comes twice");
    }
}

#[tokio::test]
async fn what_does_not_wait_in_the_store_waits_in_the_mailbox() {
    let village = Village::with("[modules.mam]\ndefault_policy = \"never\"\n", &["alice", "bob"]).await;
    let (bob, id) = resumable(&village, "bob").await;
    let mut alice = Person::online(&village, "alice").await;
    bob.cut().await;
    let secret = "<body>word secret</body><no-store xmlns='urn:xmpp:hints'/>";
    alice.send(&format!("<message to='bob@village.example' type='chat' id='s'>{secret}</message>")).await;
    alice.settle().await;
    soon(waiting(&village, 0)).await;
    let (mut bob, _) = resume(&village, "bob", &id, 1).await;
    bob.until("word secret").await;
}

#[tokio::test]
async fn a_connection_that_takes_a_session_over_ends_the_older_one() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut old, id) = resumable(&village, "bob").await;
    let (mut new, answer) = resume(&village, "bob", &id, 1).await;
    assert!(answer.contains("<resumed "), "{answer}");
    assert!(old.rest().await.contains("<conflict "), "the older one is told");
    let mut alice = Person::online(&village, "alice").await;
    alice.send(&chat("bob@village.example", 1)).await;
    new.until("word 1").await;
}

#[tokio::test]
async fn a_session_is_resumed_by_an_element_of_its_own_too() {
    let village = Village::of(&["bob"]).await;
    let (bob, id) = resumable(&village, "bob").await;
    bob.cut().await;
    let (mut bob, _) = Raw::login(&village, "bob", "").await;
    bob.until("</stream:features>").await;
    bob.send("<enable xmlns='urn:xmpp:sm:3'/>").await;
    assert!(bob.until("</failed>").await.contains("<unexpected-request "), "not before a resource is bound");
    bob.send("<resume xmlns='urn:xmpp:sm:3' h='1' previd='nothing'/>").await;
    assert!(bob.until("</failed>").await.contains("<item-not-found "));
    bob.send(&format!("<resume xmlns='urn:xmpp:sm:3' h='1' previd='{id}'/>")).await;
    bob.until("<resumed ").await;
    bob.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    bob.until("id='p'").await;
}

#[tokio::test]
async fn a_malformed_request_fails_and_a_malformed_acknowledgement_ends_the_stream() {
    let village = Village::of(&["bob"]).await;
    let mut bob = Raw::online(&village, "bob").await;
    bob.send("<enable xmlns='urn:xmpp:sm:3' resume='true' max='-1'/>").await;
    assert!(bob.until("</failed>").await.contains("<bad-request "));
    bob.send("<enable xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='-1'/>").await;
    let end = bob.rest().await;
    assert!(end.contains("<enabled ") && end.contains("<invalid-xml "), "{end}");
}

#[tokio::test]
async fn h73_nobody_takes_over_the_session_of_another_account() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut bob, id) = resumable(&village, "bob").await;
    let (_, answer) = resume(&village, "alice", &id, 1).await;
    assert!(answer.contains("<item-not-found ") && answer.contains("<bound "), "a session of its own instead: {answer}");
    bob.send("<r xmlns='urn:xmpp:sm:3'/>").await;
    bob.until("<a xmlns='urn:xmpp:sm:3' h='1'/>").await;
}

#[tokio::test]
async fn who_acknowledges_what_was_never_sent_is_told_so() {
    let village = Village::of(&["bob"]).await;
    let (mut bob, id) = resumable(&village, "bob").await;
    let (_, answer) = Raw::login(&village, "bob", "").await;
    assert!(answer.contains("<authorization-identifier>bob@"));
    bob.send("<a xmlns='urn:xmpp:sm:3' h='7'/>").await;
    let end = bob.rest().await;
    assert!(end.contains("<undefined-condition ") && end.contains("handled-count-too-high"), "{end}");
    assert!(end.contains("h='7'") && end.contains("send-count='1'"), "{end}");
    let (_, answer) = resume(&village, "bob", &id, 1).await;
    assert!(answer.contains("<failed ") && answer.contains("h='1'"), "the end of a broken stream is an end: {answer}");
}

#[tokio::test]
async fn what_a_session_had_that_nobody_resumes_goes_to_who_comes_next() {
    let village = Village::with("[c2s]\nresume_timeout = \"1s\"\n", &["alice", "bob"]).await;
    let (mut bob, id) = resumable(&village, "bob").await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send(&chat("bob@village.example", 1)).await;
    bob.until("word 1").await;
    bob.cut().await;
    alice.send(&chat("bob@village.example", 2)).await;
    alice.settle().await;
    soon(waiting(&village, 2)).await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence/>").await;
    // Whichever comes first: the messages, or the end of the session that slept.
    let (mut words, mut over) = (Vec::new(), false);
    while words.len() < 2 || !over {
        let stanza = bob.next().await;
        over |= stanza.name() == "presence" && stanza.attr("type") == Some("unavailable");
        words.extend(Some(text(&stanza)).filter(|words| !words.is_empty()));
    }
    assert_eq!(words, ["word 1", "word 2"]);
    let (_, answer) = resume(&village, "bob", &id, 1).await;
    assert!(answer.contains("<item-not-found ") && answer.contains("h='1'"), "{answer}");
}

#[tokio::test]
async fn a_message_is_acknowledged_when_it_is_stored_and_who_asked_too_early_is_told_then() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, _) = resumable(&village, "alice").await;
    for n in 0..20 {
        alice.send(&chat("bob@village.example", n)).await;
    }
    alice.send("<r xmlns='urn:xmpp:sm:3'/>").await;
    alice.until("<a xmlns='urn:xmpp:sm:3' h='21'/>").await;
    let held = village.running.stores().archive.held(&"bob@village.example".parse().unwrap(), 0, 99).await.unwrap();
    assert_eq!(held.len(), 20);
}

/// Waits until so many messages wait for bob.
async fn waiting(village: &Village, count: usize) {
    let owner = "bob@village.example".parse().unwrap();
    while !village.running.stores().archive.held(&owner, 0, 99).await.is_ok_and(|rows| rows.len() == count) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn messages_that_waited_are_released_when_they_are_acknowledged() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send(&chat("bob@village.example", 1)).await;
    soon(waiting(&village, 1)).await;
    let (mut bob, answer) = Raw::login(&village, "bob", RESUMABLE).await;
    assert!(answer.contains("max='600'"), "{answer}");
    bob.send("<presence/>").await;
    bob.until("word 1").await;
    bob.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    let seen = bob.until("id='p'").await;
    assert!(seen.contains("<presence "), "what is not held does not wait for that: {seen}");
    soon(waiting(&village, 1)).await;
    bob.send("<a xmlns='urn:xmpp:sm:3' h='2'/>").await;
    soon(waiting(&village, 0)).await;
}
