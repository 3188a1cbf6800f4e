//! Several devices of one account: copies (XEP-0280), and clients that nobody looks at (XEP-0352).

use bocage_tests::{Person, Raw, Village, text};

const CARBONS: &str = "urn:xmpp:carbons:2";

async fn copied(village: &Village, name: &str, resource: &str, presence: &str) -> Person {
    let mut person = Person::login_as(village, name, resource).await;
    let answer = person.ask("set", "", "<enable xmlns='urn:xmpp:carbons:2'/>").await;
    assert_eq!(answer.attr("type"), Some("result"));
    person.send(presence).await;
    person.settle().await;
    person
}

/// What is in a copy, if it is one, with its direction.
fn inside(message: &minidom::Element) -> Option<(String, minidom::Element)> {
    let wrapper = message.children().find(|child| child.has_ns(CARBONS) && child.name() != "private")?;
    let message = wrapper.get_child("forwarded", "urn:xmpp:forward:0")?.get_child("message", "jabber:client")?;
    Some((wrapper.name().to_owned(), message.clone()))
}

/// The name of the newest row in somebody's archive.
async fn last(village: &Village, name: &str) -> String {
    let owner = village.bare(name).parse().unwrap();
    village.running.stores().archive.bounds(&owner).await.unwrap().expect("rows").1.id.to_string()
}

#[tokio::test]
async fn other_devices_get_what_one_sends_and_gets_once() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let mut phone = copied(&village, "bob", "phone", "<presence/>").await;
    let mut desk = copied(&village, "bob", "desk", "<presence/>").await;
    let mut silent = copied(&village, "bob", "silent", "<presence><priority>-1</priority></presence>").await;
    alice.send(&format!("<message to='{}' type='chat' id='1'><body>to the phone</body></message>", phone.jid)).await;
    assert_eq!(text(&phone.message().await), "to the phone");
    for device in [&mut desk, &mut silent] {
        let copy = device.message().await;
        assert_eq!((copy.attr("from"), copy.attr("type")), (Some("bob@village.example"), Some("chat")));
        assert_eq!(copy.attr("to"), Some(device.jid.to_string().as_str()));
        let (direction, message) = inside(&copy).expect("a copy");
        assert_eq!((direction.as_str(), text(&message).as_str()), ("received", "to the phone"));
        assert_eq!(message.attr("to"), Some(phone.jid.to_string().as_str()));
    }
    alice.send("<message to='bob@village.example' type='chat' id='2'><body>to all</body></message>").await;
    assert_eq!((text(&phone.message().await), text(&desk.message().await)), ("to all".to_owned(), "to all".to_owned()));
    assert_eq!(inside(&silent.message().await).expect("a copy").0, "received");
    phone.send("<message to='alice@village.example' type='chat' id='3'><body>from the phone</body></message>").await;
    for device in [&mut desk, &mut silent] {
        let (direction, message) = inside(&device.message().await).expect("a copy");
        assert_eq!((direction.as_str(), text(&message).as_str()), ("sent", "from the phone"));
        let named = message.get_child("stanza-id", "urn:xmpp:sid:0").expect("its name in the archive of bob");
        assert_eq!(
            (named.attr("by"), named.attr("id")),
            (Some("bob@village.example"), Some(last(&village, "bob").await.as_str()))
        );
        assert_eq!(message.children().filter(|child| child.name() == "stanza-id").count(), 1, "and no other");
        assert_eq!(message.attr("from"), Some(phone.jid.to_string().as_str()));
    }
    alice.send(&format!("<message to='{}' type='chat'><body>end</body></message>", phone.jid)).await;
    assert_eq!(text(&phone.message().await), "end", "who sent it gets no copy");
}

