//! Time per stanza of reading and writing: `cargo bench -p bocage-stream`.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]
#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::time::Instant;

use bocage_stream::{Content, Event, Limits, Reader, ns, write};

const HEADER: &[u8] = b"<?xml version='1.0'?><stream:stream to='a.example' version='1.0' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams'>";

const MESSAGE: &[u8] = b"<message xml:lang='en' to='juliet@capulet.example/balcony-7f3a9c' type='chat' \
    id='6f1c8a52-0b1e-4f6e-9a35-7e5d0c0a9b11'><body>Wherefore art thou Romeo? Deny thy father &amp; refuse thy \
    name.</body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><markable \
    xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='6f1c8a52-0b1e-4f6e-9a35-7e5d0c0a9b11'/>\
    <store xmlns='urn:xmpp:hints'/></message>";

const ROUNDS: u32 = 200_000;

fn best(name: &str, mut work: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..ROUNDS / 5 {
            work();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS / 5));
    }
    println!("{name:<28} {best:8.3} us");
}

fn main() {
    let mut reader = Reader::new(Content::Client, Limits::stanza(256 * 1024));
    reader.next(&mut &HEADER[..]).expect("header");
    println!("message: {} bytes; Reader: {} bytes inline", MESSAGE.len(), size_of::<Reader>());
    best("read", || {
        let mut input = black_box(MESSAGE);
        black_box(reader.next(&mut input).expect("well-formed"));
    });
    best("read, idle after each", || {
        let mut input = black_box(MESSAGE);
        black_box(reader.next(&mut input).expect("well-formed"));
        reader.idle();
    });
    let Ok(Some(Event::Element(element, _))) = reader.next(&mut &MESSAGE[..]) else { panic!("no element") };
    let mut out = Vec::with_capacity(1024);
    best("write", || {
        out.clear();
        write::element(&mut out, black_box(&element), ns::CLIENT);
        black_box(&out);
    });
    best("clone and drop", || drop(black_box(element.clone())));
}
