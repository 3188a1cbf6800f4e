//! Archives of accounts (XEP-0313, XEP-0441): what is kept, who finds it, and that delivery waits for it in order.

use bocage_tests::{Person, Village, text};
use minidom::Element;

const MAM: &str = "urn:xmpp:mam:2";
const RSM: &str = "http://jabber.org/protocol/rsm";

fn attr(el: &Element, name: &str) -> String {
    el.attr(name).unwrap_or_default().to_owned()
}

/// What a query finds: the results and `<fin/>`.
async fn query(person: &mut Person, inner: &str) -> (Vec<Element>, Element) {
    let id = format!("q{}", inner.len());
    person.send(&format!("<iq type='set' id='{id}'><query xmlns='{MAM}' queryid='{id}'>{inner}</query></iq>")).await;
    let mut found = Vec::new();
    loop {
        let stanza = person.next().await;
        if let Some(result) = stanza.get_child("result", MAM) {
            assert_eq!((attr(result, "queryid"), attr(&stanza, "from")), (id.clone(), person.jid.to_bare().to_string()));
            found.push(result.clone());
        }
        if stanza.name() == "iq" && attr(&stanza, "id") == id {
            return (found, stanza.get_child("fin", MAM).cloned().unwrap_or(stanza));
        }
    }
}

fn message(result: &Element) -> Element {
    let forwarded = result.get_child("forwarded", "urn:xmpp:forward:0").unwrap();
    assert!(attr(forwarded.get_child("delay", "urn:xmpp:delay").unwrap(), "stamp").len() == 20, "whole seconds");
    forwarded.get_child("message", "jabber:client").unwrap().clone()
}
fn bodies(found: &[Element]) -> Vec<String> {
    found.iter().map(|result| text(&message(result))).collect()
}
fn chat(to: &str, id: &str, body: &str) -> String {
    format!("<message to='{to}@village.example' type='chat' id='{id}'><body>{body}</body></message>")
}

#[tokio::test]
async fn both_sides_find_what_was_said_under_the_names_that_they_were_told() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&chat("bob", "1", "one")).await;
    let got = bob.message().await;
    let named = got.get_child("stanza-id", "urn:xmpp:sid:0").expect("a name in the archive");
    assert_eq!(attr(named, "by"), "bob@village.example");
    bob.send(&chat("alice", "2", "two")).await;
    alice.message().await;
    for person in [&mut alice, &mut bob] {
        let (found, fin) = query(person, "").await;
        assert_eq!(bodies(&found), ["one", "two"]);
        assert_eq!(attr(&fin, "complete"), "true");
        let set = fin.get_child("set", RSM).unwrap();
        assert_eq!(set.get_child("first", RSM).unwrap().text(), attr(&found[0], "id"));
        assert_eq!(set.get_child("last", RSM).unwrap().text(), attr(&found[1], "id"));
        assert_eq!(set.get_child("count", RSM).unwrap().text(), "2");
    }
    let (found, _) = query(&mut bob, "").await;
    assert_eq!(attr(&found[0], "id"), attr(named, "id"));
    let kept = message(&found[0]);
    assert_eq!(
        (attr(&kept, "from"), attr(&kept, "to"), attr(&kept, "id")),
        (alice.jid.to_string(), "bob@village.example".into(), "1".into())
    );
    assert!(kept.get_child("stanza-id", "urn:xmpp:sid:0").is_none());
}

#[tokio::test]
async fn pages_go_both_ways_and_can_be_flipped() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    for n in 0..25 {
        alice.send(&chat("bob", &n.to_string(), &n.to_string())).await;
    }
    alice.settle().await;
    alice.leave().await;
    let mut alice = Person::login(&village, "alice").await;
    let set = |inner: &str| format!("<set xmlns='{RSM}'><max>10</max>{inner}</set>");
    let (first, fin) = query(&mut alice, &set("")).await;
    assert_eq!(bodies(&first), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_ne!(attr(&fin, "complete"), "true");
    let (second, _) = query(&mut alice, &set(&format!("<after>{}</after>", attr(&first[9], "id")))).await;
    assert_eq!(bodies(&second)[0], "10");
    let (last, _) = query(&mut alice, &set("<before/>")).await;
    assert_eq!(bodies(&last), (15..25).map(|n| n.to_string()).collect::<Vec<_>>());
    let (flipped, _) = query(&mut alice, &format!("{}<flip-page/>", set("<before/>"))).await;
    assert_eq!(bodies(&flipped), (15..25).rev().map(|n| n.to_string()).collect::<Vec<_>>());
    let (none, error) = query(&mut alice, &set("<after>nobody's</after>")).await;
    assert!(none.is_empty() && error.name() == "iq" && attr(&error, "type") == "error");
}

