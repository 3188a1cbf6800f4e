//! The handshake judges no names, and lets in nobody who lacks the key of the certificate that he shows.

use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;

/// The certificate of one with the key of another.
fn stolen(victim: &Issued) -> Arc<SingleCertAndKey> {
    let key = KeyPair::generate().unwrap();
    presenting(victim.chain.clone(), &key)
}

fn presenting(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<SingleCertAndKey> {
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let signing = provider().key_provider.load_private_key(key).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, signing)))
}

async fn accepts(
    certificate: Arc<SingleCertAndKey>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Link, AcceptError> {
    let lab = Lab::new(&[US]);
    let acceptor = lab.acceptor(&[US], Profile::Modern);
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_client_cert_resolver(certificate);
    let (near, far) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from(US).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let (accepted, _) = tokio::join!(acceptor.accept_peer(Plain::new(far), STARTTLS), connector.connect(name, near));
    accepted
}

async fn connects(
    certificate: Arc<SingleCertAndKey>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Link, ConnectError> {
    let lab = Lab::new(&[US]);
    let acceptor = lab.acceptor(&[US], Profile::Modern);
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    let (near, far) = tokio::io::duplex(1 << 16);
    let connector = Connector::new(&acceptor);
    let server = TlsAcceptor::from(Arc::new(config));
    let (connected, _) = tokio::join!(connector.connect(Plain::new(near), US, THEM, PEER_STARTTLS), server.accept(far));
    connected
}

#[tokio::test]
async fn h42_a_certificate_without_its_key_is_refused() {
    let root = Authority::root("root");
    let victim = root.sign(&server(&[THEM]));
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let honest = || presenting(victim.chain.clone(), &victim.key);
        assert!(accepts(honest(), versions).await.unwrap().has_certificate());
        assert!(connects(honest(), versions).await.unwrap().has_certificate());
        let refused = accepts(stolen(&victim), versions).await;
        assert!(matches!(refused, Err(AcceptError::Tls(Error::InvalidCertificate(_)))), "{refused:?}");
        let refused = connects(stolen(&victim), versions).await;
        assert!(matches!(refused, Err(ConnectError::Handshake(AcceptError::Tls(Error::InvalidCertificate(_))))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_chain_is_bounded() {
    let root = Authority::root("root");
    let issued = root.sign(&server(&[THEM]));
    for (behind, fine) in [(9, true), (10, false)] {
        let mut chain = issued.chain.clone();
        chain.extend(vec![root.der().clone(); behind]);
        assert_eq!(accepts(presenting(chain.clone(), &issued.key), &[&TLS13]).await.is_ok(), fine);
        assert_eq!(connects(presenting(chain, &issued.key), &[&TLS13]).await.is_ok(), fine);
    }
}

#[tokio::test]
async fn the_trap_of_stock_verifiers_is_real() {
    // The control for `h42_usages_decide_alike_in_both_directions`: rustls' own verifier refuses such a client.
    let root = Authority::root("root");
    let issued = root.sign(&server(&[THEM]));
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let stock = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.unsigned_abs()));
    assert!(stock.verify_client_cert(&issued.chain[0], &[], now).is_err());
}
