//! What is on its way to the client: bytes, and the messages among them until the kernel has taken them all.

use crate::wire;
use bocage_api::{Frozen, Kind, stanza::MessageType};
use bocage_stream::{StreamError, write};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Above this nothing more is taken from mailbox, services or input until it has been written.
const HIGH: usize = 64 * 1024;
/// From so much on, output goes out before more is looked at.
const RIPE: usize = 16 * 1024;
/// An output buffer larger than this is given back when empty.
const KEEP: usize = 4 * 1024;

/// The output of a session.
pub(crate) struct Output {
    bytes: Vec<u8>,
    written: usize,
    unflushed: bool,
    stalled: bool,
    messages: Vec<Arc<Frozen>>,
}

impl Output {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, written: 0, unflushed: false, stalled: false, messages: Vec::new() }
    }
    /// Adds a stanza; messages are remembered until they were written.
    pub(crate) fn stanza(&mut self, stanza: &Arc<Frozen>, instead: Option<&str>) {
        wire::write_stanza(&mut self.bytes, stanza, instead);
        if let Kind::Message(MessageType::Chat | MessageType::Normal) = stanza.kind {
            self.messages.push(stanza.clone());
        }
    }
    /// Adds a stanza that somebody else remembers.
    pub(crate) fn untracked(&mut self, stanza: &Frozen, instead: Option<&str>) {
        wire::write_stanza(&mut self.bytes, stanza, instead);
    }
    /// Adds bytes that are well-formed already.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    /// Adds an element of the stream's own.
    pub(crate) fn element(&mut self, element: &minidom::Element) {
        write::first_level(&mut self.bytes, bocage_stream::Content::Client, element);
    }
    pub(crate) fn keepalive(&mut self) {
        if self.bytes.is_empty() {
            self.bytes.push(b' ');
        }
    }
    pub(crate) fn is_high(&self) -> bool {
        self.bytes.len() - self.written >= HIGH
    }
    /// Is it worth a write before more is looked at?
    pub(crate) fn is_ripe(&self, turn_ended: bool) -> bool {
        let waiting = self.bytes.len() - self.written;
        waiting >= RIPE || (turn_ended && waiting > 0)
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.unflushed
    }
    /// Was there output at the last call already, and none of it went? For the keepalive's timer.
    pub(crate) fn is_stalled(&mut self) -> bool {
        let stalled = self.stalled && !self.is_empty();
        self.stalled = !self.is_empty();
        stalled
    }
    /// Messages that may not have left.
    pub(crate) fn unsent(&mut self) -> Vec<Arc<Frozen>> {
        std::mem::take(&mut self.messages)
    }
    /// Writes what can be written. Ready when all is out.
    pub(crate) fn poll_write(&mut self, io: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut *io).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.unflushed = true;
            self.stalled = false;
        }
        self.written = 0;
        if self.bytes.capacity() > KEEP {
            self.bytes = Vec::new()
        } else {
            self.bytes.clear()
        }
        if self.unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
            self.messages.clear();
            if self.messages.capacity() > 16 {
                self.messages = Vec::new();
            }
        }
        Poll::Ready(Ok(()))
    }
    /// The rest, the error if there is one, the end of the stream, and the end of the connection.
    pub(crate) async fn goodbye(&mut self, io: &mut (impl AsyncWrite + Unpin), error: Option<&StreamError>) -> io::Result<()> {
        if let Some(error) = error {
            write::error(&mut self.bytes, error);
        }
        write::close(&mut self.bytes);
        std::future::poll_fn(|cx| self.poll_write(io, cx)).await?;
        // The peer may have hung up already: its messages are out all the same.
        let _ = io.shutdown().await;
        Ok(())
    }
}
