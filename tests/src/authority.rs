//! Certificates of a private authority, of the two kinds that servers have: since public authorities issue no
//! clientAuth any more, one with serverAuth alone is what most have.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// What a server's names begin with: itself, its rooms, its uploads.
pub(crate) const NAMES: [&str; 4] = ["", "rooms.", "salons.", "upload."];

/// What a certificate says that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// serverAuth alone.
    Server,
    /// serverAuth and clientAuth.
    Both,
}

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, as PEM.
    pub pem: String,
}

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub struct Leaf {
    /// The certificate.
    pub certificate: String,
    /// The same, as DER.
    pub der: Vec<u8>,
    /// Its SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    key: String,
}

impl Authority {
    /// An authority with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut parameters = dated(&[]);
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }
    /// A certificate for a server with a key of its own.
    #[must_use]
    pub fn leaf(&self, domain: &str, usage: Usage) -> Leaf {
        let names = NAMES.map(|name| format!("{name}{domain}"));
        let mut parameters = dated(&names);
        // X.520 bounds it to 64 characters, which an onion name with its label passes: the names are in the SAN.
        parameters.distinguished_name.push(DnType::CommonName, "a server");
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.use_authority_key_identifier_extension = true;
        parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        if usage == Usage::Both {
            parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        Leaf { certificate: certificate.pem(), der: certificate.der().to_vec(), spki, key: key.serialize_pem() }
    }
}

impl Leaf {
    /// Writes `{domain}.crt` and `{domain}.key`, and `{domain}.pem` with both for who wants one file.
    pub fn install(&self, directory: &Path, domain: &str) {
        fs::create_dir_all(directory).unwrap();
        let both = format!("{}{}", self.certificate, self.key);
        for (kind, text) in [("crt", &self.certificate), ("key", &self.key), ("pem", &both)] {
            // Nobody ever reads half of one: it is renewed under a running server.
            let (path, draft) = (directory.join(format!("{domain}.{kind}")), directory.join(format!("{domain}.new")));
            fs::write(&draft, text).unwrap();
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
            fs::rename(draft, path).unwrap();
        }
    }
}

fn dated(names: &[String]) -> CertificateParams {
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.not_before = date_time_ymd(2024, 1, 1);
    parameters.not_after = date_time_ymd(2049, 1, 1);
    parameters
}
