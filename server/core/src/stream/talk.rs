//! A stream that is being negotiated: one element at a time, with a deadline over all of it.

use super::Socket;
use bocage_api::ns;
use bocage_stream::{Content, Event, Limits, Reader, StreamError, StreamHeader, write};
use minidom::Element;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt},
    time::Instant,
};

/// Why a negotiation ended without its goal.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The peer is told why.
    Stream(StreamError),
    /// The peer closed its stream.
    Closed,
    /// The connection broke.
    Lost,
}
impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}
impl From<StreamError> for Fault {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

/// A stream that is being negotiated.
pub(crate) struct Talk<S> {
    pub(crate) io: S,
    pub(crate) reader: Reader,
    pub(crate) out: Vec<u8>,
    content: Content,
    deadline: Instant,
    opened: bool,
}

/// Goodbyes are not waited for longer than this.
const GOODBYE: Duration = Duration::from_secs(2);

impl<S: AsyncBufRead + AsyncWrite + Unpin> Talk<S> {
    pub(crate) fn new(io: S, content: Content, deadline: Instant) -> Self {
        let reader = Reader::new(content, Limits::BEFORE_LOGIN);
        Self { io, reader, out: Vec::new(), content, deadline, opened: false }
    }

    /// The next event; `connection-timeout` at the deadline, however bytes drip.
    pub(crate) async fn event(&mut self) -> Result<Event, Fault> {
        let deadline = self.deadline;
        tokio::time::timeout_at(deadline, self.read()).await.unwrap_or_else(|_| Err(crate::c2s::errors::timeout().into()))
    }

    async fn read(&mut self) -> Result<Event, Fault> {
        loop {
            let bytes = self.io.fill_buf().await?;
            if bytes.is_empty() {
                return Err(Fault::Lost);
            }
            let mut rest = bytes;
            let event = self.reader.next(&mut rest);
            let count = bytes.len() - rest.len();
            self.io.consume(count);
            if let Some(event) = event? {
                return Ok(event);
            }
        }
    }

    /// The next first-level element.
    pub(crate) async fn element(&mut self) -> Result<Element, Fault> {
        match self.event().await? {
            Event::Element(element, _) => Ok(element),
            Event::Close => Err(Fault::Closed),
            Event::Open(_) => Err(StreamError::from(bocage_stream::Condition::BadFormat).into()),
        }
    }

    /// The header that opens a stream.
    pub(crate) async fn header(&mut self) -> Result<StreamHeader, Fault> {
        match self.event().await? {
            Event::Open(header) => Ok(header),
            Event::Close => Err(Fault::Closed),
            Event::Element(..) => Err(StreamError::from(bocage_stream::Condition::BadFormat).into()),
        }
    }

    /// Our own header; the side that was called gives the id.
    pub(crate) fn open(&mut self, from: &str, to: Option<&str>, id: Option<&str>) {
        write::open(&mut self.out, &write::Header { content: self.content, from, to, id, lang: "en" });
        self.opened = true;
    }
    /// A new stream follows on the same connection (after SASL).
    pub(crate) fn restart(&mut self) {
        self.reader.restart();
        self.opened = false;
    }
    pub(crate) fn is_open(&self) -> bool {
        self.opened
    }
    /// Adds an element to what is sent by [`Talk::flush`].
    pub(crate) fn say(&mut self, element: &Element) {
        write::first_level(&mut self.out, self.content, element);
    }
    pub(crate) async fn flush(&mut self) -> Result<(), Fault> {
        let sent = async {
            self.io.write_all(&self.out).await?;
            self.io.flush().await
        };
        tokio::time::timeout_at(self.deadline, sent).await.map_err(|_| Fault::Lost)??;
        self.out.clear();
        Ok(())
    }
    /// Sends the error if there is one, and closes.
    pub(crate) async fn end(mut self, fault: Fault)
    where
        S: Socket,
    {
        match &fault {
            Fault::Lost => return,
            Fault::Closed => {}
            Fault::Stream(error) => write::error(&mut self.out, error),
        }
        write::close(&mut self.out);
        let goodbye = async {
            self.io.write_all(&self.out).await?;
            self.io.shutdown().await
        };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_ok_and(|said| said.is_ok()) {
            super::linger(self.io.socket()).await;
        }
    }
}

/// `<features/>` with these children.
pub(crate) fn features(children: impl IntoIterator<Item = Element>) -> Element {
    Element::builder("features", ns::STREAMS).append_all(children).build()
}
