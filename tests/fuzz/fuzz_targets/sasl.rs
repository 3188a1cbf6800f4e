//! A client's SASL messages against the server's side of both profiles.
#![no_main]

#[path = "../drive/sasl.rs"]
mod drive;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    drive::drive(input);
});
