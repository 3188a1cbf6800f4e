//! Another implementation at the other end: OpenSSL's command line tool, over loopback.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Ended when dropped.
struct Tool(Child);

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Tool {
    fn start(lab: &Lab, arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(lab.path());
        // Its input stays open, for it ends with that.
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Self(child.expect("the openssl command is installed"))
    }

    fn run(lab: &Lab, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(lab.path()).output();
        let output = output.expect("the openssl command is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The port that `s_server` has got.
    fn port(&mut self) -> u16 {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.into_iter().find(|line| line.starts_with("ACCEPT ")).unwrap();
        line.rsplit(':').next().unwrap().parse().unwrap()
    }
}

async fn connects_to(lab: &Lab, arguments: &[&str]) -> (Result<PeerStream, ConnectError>, Tool) {
    let server = ["s_server", "-accept", "127.0.0.1:0", "-cert", "peer.crt", "-key", "peer.key", "-Verify", "1"];
    let mut tool = Tool::start(lab, &[&server, arguments].concat());
    let io = TcpStream::connect(("127.0.0.1", tool.port())).await.unwrap();
    let connector = Connector::new(&lab.acceptor(&[US], Profile::Modern));
    (connector.connect(Plain::new(io), US, THEM, PEER_STARTTLS).await, tool)
}

async fn accepts_from(lab: &Lab, arguments: &[&str]) -> (Result<PeerStream, AcceptError>, Tool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = ["s_client", "-connect", &address, "-cert", "peer.crt", "-key", "peer.key", "-servername", US];
    let tool = Tool::start(lab, &[&client, arguments].concat());
    let (io, _) = listener.accept().await.unwrap();
    let acceptor = lab.acceptor(&[US], Profile::Modern);
    (acceptor.accept_peer(Plain::new(io), STARTTLS).await, tool)
}

#[tokio::test]
async fn openssl_is_proven_in_both_directions_and_versions() {
    let lab = Lab::new(&[US]);
    let root = Authority::root("root");
    let middle = root.below(authority("middle"));
    let issued = middle.sign(&server(&[THEM]));
    lab.issue("peer", &issued);
    lab.write("chain.pem", &pem(&issued.chain[1..]), 0o644);
    let trust = lab.trust(&[&root]);
    for (version, expected) in [("-tls1_3", TlsVersion::V1_3), ("-tls1_2", TlsVersion::V1_2)] {
        let arguments = [version, "-cert_chain", "chain.pem"];
        let (outgoing, _server) = connects_to(&lab, &arguments).await;
        let (incoming, _client) = accepts_from(&lab, &arguments).await;
        for link in [outgoing.unwrap(), incoming.unwrap()] {
            let proof = link.prove(&trust, THEM, &Evidence::default(), NOW).unwrap();
            assert_eq!((proof.by(), proof.version()), (ProvenBy::Pkix, expected));
            assert_eq!(link.prove(&trust, "c.example", &Evidence::default(), NOW), Err(Refused::Name));
        }
    }
}

#[tokio::test]
async fn h40_versions_and_ciphers_of_yesterday_are_refused() {
    let lab = Lab::new(&[US]);
    lab.issue("peer", &self_made(&server(&[THEM])));
    let cases = [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA"],
    ];
    for arguments in cases {
        let (outgoing, _server) = connects_to(&lab, arguments).await;
        assert!(matches!(outgoing, Err(ConnectError::Handshake(_))), "{arguments:?} {outgoing:?}");
        let (incoming, _client) = accepts_from(&lab, arguments).await;
        assert!(matches!(incoming, Err(AcceptError::Tls(_))), "{arguments:?} {incoming:?}");
    }
}

#[tokio::test]
async fn h40_weak_keys_and_signatures_are_refused() {
    let lab = Lab::new(&[US]);
    let make = |key: &str, hash: &str| {
        let subject = ["-subj", "/CN=peer", "-addext", "subjectAltName=DNS:b.example", "-days", "36500"];
        let output = ["-keyout", "peer.key", "-out", "peer.crt", "-nodes"];
        Tool::run(&lab, &[&["req", "-x509", "-newkey", key, hash][..], &subject, &output].concat());
    };
    make("rsa:1024", "-sha256");
    let weak = ["-cipher", "DEFAULT@SECLEVEL=0"];
    let (outgoing, _server) = connects_to(&lab, &weak).await;
    assert!(matches!(outgoing, Err(ConnectError::Handshake(AcceptError::Tls(_)))), "{outgoing:?}");
    let (incoming, _client) = accepts_from(&lab, &weak).await;
    assert!(matches!(incoming, Err(AcceptError::Tls(_))), "{incoming:?}");

    // A leaf that a trusted authority has signed with SHA-1.
    make("rsa:2048", "-sha256");
    fs::copy(lab.file("peer.crt"), lab.file("root.crt")).unwrap();
    fs::copy(lab.file("peer.key"), lab.file("root.key")).unwrap();
    let subject = ["-subj", "/CN=leaf", "-addext", "subjectAltName=DNS:b.example"];
    Tool::run(
        &lab,
        &[&["req", "-newkey", "rsa:2048", "-nodes", "-keyout", "peer.key", "-out", "peer.csr"][..], &subject].concat(),
    );
    let trust = Trust::load(Some(&lab.file("root.crt"))).unwrap();
    for (hash, expected) in [("-sha256", Ok(ProvenBy::Pkix)), ("-sha1", Err(Refused::Weak))] {
        let sign =
            ["x509", "-req", "-in", "peer.csr", "-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial", "-days", "36500"];
        Tool::run(&lab, &[&sign[..], &["-copy_extensions", "copy", "-out", "peer.crt", hash]].concat());
        let (outgoing, _server) = connects_to(&lab, &weak).await;
        let (incoming, _client) = accepts_from(&lab, &weak).await;
        // OpenSSL has dated them from today.
        let later = i64::from(u32::MAX);
        for link in [outgoing.unwrap(), incoming.unwrap()] {
            let answer = link.prove(&trust, THEM, &Evidence::default(), later);
            assert_eq!(answer.map(|proof| proof.by()), expected, "{hash}");
        }
    }
}
