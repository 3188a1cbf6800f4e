//! A stream before its session exists: one element at a time, with a deadline over all of it.

use bocage_api::ns;
use bocage_stream::{Content, Event, Limits, Reader, StreamError, StreamHeader, write};
use bocage_tls::Secured;
use minidom::Element;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// Why a login ended without a session.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client is told why.
    Stream(StreamError),
    /// The client closed its stream.
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

/// A stream over TLS, before its session.
pub(super) struct Talk {
    pub(super) io: Secured<TcpStream>,
    pub(super) reader: Reader,
    pub(super) out: Vec<u8>,
    deadline: Instant,
    opened: bool,
}

/// Goodbyes are not waited for longer than this.
const GOODBYE: Duration = Duration::from_secs(2);

impl Talk {
    pub(super) fn new(io: Secured<TcpStream>, deadline: Instant) -> Self {
        Self { io, reader: Reader::new(Content::Client, Limits::BEFORE_LOGIN), out: Vec::new(), deadline, opened: false }
    }

    /// The next event; `connection-timeout` at the deadline, however bytes drip.
    pub(super) async fn event(&mut self) -> Result<Event, Fault> {
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
    pub(super) async fn element(&mut self) -> Result<Element, Fault> {
        match self.event().await? {
            Event::Element(element, _) => Ok(element),
            Event::Close => Err(Fault::Closed),
            Event::Open(_) => Err(StreamError::from(bocage_stream::Condition::BadFormat).into()),
        }
    }

    /// The header that opens a stream.
    pub(super) async fn header(&mut self) -> Result<StreamHeader, Fault> {
        match self.event().await? {
            Event::Open(header) => Ok(header),
            Event::Close => Err(Fault::Closed),
            Event::Element(..) => Err(StreamError::from(bocage_stream::Condition::BadFormat).into()),
        }
    }

    /// Our own header.
    pub(super) fn open(&mut self, from: &str, to: Option<&str>, id: &str) {
        write::open(&mut self.out, &write::Header { content: Content::Client, from, to, id: Some(id), lang: "en" });
        self.opened = true;
    }
    /// A new stream follows on the same connection (after SASL1).
    pub(super) fn restart(&mut self) {
        self.reader.restart();
        self.opened = false;
    }
    pub(super) fn is_open(&self) -> bool {
        self.opened
    }
    /// Adds an element to what is sent by [`Talk::flush`].
    pub(super) fn say(&mut self, element: &Element) {
        write::first_level(&mut self.out, Content::Client, element);
    }
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        let sent = async {
            self.io.write_all(&self.out).await?;
            self.io.flush().await
        };
        tokio::time::timeout_at(self.deadline, sent).await.map_err(|_| Fault::Lost)??;
        self.out.clear();
        Ok(())
    }
    /// Sends the error if there is one, and closes.
    pub(super) async fn end(mut self, fault: Fault) {
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
            crate::c2s::linger(self.io.get_ref()).await;
        }
    }
}

/// `<features/>` with these children.
pub(super) fn features(children: impl IntoIterator<Item = Element>) -> Element {
    Element::builder("features", ns::STREAMS).append_all(children).build()
}
