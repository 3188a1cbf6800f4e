//! One fault per line and the exact condition for it.
use super::*;
use crate::Condition::{self, *};

/// The condition that ends a client stream on which `input` follows a good header.
fn after_header(input: impl AsRef<[u8]>) -> Option<Condition> {
    let (events, error) = client(input);
    assert!(!events.iter().any(|event| matches!(event, Event::Close)));
    error.map(|error| error.condition)
}

fn at_start(input: impl AsRef<[u8]>) -> Option<Condition> {
    let (events, error) = read_both(Content::Client, Limits::BEFORE_LOGIN, input.as_ref());
    assert!(events.is_empty() || error.is_none());
    error.map(|error| error.condition)
}

macro_rules! faults {
    ($run:ident: $($name:ident($input:expr) => $condition:expr;)*) => {
        $(#[test] fn $name() { assert_eq!($run($input), Some($condition)); })*
    };
}

const STREAM: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'";

faults! { at_start:
    dtd_before_header("<?xml version='1.0'?><!DOCTYPE s [<!ENTITY e 'x'>]>") => RestrictedXml;
    billion_laughs("<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>") => RestrictedXml;
    entity_in_header(format!("{STREAM} to='&i;'>")) => RestrictedXml;
    encoding_declared("<?xml version='1.0' encoding='ISO-8859-1'?>") => UnsupportedEncoding;
    encoding_utf_16_declared("<?xml version='1.0' encoding='UTF-16'?>") => UnsupportedEncoding;
    xml_1_1("<?xml version='1.1'?>") => BadFormat;
    not_standalone("<?xml version='1.0' encoding='utf-8' standalone='no'?>") => BadFormat;
    stylesheet("<?xml-stylesheet href='x'?>") => NotWellFormed;
    instruction_before_header("<?php echo 1 ?>") => RestrictedXml;
    comment_before_header("<!-- hello -->") => RestrictedXml;
    byte_order_mark(b"\xef\xbb\xbf<?xml version='1.0'?>") => NotWellFormed;
    utf_16(b"<\0?\0x\0m\0l\0") => NotWellFormed;
    stream_namespace("<stream:stream xmlns='jabber:client' xmlns:stream='http://example.org/streams' version='1.0'>") => InvalidNamespace;
    content_namespace("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>") => InvalidNamespace;
    unknown_content_namespace("<stream:stream xmlns='urn:x' xmlns:stream='http://etherx.jabber.org/streams'>") => InvalidNamespace;
    no_stream_namespace("<stream version='1.0'>") => InvalidNamespace;
    undeclared_stream_prefix("<stream:stream xmlns='jabber:client'>") => NotWellFormed;
    first_element_is_stanza("<iq xmlns='jabber:client' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>") => InvalidNamespace;
    first_element_is_features("<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>") => BadFormat;
    http_request("POST / HTTP/1.1\r\nHost: x\r\n\r\n") => NotWellFormed;
    tls_hello(b"\x16\x03\x01\x02\0") => NotWellFormed;
    header_attribute_twice(format!("{STREAM} to='a' to='b'>")) => NotWellFormed;
    default_namespace_twice("<stream:stream xmlns='jabber:client' xmlns='jabber:server'") => NotWellFormed;
}

faults! { after_header:
    comment("<!-- hello -->") => RestrictedXml;
    comment_in_stanza("<message><!-- x --></message>") => RestrictedXml;
    instruction("<?php echo 1 ?>") => RestrictedXml;
    second_declaration("<?xml version='1.0'?>") => RestrictedXml;
    undefined_entity("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'>&foo;</ping></iq>") => RestrictedXml;
    undefined_entity_in_attribute("<iq id='&foo;'/>") => RestrictedXml;
    entity_between_stanzas("&foo;") => BadFormat;
    attlist("<!ATTLIST a b CDATA 'c'>") => RestrictedXml;
    doctype("<!DOCTYPE a>") => RestrictedXml;
    raw_nul(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>\0</auth>") => NotWellFormed;
    reference_to_nul("<a xmlns='urn:x'>&#0;</a>") => NotWellFormed;
    reference_beyond_unicode("<a xmlns='urn:x'>&#x110000;</a>") => NotWellFormed;
    reference_to_surrogate("<a xmlns='urn:x'>&#xD800;</a>") => NotWellFormed;
    empty_reference("<a xmlns='urn:x'>&#;</a>") => NotWellFormed;
    empty_hexadecimal_reference("<a xmlns='urn:x'>&#x;</a>") => NotWellFormed;
    bad_octet(b"<a xmlns='urn:x'>\xff</a>") => UnsupportedEncoding;
    overlong_less_than(b"<a xmlns='urn:x'>\xc0\xbcb/></a>") => UnsupportedEncoding;
    encoded_surrogate(b"<a xmlns='urn:x'>\xed\xa0\x80</a>") => UnsupportedEncoding;
    beyond_unicode(b"<a xmlns='urn:x'>\xf4\x90\x80\x80</a>") => UnsupportedEncoding;
    truncated_sequence(b"<a xmlns='urn:x'>\xe2\x82</a>") => UnsupportedEncoding;
    bad_octet_in_name(b"<a\xff/>") => UnsupportedEncoding;
    noncharacter("<a xmlns='urn:x'>\u{ffff}</a>") => NotWellFormed;
    undeclared_prefix("<foo:bar/>") => NotWellFormed;
    undeclared_attribute_prefix("<a foo:bar=''/>") => NotWellFormed;
    prefix_of_a_sibling("<message><a xmlns:p='urn:p'/><p:b/></message>") => NotWellFormed;
    xmlns_as_element_prefix("<xmlns:a/>") => NotWellFormed;
    empty_prefix_binding("<message><p:x xmlns:p=''/></message>") => NotWellFormed;
    xmlns_namespace_bound("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>") => NotWellFormed;
    xmlns_namespace_as_default("<a xmlns='http://www.w3.org/2000/xmlns/'/>") => NotWellFormed;
    xml_namespace_bound("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>") => NotWellFormed;
    xml_prefix_bound_elsewhere("<a xmlns:xml='urn:x'/>") => NotWellFormed;
    duplicate_attribute("<iq type='get' type='set' id='1'/>") => NotWellFormed;
    duplicate_through_two_prefixes("<a xmlns='urn:x' xmlns:p='urn:p' xmlns:q='urn:p' p:z='1' q:z='2'/>") => NotWellFormed;
    duplicate_language("<message xml:lang='en' xml:lang='fr'/>") => NotWellFormed;
    duplicate_default_namespace("<a xmlns='urn:x' xmlns='urn:y'/>") => NotWellFormed;
    duplicate_prefix("<a xmlns:p='urn:x' xmlns:p='urn:y'/>") => NotWellFormed;
    mismatched_end_tag("<a xmlns='urn:x'><b></c></a>") => NotWellFormed;
    end_tag_with_another_prefix("<p:a xmlns:p='urn:x' xmlns:q='urn:x'></q:a>") => NotWellFormed;
    end_tag_with_attributes("<a xmlns='urn:x'></a to='x'>") => NotWellFormed;
    unquoted_value("<iq type=get id=1/>") => NotWellFormed;
    less_than_in_value("<iq type='get' id='<b/>'/>") => NotWellFormed;
    no_blank_between_attributes("<iq a='1'b='2'/>") => NotWellFormed;
    two_colons("<a:b:c xmlns:a='urn:x'/>") => NotWellFormed;
    cdata_end_in_text("<a xmlns='urn:x'>]]></a>") => NotWellFormed;
    text_between_stanzas("GET / HTTP/1.1\r\nHost: x\r\n\r\n") => BadFormat;
    text_behind_a_stanza("<presence/> x") => BadFormat;
    reference_between_stanzas("&#65;<a/>") => BadFormat;
    cdata_between_stanzas("<![CDATA[x]]>") => BadFormat;
    raw_control_between_stanzas(b"\x01") => NotWellFormed;
    end_of_another_element("</message>") => NotWellFormed;
    stanza_of_another_stream("<message xmlns='jabber:server'/>") => InvalidNamespace;
    name_that_expat_refuses("<message><\u{132}/></message>") => PolicyViolation;
    attribute_that_expat_refuses("<message><a \u{132}=''/></message>") => PolicyViolation;
    namespace_that_element_tree_refuses("<message><a xmlns='urn:}'/></message>") => PolicyViolation;
    attribute_namespace_that_element_tree_refuses("<message><a xmlns:p='urn:}' p:b=''/></message>") => PolicyViolation;
    control_reference_in_message("<message><body>a</body><x xmlns='urn:x'>&#1;</x></message>") => NotWellFormed;
    raw_control_in_message(b"<message><x xmlns='urn:x'>\x0b</x></message>") => NotWellFormed;
    overlong_quote(b"<message><x xmlns='urn:x' a='\xc0\xa7'/></message>") => UnsupportedEncoding;
}

#[test]
fn text_between_stanzas_is_refused_before_anything_follows_it() {
    let mut reader = Reader::new(Content::Client, LARGE);
    assert!(reader.next(&mut HEADER.as_bytes()).is_ok());
    assert_eq!(reader.next(&mut &b"G"[..]).map_err(|error| error.condition), Err(BadFormat));
}

#[test]
fn a_failed_reader_stays_failed() {
    let mut reader = Reader::new(Content::Client, LARGE);
    let first = reader.next(&mut &b"</a>"[..]).unwrap_err();
    assert_eq!(reader.next(&mut HEADER.as_bytes()), Err(first.clone()));
    reader.restart();
    assert_eq!(reader.next(&mut HEADER.as_bytes()), Err(first));
}

#[test]
fn the_other_content_namespace_is_refused_on_a_server_stream() {
    let input = [SERVER_HEADER, "<message xmlns='jabber:client'/>"].concat();
    let (_, error) = read_both(Content::Server, LARGE, input.as_bytes());
    assert_eq!(error.map(|error| error.condition), Some(InvalidNamespace));
}

#[test]
fn unusual_names_from_a_server_do_not_cost_the_link() {
    let message = one(Content::Server, SERVER_HEADER, "<message><\u{132}/><a xmlns='urn:}' \u{132}=''/></message>");
    assert_eq!(message.children().count(), 2);
}
