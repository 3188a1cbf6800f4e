//! What the writer says, to the letter.
use super::*;
use crate::{Condition, ns, write};
use rxml::{Namespace, NcName};

fn first_level(element: &Element) -> String {
    let mut out = Vec::new();
    write::first_level(&mut out, Content::Client, element);
    String::from_utf8(out).unwrap()
}

fn written(element: &Element, default: &str) -> String {
    let mut out = Vec::new();
    write::element(&mut out, element, default);
    String::from_utf8(out).unwrap()
}

fn name(name: &str) -> NcName {
    name.try_into().unwrap()
}

#[test]
fn namespaces_are_named_where_they_change() {
    let message = Element::builder("message", ns::CLIENT)
        .append(Element::builder("body", ns::CLIENT).append("a"))
        .append(Element::builder("x", "urn:x").append(Element::bare("y", "urn:x")).append(Element::bare("z", "")))
        .append(Element::bare("thread", ns::CLIENT))
        .build();
    assert_eq!(first_level(&message), "<message><body>a</body><x xmlns='urn:x'><y/><z xmlns=''/></x><thread/></message>");
    assert_eq!(written(&message, "urn:xmpp:forward:0").matches("jabber:client").count(), 1);
}

#[test]
fn stanzas_below_a_foreign_element_name_theirs() {
    let forwarded = Element::builder("forwarded", "urn:xmpp:forward:0").append(Element::bare("message", ns::CLIENT));
    let message = Element::builder("message", ns::CLIENT).append(forwarded).build();
    assert_eq!(
        first_level(&message),
        "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded></message>"
    );
}

