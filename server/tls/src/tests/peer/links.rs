//! What links between servers negotiate, show and never do.

use std::time::Duration;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, NamedGroup, ServerConfig};
use tokio::io::AsyncBufReadExt;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn offering(names: &[&str]) -> Arc<ClientConfig> {
    let mut config = client(&[&TLS13]);
    config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A stock client without a certificate against the acceptor for servers. A byte goes each way.
async fn stock(
    acceptor: &Acceptor,
    opening: Opening<'_>,
    config: &Arc<ClientConfig>,
) -> (Result<Link, AcceptError>, io::Result<Client>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let server = async {
        let mut link = acceptor.accept_peer(Plain::new(far), opening).await?;
        link.write_u8(1).await?;
        link.flush().await?;
        Ok(link)
    };
    let client = async {
        let name = ServerName::try_from(US).unwrap();
        let mut stream = TlsConnector::from(Arc::clone(config)).connect(name, near).await?;
        assert_eq!(stream.read_u8().await?, 1);
        Ok(stream)
    };
    tokio::join!(server, client)
}

#[tokio::test]
async fn a_link_carries_bytes_and_tells_what_it_is() {
    let lab = Lab::new(&[US, "c.example"]);
    let ours = lab.acceptor(&[US, "c.example"], Profile::Modern);
    let (mut outgoing, mut incoming) = link(&ours, "c.example", &ours, US).await;
    assert_eq!((&**outgoing.host(), &**incoming.host()), ("c.example", US));
    let shown = |host: &str| ours.identity(host).unwrap().leaf().fingerprint;
    assert_eq!(outgoing.fingerprint(), Some(shown(US)));
    // The client certificate is that of the host on whose behalf the link is.
    assert_eq!(incoming.fingerprint(), Some(shown("c.example")));
    for end in [&outgoing, &incoming] {
        assert_eq!(end.version(), TlsVersion::V1_3);
        assert_eq!(end.key_exchange(), Some(NamedGroup::X25519MLKEM768));
        assert_eq!(end.alpn(), None);
    }
    outgoing.write_all(b"<a/>").await.unwrap();
    outgoing.flush().await.unwrap();
    assert_eq!(incoming.fill_buf().await.unwrap(), b"<a/>");
    incoming.shutdown().await.unwrap();
    assert_eq!(outgoing.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn h46_direct_tls_is_told_apart_by_alpn() {
    let lab = Lab::new(&[US]);
    let ours = lab.acceptor(&[US], Profile::Modern);
    let (near, far) = tokio::io::duplex(1 << 16);
    let connector = Connector::new(&ours);
    let (outgoing, incoming) = tokio::join!(
        connector.connect(Plain::new(near), US, US, Approach::Direct),
        ours.accept_peer(Plain::new(far), Opening::Direct)
    );
    for end in [outgoing.unwrap(), incoming.unwrap()] {
        assert_eq!(end.alpn(), Some(&b"xmpp-server"[..]));
    }

    let (server, _) = stock(&ours, Opening::Direct, &offering(&["xmpp-client", "h2"])).await;
    assert!(matches!(server, Err(AcceptError::Tls(Error::NoApplicationProtocol))), "{server:?}");
    let (server, _) = stock(&ours, Opening::Direct, &offering(&[])).await;
    assert_eq!(server.unwrap().alpn(), None);

    // After STARTTLS there is nothing to choose, whatever is offered.
    let (server, _) = stock(&ours, STARTTLS, &offering(&["h2"])).await;
    assert_eq!(server.unwrap().alpn(), None);

    // The port for clients refuses a link, and a link refuses the port for clients.
    let (near, far) = tokio::io::duplex(1 << 16);
    let (outgoing, incoming) = tokio::join!(
        connector.connect(Plain::new(near), US, US, Approach::Direct),
        ours.accept(Plain::new(far), Opening::Direct)
    );
    assert!(matches!(incoming, Err(AcceptError::Tls(Error::NoApplicationProtocol))), "{incoming:?}");
    assert!(outgoing.is_err());
}

#[tokio::test]
async fn h42_who_shows_no_certificate_proves_nothing() {
    let lab = Lab::new(&[US]);
    let ours = lab.acceptor(&[US], Profile::Modern);
    let (server, _) = stock(&ours, STARTTLS, &offering(&[])).await;
    let link = server.unwrap();
    assert!(!link.has_certificate());
    let trust = lab.trust(&[&Authority::root("root")]);
    let bare = Evidence::default();
    let pinned = Evidence { pins: vec![Pin::from(Fingerprint::of(b""))], ..Evidence::default() };
    for evidence in [bare, pinned] {
        assert_eq!(link.prove(&trust, THEM, &evidence, NOW), Err(Refused::NoCertificate));
    }
}

#[tokio::test]
async fn h40_plaintext_behind_proceed_ends_the_connection() {
    let lab = Lab::new(&[US]);
    let ours = lab.acceptor(&[US], Profile::Modern);
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let approach = Approach::Starttls { pipelined: 1 };
    let connector = Connector::new(&ours);
    // Whoever went on would wait for the other side.
    let answer = timeout(PATIENCE, connector.connect(Plain::new(near), US, THEM, approach)).await.unwrap();
    assert!(matches!(answer, Err(ConnectError::Pipelined)), "{answer:?}");
    assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0, "nothing is sent any more");

    let (_near, far) = tokio::io::duplex(1 << 16);
    let opening = Opening::Starttls { to: Some(US), pipelined: 7 };
    let answer = timeout(PATIENCE, ours.accept_peer(Plain::new(far), opening)).await.unwrap();
    assert!(matches!(answer, Err(AcceptError::Pipelined)), "{answer:?}");
}

#[tokio::test]
async fn only_served_hosts_connect_and_only_to_names() {
    let lab = Lab::new(&[US]);
    let connector = Connector::new(&lab.acceptor(&[US], Profile::Modern));
    let (near, _far) = tokio::io::duplex(1 << 16);
    let answer = connector.connect(Plain::new(near), "c.example", THEM, PEER_STARTTLS).await;
    assert!(matches!(answer, Err(ConnectError::NotServed)), "{answer:?}");
    let (near, _far) = tokio::io::duplex(1 << 16);
    let answer = connector.connect(Plain::new(near), US, "a b", PEER_STARTTLS).await;
    assert!(matches!(answer, Err(ConnectError::Name)), "{answer:?}");
    let (near, mut far) = tokio::io::duplex(1 << 16);
    far.write_all(b"<stream:error/>").await.unwrap();
    let answer = connector.connect(Plain::new(near), US, THEM, PEER_STARTTLS).await;
    assert!(matches!(answer, Err(ConnectError::Handshake(AcceptError::NotTls))), "{answer:?}");
}

#[tokio::test]
async fn the_profile_of_servers_is_their_own() {
    let lab = Lab::new(&[US]);
    let old = Arc::new(client(&[&TLS12]));
    let ours = lab.acceptor(&[US], Profile::Modern);
    let (server, client) = stock(&ours, STARTTLS, &old).await;
    assert_eq!(server.unwrap().version(), TlsVersion::V1_2);
    client.unwrap();
    // Clients of the same acceptor are held to TLS 1.3.
    let (server, _) = handshake(&ours, STARTTLS, &old, US).await;
    assert!(matches!(server, Err(AcceptError::Tls(Error::PeerIncompatible(_)))), "{server:?}");

    let profiles = Profiles { clients: Profile::Intermediate, servers: Profile::Modern };
    let strict = Acceptor::load(lab.path(), &owned(&[US]), profiles).unwrap();
    let (server, _) = stock(&strict, STARTTLS, &old).await;
    assert!(matches!(server, Err(AcceptError::Tls(Error::PeerIncompatible(_)))), "{server:?}");
}

#[tokio::test]
async fn nothing_is_resumed_by_who_connects_to_us() {
    let lab = Lab::new(&[US]);
    let ours = lab.acceptor(&[US], Profile::Modern);
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let mut config = client(versions);
        config.enable_early_data = true;
        let config = Arc::new(config);
        for _ in 0..2 {
            let (server, client) = stock(&ours, STARTTLS, &config).await;
            server.unwrap();
            let client = client.unwrap();
            let connection = client.get_ref().1;
            assert_eq!(connection.tls13_tickets_received(), 0);
            // Asking again for the group does not count: it is a full handshake too.
            assert_ne!(connection.handshake_kind(), Some(HandshakeKind::Resumed));
            assert!(!connection.is_early_data_accepted());
        }
    }
}

#[tokio::test]
async fn nothing_is_resumed_where_we_connect() {
    let lab = Lab::new(&[US]);
    let key = PrivateKeyDer::from_pem_file(lab.file("a.example.key")).unwrap();
    let chain = vec![CertificateDer::from_pem_file(lab.file("a.example.crt")).unwrap()];
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())
            .unwrap();
        config.ticketer = Ticketer::new().unwrap();
        config.max_early_data_size = 1024;
        let server = TlsAcceptor::from(Arc::new(config));
        let connector = Connector::new(&lab.acceptor(&[US], Profile::Modern));
        for _ in 0..2 {
            let (near, far) = tokio::io::duplex(1 << 16);
            let (mut link, mut served) = {
                let (link, served) =
                    tokio::join!(connector.connect(Plain::new(near), US, THEM, PEER_STARTTLS), server.accept(far));
                (link.unwrap(), served.unwrap())
            };
            // The ticket comes with the first byte.
            served.write_u8(1).await.unwrap();
            served.flush().await.unwrap();
            assert_eq!(link.read_u8().await.unwrap(), 1);
            assert_eq!(served.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(served.get_ref().1.server_name(), Some(THEM));
        }
    }
}

