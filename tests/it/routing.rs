//! RFC 6121 section 8.5, row by row: what becomes of a stanza for a full JID, a bare JID, nobody, and the server.

use bocage_tests::{Person, Village, text};

async fn error_of(sender: &mut Person, id: &str) -> String {
    let answer = sender.until(|s| s.attr("id") == Some(id) && s.attr("type") == Some("error")).await;
    let error = answer.get_child("error", "jabber:client").unwrap();
    error.children().next().unwrap().name().to_owned()
}

#[tokio::test]
async fn two_people_chat_and_from_is_stamped() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&format!("<message to='{}' type='chat' id='1'><body>salut</body></message>", bob.jid)).await;
    let got = bob.message().await;
    assert_eq!((text(&got).as_str(), got.attr("from")), ("salut", Some(alice.jid.to_string().as_str())));
    bob.send(&format!("<message to='{}' type='chat'><body>ça va</body></message>", village.bare("alice"))).await;
    assert_eq!(text(&alice.message().await), "ça va");
}

#[tokio::test]
async fn a_bare_jid_reaches_all_who_want_it_and_nobody_else() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let mut phone = Person::login_as(&village, "bob", "phone").await;
    let mut desk = Person::login_as(&village, "bob", "desk").await;
    let mut away = Person::login_as(&village, "bob", "away").await;
    phone.send("<presence/>").await;
    desk.send("<presence><priority>3</priority></presence>").await;
    away.send("<presence><priority>-1</priority></presence>").await;
    for person in [&mut phone, &mut desk, &mut away] {
        person.settle().await;
    }
    for kind in ["chat", "normal", "headline"] {
        alice.send(&format!("<message to='{}' type='{kind}'><body>{kind}</body></message>", village.bare("bob"))).await;
        assert_eq!(text(&phone.message().await), kind);
        assert_eq!(text(&desk.message().await), kind);
    }
    alice.send(&format!("<message to='{}' type='chat'><body>last</body></message>", away.jid)).await;
    assert_eq!(text(&away.message().await), "last", "a negative priority gets what is meant for it, and only that");
}

#[tokio::test]
async fn groupchat_never_reaches_an_account() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, _bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&format!("<message to='{}' type='groupchat' id='g'><body>x</body></message>", village.bare("bob"))).await;
    assert_eq!(error_of(&mut alice, "g").await, "service-unavailable");
}

#[tokio::test]
async fn a_resource_that_is_gone_falls_back_to_the_others() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    alice.send(&format!("<message to='{}/gone' type='chat'><body>still here?</body></message>", village.bare("bob"))).await;
    assert_eq!(text(&bob.message().await), "still here?");
    for kind in ["groupchat", "normal"] {
        alice
            .send(&format!("<message to='{}/gone' type='{kind}' id='{kind}'><body>x</body></message>", village.bare("bob")))
            .await;
        assert_eq!(error_of(&mut alice, kind).await, "service-unavailable");
    }
    alice.send(&format!("<iq to='{}/gone' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>", village.bare("bob"))).await;
    assert_eq!(error_of(&mut alice, "i").await, "service-unavailable");
}

#[tokio::test]
async fn h49_who_does_not_exist_answers_like_who_offers_nothing() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    for name in ["nobody", "bob"] {
        alice.send(&format!("<iq to='{}' type='get' id='{name}'><query xmlns='jabber:iq:last'/></iq>", village.bare(name))).await;
        assert_eq!(error_of(&mut alice, name).await, "service-unavailable");
    }
    alice.send("<message to='nobody@village.example' type='chat' id='m'><body>x</body></message>").await;
    assert_eq!(error_of(&mut alice, "m").await, "service-unavailable");
}

#[tokio::test]
async fn what_is_for_another_server_comes_back() {
    let village = Village::of(&["alice"]).await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send("<message to='x@elsewhere.example' type='chat' id='m'><body>x</body></message>").await;
    assert_eq!(error_of(&mut alice, "m").await, "remote-server-not-found");
}

#[tokio::test]
async fn rooms_that_nobody_made_are_not_found() {
    let village = Village::of(&["alice"]).await;
    let mut alice = Person::online(&village, "alice").await;
    alice.send("<iq to='room@salons.village.example' type='get' id='i'><query xmlns='urn:x'/></iq>").await;
    assert_eq!(error_of(&mut alice, "i").await, "item-not-found");
}

#[tokio::test]
async fn an_iq_between_sessions_and_its_answer_pass() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    bob.send(&format!("<presence to='{}'/>", alice.jid)).await;
    bob.settle().await;
    alice.send(&format!("<iq to='{}' type='get' id='q'><query xmlns='urn:x'/></iq>", bob.jid)).await;
    // tokio-xmpp hands unknown requests to its user.
    let asked = bob.until(|s| s.name() == "iq" && s.attr("id") == Some("q")).await;
    bob.send(&format!("<iq to='{}' type='result' id='q'><query xmlns='urn:x'/></iq>", asked.attr("from").unwrap())).await;
    let answer = alice.until(|s| s.attr("id") == Some("q")).await;
    assert_eq!(answer.attr("type"), Some("result"));
}

#[tokio::test]
async fn the_order_of_a_senders_messages_is_kept() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    for n in 0..300 {
        alice.send(&format!("<message to='{}' type='chat'><body>{n}</body></message>", bob.jid)).await;
    }
    for n in 0..300 {
        assert_eq!(text(&bob.message().await), n.to_string());
    }
}

#[tokio::test]
async fn h49_a_session_is_hidden_from_who_may_not_see_presence() {
    let village = Village::of(&["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    let asked = |to: String| format!("<iq to='{to}' type='get' id='i'><query xmlns='urn:x'/></iq>");
    for to in [bob.jid.to_string(), format!("{}/gone", village.bare("bob")), "nobody@village.example/r".to_owned()] {
        alice.send(&asked(to)).await;
        assert_eq!(error_of(&mut alice, "i").await, "service-unavailable");
    }
    alice.send(&format!("<message to='{}' type='chat'><body>mark</body></message>", bob.jid)).await;
    assert_eq!(bob.next().await.name(), "message", "nothing else reached bob");
}

#[tokio::test]
async fn only_the_own_server_says_yes_to_a_legacy_session() {
    let village = Village::of(&["alice", "bob"]).await;
    let mut alice = Person::online(&village, "alice").await;
    let session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    for (to, kind) in [("", "result"), ("village.example", "result"), ("bob@village.example", "error")] {
        assert_eq!(alice.ask("set", to, session).await.attr("type"), Some(kind), "{to}");
    }
}
