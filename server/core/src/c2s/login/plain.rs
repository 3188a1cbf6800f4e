//! Before TLS (RFC 6120 section 5): a header, `<starttls/>`, and nothing else. What carries stanzas is another type.

use super::Login;
use crate::{
    c2s::{self, errors},
    stream::{linger, talk::features},
};
use bocage_stream::{CheckedHeader, Condition, Content, Event, Limits, Reader, StreamError, write};
use bocage_tls::{Opening, Plain, Secured};
use minidom::Element;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Bytes read at once before TLS.
const CHUNK: usize = 1_024;

/// What a plaintext stream has come to.
enum Turn {
    Go,
    Starttls,
    End(Option<StreamError>),
}

/// A plaintext stream.
struct Unsafe<'a> {
    login: &'a Login,
    reader: Reader,
    out: Vec<u8>,
    header: Option<CheckedHeader>,
}

/// Leads a plaintext connection to TLS; `None` = it ended.
pub(super) async fn starttls(login: &Login, mut plain: Plain<TcpStream>) -> Option<Secured<TcpStream>> {
    let mut talk = Unsafe { login, reader: Reader::new(Content::Client, Limits::BEFORE_LOGIN), out: Vec::new(), header: None };
    loop {
        let mut chunk = [0; CHUNK];
        let count = plain.read(&mut chunk).await.ok().filter(|&count| count > 0)?;
        let mut bytes = chunk.get(..count)?;
        let turn = talk.turn(&mut bytes);
        let end = matches!(turn, Turn::End(_));
        if let Turn::End(error) = &turn {
            talk.goodbye(error.as_ref());
        }
        plain.write_all(&talk.out).await.ok()?;
        talk.out.clear();
        if end {
            let _ = plain.shutdown().await;
            linger(plain.get_ref()).await;
            return None;
        }
        if let Turn::Starttls = turn {
            let to = talk.header.as_ref().map(|header| header.to.as_str().to_owned());
            let opening = Opening::Starttls { to: to.as_deref(), pipelined: bytes.len() };
            return login.acceptor.accept(plain, opening).await.ok();
        }
    }
}

impl Unsafe<'_> {
    fn turn(&mut self, bytes: &mut &[u8]) -> Turn {
        loop {
            let turn = match self.reader.next(bytes) {
                Ok(None) => return Turn::Go,
                Ok(Some(Event::Open(header))) => match header.check(|host| self.login.serves(host)) {
                    Ok(header) => self.open(header),
                    Err(error) => Turn::End(Some(error)),
                },
                Ok(Some(Event::Element(element, _))) => self.element(&element),
                Ok(Some(Event::Close)) => Turn::End(None),
                Err(error) => Turn::End(Some(error)),
            };
            if !matches!(turn, Turn::Go) {
                return turn;
            }
        }
    }

    fn open(&mut self, header: CheckedHeader) -> Turn {
        self.header_out(header.to.as_str());
        let required = Element::bare("required", c2s::TLS);
        let starttls = Element::builder("starttls", c2s::TLS).append(required).build();
        write::first_level(&mut self.out, Content::Client, &features([starttls]));
        self.header = Some(header);
        Turn::Go
    }

    fn header_out(&mut self, from: &str) {
        let id = self.login.router.entropy.id();
        write::open(&mut self.out, &write::Header { content: Content::Client, from, to: None, id: Some(&id), lang: "en" });
    }

    fn element(&mut self, element: &Element) -> Turn {
        if element.is("starttls", c2s::TLS) {
            write::first_level(&mut self.out, Content::Client, &Element::bare("proceed", c2s::TLS));
            return Turn::Starttls;
        }
        if element.has_ns(c2s::SASL) || element.has_ns(c2s::SASL2) {
            let namespace = element.ns();
            let condition = Element::bare("encryption-required", c2s::SASL);
            let failure = Element::builder("failure", namespace).append(condition).build();
            write::first_level(&mut self.out, Content::Client, &failure);
            return Turn::End(Some(Condition::PolicyViolation.into()));
        }
        Turn::End(Some(errors::not_authorized()))
    }

    /// A fault before our header still gets one (RFC 6120 section 4.9.1.2).
    fn goodbye(&mut self, error: Option<&StreamError>) {
        if self.header.is_none() {
            let host = self.login.default_host();
            self.header_out(&host);
        }
        if let Some(error) = error {
            write::error(&mut self.out, error);
        }
        write::close(&mut self.out);
    }
}
