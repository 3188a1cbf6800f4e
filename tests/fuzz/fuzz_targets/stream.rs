//! Bytes of a peer against the stream reader. What it lets pass must survive being sent on to somebody else.
#![no_main]

use bocage_stream::{Content, Event, Limits, Reader, write};
use libfuzzer_sys::fuzz_target;

const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// All events, in pieces of `size` bytes, and the name of the error.
fn read(content: Content, size: usize, input: &[u8]) -> (Vec<Event>, Option<&'static str>) {
    let mut reader = Reader::new(content, Limits::stanza(64 * 1024));
    let mut events = Vec::new();
    for mut piece in input.chunks(size) {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error.condition.name())),
            }
        }
    }
    (events, None)
}

fuzz_target!(|input: &[u8]| {
    for content in [Content::Client, Content::Server] {
        let whole = read(content, input.len().max(1), input);
        assert_eq!(whole, read(content, 1, input));
        assert_eq!(whole, read(content, 7, input));
        for event in whole.0 {
            let Event::Element(element, _) = event else { continue };
            let mut out = HEADER.to_vec();
            write::first_level(&mut out, Content::Client, &element);
            let (events, error) = read(Content::Client, out.len(), &out);
            assert_eq!(error, None);
            // Of what another server sent, the writer leaves out what some parsers refuse.
            if content == Content::Client {
                assert!(matches!(events.as_slice(), [Event::Open(_), Event::Element(again, _)] if *again == element));
            }
        }
    }
});
