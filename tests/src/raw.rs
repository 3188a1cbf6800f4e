//! A client that is ours to the byte: what stock clients hide (ends of streams, not reading) is seen with it.

use crate::{Village, soon};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A session on a bare TLS stream, which reads only when told. It logs in by SASL2 with Bind 2 and a channel binding.
pub struct Raw {
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
}

impl Raw {
    /// Reads to the end of the connection.
    pub async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A connection that is cut without the end of TLS is read to its end all the same.
        let _ = soon(self.stream.read_to_end(&mut bytes)).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Logs in and says so.
    pub async fn online(village: &Village, name: &str) -> Self {
        use sasl::client::{Mechanism, mechanisms::Scram};
        use sasl::common::{ChannelBinding, Credentials, scram::Sha256};
        let mut stream = village.connector.tls(village.domain).await.unwrap();
        let bytes = stream.get_ref().1.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let credentials = Credentials::default()
            .with_username(name)
            .with_password(village.password(name))
            .with_channel_binding(ChannelBinding::TlsExporter(bytes));
        let mut scram = Scram::<Sha256>::from_credentials(credentials).unwrap();
        let open = format!(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{}' version='1.0'>",
            village.domain
        );
        stream.write_all(open.as_bytes()).await.unwrap();
        let mut raw = Self { stream };
        raw.until("</stream:features>").await;
        let first = base64(&scram.initial());
        raw.send(&format!("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256-PLUS'><initial-response>{first}</initial-response><bind xmlns='urn:xmpp:bind:0'/></authenticate>")).await;
        let challenge = raw.until("</challenge>").await;
        let challenge = challenge.split("</challenge>").next().unwrap().rsplit('>').next().unwrap().to_owned();
        let last = base64(&scram.response(&unbase64(&challenge)).unwrap());
        raw.send(&format!("<response xmlns='urn:xmpp:sasl:2'>{last}</response>")).await;
        raw.until("</stream:features>").await;
        raw.send("<presence/>").await;
        raw
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
    /// Reads up to (at least) `end`.
    pub async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let mut chunk = [0; 4096];
        while !text.contains(end) {
            let count = soon(self.stream.read(&mut chunk)).await.unwrap();
            assert!(count > 0, "closed after {text}");
            text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
        text
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
