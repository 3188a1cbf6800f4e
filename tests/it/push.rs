//! Push (XEP-0357) through the whole server: who is away is announced to the service, without a word of what it was.

use bocage_tests::{Person, Village};
use minidom::Element;

const ALICE: &str = "alice@village.example";

async fn notification(service: &mut Person) -> Element {
    service.until(|s| s.name() == "iq" && s.has_child("pubsub", "http://jabber.org/protocol/pubsub")).await
}
async fn words(person: &mut Person, text: &str) {
    person.send(&format!("<message to='{ALICE}' type='chat'><body>{text}</body></message>")).await;
    person.settle().await;
}

#[tokio::test]
async fn a_message_for_who_is_away_is_announced_without_sender_and_words_until_the_service_refuses() {
    let village = Village::of(&["alice", "carol", "service"]).await;
    let (mut carol, mut service) = (Person::online(&village, "carol").await, Person::online(&village, "service").await);
    // A session answers requests of whom it shows itself to.
    service.send("<presence to='village.example'/>").await;
    service.settle().await;
    let mut alice = Person::online(&village, "alice").await;
    let enable = format!("<enable xmlns='urn:xmpp:push:0' jid='{}' node='phone'/>", service.jid);
    assert_eq!(alice.ask("set", ALICE, &enable).await.attr("type"), Some("result"));
    words(&mut carol, "she is here").await;
    alice.message().await;
    alice.leave().await;
    words(&mut carol, "a secret").await;
    let first = notification(&mut service).await;
    assert_eq!(first.attr("from"), Some("village.example"));
    let text = String::from(&first);
    assert!(text.contains("urn:xmpp:push:0") && text.contains("node=\"phone\"") | text.contains("node='phone'"), "{text}");
    for private in ["secret", "carol", "alice"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
    service.send(&format!("<iq type='result' to='village.example' id='{}'/>", first.attr("id").unwrap())).await;
    words(&mut carol, "another").await;
    let second = notification(&mut service).await;
    let refused = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    service.send(&format!("<iq type='error' to='village.example' id='{}'>{refused}</iq>", second.attr("id").unwrap())).await;
    let (stores, key) = (village.running.stores(), format!("{} phone", service.jid));
    bocage_tests::soon(async {
        while stores.records.read("push/registrations", ALICE, &key).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
