//! Rosters, subscriptions and presence, as two people with stock clients see them (RFC 6121 sections 2 to 4).

use bocage_tests::{Person, Village};

const ROSTER: &str = "<query xmlns='jabber:iq:roster'/>";

async fn subscription(person: &mut Person, contact: &str) -> Option<String> {
    let roster = person.ask("get", "", ROSTER).await;
    let query = roster.get_child("query", "jabber:iq:roster").unwrap();
    let item = query.children().find(|item| item.attr("jid") == Some(contact));
    item.map(|item| item.attr("subscription").unwrap().to_owned())
}

async fn ask_and_grant(asker: &mut Person, granter: &mut Person) {
    asker.send(&format!("<presence type='subscribe' to='{}'/>", granter.jid.to_bare())).await;
    granter.until(|s| s.attr("type") == Some("subscribe")).await;
    granter.send(&format!("<presence type='subscribed' to='{}'/>", asker.jid.to_bare())).await;
    asker.until(|s| s.attr("type") == Some("subscribed")).await;
}

async fn befriend(one: &mut Person, other: &mut Person) {
    ask_and_grant(one, other).await;
    ask_and_grant(other, one).await;
}

#[tokio::test]
async fn friends_see_each_other_come_and_go() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    befriend(&mut alice, &mut bob).await;
    assert_eq!(subscription(&mut alice, "bob@village.example").await.as_deref(), Some("both"));
    assert_eq!(subscription(&mut bob, "alice@village.example").await.as_deref(), Some("both"));
    alice.send("<presence><show>away</show></presence>").await;
    let from_alice = |s: &minidom::Element| s.name() == "presence" && s.attr("from").is_some_and(|f| f.starts_with("alice"));
    bob.until(|s| from_alice(s) && s.get_child("show", "jabber:client").is_some()).await;
    alice.leave().await;
    let gone = bob.until(|s| from_alice(s) && s.attr("type") == Some("unavailable")).await;
    assert_eq!(gone.attr("to"), Some("bob@village.example"));
    let mut again = Person::login(&village, "alice").await;
    again.send("<presence/>").await;
    again.until(|s| s.name() == "presence" && s.attr("from") == Some(bob.jid.to_string().as_str())).await;
}

#[tokio::test]
async fn a_request_waits_with_all_that_it_says() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send("<presence type='subscribe' to='bob@village.example'><status>it is me</status><nick xmlns='http://jabber.org/protocol/nick'>Al</nick></presence>").await;
    alice.settle().await;
    for _ in 0..2 {
        let mut bob = Person::login(&village, "bob").await;
        bob.send("<presence/>").await;
        let asked = bob.until(|s| s.attr("type") == Some("subscribe")).await;
        assert!(asked.has_child("nick", "http://jabber.org/protocol/nick") && asked.has_child("status", "jabber:client"));
        bob.leave().await;
    }
}

#[tokio::test]
async fn h49_who_is_no_contact_learns_nothing() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, _bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    for name in ["bob", "nobody"] {
        alice.send(&format!("<presence type='probe' to='{name}@village.example'/>")).await;
    }
    alice.send("<presence id='own'/>").await;
    let next = alice.until(|s| s.name() == "presence").await;
    assert_eq!(next.attr("id"), Some("own"), "probes of strangers are answered by silence");
}

#[tokio::test]
async fn directed_presence_is_taken_back_at_the_end() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&format!("<presence to='{}'/>", bob.jid)).await;
    bob.until(|s| s.name() == "presence" && s.attr("from").is_some_and(|f| f.starts_with("alice"))).await;
    alice.leave().await;
    bob.until(|s| s.attr("type") == Some("unavailable") && s.attr("from").is_some_and(|f| f.starts_with("alice"))).await;
}

#[tokio::test]
async fn removing_a_contact_ends_both_directions() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    befriend(&mut alice, &mut bob).await;
    let remove = "<query xmlns='jabber:iq:roster'><item jid='bob@village.example' subscription='remove'/></query>";
    assert_eq!(alice.ask("set", "", remove).await.attr("type"), Some("result"));
    bob.until(|s| s.attr("type") == Some("unsubscribed")).await;
    assert_eq!(subscription(&mut alice, "bob@village.example").await, None);
    assert_eq!(subscription(&mut bob, "alice@village.example").await.as_deref(), Some("none"));
}

#[tokio::test]
async fn every_session_that_asked_for_the_roster_is_told_of_changes() {
    let village = Village::of(&["alice"]).await;
    let (mut phone, mut desk) = (Person::online(&village, "alice").await, Person::online(&village, "alice").await);
    phone.ask("get", "", ROSTER).await;
    desk.ask("get", "", ROSTER).await;
    let set = "<query xmlns='jabber:iq:roster'><item jid='bob@village.example' name='Bob'><group>friends</group></item></query>";
    assert_eq!(phone.ask("set", "", set).await.attr("type"), Some("result"));
    let push = desk.until(|s| s.name() == "iq" && s.attr("type") == Some("set")).await;
    let item = push.get_child("query", "jabber:iq:roster").unwrap().children().next().unwrap();
    assert_eq!((item.attr("jid"), item.attr("name")), (Some("bob@village.example"), Some("Bob")));
}

#[tokio::test]
async fn a_request_alone_changes_nothing_that_its_addressee_is_shown() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    bob.ask("get", "", ROSTER).await;
    alice.send("<presence type='subscribe' to='bob@village.example/any'/>").await;
    let asked = bob.next().await;
    assert_eq!((asked.attr("type"), asked.attr("from")), (Some("subscribe"), Some("alice@village.example")));
    assert_eq!(asked.attr("to"), Some("bob@village.example"), "a request is for the account, whatever it was addressed to");
    assert_eq!(subscription(&mut bob, "alice@village.example").await, None, "no push came before this answer");
    bob.send("<presence type='unsubscribed' to='alice@village.example'/>").await;
    alice.until(|s| s.attr("type") == Some("unsubscribed")).await;
    let mut again = Person::login(&village, "bob").await;
    again.send("<presence/>").await;
    again.settle().await;
    again.send("<presence id='mark'/>").await;
    again.until(|s| s.attr("id") == Some("mark") && s.attr("type") != Some("subscribe")).await;
}

#[tokio::test]
async fn pre_approval_can_be_given_used_and_taken_back() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    let approved = |roster: &minidom::Element| {
        let query = roster.get_child("query", "jabber:iq:roster").unwrap();
        query.children().next().map(|item| (item.attr("approved").is_some(), item.attr("subscription").unwrap().to_owned()))
    };
    let say = |kind: &str| format!("<presence type='{kind}' to='bob@village.example'/>");
    alice.send(&say("subscribed")).await;
    assert_eq!(approved(&alice.ask("get", "", ROSTER).await), Some((true, "none".into())));
    alice.send(&say("unsubscribed")).await;
    assert_eq!(approved(&alice.ask("get", "", ROSTER).await), Some((false, "none".into())));
    alice.send(&say("subscribed")).await;
    alice.settle().await;
    bob.send("<presence type='subscribe' to='alice@village.example'/>").await;
    bob.until(|s| s.attr("type") == Some("subscribed")).await;
    let alices = alice.jid.to_string();
    bob.until(|s| s.name() == "presence" && s.attr("from") == Some(alices.as_str()) && s.attr("type").is_none()).await;
    assert_eq!(approved(&alice.ask("get", "", ROSTER).await), Some((false, "from".into())));
}
