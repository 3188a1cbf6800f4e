//! A rustls client against the acceptor, over an in-memory pipe, with certificates on a real disk. The client believes
//! any certificate unless a test gives it roots: what is tested is which one it is shown.

mod certificates;
mod handshake;
mod peer;
mod reload;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::*;

const STARTTLS: Opening<'static> = Opening::Starttls { to: None, pipelined: 0 };
type Client = TlsStream<DuplexStream>;

/// `tls.certificates` with a pair for each domain put into it.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new(domains: &[&str]) -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        for domain in domains {
            lab.put(domain, &[domain]);
        }
        lab
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn put(&self, file: &str, names: &[&str]) {
        let made = self_signed(names).unwrap();
        self.write(&format!("{file}.crt"), &made.certificate, 0o644);
        self.write(&format!("{file}.key"), &made.key, 0o600);
    }

    fn write(&self, file: &str, contents: &str, mode: u32) {
        let draft = self.file("draft");
        fs::write(&draft, contents).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(&draft, self.file(file)).unwrap();
    }

    fn acceptor(&self, hosts: &[&str], profile: Profile) -> Acceptor {
        Acceptor::load(self.path(), &owned(hosts), profile).unwrap()
    }

    fn faults(&self, hosts: &[&str]) -> Vec<CertificateError> {
        Acceptor::load(self.path(), &owned(hosts), Profile::Modern).unwrap_err()
    }
}

fn owned(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn client_with(provider: Arc<CryptoProvider>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth()
}

fn client(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    client_with(provider(), versions)
}

/// Both ends of a handshake. Where it succeeds a byte goes each way, which also carries the ticket.
async fn handshake(
    acceptor: &Acceptor,
    opening: Opening<'_>,
    config: &Arc<ClientConfig>,
    name: &str,
) -> (Result<Secured<DuplexStream>, AcceptError>, io::Result<Client>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let server = async {
        let mut secured = acceptor.accept(Plain::new(far), opening).await?;
        secured.write_u8(1).await?;
        secured.flush().await?;
        assert_eq!(secured.read_u8().await?, 2);
        Ok(secured)
    };
    let client = async {
        let mut stream = TlsConnector::from(Arc::clone(config)).connect(name, near).await?;
        assert_eq!(stream.read_u8().await?, 1);
        stream.write_u8(2).await?;
        stream.flush().await?;
        Ok(stream)
    };
    tokio::join!(server, client)
}

async fn connect(
    acceptor: &Acceptor,
    opening: Opening<'_>,
    config: &Arc<ClientConfig>,
    name: &str,
) -> (Secured<DuplexStream>, Client) {
    let (server, client) = handshake(acceptor, opening, config, name).await;
    (server.unwrap(), client.unwrap())
}

fn shown(client: &Client) -> Fingerprint {
    Fingerprint::of(client.get_ref().1.peer_certificates().unwrap().first().unwrap())
}