#[tokio::test]
async fn what_is_not_archived_stands_behind_what_is() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    for n in 0..200 {
        let payload = if n % 2 == 0 { format!("<body>{n}</body>") } else { state.to_owned() };
        alice.send(&format!("<message to='{}' type='chat' id='{n}'>{payload}</message>", bob.jid)).await;
    }
    alice.send(&format!("<presence to='{}'><status>last</status></presence>", bob.jid)).await;
    for n in 0..200 {
        assert_eq!(attr(&bob.next().await, "id"), n.to_string());
    }
    assert_eq!(bob.next().await.name(), "presence");
    let (found, _) = query(&mut bob, &format!("<set xmlns='{RSM}'><max>250</max></set>")).await;
    assert_eq!(found.len(), 100);
}

#[tokio::test]
async fn a_message_sent_again_is_archived_once_and_delivered_again_only_after_a_restart() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&chat("bob", "same", "once")).await;
    alice.send(&chat("bob", "same", "once")).await;
    alice.send(&chat("bob", "mark", "mark")).await;
    assert_eq!((text(&bob.message().await), text(&bob.message().await)), ("once".into(), "mark".into()));
    let dir = village.stop().await;
    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&chat("bob", "same", "once")).await;
    alice.send(&chat("bob", "mark2", "mark2")).await;
    // Whether bob had got it is not known any more; whoever reads the archive knows the name.
    let again = bob.message().await;
    assert_eq!((text(&again), text(&bob.message().await)), ("once".into(), "mark2".into()));
    let name = attr(again.get_child("stanza-id", "urn:xmpp:sid:0").expect("a name"), "id");
    assert_eq!(attr(&query(&mut bob, "").await.0[0], "id"), name);
    assert_eq!(bodies(&query(&mut bob, "").await.0), ["once", "mark", "mark2"]);
}

#[tokio::test]
async fn h05_what_its_author_takes_back_is_gone_from_both_archives() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&chat("bob", "m1", "a mistake")).await;
    bob.message().await;
    let retract = |id: &str| {
        format!(
            "<message to='TO@village.example' type='chat' id='{id}'><retract xmlns='urn:xmpp:message-retract:1' id='m1'/></message>"
        )
    };
    bob.send(&retract("r0").replace("TO", "alice")).await;
    alice.message().await;
    assert_eq!(bodies(&query(&mut bob, "").await.0)[0], "a mistake", "it was not his");
    alice.send(&retract("r1").replace("TO", "bob")).await;
    bob.message().await;
    for person in [&mut alice, &mut bob] {
        let (found, _) = query(person, "").await;
        assert_eq!(found.len(), 3);
        let stone = message(&found[0]);
        let retracted = stone.get_child("retracted", "urn:xmpp:message-retract:1").expect("a tombstone");
        assert_eq!((attr(retracted, "id"), text(&stone), attr(&stone, "id")), ("r1".into(), String::new(), "m1".into()));
    }
}

#[tokio::test]
async fn who_reads_the_archive_first_gets_nothing_twice() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send(&chat("bob", "1", "one")).await;
    alice.send("<message to='bob@village.example' type='chat' id='2'><body>two</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>").await;
    alice.settle().await;
    alice.leave().await;
    let mut bob = Person::login(&village, "bob").await;
    assert_eq!(bodies(&query(&mut bob, "").await.0), ["one"]);
    bob.send("<presence/>").await;
    let got = bob.message().await;
    assert_eq!(text(&got), "two", "what no archive has still comes");
    assert!(got.get_child("stanza-id", "urn:xmpp:sid:0").is_none());
    bob.leave().await;
    let mut old = Person::login(&village, "bob").await;
    old.send("<presence/>").await;
    old.send(&chat("bob", "mark", "mark")).await;
    assert_eq!(text(&old.message().await), "mark");
}

#[tokio::test]
async fn preferences_hold_from_the_next_message_on() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    let prefs = "<prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never><jid>alice@village.example</jid></never></prefs>";
    let applied = bob.ask("set", "", prefs).await;
    assert_eq!(attr(&applied, "type"), "result");
    alice.send(&chat("bob", "1", "one")).await;
    assert!(bob.message().await.get_child("stanza-id", "urn:xmpp:sid:0").is_none());
    assert!(query(&mut bob, "").await.0.is_empty());
    assert_eq!(bodies(&query(&mut alice, "").await.0), ["one"], "each side has its own");
    let other = alice.ask("get", "bob@village.example", "<metadata xmlns='urn:xmpp:mam:2'/>").await;
    assert_eq!(attr(&other, "type"), "error");
}

#[tokio::test]
async fn what_nobody_takes_comes_back_and_is_in_the_archive_of_its_sender() {
    let village = Village::of(&["alice"]).await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send(&chat("nobody", "1", "is anybody there?")).await;
    let answer = alice.until(|s| s.name() == "message" && s.attr("id") == Some("1")).await;
    assert_eq!(answer.attr("type"), Some("error"));
    assert_eq!(bodies(&query(&mut alice, "").await.0), ["is anybody there?"]);
}
