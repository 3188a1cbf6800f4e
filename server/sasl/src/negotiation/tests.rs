//! Whole logins in both profiles, every refusal, and the walk of an account that does not exist beside one that does.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use jid::{Jid, NodePart};
use minidom::Element;
use proptest::prelude::*;

use super::*;
use crate::{
    AccountMechanisms, HostFacts, Inline, ScramSha1, Shape, ns,
    testing::{self, Client, counter},
};

const SASL1: &str = ns::SASL;

fn connection() -> Connection {
    Connection { tls: TlsVersion::V1_3, bindings: testing::bindings(), claim: None }
}

fn negotiation() -> Negotiation {
    Negotiation::new(Arc::new(testing::host()), connection())
}

fn keys() -> Credentials {
    Credentials::derive(&"pencil".into(), 4, ScramSha1::On, &counter()).unwrap()
}

fn element(xml: &str) -> Element {
    xml.parse().unwrap()
}

fn auth(mechanism: &str, text: &str) -> Element {
    element(&format!("<auth xmlns='{SASL1}' mechanism='{mechanism}'>{text}</auth>"))
}

fn b64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

fn response(flavour: Flavour, text: &str) -> Element {
    Element::builder("response", flavour.ns()).append(b64(text)).build()
}

fn open(flavour: Flavour, mechanism: Mechanism, first: &str, inline: &str) -> Element {
    let (name, data) = (mechanism.name(), b64(first));
    match flavour {
        Flavour::Sasl1 => auth(name, &data),
        Flavour::Sasl2 => element(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{name}'><initial-response>{data}</initial-response>{inline}</authenticate>"
        )),
    }
}

fn data(element: &Element) -> String {
    String::from_utf8(BASE64_STANDARD.decode(element.text()).unwrap()).unwrap()
}

fn sent(action: Action) -> Element {
    match action {
        Action::Send(element) => element,
        other => panic!("{other:?}"),
    }
}

fn looked_up(action: Action) -> NodePart {
    match action {
        Action::Lookup(lookup) => lookup.username,
        other => panic!("{other:?}"),
    }
}

fn failed(action: Action) -> Failed {
    match action {
        Action::Fail(failed) => *failed,
        other => panic!("{other:?}"),
    }
}

fn closed(action: Action) -> StreamFault {
    match action {
        Action::Close(fault) => fault,
        other => panic!("{other:?}"),
    }
}

/// From the opening to the last answer.
fn exchange(negotiation: &mut Negotiation, client: &mut Client, flavour: Flavour, found: Option<Credentials>) -> Action {
    let opening = open(flavour, client.mechanism, &client.first(), "");
    looked_up(negotiation.receive(opening));
    let challenge = sent(negotiation.credentials(found, &counter()));
    assert!(challenge.is("challenge", flavour.ns()));
    negotiation.receive(response(flavour, &client.last(&data(&challenge))))
}

#[test]
fn features_hold_both_profiles_the_bindings_and_bind_2() {
    let sm = element("<sm xmlns='urn:xmpp:sm:3'/>");
    let inline = Inline { sasl2: vec![sm], bind2: vec!["urn:xmpp:carbons:2".into()], tokens: TokenOffer::On };
    let host = Host { inline, ..testing::host() };
    let expected = element(
        "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>\
        <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism>\
        <mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms>\
        <authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>\
        <mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-1</mechanism><inline><bind xmlns='urn:xmpp:bind:0'>\
        <inline><feature var='urn:xmpp:carbons:2'/></inline></bind><sm xmlns='urn:xmpp:sm:3'/><fast xmlns='urn:xmpp:fast:0'>\
        <mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-ENDP</mechanism></fast></inline></authentication>\
        <sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>\
        <channel-binding type='tls-server-end-point'/></sasl-channel-binding></stream:features>",
    );
    assert_eq!(Negotiation::new(Arc::new(host), connection()).features(), expected);
}

