//! Hostile and ordinary streams, each read whole and byte by byte: where the network cuts must never matter.
mod corpus;
mod faults;
mod headers;
mod limits;
mod properties;
mod reading;
mod writing;

use crate::{Content, Event, Limits, Reader, StreamError};
use minidom::Element;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' to='a.example' version='1.0'>";
const SERVER_HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
     xmlns:stream='http://etherx.jabber.org/streams' to='a.example' from='b.example' version='1.0'>";

const LARGE: Limits = Limits::stanza(256 * 1024);

type Outcome = (Vec<Event>, Option<StreamError>);

fn drain(reader: &mut Reader, mut input: &[u8], outcome: &mut Outcome) {
    loop {
        match reader.next(&mut input) {
            Ok(Some(event)) => outcome.0.push(event),
            Ok(None) => return assert!(input.is_empty(), "bytes left behind"),
            Err(error) => return outcome.1 = Some(error),
        }
    }
}

/// Reads the pieces one after another, as the network brings them.
fn read<'a>(content: Content, limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = Reader::new(content, limits);
    let mut outcome = Outcome::default();
    for piece in pieces {
        drain(&mut reader, piece, &mut outcome);
    }
    outcome
}

/// Reads whole and byte by byte, which must make no difference.
fn read_both(content: Content, limits: Limits, input: &[u8]) -> Outcome {
    let whole = read(content, limits, [input]);
    let bytes = read(content, limits, input.chunks(1));
    assert_eq!(whole.0, bytes.0);
    let condition = |outcome: &Outcome| outcome.1.as_ref().map(|error| error.condition);
    assert_eq!(condition(&whole), condition(&bytes));
    whole
}

/// What a client stream makes of these bytes behind a good header.
fn client(input: impl AsRef<[u8]>) -> Outcome {
    let mut outcome = read_both(Content::Client, LARGE, &[HEADER.as_bytes(), input.as_ref()].concat());
    assert!(matches!(outcome.0.remove(0), Event::Open(_)));
    outcome
}

/// The one element in these bytes.
fn one(content: Content, header: &str, input: impl AsRef<[u8]>) -> Element {
    let (events, error) = read_both(content, LARGE, &[header.as_bytes(), input.as_ref()].concat());
    assert_eq!(error, None);
    match <[Event; 2]>::try_from(events) {
        Ok([Event::Open(_), Event::Element(element, bytes)]) => {
            assert_eq!(bytes, input.as_ref().len());
            element
        }
        other => panic!("not one element: {other:?}"),
    }
}
