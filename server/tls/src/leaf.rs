//! What is read off a host's own certificate: names, dates, fingerprint, and the hash that `tls-server-end-point`
//! binds to. The subject's common name is never looked at (RFC 9525 section 2).

use data_encoding::HEXLOWER;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA224, SHA256, SHA384, SHA512};
use x509_parser::der_parser::Oid;
use x509_parser::oid_registry::{
    OID_HASH_SHA1, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512,
    OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA224WITHRSA, OID_PKCS1_SHA256WITHRSA,
    OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA224, OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, OID_SIG_ED25519,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// ecdsa-with-SHA1, which the registry does not name.
const ECDSA_WITH_SHA1: &str = "1.2.840.10045.4.1";
/// RFC 9325 section 4.5.
const MIN_RSA_BITS: usize = 2048;

/// SHA-256 of a certificate or of its subjectPublicKeyInfo, shown as `AB:CD:…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate or a subjectPublicKeyInfo in DER form.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(digest::digest(&SHA256, der).as_ref()) {
            *to = *from;
        }
        Self(hash)
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The readable part of a host's certificate.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// dNSName and iPAddress entries of the subjectAltName, in lower case.
    pub names: Vec<String>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the whole.
    pub fingerprint: Fingerprint,
    /// SHA-256 of the subjectPublicKeyInfo: outlives a renewal that keeps the key.
    pub key_fingerprint: Fingerprint,
    /// The issuer's organisation, where it names one.
    pub issuer: Option<String>,
    /// The extended key usages, as RFC 5280 section 4.2.1.12 calls them or by OID; none: any use.
    pub usages: Vec<String>,
    /// The key's kind: `ECDSA P-256`, `RSA 4096`.
    pub key: String,
    /// What is below today's measure, if anything.
    pub weakness: Option<String>,
    /// The `tls-server-end-point` data; nothing where RFC 5929 section 4.1 leaves it undefined (Ed25519).
    pub end_point: Option<Arc<[u8]>>,
}

impl Leaf {
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (key, weak_key) = describe_key(&certificate);
        let hash = signature_hash(&certificate);
        Some(Self {
            names: names(&certificate),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            fingerprint: Fingerprint::of(der),
            key_fingerprint: Fingerprint::of(certificate.public_key().raw),
            issuer: issuer(&certificate),
            usages: usages(&certificate),
            key,
            weakness: weak_key.or_else(|| hash.weakness()),
            end_point: hash.end_point(der),
        })
    }

    /// The data of a TLSA record `3 1 1` for this key (RFC 7671 section 5.1), as a zone file takes it.
    #[must_use]
    pub fn tlsa_311(&self) -> String {
        format!("3 1 1 {}", HEXLOWER.encode(self.key_fingerprint.as_bytes()))
    }

    /// RFC 9525 section 6.3: equal names, or a wildcard that stands for the whole left-most label.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(suffix) => parent == Some(suffix) && host.parse::<IpAddr>().is_err(),
            None => *name == host,
        })
    }
}

fn issuer(certificate: &X509Certificate<'_>) -> Option<String> {
    let organisation = certificate.issuer().iter_organization().next()?;
    organisation.as_str().ok().map(str::to_owned)
}

fn usages(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.extended_key_usage() else {
        return Vec::new();
    };
    let usage = extension.value;
    let known = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.to_owned());
    known.chain(usage.other.iter().map(Oid::to_id_string)).collect()
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let entries = extension.value.general_names.iter();
    entries.filter_map(name).collect()
}

fn name(entry: &GeneralName<'_>) -> Option<String> {
    match entry {
        GeneralName::DNSName(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or(v6).ok()
}

/// The key's kind, and what is weak about it.
fn describe_key(certificate: &X509Certificate<'_>) -> (String, Option<String>) {
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let bits = rsa.modulus.iter().skip_while(|byte| **byte == 0).count() * 8;
            let weakness = (bits < MIN_RSA_BITS).then(|| format!("an RSA key of {bits} bits"));
            (format!("RSA {bits}"), weakness)
        }
        Ok(PublicKey::EC(point)) if key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY => {
            // P-521 coordinates fill 66 bytes.
            let bits = if point.key_size() == 528 { 521 } else { point.key_size() };
            (format!("ECDSA P-{bits}"), None)
        }
        _ if key.algorithm.algorithm == OID_SIG_ED25519 => ("Ed25519".into(), None),
        _ => (key.algorithm.algorithm.to_id_string(), None),
    }
}

