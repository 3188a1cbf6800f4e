//! The fuzzer's corpus, replayed: each file through the fuzz target's own driver, with the end it must come to.

use crate::{
    StreamFault,
    drive::{End, drive},
};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/sasl");

fn expected(name: &str) -> Option<(u8, End)> {
    let policy = End::Closed(StreamFault::PolicyViolation);
    Some(match name {
        "login-sasl1" | "login-sasl1-late" | "login-sasl2-plus" => (0, End::Authenticated),
        "wrong-thrice" | "names" | "bindings" | "encodings" | "disorder" => (3, policy),
        "unknown" => (1, End::Open),
        "extensions" => (2, End::Open),
        "disorder2" => (0, policy),
        "finals" => (3, policy),
        _ => return None,
    })
}

#[test]
fn the_corpus_ends_as_it_must() {
    let mut named = 0;
    for file in std::fs::read_dir(CORPUS).unwrap() {
        let file = file.unwrap();
        let ended = drive(&std::fs::read(file.path()).unwrap());
        let name = file.file_name().into_string().unwrap();
        if let Some(expected) = expected(&name) {
            assert_eq!(ended, expected, "{name}");
            named += 1;
        }
    }
    assert_eq!(named, 12);
}
