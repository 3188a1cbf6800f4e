//! Accounts change while people are there (H06, H11), and the server is drained under them.

use bocage_api::store::{AccountKeys, Creation};
use bocage_tests::{Person, Raw, Village};

#[tokio::test]
async fn h11_a_new_password_ends_every_session() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut phone, mut desk) = (Raw::online(&village, "alice").await, Raw::online(&village, "alice").await);
    let mut bob = Person::online(&village, "bob").await;
    let alice = village.bare("alice").parse().unwrap();
    assert!(village.running.admin().set_keys(alice, village.keys("another")).await.unwrap());
    assert!(phone.rest().await.contains("not-authorized"));
    assert!(desk.rest().await.contains("not-authorized"));
    bob.settle().await;
}

#[tokio::test]
async fn h06_a_deleted_account_takes_its_contacts_sessions_and_name_with_it() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send("<presence type='subscribe' to='bob@village.example'/>").await;
    bob.until(|s| s.attr("type") == Some("subscribe")).await;
    bob.send("<presence type='subscribed' to='alice@village.example'/>").await;
    alice.until(|s| s.attr("type") == Some("subscribed")).await;
    let mut session = Raw::online(&village, "alice").await;
    let jid: jid::BareJid = village.bare("alice").parse().unwrap();
    assert!(village.running.admin().delete(jid.clone()).await.unwrap());
    bob.until(|s| s.attr("type") == Some("unsubscribe")).await;
    assert!(session.rest().await.contains("not-authorized"));
    let stores = village.running.stores();
    assert!(stores.accounts.keys(&jid).await.unwrap().is_none());
    assert!(stores.rosters.roster(&jid).await.unwrap().items.is_empty());
    assert_eq!(stores.accounts.create(jid.clone(), AccountKeys::default()).await.unwrap(), Creation::Retired);
    assert!(!village.running.admin().delete(jid).await.unwrap());
}

#[tokio::test]
async fn h11_a_password_changed_in_band_ends_the_other_sessions_and_is_the_one_that_counts() {
    let village = Village::of(&["alice"]).await;
    let mut other = Raw::online(&village, "alice").await;
    let mut alice = Person::online(&village, "alice").await;
    let change = "<query xmlns='jabber:iq:register'><username>alice</username><password>another one</password></query>";
    assert_eq!(alice.ask("set", "village.example", change).await.attr("type"), Some("result"));
    assert!(other.rest().await.contains("not-authorized"));
    alice.settle().await;
    let mut again = Person::through(&village.connector, &village.bare("alice"), "another one").await;
    again.settle().await;
}

#[tokio::test]
async fn h06_an_account_deleted_by_its_owner_leaves_its_contacts_nothing_of_it() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut bob = Person::online(&village, "bob").await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send("<presence type='subscribe' to='bob@village.example'/>").await;
    bob.until(|s| s.attr("type") == Some("subscribe")).await;
    bob.send("<presence type='subscribed' to='alice@village.example'/>").await;
    alice.until(|s| s.attr("type") == Some("subscribed")).await;
    alice.ask("set", "", "<query xmlns='jabber:iq:private'><note xmlns='p'>mine</note></query>").await;
    let mut phone = Raw::online(&village, "alice").await;
    alice.ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='x.example'/></block>").await;
    let answer = alice.ask("set", "", "<query xmlns='jabber:iq:register'><remove/></query>").await;
    assert_eq!(answer.attr("type"), Some("result"), "the answer comes before the end");
    bob.until(|s| s.attr("type") == Some("unsubscribe")).await;
    assert!(phone.rest().await.contains("not-authorized"));
    let (stores, jid) = (village.running.stores(), village.bare("alice").parse::<jid::BareJid>().unwrap());
    assert!(stores.accounts.keys(&jid).await.unwrap().is_none());
    assert!(stores.rosters.roster(&jid).await.unwrap().items.is_empty());
    for (collection, key) in [("private_xml/elements", "p note"), ("core/blocked", "list")] {
        assert_eq!(stores.records.read(collection, jid.as_str(), key).await.unwrap(), None);
    }
    assert_eq!(stores.accounts.create(jid, AccountKeys::default()).await.unwrap(), Creation::Retired);
}

#[tokio::test]
async fn h08_last_activity_says_that_somebody_is_here_and_never_when_they_were() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    const LAST: &str = "<query xmlns='jabber:iq:last'/>";
    let refused = bob.ask("get", "alice@village.example", LAST).await;
    assert!(refused.get_child("error", "jabber:client").unwrap().children().any(|c| c.name() == "service-unavailable"));
    bob.send("<presence type='subscribe' to='alice@village.example'/>").await;
    alice.until(|s| s.attr("type") == Some("subscribe")).await;
    alice.send("<presence type='subscribed' to='bob@village.example'/>").await;
    let alices = alice.jid.to_string();
    bob.until(|s| s.attr("from") == Some(alices.as_str()) && s.name() == "presence").await;
    let here = bob.ask("get", "alice@village.example", LAST).await;
    assert_eq!(here.get_child("query", "jabber:iq:last").unwrap().attr("seconds"), Some("0"));
    alice.leave().await;
    bob.until(|s| s.attr("type") == Some("unavailable")).await;
    let gone = bob.ask("get", "alice@village.example", LAST).await;
    assert!(gone.get_child("error", "jabber:client").unwrap().children().any(|c| c.name() == "service-unavailable"));
}

#[tokio::test]
async fn a_drain_tells_everybody_and_keeps_what_was_accepted() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    for n in 0..40 {
        alice.send(&format!("<message to='bob@village.example' type='chat'><body>{n}</body></message>")).await;
    }
    alice.settle().await;
    alice.leave().await;
    let mut witness = Raw::online(&village, "alice").await;
    let (dir, end) = tokio::join!(village.stop(), witness.rest());
    assert!(end.contains("system-shutdown"), "{end}");
    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let mut bob = Person::login(&village, "bob").await;
    bob.send("<presence/>").await;
    for n in 0..40 {
        assert_eq!(bocage_tests::text(&bob.message().await), n.to_string());
    }
}

#[tokio::test]
async fn a_resource_that_is_taken_over_ends_the_older_session() {
    let village = Village::of(&["alice"]).await;
    let mut first = Raw::online(&village, "alice").await;
    let resource = first.resource().await;
    let mut second = Person::login_as(&village, "alice", &resource).await;
    assert!(first.rest().await.contains("conflict"));
    second.settle().await;
}

#[tokio::test]
async fn h71_files_of_the_server_are_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let village = Village::of(&["alice"]).await;
    let data = village.dir.path().join("data");
    let mut seen = 0;
    for entry in std::fs::read_dir(&data).unwrap().chain(std::fs::read_dir(data.join("keys")).unwrap()) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 3, "database and keys are there");
}
