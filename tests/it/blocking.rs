//! Blocking (XEP-0191) through the whole server: presence, pushes, errors, silence.

use bocage_tests::{Person, Village};
use minidom::Element;

const ALICE: &str = "alice@village.example";
const BOB: &str = "bob@village.example";

async fn ask_and_grant(asker: &mut Person, granter: &mut Person) {
    asker.send(&format!("<presence type='subscribe' to='{}'/>", granter.jid.to_bare())).await;
    granter.until(|s| s.attr("type") == Some("subscribe")).await;
    granter.send(&format!("<presence type='subscribed' to='{}'/>", asker.jid.to_bare())).await;
    asker.until(|s| s.attr("type") == Some("subscribed")).await;
}
async fn friends(village: &Village) -> (Person, Person) {
    let (mut alice, mut bob) = (Person::online(village, "alice").await, Person::online(village, "bob").await);
    ask_and_grant(&mut alice, &mut bob).await;
    ask_and_grant(&mut bob, &mut alice).await;
    // Both have seen each other.
    let alices = alice.jid.to_string();
    bob.until(|s| s.name() == "presence" && s.attr("from") == Some(alices.as_str())).await;
    alice.settle().await;
    (alice, bob)
}
async fn block(person: &mut Person, who: &str) {
    let block = format!("<block xmlns='urn:xmpp:blocking'><item jid='{who}'/></block>");
    assert_eq!(person.ask("set", "", &block).await.attr("type"), Some("result"));
}
async fn unblock(person: &mut Person, who: &str) {
    let unblock = format!("<unblock xmlns='urn:xmpp:blocking'><item jid='{who}'/></unblock>");
    assert_eq!(person.ask("set", "", &unblock).await.attr("type"), Some("result"));
}
fn condition(stanza: &Element) -> (Option<&str>, String) {
    let error = stanza.get_child("error", "jabber:client").unwrap();
    (error.attr("type"), error.children().map(Element::name).collect::<Vec<_>>().join(" "))
}
/// The next stanza, which follows what `mark` asks for: nothing else came before.
async fn nothing_but_a_mark(person: &mut Person, from: &mut Person) {
    let to = person.jid.clone();
    from.send(&format!("<message to='{to}' type='headline' id='mark'/>")).await;
    assert_eq!(person.next().await.attr("id"), Some("mark"));
}

#[tokio::test]
async fn who_is_blocked_sees_the_other_go_and_come_back() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = friends(&village).await;
    let alices = alice.jid.to_string();
    block(&mut alice, BOB).await;
    let gone = bob.until(|s| s.name() == "presence" && s.attr("from") == Some(alices.as_str())).await;
    assert_eq!((gone.attr("type"), gone.attr("to")), (Some("unavailable"), Some(BOB)));
    alice.send("<presence id='hidden'><show>away</show></presence>").await;
    alice.until(|s| s.attr("id") == Some("hidden")).await;
    unblock(&mut alice, BOB).await;
    let back = bob.next().await;
    assert_eq!((back.attr("id"), back.attr("from")), (Some("hidden"), Some(alices.as_str())), "and nothing in between");
}

#[tokio::test]
async fn messages_and_requests_get_the_errors_of_the_xep_in_both_directions() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = friends(&village).await;
    block(&mut alice, BOB).await;
    bob.until(|s| s.attr("type") == Some("unavailable")).await;
    alice.send(&format!("<message to='{BOB}' type='chat' id='out'><body>hello?</body></message>")).await;
    let back = alice.message().await;
    assert_eq!(condition(&back), (Some("cancel"), "not-acceptable text blocked".into()));
    assert_eq!((back.attr("from"), back.attr("id")), (Some(BOB), Some("out")));
    bob.send(&format!("<message to='{ALICE}' type='chat'><body>hello?</body></message>")).await;
    assert_eq!(condition(&bob.message().await), (Some("cancel"), "service-unavailable".into()));
    for to in [ALICE.to_owned(), alice.jid.to_string()] {
        let answer = bob.ask("get", &to, "<query xmlns='jabber:iq:version'/>").await;
        assert_eq!(condition(&answer), (Some("cancel"), "service-unavailable".into()));
    }
    let asked = alice.ask("get", BOB, "<query xmlns='http://jabber.org/protocol/disco#info'/>").await;
    assert_eq!(condition(&asked).1, "not-acceptable text blocked");
    unblock(&mut alice, BOB).await;
    alice.send(&format!("<message to='{BOB}' type='chat'><body>hello!</body></message>")).await;
    assert_eq!(bocage_tests::text(&bob.message().await), "hello!");
}

