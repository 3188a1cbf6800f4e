//! Each limit at its edge, and floods that must end in an error before they cost anything.
use super::*;
use crate::Condition::{self, NotWellFormed, PolicyViolation};

const SMALL: Limits = Limits { stanza_bytes: 200, depth: 4, attributes: 3, elements: 5 };

fn small(input: impl AsRef<[u8]>) -> Result<usize, Condition> {
    let mut reader = Reader::new(Content::Client, LARGE);
    let mut outcome = Outcome::default();
    drain(&mut reader, HEADER.as_bytes(), &mut outcome);
    reader.set_limits(SMALL);
    drain(&mut reader, input.as_ref(), &mut outcome);
    outcome.1.map_or(Ok(outcome.0.len() - 1), |error| Err(error.condition))
}

fn sized(bytes: usize) -> String {
    format!("<a>{}</a>", "x".repeat(bytes - 7))
}

#[test]
fn bytes() {
    assert_eq!(small(sized(200)), Ok(1));
    assert_eq!(small(sized(201)), Err(PolicyViolation));
    assert_eq!(small(sized(200).repeat(3)), Ok(3), "counted per stanza");
    assert_eq!(small([" ".repeat(500), sized(200)].concat()), Ok(1), "keepalives are free");
    assert_eq!(small(["<a ".to_owned(), " ".repeat(200)].concat()), Err(PolicyViolation));
}

#[test]
fn depth() {
    let nested = |levels: usize| ["<a>".repeat(levels), "</a>".repeat(levels)].concat();
    assert_eq!(small(nested(4)), Ok(1));
    assert_eq!(small(nested(5)), Err(PolicyViolation));
}

#[test]
fn attributes() {
    assert_eq!(small("<a b='' c='' d=''/>"), Ok(1));
    assert_eq!(small("<a b='' c='' d='' e=''/>"), Err(PolicyViolation));
    assert_eq!(small("<a xmlns='x' xmlns:y='z' d='' y:e=''/>"), Err(PolicyViolation));
}

#[test]
fn elements() {
    assert_eq!(small("<a><b/><b/><b/><b/></a>"), Ok(1));
    assert_eq!(small("<a><b/><b/><b/><b/></a>".repeat(3)), Ok(3), "counted per stanza");
    assert_eq!(small("<a><b/><b/><b/><b/><b/></a>"), Err(PolicyViolation));
}

#[test]
fn a_sasl_response_of_ten_kilobytes_fits_before_login() {
    let response = format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>", "A".repeat(13_336));
    let input = [HEADER, &response].concat();
    let (events, error) = read_both(Content::Client, Limits::BEFORE_LOGIN, input.as_bytes());
    assert_eq!((events.len(), error), (2, None));
}

/// Feeds `unit` for ever; tells how many bytes were taken before the error.
fn flood(limits: Limits, prefix: &str, unit: &str) -> (usize, Condition) {
    let mut reader = Reader::new(Content::Client, limits);
    let mut outcome = Outcome::default();
    drain(&mut reader, prefix.as_bytes(), &mut outcome);
    let chunk = unit.repeat(4096 / unit.len() + 1);
    for round in 0..4096 {
        if let Some(error) = outcome.1 {
            return (round * chunk.len(), error.condition);
        }
        drain(&mut reader, chunk.as_bytes(), &mut outcome);
    }
    panic!("never refused");
}

#[test]
fn h64_floods_before_login_end_soon() {
    let a = "a".repeat(64);
    for (start, unit) in [
        ("<a>", a.as_str()),
        ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>", &a),
        ("<iq id='", &a),
        ("<", &a),
        ("<iq ", " "),
        ("<iq ", "\n"),
        ("<a>", "<a>"),
        ("<x>", "<a/>"),
        ("<x>", "&amp;"),
        ("<x a='", "&lt;"),
        ("<x>", "\r"),
        ("<x>", "]"),
        ("<x><![CDATA[", "]"),
        ("<x ", &a),
        ("<x a", " "),
        ("<x></x", " "),
    ] {
        let (taken, condition) = flood(Limits::BEFORE_LOGIN, &[HEADER, start].concat(), unit);
        assert_eq!(condition, PolicyViolation, "{start}{unit}");
        assert!(taken <= 32 * 1024, "{start}{unit}: {taken}");
    }
}

