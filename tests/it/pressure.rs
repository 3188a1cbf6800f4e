//! Nobody can make the server wait for somebody, or grow for somebody.

use base64::{Engine, prelude::BASE64_STANDARD};
use bocage_tests::{Person, Village, soon, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A session on a bare TLS stream, which reads only when told: login by a stock client's own steps is not needed twice,
/// so it uses SASL2 with Bind 2.
struct Raw {
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
}

impl Raw {
    async fn online(village: &Village, name: &str) -> Self {
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
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }
    async fn until(&mut self, end: &str) -> String {
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
    async fn flood(&mut self, text: &str, most: usize) -> usize {
        for sent in 0..most {
            let write = async {
                self.stream.write_all(text.as_bytes()).await?;
                self.stream.flush().await
            };
            if !matches!(tokio::time::timeout(std::time::Duration::from_secs(2), write).await, Ok(Ok(()))) {
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

#[tokio::test(flavor = "multi_thread")]
async fn two_who_flood_each_other_without_reading_hurt_nobody() {
    let village = Village::with("[c2s]\nrate = \"off\"\n", &["alice", "bob", "carol", "dan"]).await;
    let (mut alice, mut bob) = (Raw::online(&village, "alice").await, Raw::online(&village, "bob").await);
    let body = "x".repeat(4_000);
    let to = |name: &str| format!("<message to='{name}@village.example' type='chat'><body>{body}</body></message>");
    let (to_alice, to_bob) = (to("alice"), to("bob"));
    tokio::join!(alice.flood(&to_bob, 4_000), bob.flood(&to_alice, 4_000));
    let (mut carol, mut dan) = (Person::online(&village, "carol").await, Person::online(&village, "dan").await);
    carol.send(&format!("<message to='{}' type='chat'><body>calm</body></message>", dan.jid)).await;
    assert_eq!(text(&dan.message().await), "calm");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_floods_themselves_gets_it_all_back() {
    let village = Village::with("[c2s]\nrate = \"off\"\n", &["alice"]).await;
    let mut alice = Raw::online(&village, "alice").await;
    let text = "<message to='alice@village.example' type='chat'><body>echo</body></message>".repeat(50);
    for _ in 0..40 {
        alice.send(&text).await;
    }
    let mut seen = String::new();
    while seen.matches("</message>").count() < 2_000 {
        seen.push_str(&alice.until(">").await);
    }
    assert_eq!(seen.matches("<body>echo</body>").count(), 2_000);
}
