//! Bytes from one connection to another, on threads of their own: a proxy outlives no test but may outlive a runtime.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

/// Copies until `from` ends; `seen` gets all that passes, before it passes.
pub(crate) fn pump(mut from: TcpStream, mut to: TcpStream, seen: impl Fn(&[u8]) + Send + 'static) {
    std::thread::spawn(move || {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            seen(&chunk[..count]);
            if to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
