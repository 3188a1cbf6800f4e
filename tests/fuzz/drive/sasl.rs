//! One input, one stream. A line is an element: a verb, then the mechanism where there is one, then the SASL data as it
//! is before base64. The nonces are fixed, so an input can hold a right proof.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bocage_sasl::{
    Action, Bindings, Connection, Credentials, Decoy, Host, HostFacts, Inline, MAX_FAILURES, Negotiation, ScramSha1, StreamFault,
    TlsVersion,
};
use jid::DomainPart;
use minidom::{Element, rxml::xml_ncname};

const SASL1: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const SASL2: &str = "urn:xmpp:sasl:2";

/// How the stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The input was used up.
    Open,
    /// Alice is in.
    Authenticated,
    /// A stream error, alone or behind the last failure.
    Closed(StreamFault),
}

/// Feeds the lines of `input`; Alice's password is `pencil`, nobody else exists. With how many failures, and how it ended.
pub(crate) fn drive(input: &[u8]) -> (u8, End) {
    let Some(mut negotiation) = start() else {
        return (0, End::Open);
    };
    let mut failures = 0;
    for line in input.split(|byte| *byte == b'\n') {
        let Some(element) = element(line) else {
            continue;
        };
        let mut action = negotiation.receive(element);
        if let Action::Lookup(lookup) = &action {
            let found = (lookup.username.as_str() == "alice").then(alice).flatten();
            action = negotiation.credentials(found, &|bytes: &mut [u8]| bytes.fill(7));
        }
        match action {
            Action::Send(challenge) => assert_eq!(challenge.name(), "challenge"),
            Action::Lookup(_) => unreachable!("a look-up asks for another"),
            Action::Token(_) => unreachable!("none are offered"),
            Action::Authenticated(done) => {
                assert_eq!(done.username.as_str(), "alice");
                return (failures, End::Authenticated);
            }
            Action::Fail(failed) => {
                failures += 1;
                assert_eq!(failed.close.is_some(), failures >= MAX_FAILURES);
                if let Some(fault) = failed.close {
                    return (failures, End::Closed(fault));
                }
            }
            Action::Close(fault) => return (failures, End::Closed(fault)),
        }
    }
    (failures, End::Open)
}

fn start() -> Option<Negotiation> {
    let host = Host {
        domain: DomainPart::new("example.org").ok()?.into_owned(),
        scram_sha1: ScramSha1::On,
        decoy: Decoy::new([1; 32]),
        facts: HostFacts::default(),
        inline: Inline::default(),
        max_failures: MAX_FAILURES,
    };
    let bindings = Bindings { exporter: Some(b"EXPORTED".to_vec()), server_end_point: None };
    Some(Negotiation::new(Arc::new(host), Connection { tls: TlsVersion::V1_3, bindings, claim: None }))
}

fn alice() -> Option<Credentials> {
    Credentials::derive(&"pencil".into(), 1, ScramSha1::On, &|bytes: &mut [u8]| bytes.fill(7)).ok()
}

fn element(line: &[u8]) -> Option<Element> {
    let (verb, data) = halves(line);
    Some(match verb {
        b"auth" => {
            let (mechanism, data) = halves(data);
            opener("auth", SASL1, mechanism).append_all((!data.is_empty()).then(|| BASE64_STANDARD.encode(data))).build()
        }
        b"raw" => {
            let (mechanism, text) = halves(data);
            opener("auth", SASL1, mechanism).append(String::from_utf8_lossy(text).as_ref()).build()
        }
        b"authenticate" => {
            let (mechanism, data) = halves(data);
            let initial = Element::builder("initial-response", SASL2).append(BASE64_STANDARD.encode(data)).build();
            let bind = Element::bare("bind", "urn:xmpp:bind:0");
            opener("authenticate", SASL2, mechanism).append_all((!data.is_empty()).then_some(initial)).append(bind).build()
        }
        b"response" => Element::builder("response", SASL1).append(BASE64_STANDARD.encode(data)).build(),
        b"response2" => Element::builder("response", SASL2).append(BASE64_STANDARD.encode(data)).build(),
        b"abort" => Element::bare("abort", SASL1),
        b"abort2" => Element::bare("abort", SASL2),
        b"message" => Element::bare("message", "jabber:client"),
        _ => return None,
    })
}

fn opener(name: &str, ns: &str, mechanism: &[u8]) -> minidom::element::ElementBuilder {
    Element::builder(name, ns).attr(xml_ncname!("mechanism").into(), String::from_utf8_lossy(mechanism).as_ref())
}

/// What is before and behind the first space.
fn halves(line: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = line.splitn(2, |byte| *byte == b' ');
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}