#[tokio::test]
async fn private_messages_and_those_of_rooms_are_not_copied_but_errors_of_copied_ones_are() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let mut phone = copied(&village, "bob", "phone", "<presence/>").await;
    let mut desk = copied(&village, "bob", "desk", "<presence/>").await;
    for private in ["<private xmlns='urn:xmpp:carbons:2'/>", "<no-copy xmlns='urn:xmpp:hints'/>"] {
        alice.send(&format!("<message to='{}' type='chat'><body>b</body>{private}</message>", phone.jid)).await;
        phone.send(&format!("<message to='{}' type='chat'><body>b</body>{private}</message>", alice.jid)).await;
    }
    phone.send(&format!("<message to='{}' type='groupchat' id='g'><body>b</body></message>", alice.jid)).await;
    phone.send("<message to='nobody@nowhere.village.example' type='chat' id='lost'><body>lost</body></message>").await;
    let (direction, message) = inside(&desk.message().await).expect("a copy");
    assert_eq!((direction.as_str(), message.attr("id")), ("sent", Some("lost")));
    let (direction, message) = inside(&desk.message().await).expect("a copy of the error");
    assert_eq!((direction.as_str(), message.attr("id"), message.attr("type")), ("received", Some("lost"), Some("error")));
    let answer = desk.ask("set", "", "<disable xmlns='urn:xmpp:carbons:2'/>").await;
    assert_eq!(answer.attr("type"), Some("result"));
    alice.send(&format!("<message to='{}' type='chat'><body>b</body></message>", phone.jid)).await;
    alice.send(&format!("<message to='{}' type='chat'><body>mark</body></message>", desk.jid)).await;
    assert_eq!(text(&desk.message().await), "mark");
}

#[tokio::test]
async fn what_one_says_to_oneself_comes_as_it_is() {
    let village = Village::of(&["bob"]).await;
    let mut phone = copied(&village, "bob", "phone", "<presence/>").await;
    let mut desk = copied(&village, "bob", "desk", "<presence/>").await;
    phone.send("<message to='bob@village.example' type='chat'><body>note</body></message>").await;
    phone.send("<message to='bob@village.example' type='chat'><body>mark</body></message>").await;
    for device in [&mut phone, &mut desk] {
        assert_eq!((text(&device.message().await), text(&device.message().await)), ("note".to_owned(), "mark".to_owned()));
    }
}

#[tokio::test]
async fn a_copy_is_not_handed_on_when_its_device_is_lost_nor_the_message_that_others_have_a_copy_of() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let mut desk = copied(&village, "bob", "desk", "<presence/>").await;
    let (mut phone, _) = Raw::login(
        &village,
        "bob",
        "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3'/><enable xmlns='urn:xmpp:carbons:2'/></bind>",
    )
    .await;
    phone.until("</stream:features>").await;
    phone.send("<presence/>").await;
    let resource = phone.resource().await;
    alice.send(&format!("<message to='bob@village.example/{resource}' type='chat'><body>once</body></message>")).await;
    phone.until("once").await;
    alice.send(&format!("<message to='{}' type='chat'><body>for the desk</body></message>", desk.jid)).await;
    phone.until("for the desk").await;
    phone.cut().await;
    assert_eq!(text(&inside(&desk.message().await).expect("a copy").1), "once");
    assert_eq!(text(&desk.message().await), "for the desk");
    desk.until(|stanza| stanza.name() == "presence" && stanza.attr("type") == Some("unavailable")).await;
    alice.send(&format!("<message to='{}' type='chat'><body>mark</body></message>", desk.jid)).await;
    assert_eq!(text(&desk.message().await), "mark", "nothing comes twice");
    let held = village.running.stores().archive.held(&"bob@village.example".parse().unwrap(), 0, 9).await.unwrap();
    assert!(held.is_empty(), "{held:?}");
}

#[tokio::test]
async fn a_client_that_nobody_looks_at_is_told_of_what_matters_and_of_the_rest_before_it() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let (mut bob, _) =
        Raw::login(&village, "bob", "<bind xmlns='urn:xmpp:bind:0'><inactive xmlns='urn:xmpp:csi:0'/></bind>").await;
    assert!(bob.until("</stream:features>").await.contains("<csi xmlns='urn:xmpp:csi:0'/>"));
    bob.send("<presence/>").await;
    let state = |state: &str, id: u32| {
        format!(
            "<message to='bob@village.example' type='chat' id='s{id}'><{state} xmlns='http://jabber.org/protocol/chatstates'/></message>"
        )
    };
    bob.resource().await;
    alice.send(&state("composing", 1)).await;
    alice.settle().await;
    bob.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    assert!(!bob.until("id='p'").await.contains("composing"), "it waits");
    alice.send(&state("paused", 2)).await;
    alice.send("<message to='bob@village.example' type='chat'><body>words</body></message>").await;
    let got = bob.until("words").await;
    let places: Vec<_> = ["<presence", "composing", "paused", "words"].iter().map(|what| got.find(what)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{got}");
    alice.send(&state("active", 3)).await;
    alice.settle().await;
    bob.send("<active xmlns='urn:xmpp:csi:0'/><iq type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    assert!(bob.until("id='q'").await.contains("<active "), "before the answer to what was asked behind it");
}
