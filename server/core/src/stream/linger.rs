//! The end of a connection whose peer may still be sending: a socket closed with unread bytes in it is reset, and the
//! peer then never reads the stream error that it was sent.

use std::{io, time::Duration};
use tokio::net::TcpStream;

/// So much is read away at most …
const BYTES: usize = 1024 * 1024;
/// … within this time.
const TIME: Duration = Duration::from_secs(2);

/// Reads away what still comes; both sides have been told that it is over.
pub(crate) async fn linger(socket: &TcpStream) {
    let _ = tokio::time::timeout(TIME, discard(socket)).await;
}

async fn discard(socket: &TcpStream) -> io::Result<()> {
    let mut left = BYTES;
    while left > 0 {
        socket.readable().await?;
        match read(socket) {
            Ok(0) => return Ok(()),
            Ok(count) => left = left.saturating_sub(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Apart, so that the room is not the future's.
fn read(socket: &TcpStream) -> io::Result<usize> {
    socket.try_read(&mut [0; 8 * 1024])
}