/// The hash inside a certificate's signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureHash {
    /// MD5 or SHA-1.
    Broken,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    /// None of its own, or unknown.
    Undefined,
}

impl SignatureHash {
    /// RFC 5929 section 4.1: the hash of the signature, SHA-256 in place of MD5 and SHA-1.
    fn end_point(self, der: &[u8]) -> Option<Arc<[u8]>> {
        let algorithm = match self {
            Self::Broken | Self::Sha256 => &SHA256,
            Self::Sha224 => &SHA224,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
            Self::Undefined => return None,
        };
        Some(digest::digest(algorithm, der).as_ref().into())
    }

    fn weakness(self) -> Option<String> {
        (self == Self::Broken).then(|| "it is signed with SHA-1 or MD5".into())
    }
}

fn signature_hash(certificate: &X509Certificate<'_>) -> SignatureHash {
    let algorithm = &certificate.signature_algorithm;
    if algorithm.algorithm != OID_PKCS1_RSASSAPSS {
        return hash_of_signature(&algorithm.algorithm);
    }
    match SignatureAlgorithm::try_from(algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => hash_of_pss(parameters.hash_algorithm_oid()),
        _ => SignatureHash::Undefined,
    }
}

fn hash_of_signature(algorithm: &Oid<'_>) -> SignatureHash {
    let known = [
        (OID_PKCS1_MD5WITHRSAENC, SignatureHash::Broken),
        (OID_PKCS1_SHA1WITHRSA, SignatureHash::Broken),
        (OID_PKCS1_SHA224WITHRSA, SignatureHash::Sha224),
        (OID_PKCS1_SHA256WITHRSA, SignatureHash::Sha256),
        (OID_PKCS1_SHA384WITHRSA, SignatureHash::Sha384),
        (OID_PKCS1_SHA512WITHRSA, SignatureHash::Sha512),
        (OID_SIG_ECDSA_WITH_SHA224, SignatureHash::Sha224),
        (OID_SIG_ECDSA_WITH_SHA256, SignatureHash::Sha256),
        (OID_SIG_ECDSA_WITH_SHA384, SignatureHash::Sha384),
        (OID_SIG_ECDSA_WITH_SHA512, SignatureHash::Sha512),
    ];
    let found = known.into_iter().find(|(oid, _)| oid == algorithm);
    match found {
        Some((_, hash)) => hash,
        None if algorithm.to_id_string() == ECDSA_WITH_SHA1 => SignatureHash::Broken,
        None => SignatureHash::Undefined,
    }
}