#[test]
fn stream_elements_have_prefixes_at_the_first_level_only() {
    let starttls = Element::bare("starttls", "urn:ietf:params:xml:ns:xmpp-tls");
    let features = Element::builder("features", ns::STREAM).append(starttls).build();
    assert_eq!(first_level(&features), "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    assert_eq!(first_level(&Element::bare("features", ns::STREAM)), "<stream:features/>");
    let result = Element::bare("result", ns::DIALBACK);
    assert_eq!(first_level(&result), "<result xmlns='jabber:server:dialback'/>");
    let mut out = Vec::new();
    write::first_level(&mut out, Content::Server, &result);
    assert_eq!(out, b"<db:result/>");
    let message = Element::builder("message", ns::CLIENT).append(Element::bare("error", ns::STREAM)).build();
    assert_eq!(first_level(&message), "<message><error xmlns='http://etherx.jabber.org/streams'/></message>");
}

#[test]
fn attributes_of_all_kinds() {
    let mut element = Element::bare("a", ns::CLIENT);
    element.set_attr(Namespace::NONE, name("to"), "<'\">&\t\r\n");
    element.set_attr(Namespace::XML, name("lang"), "fr");
    element.set_attr(Namespace::from("urn:1"), name("b"), "1");
    element.set_attr(Namespace::from("urn:1"), name("c"), "2");
    element.set_attr(Namespace::from("urn:2&"), name("b"), "3");
    element.set_attr(Namespace::XMLNS, name("evil"), "4");
    element.set_attr(Namespace::NONE, name("xmlns"), "5");
    element.set_attr(Namespace::NONE, name("é"), "6");
    element.set_attr(Namespace::from("a b"), name("c"), "7");
    assert_eq!(
        first_level(&element),
        "<a to='&lt;&apos;\">&amp;&#9;&#13;&#10;' xml:lang='fr' xmlns:n1='urn:1' n1:b='1' n1:c='2' \
         xmlns:n2='urn:2&amp;' n2:b='3'/>"
    );
}

#[test]
fn text_is_escaped() {
    let body = Element::builder("body", ns::CLIENT).append("a]]>b\r\n\t\"'\u{1}\u{fffe}\u{ffff}\u{feff}é").build();
    assert_eq!(first_level(&body), "<body>a]]&gt;b&#13;\n\t\"'\u{fffd}\u{fffd}\u{fffd}\u{feff}é</body>");
}

#[test]
fn impossible_elements_are_left_out() {
    let message = Element::builder("message", ns::CLIENT)
        .append(Element::bare("a b", "urn:x"))
        .append(Element::bare("x:y", "urn:x"))
        .append(Element::bare("", "urn:x"))
        .append(Element::bare("a", "http://www.w3.org/2000/xmlns/"))
        .append(Element::bare("é", "urn:x"))
        .append(Element::bare("\u{132}", "urn:x"))
        .append(Element::builder("a", "urn:}").append(Element::bare("b", ns::CLIENT)))
        .append(Element::bare("c", "urn:é?x=%20#y&z"))
        .build();
    assert_eq!(first_level(&message), "<message><c xmlns='urn:é?x=%20#y&amp;z'/></message>");
}

#[test]
fn elements_of_the_xml_namespace_do_not_break_a_stream() {
    let input = "<message><xml:x a='1'><body/></xml:x></message>";
    let message = one(Content::Client, HEADER, input);
    let out = first_level(&message);
    assert_eq!(out, "<message><xml:x a='1'><body xmlns='jabber:client'/></xml:x></message>");
    assert_eq!(one(Content::Client, HEADER, &out), message);
    assert_eq!(one(Content::Server, SERVER_HEADER, &out), message);
}

#[test]
fn tails_complete_start_tags() {
    let tail = |element: &Element| {
        let mut out = b"<message to='x'".to_vec();
        write::tail(&mut out, element, ns::CLIENT);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(tail(&Element::bare("message", ns::CLIENT)), "<message to='x'/>");
    let message = Element::builder("message", ns::CLIENT).append(Element::bare("body", ns::CLIENT)).append("&").build();
    assert_eq!(tail(&message), "<message to='x'><body/>&amp;</message>");
}

#[test]
fn a_tree_of_a_hundred_thousand_levels_is_written_without_recursion() {
    let mut element = Element::bare("a", ns::CLIENT);
    for _ in 0..100_000 {
        element = Element::builder("a", ns::CLIENT).append(element).build();
    }
    assert_eq!(first_level(&element).len(), 100_000 * 7 + 4);
    // Dropping it would recurse: take it apart.
    while let Some(child) = element.unshift_child() {
        element = child;
    }
}

#[test]
fn our_header_is_one_we_read() {
    for content in [Content::Client, Content::Server] {
        let mut out = Vec::new();
        let header = write::Header { content, from: "a'.example", to: Some("b"), id: Some("i&d"), lang: "en" };
        write::open(&mut out, &header);
        let (events, error) = read_both(content, LARGE, &out);
        assert_eq!(error, None);
        let Some(Event::Open(read)) = events.first() else { panic!("{events:?}") };
        assert_eq!((read.from.as_deref(), read.id.as_deref()), (Some("a'.example"), Some("i&d")));
        assert_eq!((read.version.as_deref(), read.lang.as_deref()), (Some("1.0"), Some("en")));
    }
}

#[test]
fn stream_errors_are_as_the_rfc_says() {
    let mut error = StreamError::with_text(Condition::PolicyViolation, "stanza too big");
    error.application = Some(Box::new(Element::bare("too-many", "urn:x")));
    let mut out = Vec::new();
    write::error(&mut out, &error);
    let expected = "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>stanza too big</text>\
         <too-many xmlns='urn:x'/></stream:error>";
    assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
    write::close(&mut out);
    let (events, _) = client(out);
    assert!(matches!(events.as_slice(), [Event::Element(..), Event::Close]));
}

#[test]
fn conditions_have_their_names() {
    assert_eq!(Condition::from_name("host-unknown"), Some(Condition::HostUnknown));
    assert_eq!(Condition::from_name("see-other-host"), None);
    assert_eq!(Condition::UnsupportedStanzaType.name(), "unsupported-stanza-type");
}
