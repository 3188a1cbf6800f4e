//! Streams that are as they should be.
use super::*;
use crate::ns;

#[test]
fn a_stanza_comes_out_at_its_last_byte() {
    for stanza in ["<presence/>", "<presence></presence>", "<presence  />", "<message><a xmlns='b'/></message  >"] {
        let mut reader = Reader::new(Content::Client, LARGE);
        let input = [HEADER, stanza].concat();
        for (at, byte) in input.bytes().enumerate() {
            let event = reader.next(&mut &[byte][..]).unwrap();
            let last = at + 1 == HEADER.len() || at + 1 == input.len();
            assert_eq!(event.is_some(), last, "{stanza} at {at}");
        }
        assert!(reader.between_stanzas());
    }
}

#[test]
fn bytes_behind_an_event_are_left_for_whoever_comes_next() {
    let mut reader = Reader::new(Content::Client, LARGE);
    let input = [HEADER, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA==</auth>\n", HEADER, "<iq/>"].concat();
    let mut rest = input.as_bytes();
    assert!(matches!(reader.next(&mut rest), Ok(Some(Event::Open(_)))));
    assert!(matches!(reader.next(&mut rest), Ok(Some(Event::Element(auth, _))) if auth.text() == "AA=="));
    assert!(rest.starts_with(b"\n<?xml"));
    reader.restart();
    assert!(matches!(reader.next(&mut rest), Ok(Some(Event::Open(_)))));
    assert!(matches!(reader.next(&mut rest), Ok(Some(Event::Element(iq, 5))) if iq.is("iq", ns::CLIENT)));
}

#[test]
fn end_of_stream() {
    let (events, error) = client("<presence/> </stream:stream> whatever <& follows");
    assert_eq!((events.len(), error), (2, None));
    assert_eq!(events.last(), Some(&Event::Close));
    let empty = HEADER.replace('>', "/>").replace("?/>", "?>");
    let (events, error) = read_both(Content::Client, LARGE, [&empty, "\0"].concat().as_bytes());
    assert_eq!((events.len(), error), (2, None));
}

#[test]
fn half_read_stanzas_are_seen() {
    let mut reader = Reader::new(Content::Client, LARGE);
    assert!(reader.between_stanzas());
    assert_eq!(reader.next(&mut &b"<"[..]), Ok(None));
    assert!(!reader.between_stanzas());
    assert!(reader.next(&mut HEADER.trim_start_matches('<').as_bytes()).is_ok());
    assert_eq!(reader.next(&mut &b" \n"[..]), Ok(None));
    assert!(reader.between_stanzas());
    assert_eq!(reader.next(&mut &b"<a>"[..]), Ok(None));
    assert!(!reader.between_stanzas());
}

#[test]
fn idle_in_the_middle_of_anything_loses_nothing() {
    let input = [HEADER, "<message a='b &amp; c'><body>x &lt; y ]] z</body></message>"].concat();
    let mut reader = Reader::new(Content::Client, LARGE);
    let mut outcome = Outcome::default();
    for byte in input.bytes() {
        drain(&mut reader, &[byte], &mut outcome);
        reader.idle();
    }
    assert_eq!(outcome, read(Content::Client, LARGE, [input.as_bytes()]));
}

#[test]
fn text_of_all_kinds_arrives_exactly() {
    let body = "t<![CDATA[<x/>&amp;]]>&lt;y/&gt;&amp;lt;&#x1F600;\n\t> \r\n\r\u{e9}\u{1F468}\u{200d}\u{1F469}]]&gt;&#13;";
    let message = one(Content::Client, HEADER, format!("<message><body>{body}</body></message>"));
    let body = message.get_child("body", ns::CLIENT).unwrap();
    assert_eq!(body.text(), "t<x/>&amp;<y/>&lt;\u{1F600}\n\t> \n\n\u{e9}\u{1F468}\u{200d}\u{1F469}]]>\r");
    assert_eq!(body.nodes().len(), 1);
}

#[test]
fn prefixes_mean_what_namespaces_say() {
    let message = one(
        Content::Client,
        HEADER,
        "<c:message xmlns:c='jabber:client' xmlns:p='urn:1' p:a='1' a='2' xml:lang='fr'>\
         <c:body c:a='3' xmlns:p='urn:2' p:a='4'>x</c:body><p:x xmlns=''><y/><z xmlns='jabber:client'/></p:x></c:message>",
    );
    assert!(message.is("message", ns::CLIENT));
    assert_eq!((message.attr("a"), message.attr_ns("urn:1", "a")), (Some("2"), Some("1")));
    assert_eq!(message.attr_ns(rxml::XMLNS_XML, "lang"), Some("fr"));
    let body = message.get_child("body", ns::CLIENT).unwrap();
    assert_eq!((body.attr_ns(ns::CLIENT, "a"), body.attr_ns("urn:2", "a"), body.attr("a")), (Some("3"), Some("4"), None));
    let x = message.get_child("x", "urn:1").unwrap();
    assert!(x.has_child("y", "") && x.has_child("z", ns::CLIENT));
}

#[test]
fn a_prefix_may_be_declared_behind_its_use_and_redeclared_below() {
    let a = one(Content::Client, HEADER, "<p:a p:x='1' xmlns:p='urn:1'><p:a xmlns:p='urn:2'/><p:b/></p:a>");
    assert_eq!(a.attr_ns("urn:1", "x"), Some("1"));
    assert!(a.has_child("a", "urn:2") && a.has_child("b", "urn:1"));
}

#[test]
fn stream_elements_inside_a_message_are_children() {
    let message = one(Content::Client, HEADER, "<message><stream:error/><stream:stream><body/></stream:stream></message>");
    assert!(message.has_child("error", ns::STREAM) && message.has_child("stream", ns::STREAM));
}

#[test]
fn a_stream_error_of_the_peer_is_an_element() {
    let error = one(Content::Client, HEADER, "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    assert!(error.is("error", ns::STREAM) && error.has_child("reset", ns::STREAM_ERROR));
}

#[test]
fn server_stanzas_are_client_stanzas_inside() {
    let message = one(
        Content::Server,
        SERVER_HEADER,
        "<message><body>x</body><error><y/></error><body xmlns='jabber:client'/><forwarded xmlns='urn:xmpp:forward:0'>\
         <message xmlns='jabber:client'/><message xmlns='jabber:server'/></forwarded></message>",
    );
    assert!(message.is("message", ns::CLIENT));
    assert_eq!(message.children().filter(|child| child.is("body", ns::CLIENT)).count(), 2);
    assert!(message.get_child("error", ns::CLIENT).unwrap().has_child("y", ns::CLIENT));
    let forwarded = message.get_child("forwarded", "urn:xmpp:forward:0").unwrap();
    assert!(forwarded.has_child("message", ns::CLIENT) && forwarded.has_child("message", ns::SERVER));
}

#[test]
fn a_server_body_from_a_client_is_a_body_to_our_filters() {
    let message = one(Content::Client, HEADER, "<message><body xmlns='jabber:server'>x</body></message>");
    assert!(message.has_child("body", ns::CLIENT));
}

#[test]
fn other_first_level_elements_keep_their_namespace() {
    let result =
        one(Content::Server, SERVER_HEADER, "<result xmlns='jabber:server:dialback'><x xmlns='jabber:server'/></result>");
    assert!(result.is("result", ns::DIALBACK) && result.has_child("x", ns::SERVER));
}