fn hash_of_pss(hash: &Oid<'_>) -> SignatureHash {
    let known = [
        (OID_HASH_SHA1, SignatureHash::Broken),
        (OID_NIST_HASH_SHA256, SignatureHash::Sha256),
        (OID_NIST_HASH_SHA384, SignatureHash::Sha384),
        (OID_NIST_HASH_SHA512, SignatureHash::Sha512),
    ];
    let found = known.into_iter().find(|(oid, _)| oid == hash);
    found.map_or(SignatureHash::Undefined, |(_, hash)| hash)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm as Algorithm};

    use super::*;

    fn certificate(names: &[&str], algorithm: &'static Algorithm) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        certificate.der().to_vec()
    }

    fn leaf(names: &[&str]) -> Leaf {
        Leaf::parse(&certificate(names, &rcgen::PKCS_ECDSA_P256_SHA256)).unwrap()
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let leaf = leaf(&["Example.ORG", "*.example.org", "f*.example.net", "192.0.2.1", "*.0.2.9"]);
        for covered in ["example.org", "EXAMPLE.org", "rooms.example.org", "192.0.2.1"] {
            assert!(leaf.covers(covered), "{covered}");
        }
        let strangers = ["a.b.example.org", "example.net", "foo.example.net", "xexample.org", "org", "", "192.0.2.9"];
        for stranger in strangers {
            assert!(!leaf.covers(stranger), "{stranger}");
        }
    }

    #[test]
    fn the_end_point_takes_the_hash_of_the_signature() {
        let expected = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(&SHA256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(&SHA384)),
            (&rcgen::PKCS_RSA_SHA256, Some(&SHA256)),
            (&rcgen::PKCS_RSA_SHA512, Some(&SHA512)),
            (&rcgen::PKCS_ED25519, None),
        ];
        for (algorithm, hash) in expected {
            let der = certificate(&["a.example"], algorithm);
            let leaf = Leaf::parse(&der).unwrap();
            let expected = hash.map(|hash| digest::digest(hash, &der).as_ref().to_vec());
            assert_eq!(leaf.end_point.map(|hash| hash.to_vec()), expected, "{}", leaf.key);
        }
    }

    #[test]
    fn broken_hashes_become_sha256_and_are_reported() {
        for oid in [OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_SHA1WITHRSA] {
            let hash = hash_of_signature(&oid);
            assert!(hash.weakness().is_some());
            assert_eq!(hash.end_point(b"der"), SignatureHash::Sha256.end_point(b"der"));
        }
        assert_eq!(hash_of_pss(&OID_HASH_SHA1), SignatureHash::Broken);
        assert_eq!(hash_of_pss(&OID_NIST_HASH_SHA512), SignatureHash::Sha512);
    }

    #[test]
    fn keys_are_named() {
        let expected = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, "ECDSA P-256"),
            (&rcgen::PKCS_ECDSA_P521_SHA512, "ECDSA P-521"),
            (&rcgen::PKCS_RSA_SHA256, "RSA 2048"),
            (&rcgen::PKCS_ED25519, "Ed25519"),
        ];
        for (algorithm, name) in expected {
            let leaf = Leaf::parse(&certificate(&["a.example"], algorithm)).unwrap();
            assert_eq!((leaf.key.as_str(), leaf.weakness), (name, None));
        }
    }

    #[test]
    fn issuer_usages_and_tlsa_are_read() {
        let plain = leaf(&["a.example"]);
        assert_eq!((plain.issuer.clone(), plain.usages.len()), (None, 0));
        let text = plain.tlsa_311();
        assert!(text.starts_with("3 1 1 ") && text.len() == 70, "{text}");

        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Some CA");
        parameters.extended_key_usages = vec![
            rcgen::ExtendedKeyUsagePurpose::ServerAuth,
            rcgen::ExtendedKeyUsagePurpose::ClientAuth,
            rcgen::ExtendedKeyUsagePurpose::Other(vec![1, 2, 3, 4]),
        ];
        let read = |parameters: &CertificateParams| Leaf::parse(parameters.self_signed(&key).unwrap().der()).unwrap();
        let first = read(&parameters);
        assert_eq!(first.issuer.as_deref(), Some("Some CA"));
        assert_eq!(first.usages, ["serverAuth", "clientAuth", "1.2.3.4"]);
        let expected = Fingerprint::of(&rcgen::PublicKeyData::subject_public_key_info(&key));
        assert_eq!(first.key_fingerprint, expected);
        parameters.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let renewed = read(&parameters);
        assert_eq!((renewed.tlsa_311(), renewed.fingerprint == first.fingerprint), (first.tlsa_311(), false));
    }

    #[test]
    fn a_fingerprint_reads_as_tools_print_it() {
        let text = Fingerprint::of(b"abc").to_string();
        assert!(text.starts_with("BA:78:16:BF:8F:01"), "{text}");
        assert_eq!(text.len(), 95);
    }

    #[test]
    fn rubbish_is_no_certificate() {
        let der = certificate(&["a.example"], &rcgen::PKCS_ECDSA_P256_SHA256);
        for end in 0..der.len() {
            assert!(Leaf::parse(&der[..end]).is_none());
        }
    }
}
