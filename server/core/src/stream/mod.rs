//! What streams with clients and streams with servers have in common.

pub(crate) mod bucket;
mod linger;
pub(crate) mod talk;

pub(crate) use linger::linger;

/// An event with the bytes that were read for it; `None`: the connection is over.
pub(crate) type Read = Option<(Result<Option<Event>, StreamError>, usize)>;

/// Reads at most one event; `dirty` is whether the reader holds room that it could give back.
pub(crate) fn poll_event(
    io: &mut (impl AsyncBufRead + Unpin),
    reader: &mut Reader,
    dirty: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Read> {
    let mut io = Pin::new(io);
    let (event, count) = match io.as_mut().poll_fill_buf(cx) {
        Poll::Pending => {
            // The parser's room is lent to whoever reads next: kept, it would be half of an idle session.
            if std::mem::take(dirty) && reader.between_stanzas() {
                reader.idle();
            }
            return Poll::Pending;
        }
        Poll::Ready(Err(_) | Ok([])) => return Poll::Ready(None),
        Poll::Ready(Ok(bytes)) => {
            let mut rest = bytes;
            (reader.next(&mut rest), bytes.len() - rest.len())
        }
    };
    io.consume(count);
    *dirty = true;
    Poll::Ready(Some((event, count)))
}

use bocage_stream::{Event, Reader, StreamError};
use bocage_tls::{PeerStream, Plain, Secured};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncBufRead, BufReader},
    net::TcpStream,
};

/// The socket below a connection.
pub(crate) trait Socket {
    /// It.
    fn socket(&self) -> &TcpStream;
}
impl Socket for Secured<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref()
    }
}
impl Socket for PeerStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref()
    }
}
impl Socket for BufReader<Plain<TcpStream>> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().get_ref()
    }
}
