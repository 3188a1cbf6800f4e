//! A client that is ours to the byte: what stock clients hide (ends of streams, not reading) is seen with it.

use crate::{Village, soon};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A session on a bare TLS stream, which reads only when told. It logs in by SASL2 with Bind 2 and a channel binding.
pub struct Raw {
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    /// Read and not yet asked for.
    text: String,
}

impl Raw {
    /// Reads to the end of the connection.
    pub async fn rest(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        // A connection that is cut without the end of TLS is read to its end all the same.
        let _ = soon(self.stream.read_to_end(&mut bytes)).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Logs in and says so.
    pub async fn online(village: &Village, name: &str) -> Self {
        let mut raw = Self::login(village, name, "<bind xmlns='urn:xmpp:bind:0'/>").await.0;
        raw.until("</stream:features>").await;
        raw.send("<presence/>").await;
        raw
    }
    /// A stream that is not authenticated: what it is bound to (RFC 9266), and its features.
    async fn connect(village: &Village) -> (Self, Vec<u8>, String) {
        let mut stream = village.connector.tls(village.domain).await.unwrap();
        let bytes = stream.get_ref().1.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let open = format!(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{}' version='1.0'>",
            village.domain
        );
        stream.write_all(open.as_bytes()).await.unwrap();
        let mut raw = Self { stream, text: String::new() };
        let features = raw.until("</stream:features>").await;
        (raw, bytes, features)
    }
    /// Logs in by a token (XEP-0484) bound to `tls-exporter`; the answer, up to its end.
    pub async fn by_token(village: &Village, (name, token): (&str, &str), requests: &str) -> (Self, String) {
        let (mut raw, binding, features) = Self::connect(village).await;
        assert!(features.contains("<mechanism>HT-SHA-256-EXPR</mechanism>"), "{features}");
        let keyed = |role: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
            mac.update(role.as_bytes());
            mac.update(&binding);
            mac.finalize().into_bytes().to_vec()
        };
        let first = base64(&[name.as_bytes(), b"\0", &keyed("Initiator")].concat());
        raw.send(&format!("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-EXPR'><initial-response>{first}</initial-response>{requests}</authenticate>")).await;
        let answer = raw.until_either("</success>", "</failure>").await;
        if answer.contains("<success") {
            assert!(answer.contains(&base64(&keyed("Responder"))), "the server knows the token, too: {answer}");
        }
        (raw, answer)
    }
    /// Logs in with these requests; the answer, from `<success/>` on.
    pub async fn login(village: &Village, name: &str, requests: &str) -> (Self, String) {
        Self::login_by(village, (name, &village.password(name)), requests).await
    }
    /// The same with a password that may be another one; what comes of it, up to its end.
    pub async fn login_by(village: &Village, (name, password): (&str, &str), requests: &str) -> (Self, String) {
        use sasl::client::{Mechanism, mechanisms::Scram};
        use sasl::common::{ChannelBinding, Credentials, scram::Sha256 as ScramSha256};
        let (mut raw, bytes, _) = Self::connect(village).await;
        let credentials = Credentials::default()
            .with_username(name)
            .with_password(password)
            .with_channel_binding(ChannelBinding::TlsExporter(bytes));
        let mut scram = Scram::<ScramSha256>::from_credentials(credentials).unwrap();
        let first = base64(&scram.initial());
        raw.send(&format!("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256-PLUS'><initial-response>{first}</initial-response>{requests}</authenticate>")).await;
        let challenge = raw.until("</challenge>").await;
        let challenge = challenge.split("</challenge>").next().unwrap().rsplit('>').next().unwrap().to_owned();
        let last = base64(&scram.response(&unbase64(&challenge)).unwrap());
        raw.send(&format!("<response xmlns='urn:xmpp:sasl:2'>{last}</response>")).await;
        let answer = raw.until_either("</success>", "</failure>").await;
        (raw, answer)
    }
    /// The connection breaks: nothing is said.
    pub async fn cut(self) {
        let _ = self.stream.into_inner().0.shutdown().await;
    }
    /// Its resource, as the server says it.
    pub async fn resource(&mut self) -> String {
        self.send("<iq type='get' id='who'><ping xmlns='urn:xmpp:ping'/></iq>").await;
        let answer = self.until("id='who'").await;
        let to = answer.rsplit("<iq to='").next().unwrap();
        to.split_once('\'').unwrap().0.split_once('/').unwrap().1.to_owned()
    }
    /// Sends text.
    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }
    /// Reads up to the end of `end`.
    pub async fn until(&mut self, end: &str) -> String {
        self.until_either(end, end).await
    }
    /// Reads up to the end of one or the other.
    async fn until_either(&mut self, one: &str, other: &str) -> String {
        let mut chunk = [0; 4096];
        loop {
            let found = [one, other].into_iter().filter_map(|end| Some(self.text.find(end)? + end.len())).min();
            if let Some(end) = found {
                let rest = self.text.split_off(end);
                return std::mem::replace(&mut self.text, rest);
            }
            let count = soon(self.stream.read(&mut chunk)).await.unwrap();
            assert!(count > 0, "closed after {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    }
    /// Reads on until `what` has passed so often, and forgets what it read.
    pub async fn see(&mut self, what: &str, times: usize) {
        let (mut seen, mut tail) = (0, Vec::new());
        let mut chunk = vec![0; 1 << 16];
        while seen < times {
            let count = self.stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "closed after {seen} of {times} times {what}");
            tail.extend_from_slice(&chunk[..count]);
            seen += tail.windows(what.len()).filter(|window| *window == what.as_bytes()).count();
            // What may be the beginning of one stays.
            tail.drain(..(tail.len() + 1).saturating_sub(what.len()).min(tail.len()));
        }
        assert_eq!(seen, times, "{what}");
    }
    /// Writes until nothing more is taken for a while: the server has stopped reading, or cut the stream.
    pub async fn flood(&mut self, text: &str, most: usize) -> usize {
        for sent in 0..most {
            let write = async {
                self.stream.write_all(text.as_bytes()).await?;
                self.stream.flush().await
            };
            if !matches!(tokio::time::timeout(Duration::from_secs(2), write).await, Ok(Ok(()))) {
                return sent;
            }
        }
        most
    }
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}
fn unbase64(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}
