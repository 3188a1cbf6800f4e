//! A proxy in front of a server's port, which remembers every byte of both directions.

use crate::pump::pump;
use std::{
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// Elements that may be seen before TLS (RFC 6120, section 5): what announces, asks for and grants it. Of features
/// that are announced beside it, those that say nothing of anybody.
const OPENING: [&str; 12] = [
    "?xml",
    "stream:stream",
    "stream:features",
    "starttls",
    "required",
    "proceed",
    "dialback",
    "bidi",
    "errors",
    "limits",
    "max-bytes",
    "idle-seconds",
];

/// One connection.
#[derive(Clone, Default)]
pub struct Recording {
    /// What the side that connected sent.
    pub sent: Vec<u8>,
    /// What it got.
    pub received: Vec<u8>,
}

/// The proxy.
pub struct Recorder {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    recordings: Mutex<Vec<Recording>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Recorder {
    /// Listens at `at` for `target`, which need not listen yet.
    #[must_use]
    pub fn to(target: SocketAddr, at: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((at, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepted = shared.clone();
        std::thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                // Nobody there: the caller sees its connection end.
                if let Ok(server) = TcpStream::connect(target) {
                    accepted.relay(caller, server);
                }
            }
        });
        Self { address, shared }
    }
    /// Every connection up to now, in order.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        self.shared.recordings.lock().unwrap().clone()
    }
    /// Cuts all connections, as a network does.
    pub fn cut(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn relay(self: &Arc<Self>, caller: TcpStream, server: TcpStream) {
        let number = {
            let mut recordings = self.recordings.lock().unwrap();
            recordings.push(Recording::default());
            recordings.len() - 1
        };
        let again = |stream: &TcpStream| stream.try_clone().unwrap();
        self.open.lock().unwrap().extend([again(&caller), again(&server)]);
        let (sent, received) = (self.clone(), self.clone());
        pump(again(&caller), again(&server), move |bytes| sent.recordings.lock().unwrap()[number].sent.extend(bytes));
        pump(server, caller, move |bytes| received.recordings.lock().unwrap()[number].received.extend(bytes));
    }
}

impl Recording {
    /// The version of TLS that the server chose: 0x0304 is 1.3 (RFC 8446, section 4.2.1).
    #[must_use]
    pub fn version(&self) -> Option<u16> {
        let (_, records) = split(&self.received);
        chosen_version(records)
    }
    /// Whether the ClientHello says `words`: an ALPN or a server's name.
    #[must_use]
    pub fn hello_says(&self, words: &str) -> bool {
        let (_, records) = split(&self.sent);
        let hello = records.get(..record_length(records).unwrap_or(0)).unwrap_or_default();
        hello.windows(words.len()).any(|window| window == words.as_bytes())
    }
    /// Nothing but the opening of STARTTLS, if that, is readable; the rest is records of TLS to the last byte.
    ///
    /// # Panics
    /// When something else is.
    pub fn only_the_starttls_opening_is_plain(&self) {
        for side in [&self.sent, &self.received] {
            let (plain, mut records) = split(side);
            let plain = std::str::from_utf8(plain).expect("before TLS there is text");
            assert!(!plain.contains('@'), "nobody's address: {plain}");
            assert!(plain.len() < 4096, "an opening is short");
            for name in elements(plain) {
                assert!(OPENING.contains(&name), "<{name}> before TLS: {plain}");
            }
            while !records.is_empty() {
                let Some(length) = record_length(records) else {
                    panic!("bytes that are no TLS record: {:?}", &records[..records.len().min(64)])
                };
                // What was under way when the recording was taken is cut short.
                records = records.get(length..).unwrap_or_default();
            }
        }
    }
}

/// What is plain, and what follows: TLS begins with a handshake record.
fn split(side: &[u8]) -> (&[u8], &[u8]) {
    let start = side.windows(2).position(|window| window == [0x16, 0x03]).unwrap_or(side.len());
    side.split_at(start)
}

/// Length of the record that begins here, header included.
fn record_length(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [20..=24, 3, 0..=4, high, low, ..] => Some(5 + usize::from(u16::from_be_bytes([high, low]))),
        // Less than a header at the end of what was taken.
        [20..=24, ref rest @ ..] if rest.len() < 4 => Some(bytes.len()),
        _ => None,
    }
}

/// Names of the elements, begun or ended, of a text that need not be whole.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split('<').skip(1).map(|tag| {
        let tag = tag.trim_start_matches('/');
        tag.split([' ', '/', '>', '\n', '\t', '?'])
            .find(|part| !part.is_empty())
            .map_or("", |name| if name == "xml" { "?xml" } else { name })
    })
}

/// The extension `supported_versions` of the ServerHello.
fn chosen_version(records: &[u8]) -> Option<u16> {
    // Record header, handshake header, legacy version, random.
    let hello = records.get(5 + 4 + 2 + 32..record_length(records)?)?;
    let (&session, rest) = hello.split_first()?;
    // Session id, cipher suite, compression, length of the extensions.
    let mut extensions = rest.get(usize::from(session) + 2 + 1 + 2..)?;
    while let [k1, k2, l1, l2, rest @ ..] = extensions {
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        if u16::from_be_bytes([*k1, *k2]) == 43 {
            return Some(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
        }
        extensions = rest.get(length..)?;
    }
    None
}
