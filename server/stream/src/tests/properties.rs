//! What holds for every tree and every byte string.
use super::*;
use crate::{ns, write};
use proptest::collection::vec;
use proptest::prelude::*;
use rxml::{Namespace, NcName};

const NAMESPACES: [&str; 7] = [ns::CLIENT, "", "urn:a", "urn:b&'", ns::STREAM, ns::DIALBACK, rxml::XMLNS_XML];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("body".to_owned()), "[a-z_][a-zA-Z0-9._-]{0,6}"]
}

/// All that XML can carry.
fn content() -> impl Strategy<Value = String> {
    "([a-z <>&'\"\\]\\t\\r\\n]|[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\u{fffe}\u{ffff}]){0,20}"
}

fn namespace() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&NAMESPACES[..])
}

type Attributes = Vec<(&'static str, String, String)>;

fn bare() -> impl Strategy<Value = Element> {
    let attributes = vec((namespace(), name(), content()), 0..4);
    (name(), namespace(), attributes).prop_map(|(name, namespace, attributes): (_, _, Attributes)| {
        let mut element = Element::bare(name, namespace);
        for (namespace, name, value) in attributes {
            element.set_attr(Namespace::from(namespace), NcName::try_from(name.as_str()).unwrap(), value);
        }
        element
    })
}

#[derive(Clone, Debug)]
enum Child {
    Text(String),
    Element(Element),
}

fn tree() -> impl Strategy<Value = Element> {
    bare().prop_recursive(5, 24, 4, |inner| {
        let child = prop_oneof![content().prop_map(Child::Text), inner.prop_map(Child::Element)];
        (bare(), vec(child, 0..4)).prop_map(|(mut element, children)| {
            for child in children {
                match child {
                    Child::Text(text) if text.is_empty() => {}
                    Child::Text(text) => element.append_text(text),
                    Child::Element(child) => drop(element.append_child(child)),
                }
            }
            element
        })
    })
}

/// As it would be after a client sent it.
fn stanza() -> impl Strategy<Value = Element> {
    tree().prop_map(|inner| {
        let mut message = Element::bare("message", ns::CLIENT);
        message.append_child(inner);
        message
    })
}

fn written(element: &Element) -> Vec<u8> {
    let mut out = Vec::new();
    write::first_level(&mut out, Content::Client, element);
    out
}

fn pieces<'a>(mut input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, rest) = input.split_at((*cut).min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces.push(input);
    pieces
}

/// Bytes that look like XML often enough to get far.
fn nearly_xml() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => proptest::sample::select(&[
            "<message>", "</message>", "<a xmlns='urn:x'>", "</a>", "<p:b xmlns:p='urn:p' p:c='1'/>", "text", " ", "\r",
            "&amp;", "&#x41;", "&foo;", "<![CDATA[", "]]>", "]", "<!--", "-->", "<?xml version='1.0'?>", "<", ">", "/", "'",
            "=", "xml:lang='fr'", "</stream:stream>", "<stream:error/>", "é", "\u{1F600}",
        ][..]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..4),
    ];
    vec(token, 0..20).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(element in tree()) {
        prop_assert_eq!(one(Content::Client, HEADER, written(&element)), element);
    }

    #[test]
    fn stanzas_fit_both_kinds_of_stream(element in stanza()) {
        let bytes = written(&element);
        prop_assert_eq!(&one(Content::Client, HEADER, &bytes), &element);
        prop_assert_eq!(&one(Content::Server, SERVER_HEADER, &bytes), &element);
    }

    #[test]
    fn any_string_is_written_well_formed(text in any::<String>(), value in any::<String>(), namespace in any::<String>()) {
        let mut element = Element::bare("a", ns::CLIENT);
        element.append_child(Element::bare("b", namespace.as_str()));
        element.set_attr(Namespace::from(namespace), NcName::try_from("b").unwrap(), value);
        element.append_text(text);
        let (events, error) = client(written(&element));
        prop_assert_eq!(error, None);
        prop_assert_eq!(events.len(), 1);
    }

    #[test]
    fn cuts_do_not_matter(elements in vec(tree(), 1..4), cuts in vec(0_usize..40, 0..20)) {
        let mut input = HEADER.as_bytes().to_vec();
        for element in &elements {
            write::first_level(&mut input, Content::Client, element);
            input.push(b'\n');
        }
        write::close(&mut input);
        let whole = read(Content::Client, LARGE, [&input[..]]);
        prop_assert_eq!(&whole, &read(Content::Client, LARGE, pieces(&input, &cuts)));
        prop_assert_eq!(whole.0.len(), elements.len() + 2);
    }

    #[test]
    fn faults_do_not_depend_on_cuts(input in nearly_xml(), cuts in vec(0_usize..20, 0..10)) {
        let input = [HEADER.as_bytes(), &input].concat();
        let whole = read_both(Content::Client, LARGE, &input);
        let cut = read(Content::Client, LARGE, pieces(&input, &cuts));
        prop_assert_eq!(&whole.0, &cut.0);
        prop_assert_eq!(whole.1.map(|error| error.condition), cut.1.map(|error| error.condition));
    }

    #[test]
    fn what_was_read_can_be_sent_on(input in nearly_xml()) {
        let input = [HEADER.as_bytes(), b"<message>", &input, b"</a></message>"].concat();
        for event in read(Content::Client, LARGE, [&input[..]]).0 {
            if let Event::Element(element, _) = event {
                prop_assert_eq!(one(Content::Client, HEADER, written(&element)), element);
            }
        }
    }

    #[test]
    fn no_bytes_panic(input in vec(any::<u8>(), 0..200)) {
        for content in [Content::Client, Content::Server] {
            read_both(content, Limits::BEFORE_LOGIN, &input);
        }
    }
}