#[tokio::test]
async fn a_reload_reaches_both_directions() {
    let (us, them) = (Lab::new(&[US]), Lab::new(&[THEM]));
    let (ours, theirs) = (us.acceptor(&[US], Profile::Modern), them.acceptor(&[THEM], Profile::Modern));
    let connector = Connector::new(&theirs);
    them.put(THEM, &[THEM]);
    theirs.reload().unwrap();
    let renewed = theirs.identity(THEM).unwrap().leaf().fingerprint;
    let (near, far) = tokio::io::duplex(1 << 16);
    let (outgoing, incoming) =
        tokio::join!(connector.connect(Plain::new(near), THEM, US, PEER_STARTTLS), ours.accept_peer(Plain::new(far), STARTTLS));
    outgoing.unwrap();
    assert_eq!(incoming.unwrap().fingerprint(), Some(renewed));
    let (outgoing, _) = link(&ours, US, &theirs, THEM).await;
    assert_eq!(outgoing.fingerprint(), Some(renewed));
}

#[tokio::test]
async fn answers_name_nobody() {
    let issued = self_made(&server(&[THEM]));
    let [outgoing, _] = Pair::new(&issued).links().await;
    let lab = Lab::new(&[]);
    let trust = lab.trust(&[&Authority::root("root")]);
    let evidence = Evidence { pins: vec![Pin::from(key_fingerprint(&issued.key))], ..Evidence::default() };
    let proof = outgoing.prove(&trust, THEM, &evidence, NOW).unwrap();
    assert!(!format!("{proof:?}").contains(THEM), "{proof:?}");
    let refused = outgoing.prove(&trust, THEM, &Evidence::default(), NOW).unwrap_err();
    assert!(!format!("{refused:?} {refused} {:?}", proof.by()).contains(THEM));
}

#[test]
fn a_link_fits_its_budget() {
    let size = size_of::<PeerStream>();
    assert!(size <= 1792, "{size}");
}
