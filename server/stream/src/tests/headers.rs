//! What a stream header may say (RFC 6120 4.7).
use super::*;
use crate::{CheckedHeader, Condition, StreamHeader};

fn open(input: &str) -> StreamHeader {
    match read_both(Content::Client, Limits::BEFORE_LOGIN, input.as_bytes()) {
        (events, None) => match <[Event; 1]>::try_from(events) {
            Ok([Event::Open(header)]) => header,
            other => panic!("not one header: {other:?}"),
        },
        (_, Some(error)) => panic!("{error}"),
    }
}

fn check(header: &StreamHeader) -> Result<CheckedHeader, Condition> {
    header.check(|host| host == "münchen.example" || host == "a.example").map_err(|error| error.condition)
}

fn header(to: Option<&str>, from: Option<&str>, version: Option<&str>) -> StreamHeader {
    let own = |value: Option<&str>| value.map(str::to_owned);
    StreamHeader { to: own(to), from: own(from), version: own(version), id: None, lang: None }
}

#[test]
fn all_attributes_arrive() {
    let header = open(
        "<?xml version='1.0' encoding='UTF-8'?>\n<s:stream from='j@a.example' to=\"a.example\" id='i&apos;1' version='1.0' \
         xml:lang='fr' xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' s:to='x'>",
    );
    let own = |value: &str| Some(value.to_owned());
    let expected =
        StreamHeader { to: own("a.example"), from: own("j@a.example"), id: own("i'1"), version: own("1.0"), lang: own("fr") };
    assert_eq!(header, expected);
}

#[test]
fn stream_namespace_as_default_and_no_declaration() {
    let header = open("<stream xmlns='http://etherx.jabber.org/streams' to='a.example' version='1.0'>");
    assert_eq!(header.to.as_deref(), Some("a.example"));
}

#[test]
fn prefixed_content_without_a_default_namespace() {
    let input = "<stream xmlns='http://etherx.jabber.org/streams'><message xmlns='jabber:client'><body>a</body></message>";
    let (events, error) = read_both(Content::Client, LARGE, input.as_bytes());
    assert_eq!(error, None);
    let Some(Event::Element(message, _)) = events.get(1) else { panic!("{events:?}") };
    assert!(message.is("message", "jabber:client") && message.has_child("body", "jabber:client"));
}

#[test]
fn blanks_before_the_declaration_are_forgiven() {
    assert_eq!(open(&format!("\r\n {HEADER}")).version.as_deref(), Some("1.0"));
}

#[test]
fn good_headers() {
    let checked = check(&header(Some("A.example"), Some("Juliet@a.example/b"), Some("1.0"))).unwrap();
    assert_eq!(checked.to.as_str(), "a.example");
    assert_eq!(checked.from.as_ref().map(jid::Jid::as_str), Some("juliet@a.example/b"));
    assert!(check(&header(Some("MÜNCHEN.example"), None, Some("1.1"))).is_ok());
    assert!(check(&header(Some("a.example."), None, Some("2.0"))).is_ok());
    assert!(check(&header(Some("a.example"), None, Some("01.00"))).is_ok());
}

#[test]
fn versions_below_one() {
    for version in [None, Some("0.9"), Some("0.0"), Some("1"), Some(""), Some("x.y"), Some("-1.0"), Some("1.0 ")] {
        assert_eq!(check(&header(Some("a.example"), None, version)), Err(Condition::UnsupportedVersion), "{version:?}");
    }
}

#[test]
fn addresses() {
    let to = |to| check(&header(to, None, Some("1.0"))).unwrap_err();
    assert_eq!(to(None), Condition::ImproperAddressing);
    assert_eq!(to(Some("")), Condition::ImproperAddressing);
    assert_eq!(to(Some("a b")), Condition::ImproperAddressing);
    assert_eq!(to(Some("@a.example")), Condition::ImproperAddressing);
    assert_eq!(to(Some("nosuch.host.test")), Condition::HostUnknown);
    assert_eq!(to(Some("u@a.example")), Condition::HostUnknown);
    assert_eq!(to(Some("a.example/r")), Condition::HostUnknown);
    let from = check(&header(Some("a.example"), Some("@"), Some("1.0")));
    assert_eq!(from, Err(Condition::ImproperAddressing));
}

#[test]
fn only_a_plausible_language_is_kept() {
    let lang = |lang: &str| {
        let header = StreamHeader { lang: Some(lang.to_owned()), ..header(Some("a.example"), None, Some("1.0")) };
        check(&header).unwrap().lang
    };
    assert_eq!(lang("de-CH-1996").as_deref(), Some("de-CH-1996"));
    assert_eq!(lang(""), None);
    assert_eq!(lang("en'"), None);
    assert_eq!(lang(&"a".repeat(36)), None);
}