#[test]
fn every_mechanism_logs_in_by_both_profiles() {
    for mechanism in Mechanism::ALL {
        for flavour in [Flavour::Sasl1, Flavour::Sasl2] {
            let mut client = Client::new(mechanism, "alice", "pencil");
            let Action::Authenticated(done) = exchange(&mut negotiation(), &mut client, flavour, Some(keys())) else {
                panic!("{mechanism:?} {flavour:?}");
            };
            assert_eq!((done.username.as_str(), done.method, done.flavour), ("alice", Method::Password(mechanism), flavour));
            let identity = Jid::new("alice@example.org").unwrap();
            let success = done.success(Granted { identity, bound: None, inline: Vec::new() });
            assert!(success.is("success", flavour.ns()));
            let proof = success.get_child("additional-data", ns::SASL2).unwrap_or(&success);
            assert!(client.believes(&data(proof)));
        }
    }
}

#[test]
fn sasl2_carries_user_agent_bind_and_what_it_does_not_know() {
    let mut negotiation = negotiation();
    let mut client = Client::new(Mechanism::ScramSha256Plus, "alice", "pencil");
    let inline = "<user-agent id='D4565FA7-4d72-4749-b3d3-740edbf87770'><software>S</software><device>D</device></user-agent>\
        <bind xmlns='urn:xmpp:bind:0'><tag>T</tag><enable xmlns='urn:xmpp:carbons:2'/></bind><resume xmlns='urn:xmpp:sm:3'/>\
        <unknown xmlns='urn:example'/>";
    looked_up(negotiation.receive(open(Flavour::Sasl2, client.mechanism, &client.first(), inline)));
    let challenge = data(&sent(negotiation.credentials(Some(keys()), &counter())));
    let Action::Authenticated(done) = negotiation.receive(response(Flavour::Sasl2, &client.last(&challenge))) else {
        panic!();
    };
    let agent = done.user_agent.clone().unwrap();
    assert_eq!(agent.id.as_deref(), Some("d4565fa7-4d72-4749-b3d3-740edbf87770"));
    assert_eq!((agent.software.as_deref(), agent.device.as_deref()), (Some("S"), Some("D")));
    let bind = done.bind.clone().unwrap();
    assert_eq!((bind.tag.as_deref(), bind.inline.len()), (Some("T"), 1));
    assert_eq!(done.inline.iter().map(Element::name).collect::<Vec<_>>(), ["resume", "unknown"]);
    let identity = Jid::new("alice@example.org/T/x").unwrap();
    let failed = element("<failed xmlns='urn:xmpp:sm:3'/>");
    let success = done.success(Granted { identity, bound: Some(Vec::new()), inline: vec![failed] });
    let names: Vec<_> = success.children().map(|child| (child.name().to_owned(), child.ns())).collect();
    let expected = [
        ("additional-data", ns::SASL2),
        ("authorization-identifier", ns::SASL2),
        ("failed", "urn:xmpp:sm:3"),
        ("bound", ns::BIND2),
    ];
    assert_eq!(names, expected.map(|(name, ns)| (name.to_owned(), ns.to_owned())));
    assert_eq!(success.get_child("authorization-identifier", ns::SASL2).unwrap().text(), "alice@example.org/T/x");
    assert_eq!(closed(negotiation.receive(open(Flavour::Sasl2, client.mechanism, "", ""))), StreamFault::PolicyViolation);
}

#[test]
fn a_sasl2_client_may_leave_everything_optional_out() {
    let mut negotiation = negotiation();
    let bare = element("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1'/>");
    assert_eq!(sent(negotiation.receive(bare)), Element::bare("challenge", ns::SASL2));
    let mut client = Client::new(Mechanism::ScramSha1, "alice", "pencil");
    looked_up(negotiation.receive(response(Flavour::Sasl2, &client.first())));
    let challenge = data(&sent(negotiation.credentials(Some(keys()), &counter())));
    let done = negotiation.receive(response(Flavour::Sasl2, &client.last(&challenge)));
    assert!(matches!(done, Action::Authenticated(done) if done.user_agent.is_none() && done.bind.is_none()));
}

