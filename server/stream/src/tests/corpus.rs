//! Replays the fuzzer's corpus, each file of which is one hostile stream.
use super::*;
use crate::write;
use std::path::Path;

#[test]
fn the_corpus_is_read_the_same_however_it_is_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/stream");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let input = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for content in [Content::Client, Content::Server] {
            for limits in [Limits::BEFORE_LOGIN, LARGE] {
                for event in read_both(content, limits, &input).0 {
                    send_on(content, &event);
                }
            }
        }
    }
    assert!(files >= 15, "the corpus is missing");
}

/// Of what another server sent, the writer leaves out what some parsers refuse; the rest is always readable.
fn send_on(content: Content, event: &Event) {
    let Event::Element(element, _) = event else { return };
    let mut out = HEADER.as_bytes().to_vec();
    write::first_level(&mut out, Content::Client, element);
    let (events, error) = read_both(Content::Client, LARGE, &out);
    assert_eq!(error, None);
    if content == Content::Client {
        assert!(matches!(&events[..], [Event::Open(_), Event::Element(again, _)] if again == element));
    }
}