#[test]
fn blanks_instead_of_a_header_end_soon() {
    let (taken, condition) = flood(Limits::BEFORE_LOGIN, "", " ");
    assert_eq!(condition, PolicyViolation);
    assert!(taken <= 32 * 1024);
    let (_, condition) = flood(Limits::BEFORE_LOGIN, "<?xml version='1.0'?>", " ");
    assert_eq!(condition, PolicyViolation);
}

#[test]
fn references_without_end_are_malformed() {
    let (_, condition) = flood(Limits::BEFORE_LOGIN, &[HEADER, "<x>&"].concat(), "a");
    assert_eq!(condition, Condition::RestrictedXml);
    let (_, condition) = flood(Limits::BEFORE_LOGIN, &[HEADER, "<x>&#"].concat(), "1");
    assert_eq!(condition, Condition::RestrictedXml);
}

#[test]
fn nesting_of_thousands_after_login() {
    for levels in [101, 4_000, 100_000] {
        let message = ["<message>", &"<a>".repeat(levels), &"</a>".repeat(levels), "</message>"].concat();
        let (events, error) = client(message);
        assert_eq!((events.len(), error.map(|error| error.condition)), (0, Some(PolicyViolation)), "{levels}");
    }
}

#[test]
fn nesting_up_to_the_limit_is_read_and_dropped() {
    let (events, error) = client(["<a>".repeat(100), "</a>".repeat(100)].concat());
    assert_eq!((events.len(), error), (1, None));
}

#[test]
fn thirty_thousand_attributes() {
    let attributes: String = (0..30_000).map(|number| format!(" a{number}=''")).collect();
    let (_, error) = client(format!("<iq{attributes}/>"));
    assert_eq!(error.map(|error| error.condition), Some(PolicyViolation));
}

#[test]
fn prefixes_in_scope_are_bounded() {
    let declare = |from: usize| (from..from + 50).map(|number| format!(" xmlns:p{number}='urn:p'")).collect::<String>();
    let nested = format!("<a{}><b{}/>", declare(0), declare(50));
    assert_eq!(client(format!("{nested}</a>")).1, None);
    let deeper = format!("<a{}><b{}><c{}>", declare(0), declare(50), declare(100));
    assert_eq!(client(deeper).1.map(|error| error.condition), Some(PolicyViolation));
    let siblings = format!("<a><b{0}/><b{0}/><b{0}/><b{0}/></a>", declare(0));
    assert_eq!(client(siblings).1, None, "an end tag ends its scope");
}

#[test]
fn a_long_value_is_refused_and_long_text_is_not() {
    let long = "x".repeat(9000);
    assert_eq!(client(format!("<iq id='{long}'/>")).1.map(|error| error.condition), Some(PolicyViolation));
    assert_eq!(client(format!("<{long}/>")).1.map(|error| error.condition), Some(PolicyViolation));
    let body = "é]".repeat(30_000);
    let element = one(Content::Client, HEADER, format!("<message><body>{body}</body></message>"));
    assert_eq!(element.get_child("body", "jabber:client").map(Element::text), Some(body));
}

#[test]
fn an_error_is_found_before_the_end_of_a_stanza() {
    let mut reader = Reader::new(Content::Client, LARGE);
    let mut outcome = Outcome::default();
    drain(&mut reader, [HEADER, "<message><a></b>"].concat().as_bytes(), &mut outcome);
    assert_eq!(outcome.1.map(|error| error.condition), Some(NotWellFormed));
}
