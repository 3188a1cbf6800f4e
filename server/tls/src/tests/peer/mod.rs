//! Two acceptors with connectors against each other. Every certificate is judged twice, as that of a server that we
//! have connected to and as that of one that has connected to us, and both answers must be the same.

mod chain;
mod dane;
mod links;
mod names;
mod openssl;
mod possession;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::DuplexStream;

use super::*;

const US: &str = "a.example";
const THEM: &str = "b.example";
/// 2026-03-01.
const NOW: i64 = 1_772_323_200;
const PEER_STARTTLS: Approach = Approach::Starttls { pipelined: 0 };

type Link = PeerStream<DuplexStream>;

/// An authority, of the first or a later rank.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    chain: Vec<CertificateDer<'static>>,
}

/// A certificate with what leads to its root, the root excluded.
struct Issued {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Authority {
    fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let parameters = authority(name);
        let chain = vec![parameters.self_signed(&key).unwrap().der().clone()];
        Self { issuer: Issuer::new(parameters, key), chain }
    }

    fn der(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    fn sign(&self, parameters: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut chain = vec![parameters.signed_by(&key, &self.issuer).unwrap().der().clone()];
        // A root is known to whoever trusts it.
        chain.extend(self.chain.iter().rev().skip(1).rev().cloned());
        Issued { chain, key }
    }

    fn below(&self, parameters: CertificateParams) -> Self {
        let issued = self.sign(&parameters);
        let mut chain = issued.chain;
        chain.extend(self.chain.last().cloned());
        Self { issuer: Issuer::new(parameters, issued.key), chain }
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

/// What public authorities issue today.
fn server(names: &[&str]) -> CertificateParams {
    let mut parameters = CertificateParams::new(owned(names)).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "leaf");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2026, 4, 1);
    parameters
}

fn self_made(parameters: &CertificateParams) -> Issued {
    let key = KeyPair::generate().unwrap();
    Issued { chain: vec![parameters.self_signed(&key).unwrap().der().clone()], key }
}

fn pem(certificates: &[CertificateDer<'_>]) -> String {
    let encode = |der: &CertificateDer<'_>| {
        let text = STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.iter().map(encode).collect()
}

impl Lab {
    fn issue(&self, file: &str, issued: &Issued) {
        self.write(&format!("{file}.crt"), &pem(&issued.chain), 0o644);
        self.write(&format!("{file}.key"), &issued.key.serialize_pem(), 0o600);
    }

    fn trust(&self, authorities: &[&Authority]) -> Trust {
        let roots: Vec<_> = authorities.iter().filter_map(|authority| authority.chain.last().cloned()).collect();
        self.write("anchors.pem", &pem(&roots), 0o644);
        Trust::load(Some(&self.file("anchors.pem"))).unwrap()
    }
}

/// A server whose certificate is judged, and one that judges.
struct Pair {
    ours: Acceptor,
    theirs: Acceptor,
    _labs: [Lab; 2],
}

impl Pair {
    fn new(issued: &Issued) -> Self {
        let (us, them) = (Lab::new(&[US]), Lab::new(&[]));
        them.issue(THEM, issued);
        let ours = us.acceptor(&[US], Profile::Modern);
        Self { theirs: them.acceptor(&[THEM], Profile::Modern), ours, _labs: [us, them] }
    }

    /// Our ends of a connection that we made and of one that they made.
    async fn links(&self) -> [Link; 2] {
        let (outgoing, _) = link(&self.ours, US, &self.theirs, THEM).await;
        let (_, incoming) = link(&self.theirs, THEM, &self.ours, US).await;
        [outgoing, incoming]
    }
}

/// A connection from one server to the other, after STARTTLS.
async fn link(from: &Acceptor, here: &str, to: &Acceptor, there: &str) -> (Link, Link) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let connector = Connector::new(from);
    let opening = Opening::Starttls { to: Some(there), pipelined: 0 };
    let (outgoing, incoming) =
        tokio::join!(connector.connect(Plain::new(near), here, there, PEER_STARTTLS), to.accept_peer(Plain::new(far), opening));
    (outgoing.unwrap(), incoming.unwrap())
}

/// What proves the domain by the certificate, in both directions.
async fn verdict(issued: &Issued, trust: &Trust, domain: &str, evidence: &Evidence) -> Result<ProvenBy, Refused> {
    let [outgoing, incoming] = Pair::new(issued).links().await;
    let answers = [&outgoing, &incoming].map(|link| link.prove(trust, domain, evidence, NOW));
    let [answer, other] = answers.map(|answer| {
        answer.map(|proof| {
            assert_eq!((proof.domain(), proof.version()), (domain, TlsVersion::V1_3));
            assert_eq!(proof.fingerprint(), Fingerprint::of(&issued.chain[0]));
            assert_eq!(proof.key_fingerprint(), key_fingerprint(&issued.key));
            proof.by()
        })
    });
    assert_eq!(answer, other, "both directions are judged alike");
    answer
}

fn key_fingerprint(key: &KeyPair) -> Fingerprint {
    Fingerprint::of(&spki(key))
}

fn spki(key: &KeyPair) -> Vec<u8> {
    rcgen::PublicKeyData::subject_public_key_info(key)
}