#[test]
fn sasl1_without_initial_response_is_asked_for_it_but_an_equals_sign_is_empty() {
    let mut negotiation = negotiation();
    sent(negotiation.receive(auth("SCRAM-SHA-256", "")));
    looked_up(negotiation.receive(response(Flavour::Sasl1, "n,,n=alice,r=x")));
    let empty = failed(self::negotiation().receive(auth("SCRAM-SHA-256", "=")));
    assert_eq!(empty.condition, Condition::MalformedRequest);
}

#[test]
fn openings_are_refused_by_the_exact_condition() {
    use Condition::*;
    for (mechanism, first, condition) in [
        ("NO-SUCH", "n,,n=a,r=b", InvalidMechanism),
        ("PLAIN", "\0a\0b", InvalidMechanism),
        ("scram-sha-1", "n,,n=a,r=b", InvalidMechanism),
        ("", "n,,n=a,r=b", InvalidMechanism),
        ("SCRAM-SHA-1", "y,,n=a,r=b", NotAuthorized),
        ("SCRAM-SHA-1", "p=tls-exporter,,n=a,r=b", MalformedRequest),
        ("SCRAM-SHA-1-PLUS", "n,,n=a,r=b", MalformedRequest),
        ("SCRAM-SHA-1-PLUS", "p=tls-unique,,n=a,r=b", MalformedRequest),
        ("SCRAM-SHA-1", "n,,m=x,n=a,r=b", MalformedRequest),
        ("SCRAM-SHA-1", "n,a=b@example.org,n=a,r=b", InvalidAuthzid),
        ("SCRAM-SHA-1", "n,a=a@other.example,n=a,r=b", InvalidAuthzid),
        ("SCRAM-SHA-1", "n,a=a@example.org/x,n=a,r=b", InvalidAuthzid),
        ("SCRAM-SHA-1", "n,a=a,n=a,r=b", InvalidAuthzid),
        ("SCRAM-SHA-1", "n,a=a@b@example.org,n=a@b,r=b", InvalidAuthzid),
    ] {
        for opening in [
            auth(mechanism, &b64(first)),
            element(&format!(
                "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'><initial-response>{}</initial-response></authenticate>",
                b64(first)
            )),
        ] {
            let failed = failed(negotiation().receive(opening.clone()));
            assert_eq!(failed.condition, condition, "{mechanism} {first}");
            assert!(failed.send.is("failure", opening.ns().as_str()) && failed.send.has_child(condition.name(), ns::SASL));
            assert_eq!((failed.close, failed.guessed), (None, None));
        }
    }
    assert_eq!(failed(negotiation().receive(auth("SCRAM-SHA-1", "!!!"))).condition, IncorrectEncoding);
    let missing = element("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    assert_eq!(failed(negotiation().receive(missing)).condition, InvalidMechanism);
}

#[test]
fn broken_sasl2_requests_are_malformed() {
    let two = "<bind xmlns='urn:xmpp:bind:0'/><bind xmlns='urn:xmpp:bind:0'/>".to_owned();
    let many = "<x xmlns='urn:example'/>".repeat(17);
    for inline in [two.as_str(), many.as_str(), "text", "<bind xmlns='urn:xmpp:bind:0'>text</bind>"] {
        let opening = open(Flavour::Sasl2, Mechanism::ScramSha1, "n,,n=a,r=b", inline);
        assert_eq!(failed(negotiation().receive(opening)).condition, Condition::MalformedRequest, "{inline}");
    }
}

#[test]
fn an_agent_id_that_is_no_uuid_is_dropped_and_texts_are_cut() {
    let long = "ä".repeat(500);
    let inline = format!("<user-agent id='me'><software>{long}</software><device/></user-agent>");
    let opening = open(Flavour::Sasl2, Mechanism::ScramSha1, "n,,n=a,r=b", &inline);
    let (request, _) = Request::parse(Flavour::Sasl2, opening, &Mechanism::ALL).ok().unwrap();
    let proven = scram::Proven { server_final: String::new(), client_key: client_key() };
    let agent = request.of(NodePart::new("a").unwrap().into_owned()).authenticated(proven).unwrap().user_agent.unwrap();
    assert_eq!((agent.id, agent.device), (None, None));
    assert_eq!(agent.software.unwrap().chars().count(), 128);
}

fn client_key() -> crate::ClientKey {
    let mut client = Client::new(Mechanism::ScramSha1, "alice", "pencil");
    match exchange(&mut negotiation(), &mut client, Flavour::Sasl1, Some(keys())) {
        Action::Authenticated(done) => done.client_key.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_authzid_is_the_own_bare_jid_after_preparation_and_agrees_with_the_header() {
    let own = "n,a=ALICE@Example.ORG,n=Alice,r=b";
    looked_up(negotiation().receive(auth("SCRAM-SHA-1", &b64(own))));
    let claimed = |name: &str| {
        let username = NodePart::new(name).unwrap().into_owned();
        let claim = Some(Claim { username, account: Some(AccountMechanisms::Both) });
        Negotiation::new(Arc::new(testing::host()), Connection { claim, ..connection() })
    };
    looked_up(claimed("alice").receive(auth("SCRAM-SHA-1", &b64(own))));
    assert_eq!(failed(claimed("bob").receive(auth("SCRAM-SHA-1", &b64(own)))).condition, Condition::InvalidAuthzid);
}

#[test]
fn spellings_of_a_name_are_one_account() {
    for spelling in ["ALICE", "ａｌｉｃｅ", "ＡＬＩＣＥ", "alice"] {
        let mut negotiation = negotiation();
        let mut client = Client::new(Mechanism::ScramSha256, spelling, "pencil");
        assert_eq!(looked_up(negotiation.receive(auth("SCRAM-SHA-256", &b64(&client.first())))).as_str(), "alice");
        let challenge = data(&sent(negotiation.credentials(Some(keys()), &counter())));
        let done = negotiation.receive(response(Flavour::Sasl1, &client.last(&challenge)));
        assert!(matches!(done, Action::Authenticated(done) if done.username.as_str() == "alice"));
    }
}

/// What a stranger sees of one attempt with a wrong password.
fn seen(username: &str, found: Option<Credentials>, mechanism: Mechanism) -> (usize, u32, Element, bool) {
    let mut negotiation = negotiation();
    let mut client = Client::new(mechanism, username, "wrong");
    looked_up(negotiation.receive(auth(mechanism.name(), &b64(&client.first()))));
    let challenge = data(&sent(negotiation.credentials(found, &counter())));
    let value = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let salt = BASE64_STANDARD.decode(value("s=")).unwrap().len();
    let iterations = value("i=").parse().unwrap();
    let failed = failed(negotiation.receive(response(Flavour::Sasl1, &client.last(&challenge))));
    (salt, iterations, failed.send, failed.guessed.is_some())
}

#[test]
fn who_does_not_exist_walks_the_same_steps() {
    let usual = Credentials::derive(&"pencil".into(), crate::DEFAULT_ITERATIONS, ScramSha1::On, &counter()).unwrap();
    for mechanism in Mechanism::ALL {
        let real = seen("alice", Some(usual.clone()), mechanism);
        assert_eq!(real.2.children().count(), 1, "a condition and no text");
        for ghost in ["ghost", "gh@st", "a b", "\u{7}", "/", "é\u{338}", &"x".repeat(1100)] {
            assert_eq!(seen(ghost, None, mechanism), real, "{ghost:?}");
        }
        let other_kind = match mechanism.hash() {
            crate::HashFunction::Sha1 => Credentials { sha1: None, ..usual.clone() },
            crate::HashFunction::Sha256 => Credentials { sha256: None, ..usual.clone() },
        };
        assert_eq!(seen("alice", Some(other_kind), mechanism), real, "an account without such keys");
    }
}

#[test]
fn a_name_that_cannot_be_never_logs_in_even_if_the_store_finds_something() {
    let mut client = Client::new(Mechanism::ScramSha1, "a@b", "pencil");
    let last = exchange(&mut negotiation(), &mut client, Flavour::Sasl1, Some(keys()));
    assert_eq!(failed(last).condition, Condition::NotAuthorized);
}

#[test]
fn h49_fake_salts_are_the_same_on_every_stream() {
    let salt = || {
        let mut negotiation = negotiation();
        looked_up(negotiation.receive(auth("SCRAM-SHA-1", &b64("n,,n=ghost,r=b"))));
        data(&sent(negotiation.credentials(None, &counter()))).split(',').nth(1).map(str::to_owned)
    };
    assert_eq!(salt(), salt());
}

#[test]
fn h41_the_challenge_signs_what_this_stream_offered() {
    let claim = Claim { username: NodePart::new("old").unwrap().into_owned(), account: Some(AccountMechanisms::Sha1Only) };
    let connection = Connection { tls: TlsVersion::V1_3, claim: Some(claim), bindings: testing::bindings() };
    let mut negotiation = Negotiation::new(Arc::new(testing::host()), connection);
    assert_eq!(negotiation.offered(), [Mechanism::ScramSha1Plus, Mechanism::ScramSha1]);
    looked_up(negotiation.receive(auth("SCRAM-SHA-1", &b64("n,,n=old,r=b"))));
    let challenge = data(&sent(negotiation.credentials(Some(keys()), &counter())));
    assert!(challenge.ends_with(",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304"), "{challenge}");
}

#[test]
fn a_mechanism_that_the_stream_did_not_offer_is_invalid() {
    let facts = HostFacts::new([(Shape::usual(AccountMechanisms::Sha1Only, 4096), 1)]);
    let mut negotiation = Negotiation::new(Arc::new(Host { facts, ..testing::host() }), connection());
    let failed = failed(negotiation.receive(auth("SCRAM-SHA-256", &b64("n,,n=a,r=b"))));
    assert_eq!(failed.condition, Condition::InvalidMechanism);
}

#[test]
fn sasl1_takes_disorder_as_failures_and_three_close_the_stream() {
    let mut negotiation = negotiation();
    let first = failed(negotiation.receive(response(Flavour::Sasl1, "x")));
    assert_eq!((first.condition, first.close), (Condition::MalformedRequest, None));
    looked_up(negotiation.receive(auth("SCRAM-SHA-1", &b64("n,,n=a,r=b"))));
    sent(negotiation.credentials(None, &counter()));
    let second = failed(negotiation.receive(auth("SCRAM-SHA-1", &b64("n,,n=a,r=b"))));
    assert_eq!((second.condition, second.close), (Condition::MalformedRequest, None));
    looked_up(negotiation.receive(auth("SCRAM-SHA-1", &b64("n,,n=a,r=b"))));
    sent(negotiation.credentials(None, &counter()));
    let third = failed(negotiation.receive(element("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")));
    assert_eq!((third.condition, third.close), (Condition::Aborted, Some(StreamFault::PolicyViolation)));
    assert_eq!(closed(negotiation.receive(auth("SCRAM-SHA-1", ""))), StreamFault::PolicyViolation);
}

#[test]
fn three_wrong_passwords_close_and_name_the_account_for_the_throttle() {
    let mut negotiation = negotiation();
    for attempt in 1..=3 {
        let mut client = Client::new(Mechanism::ScramSha256, "Alice", "wrong");
        let failed = failed(exchange(&mut negotiation, &mut client, Flavour::Sasl2, Some(keys())));
        assert_eq!(failed.guessed.unwrap().as_str(), "alice");
        assert_eq!(failed.close.is_some(), attempt == 3);
    }
}

#[test]
fn a_failure_leaves_the_stream_as_it_was() {
    let mut negotiation = negotiation();
    let wrong =
        exchange(&mut negotiation, &mut Client::new(Mechanism::ScramSha256, "alice", "wrong"), Flavour::Sasl2, Some(keys()));
    assert_eq!(failed(wrong).condition, Condition::NotAuthorized);
    let right =
        exchange(&mut negotiation, &mut Client::new(Mechanism::ScramSha1Plus, "alice", "pencil"), Flavour::Sasl1, Some(keys()));
    assert!(matches!(right, Action::Authenticated(_)));
}

#[test]
fn sasl2_takes_disorder_as_the_end() {
    let foreign = [
        "<message xmlns='jabber:client'/>",
        "<next xmlns='urn:xmpp:sasl:2'/>",
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    ];
    for xml in foreign {
        let mut negotiation = negotiation();
        looked_up(negotiation.receive(open(Flavour::Sasl2, Mechanism::ScramSha1, "n,,n=a,r=b", "")));
        sent(negotiation.credentials(None, &counter()));
        assert_eq!(closed(negotiation.receive(element(xml))), StreamFault::PolicyViolation, "{xml}");
    }
    let mut negotiation = negotiation();
    looked_up(negotiation.receive(open(Flavour::Sasl2, Mechanism::ScramSha1, "n,,n=a,r=b", "")));
    sent(negotiation.credentials(None, &counter()));
    let abort = element("<abort xmlns='urn:xmpp:sasl:2'><text>no</text></abort>");
    assert_eq!(failed(negotiation.receive(abort)).condition, Condition::Aborted);
}

#[test]
fn stanzas_before_authentication_close_the_stream() {
    for xml in
        ["<message xmlns='jabber:client'/>", "<iq xmlns='jabber:client'/>", "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"]
    {
        assert_eq!(closed(negotiation().receive(element(xml))), StreamFault::NotAuthorized);
    }
}

#[test]
fn the_throttle_answers_before_anything_is_known_of_the_account() {
    let mut negotiation = negotiation();
    looked_up(negotiation.receive(auth("SCRAM-SHA-1", &b64("n,,n=a,r=b"))));
    let failed = failed(negotiation.throttled());
    assert_eq!((failed.condition, failed.guessed), (Condition::TemporaryAuthFailure, None));
    assert_eq!(closed(negotiation.throttled()), StreamFault::InternalServerError);
    assert_eq!(closed(self::negotiation().credentials(None, &counter())), StreamFault::InternalServerError);
}

fn with_tokens() -> Negotiation {
    let inline = Inline { tokens: TokenOffer::On, ..Inline::default() };
    Negotiation::new(Arc::new(Host { inline, ..testing::host() }), connection())
}

const AGENT: &str = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>S</software></user-agent>";

fn token_login(mechanism: &str, more: &str) -> Element {
    let data = BASE64_STANDARD.encode([b"alice\0".as_slice(), &[7; 32]].concat());
    element(&format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'><initial-response>{data}</initial-response>{more}</authenticate>"
    ))
}

#[test]
fn a_token_that_is_right_logs_in_with_all_that_was_asked_for() {
    let mut negotiation = with_tokens();
    let more = format!(
        "{AGENT}<fast xmlns='urn:xmpp:fast:0'/><bind xmlns='urn:xmpp:bind:0'/><resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>"
    );
    let Action::Token(attempt) = negotiation.receive(token_login("HT-SHA-256-EXPR", &more)) else { panic!("no token") };
    assert_eq!((attempt.username.as_str(), attempt.client.0.as_str()), ("alice", "d4565fa7-4d72-4749-b3d3-740edbf87770"));
    let redeemed = Redeemed { answer: vec![1, 2, 3], replace: None };
    let Action::Authenticated(done) = negotiation.redeemed(Ok(redeemed)) else { panic!("not in") };
    assert_eq!((done.method, done.inline.len(), done.bind.is_some()), (Method::Token(None), 1, true));
    let success = done.success(Granted { identity: "alice@example.org".parse().unwrap(), bound: None, inline: Vec::new() });
    assert_eq!(success.get_child("additional-data", ns::SASL2).unwrap().text(), BASE64_STANDARD.encode([1, 2, 3]));
}

#[test]
fn h41_a_token_without_a_channel_or_a_client_is_none() {
    let fast = "<fast xmlns='urn:xmpp:fast:0'/>";
    let condition = |mechanism: &str, more: &str| failed(with_tokens().receive(token_login(mechanism, more))).condition;
    assert_eq!(condition("HT-SHA-256-NONE", &format!("{AGENT}{fast}")), Condition::InvalidMechanism);
    assert_eq!(condition("HT-SHA-256-EXPR", fast), Condition::MalformedRequest);
    assert_eq!(condition("HT-SHA-256-EXPR", AGENT), Condition::MalformedRequest);
    let bare = Connection { bindings: Bindings::default(), ..connection() };
    let inline = Inline { tokens: TokenOffer::On, ..Inline::default() };
    let mut unbound = Negotiation::new(Arc::new(Host { inline, ..testing::host() }), bare);
    assert!(
        !unbound
            .features()
            .get_child("authentication", ns::SASL2)
            .unwrap()
            .get_child("inline", ns::SASL2)
            .unwrap()
            .has_child("fast", ns::FAST)
    );
    assert_eq!(
        failed(unbound.receive(token_login("HT-SHA-256-EXPR", &format!("{AGENT}{fast}")))).condition,
        Condition::InvalidMechanism
    );
    assert_eq!(
        failed(negotiation().receive(token_login("HT-SHA-256-EXPR", &format!("{AGENT}{fast}")))).condition,
        Condition::InvalidMechanism
    );
}

#[test]
fn a_token_that_is_wrong_counts_as_a_guess_and_one_that_is_old_asks_for_the_password() {
    let login = || token_login("HT-SHA-256-EXPR", &format!("{AGENT}<fast xmlns='urn:xmpp:fast:0' count='1'/>"));
    let mut negotiation = with_tokens();
    assert!(matches!(negotiation.receive(login()), Action::Token(_)));
    let wrong = failed(negotiation.redeemed(Err(TokenError::Wrong)));
    assert_eq!((wrong.condition, wrong.guessed.as_ref().map(|name| name.as_str())), (Condition::NotAuthorized, Some("alice")));
    assert!(matches!(negotiation.receive(login()), Action::Token(_)));
    let old = failed(negotiation.redeemed(Err(TokenError::Expired)));
    assert_eq!((old.condition, old.guessed), (Condition::CredentialsExpired, None));
    let mut client = Client::new(Mechanism::ScramSha256, "alice", "pencil");
    assert!(matches!(exchange(&mut negotiation, &mut client, Flavour::Sasl2, Some(keys())), Action::Authenticated(_)));
}

proptest! {
    #[test]
    fn nothing_but_the_password_logs_in(
        steps in prop::collection::vec((0_u8..6, "[ -~é]{0,20}", "(n|y|p=tls-exporter),(a=[a-z@]{0,5})?,n=[a-zA-Z@é=]{1,6},r=[!-~]{1,8}"), 1..12)
    ) {
        let mut negotiation = negotiation();
        for (kind, noise, first) in steps {
            let flavour = if kind % 2 == 0 { Flavour::Sasl1 } else { Flavour::Sasl2 };
            let action = match kind {
                0 | 1 => negotiation.receive(open(flavour, Mechanism::ScramSha1, &first, "")),
                2 | 3 => negotiation.receive(response(flavour, &noise)),
                _ => negotiation.receive(Element::builder("response", flavour.ns()).append(noise).build()),
            };
            match action {
                Action::Lookup(_) => prop_assert!(matches!(negotiation.credentials(Some(keys()), &counter()), Action::Send(_))),
                Action::Authenticated(_) => prop_assert!(false),
                Action::Close(_) => break,
                _ => {}
            }
        }
    }
}
