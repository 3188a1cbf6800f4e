//! Logging in by token (XEP-0484), and the clients of an account (XEP-0494).

use bocage_tests::{Raw, Village};

const AGENT: &str = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>S</software><device>D</device></user-agent>";
const BIND: &str = "<bind xmlns='urn:xmpp:bind:0'/>";
const FAST: &str = "<fast xmlns='urn:xmpp:fast:0'/>";
const ASK: &str = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>";

fn attribute(text: &str, element: &str, name: &str) -> Option<String> {
    let rest = text.split_once(&format!("<{element} "))?.1.split_once('>')?.0;
    Some(rest.split_once(&format!("{name}='"))?.1.split_once('\'')?.0.to_owned())
}

/// A session, and a token to come back with.
async fn with_token(village: &Village) -> (Raw, String) {
    let (mut raw, answer) = Raw::login(village, "alice", &format!("{AGENT}{ASK}{BIND}")).await;
    raw.until("</stream:features>").await;
    let token = attribute(&answer, "token", "token").expect("a token");
    assert!(attribute(&answer, "token", "expiry").unwrap().ends_with('Z') && token.len() >= 43, "{answer}");
    (raw, token)
}

async fn come_back(village: &Village, token: &str) -> (Raw, String) {
    Raw::by_token(village, ("alice", token), &format!("{AGENT}{FAST}{BIND}")).await
}

#[tokio::test]
async fn a_client_comes_back_by_its_token_and_its_earlier_session_ends() {
    let village = Village::of(&["alice"]).await;
    let (mut old, token) = with_token(&village).await;
    let (mut raw, answer) = come_back(&village, &token).await;
    assert!(answer.contains("<bound ") && !answer.contains("<token "), "{answer}");
    assert!(old.rest().await.contains("<conflict "));
    raw.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    raw.until("id='p'").await;
    let other = AGENT.replace("d4565fa7", "00000000");
    let (_, answer) = Raw::by_token(&village, ("alice", &token), &format!("{other}{FAST}{BIND}")).await;
    assert!(answer.contains("<not-authorized "), "another client: {answer}");
    let (_, answer) = Raw::by_token(&village, ("nobody", &token), &format!("{AGENT}{FAST}{BIND}")).await;
    assert!(answer.contains("<not-authorized "), "no account: {answer}");
    let give_back = "<fast xmlns='urn:xmpp:fast:0' invalidate='true'/>";
    let (_, answer) = Raw::by_token(&village, ("alice", &token), &format!("{AGENT}{give_back}{BIND}")).await;
    assert!(answer.contains("<success "), "{answer}");
    let (_, answer) = come_back(&village, &token).await;
    assert!(answer.contains("<not-authorized "), "given back: {answer}");
}

#[tokio::test]
async fn h11_a_new_password_and_the_operator_end_sessions_and_tokens() {
    let village = Village::of(&["alice"]).await;
    let alice = || village.bare("alice").parse().unwrap();
    let (mut session, token) = with_token(&village).await;
    assert!(village.running.admin().revoke(alice()).await.unwrap());
    assert!(session.rest().await.contains("<not-authorized "));
    assert!(come_back(&village, &token).await.1.contains("<not-authorized "));
    let (mut session, token) = with_token(&village).await;
    assert!(village.running.admin().set_keys(alice(), village.keys("another one")).await.unwrap());
    assert!(session.rest().await.contains("<not-authorized "));
    assert!(come_back(&village, &token).await.1.contains("<not-authorized "));
    assert!(!village.running.admin().revoke(village.bare("nobody").parse().unwrap()).await.unwrap());
}

#[tokio::test]
async fn h11_a_session_that_could_be_resumed_is_revoked_too() {
    let village = Village::of(&["alice"]).await;
    let request = "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>";
    let (raw, answer) = Raw::login(&village, "alice", request).await;
    let id = attribute(&answer, "enabled", "id").unwrap();
    raw.cut().await;
    village.running.admin().revoke(village.bare("alice").parse().unwrap()).await.unwrap();
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' h='0' previd='{id}'/>{BIND}");
    let (_, answer) = Raw::login(&village, "alice", &resume).await;
    assert!(answer.contains("<item-not-found "), "{answer}");
}

#[tokio::test]
async fn an_account_sees_its_clients_and_shuts_one_out() {
    let village = Village::of(&["alice", "bob"]).await;
    let (lost, token) = with_token(&village).await;
    lost.cut().await;
    let (mut lost, answer) = come_back(&village, &token).await;
    assert!(answer.contains("<success "), "{answer}");
    let mut desk = Raw::online(&village, "alice").await;
    desk.send("<iq type='get' id='l'><list xmlns='urn:xmpp:cam:0'/></iq>").await;
    let list = desk.until("</clients>").await;
    assert_eq!(list.matches("<client ").count(), 2, "{list}");
    let client = list.split("<client ").find(|client| client.contains("<device>D</device>")).unwrap();
    assert!(client.contains("<fast/>") && !client.contains("<password/>") && client.contains("connected='true'"), "{client}");
    let id = attribute(&format!("<client {client}"), "client", "id").unwrap();
    let mut bob = Raw::online(&village, "bob").await;
    bob.send("<iq type='get' id='l' to='alice@village.example'><list xmlns='urn:xmpp:cam:0'/></iq>").await;
    bob.until("<service-unavailable ").await;
    desk.send("<iq type='set' id='x'><revoke xmlns='urn:xmpp:cam:0' id='ffff'/></iq>").await;
    desk.until("<item-not-found ").await;
    desk.send(&format!("<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='{id}'/></iq>")).await;
    assert!(desk.until("id='r'").await.contains("type='result'") || desk.until(">").await.contains("type='result'"));
    assert!(lost.rest().await.contains("<not-authorized "));
    assert!(come_back(&village, &token).await.1.contains("<not-authorized "));
}