#[tokio::test]
async fn a_blocked_person_neither_shows_nor_asks_anything() {
    let village = Village::of(&["alice", "bob", "carol"]).await;
    let (mut alice, mut bob) = friends(&village).await;
    let mut carol = Person::online(&village, "carol").await;
    block(&mut alice, BOB).await;
    bob.until(|s| s.attr("type") == Some("unavailable")).await;
    let alices = alice.jid.clone();
    for stanza in [
        "<presence id='b1'><show>dnd</show></presence>".to_owned(),
        format!("<presence to='{alices}' id='b2'/>"),
        format!("<presence to='{ALICE}' type='probe' id='b3'/>"),
        format!("<presence to='{ALICE}' type='unsubscribe' id='b4'/>"),
        format!("<presence to='{ALICE}' type='subscribe' id='b5'/>"),
        format!("<message to='{alices}' type='headline' id='b6'/>"),
    ] {
        bob.send(&stanza).await;
    }
    bob.settle().await;
    alice.ask("get", "", "<query xmlns='jabber:iq:roster'/>").await;
    nothing_but_a_mark(&mut alice, &mut carol).await;
}

#[tokio::test]
async fn a_new_session_is_not_told_of_who_is_blocked_nor_they_of_it() {
    let village = Village::of(&["alice", "bob", "carol"]).await;
    let (mut alice, mut bob) = friends(&village).await;
    let mut carol = Person::online(&village, "carol").await;
    block(&mut alice, "village.example").await;
    bob.until(|s| s.attr("type") == Some("unavailable")).await;
    let mut second = Person::online(&village, "alice").await;
    let firsts = alice.jid.to_string();
    second.until(|s| s.attr("from") == Some(firsts.as_str())).await;
    second.ask("get", "", "<query xmlns='jabber:iq:roster'/>").await;
    second.send(&format!("<message to='{firsts}' id='own'/>")).await;
    alice.until(|s| s.attr("id") == Some("own")).await;
    nothing_but_a_mark(&mut bob, &mut carol).await;
    second.ask("get", "village.example", "<query xmlns='http://jabber.org/protocol/disco#info'/>").await;
}

#[tokio::test]
async fn every_session_that_asked_for_the_list_is_told_of_changes_and_a_block_outlives_a_restart() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut phone, mut desk) = (Person::online(&village, "alice").await, Person::online(&village, "alice").await);
    desk.ask("get", "", "<blocklist xmlns='urn:xmpp:blocking'/>").await;
    block(&mut phone, BOB).await;
    let push = desk.until(|s| s.name() == "iq" && s.attr("type") == Some("set")).await;
    let block = push.get_child("block", "urn:xmpp:blocking").unwrap();
    assert_eq!(block.children().map(|item| item.attr("jid")).collect::<Vec<_>>(), [Some(BOB)]);
    assert_eq!(push.attr("from"), None);
    phone.ask("set", "", "<unblock xmlns='urn:xmpp:blocking'/>").await;
    let push = desk.until(|s| s.name() == "iq" && s.attr("type") == Some("set")).await;
    assert!(push.get_child("unblock", "urn:xmpp:blocking").unwrap().children().next().is_none());
    self::block(&mut phone, BOB).await;
    drop((phone, desk));
    let dir = village.stop().await;
    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let mut bob = Person::online(&village, "bob").await;
    bob.send(&format!("<message to='{ALICE}' type='chat'><body>still?</body></message>")).await;
    assert_eq!(condition(&bob.message().await).1, "service-unavailable");
    let mut alice = Person::online(&village, "alice").await;
    let list = alice.ask("get", "", "<blocklist xmlns='urn:xmpp:blocking'/>").await;
    assert_eq!(list.get_child("blocklist", "urn:xmpp:blocking").unwrap().children().count(), 1);
}

#[tokio::test]
async fn who_blocks_a_place_they_showed_themselves_to_leaves_it() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    let bobs = bob.jid.to_string();
    alice.send(&format!("<presence to='{bobs}'/>")).await;
    bob.until(|s| s.name() == "presence" && s.attr("from") == Some(alice.jid.to_string().as_str())).await;
    block(&mut alice, &bobs).await;
    assert_eq!(bob.next().await.attr("type"), Some("unavailable"));
    alice.send(&format!("<message to='{BOB}' type='chat'><body>the account is not blocked</body></message>")).await;
    assert_eq!(bocage_tests::text(&bob.message().await), "the account is not blocked");
}

#[tokio::test]
async fn switched_off_lists_take_no_effect() {
    let village = Village::with("[modules]\noff = [\"blocking\"]\n", &["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let answer = alice.ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='x.example'/></block>").await;
    assert_eq!(condition(&answer).1, "service-unavailable");
}
