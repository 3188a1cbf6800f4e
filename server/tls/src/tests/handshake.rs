//! What a handshake gives, refuses and chooses.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, NamedGroup, RootCertStore};
use tokio::io::AsyncBufReadExt;

use super::*;

fn exported(client: &Client) -> [u8; 32] {
    let connection = client.get_ref().1;
    connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[])).unwrap()
}

fn groups(groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
    let mut provider = CryptoProvider::clone(&provider());
    provider.kx_groups = groups.to_vec();
    Arc::new(provider)
}

fn alert(error: io::Error) -> AlertDescription {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => *alert,
        _ => panic!("no alert: {error}"),
    }
}

#[tokio::test]
async fn a_stock_client_verifies_and_binds() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    let pem = fs::read(lab.file("a.example.crt")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12, &TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let (server, client) = connect(&acceptor, Opening::Direct, &Arc::new(config), "a.example").await;
    assert_eq!(server.version(), TlsVersion::V1_3);
    assert_eq!(server.key_exchange(), Some(NamedGroup::X25519MLKEM768));
    assert_eq!(&**server.host(), "a.example");
    assert_eq!(server.bindings().exporter(), &exported(&client));
    // ECDSA with SHA-256: the end point is the fingerprint.
    assert_eq!(server.bindings().server_end_point(), Some(&shown(&client).as_bytes()[..]));
}

#[tokio::test]
async fn bindings_differ_between_connections() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    let config = Arc::new(client(&[&TLS13]));
    let (first, _) = connect(&acceptor, Opening::Direct, &config, "a.example").await;
    let (second, _) = connect(&acceptor, Opening::Direct, &config, "a.example").await;
    assert_ne!(first.bindings().exporter(), second.bindings().exporter());
    assert_eq!(first.bindings().server_end_point(), second.bindings().server_end_point());
}

#[tokio::test]
async fn tls12_is_for_the_intermediate_profile_only() {
    let lab = Lab::new(&["a.example"]);
    let config = Arc::new(client(&[&TLS12]));

    let modern = lab.acceptor(&["a.example"], Profile::Modern);
    let (server, client) = handshake(&modern, STARTTLS, &config, "a.example").await;
    assert!(matches!(server, Err(AcceptError::Tls(Error::PeerIncompatible(_)))), "{server:?}");
    assert_eq!(alert(client.unwrap_err()), AlertDescription::ProtocolVersion);

    let intermediate = lab.acceptor(&["a.example"], Profile::Intermediate);
    let (server, client) = connect(&intermediate, STARTTLS, &config, "a.example").await;
    assert_eq!(server.version(), TlsVersion::V1_2);
    assert_eq!(server.bindings().exporter(), &exported(&client));
}

#[tokio::test]
async fn whoever_knows_the_hybrid_gets_it() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    let cases = [
        (groups(&[X25519, SECP256R1, X25519MLKEM768]), NamedGroup::X25519MLKEM768),
        (groups(&[SECP256R1, X25519]), NamedGroup::secp256r1),
    ];
    for (provider, expected) in cases {
        let config = Arc::new(client_with(provider, &[&TLS13]));
        for opening in [Opening::Direct, STARTTLS] {
            let (server, _) = connect(&acceptor, opening, &config, "a.example").await;
            assert_eq!(server.key_exchange(), Some(expected));
        }
    }
}

#[tokio::test]
async fn alpn_is_judged_on_direct_tls_only() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    let offering = |names: &[&str]| {
        let mut config = client(&[&TLS13]);
        config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    };

    let both = offering(&["h2", "xmpp-client"]);
    let (_, client) = connect(&acceptor, Opening::Direct, &both, "a.example").await;
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"xmpp-client"[..]));

    let other = offering(&["xmpp-server"]);
    let (server, client) = handshake(&acceptor, Opening::Direct, &other, "a.example").await;
    assert!(matches!(server, Err(AcceptError::Tls(Error::NoApplicationProtocol))), "{server:?}");
    assert_eq!(alert(client.unwrap_err()), AlertDescription::NoApplicationProtocol);

    connect(&acceptor, Opening::Direct, &offering(&[]), "a.example").await;
    connect(&acceptor, STARTTLS, &other, "a.example").await;
}

#[tokio::test]
async fn the_stream_decides_then_sni_then_the_first_host() {
    let lab = Lab::new(&["a.example", "b.example"]);
    let acceptor = lab.acceptor(&["a.example", "b.example"], Profile::Modern);
    let config = Arc::new(client(&[&TLS13]));
    let to = |to| Opening::Starttls { to: Some(to), pipelined: 0 };
    // An IP address is no SNI.
    let cases = [
        (Opening::Direct, "B.example", "b.example"),
        (Opening::Direct, "c.example", "a.example"),
        (Opening::Direct, "192.0.2.1", "a.example"),
        (STARTTLS, "b.example", "b.example"),
        (to("b.example"), "192.0.2.1", "b.example"),
        (to("A.example"), "b.example", "a.example"),
        (to("c.example"), "b.example", "b.example"),
    ];
    for (opening, name, expected) in cases {
        let (server, client) = connect(&acceptor, opening, &config, name).await;
        assert_eq!(&**server.host(), expected, "{opening:?} {name}");
        let identity = acceptor.identity(expected).unwrap();
        assert_eq!(shown(&client), identity.leaf().fingerprint);
        assert_eq!(server.bindings().server_end_point(), identity.leaf().end_point.as_deref());
    }
}

#[tokio::test]
async fn h40_plaintext_behind_starttls_ends_the_connection() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    let opening = Opening::Starttls { to: None, pipelined: 1 };
    let config = Arc::new(client(&[&TLS13]));
    let (server, client) = handshake(&acceptor, opening, &config, "a.example").await;
    assert!(matches!(server, Err(AcceptError::Pipelined)), "{server:?}");
    assert!(client.is_err());
}

#[tokio::test]
async fn what_is_not_tls_is_told_apart() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);

    let (mut near, far) = tokio::io::duplex(4096);
    near.write_all(b"<?xml version='1.0'?><stream:stream>").await.unwrap();
    let server = acceptor.accept(Plain::new(far), Opening::Direct).await;
    assert!(matches!(server, Err(AcceptError::NotTls)), "{server:?}");

    let (near, far) = tokio::io::duplex(4096);
    drop(near);
    let server = acceptor.accept(Plain::new(far), Opening::Direct).await;
    assert!(matches!(server, Err(AcceptError::Closed)), "{server:?}");
}

#[tokio::test]
async fn a_secured_stream_carries_bytes_without_a_buffer_of_its_own() {
    let lab = Lab::new(&["a.example"]);
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    let config = Arc::new(client(&[&TLS13]));
    let (mut server, mut client) = connect(&acceptor, Opening::Direct, &config, "a.example").await;

    client.write_all(b"<presence/>").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(server.fill_buf().await.unwrap(), b"<presence/>");
    server.consume(11);

    server.shutdown().await.unwrap();
    let mut rest = Vec::new();
    // Without close_notify this would be an error.
    assert_eq!(client.read_to_end(&mut rest).await.unwrap(), 0);
}

#[test]
fn a_connection_fits_its_budget() {
    let size = size_of::<Secured>();
    assert!(size <= 1536, "{size}");
}
