//! Certificates made on the spot, for the server that starts without any: nobody vouches for them, so their
//! fingerprint is shown to the operator. They have no end worth naming (the year 4096): trust in them is a pin.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::fault::CertificateError;
use crate::files;
use crate::leaf::Fingerprint;

/// The names of the machine itself, added for `localhost`.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "::1"];

/// A certificate and its key.
pub struct SelfSigned {
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS #8.
    pub key: Zeroizing<String>,
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
}

/// Why no certificate could be made.
#[derive(Debug, Error)]
pub enum SelfSignedError {
    /// A name is no DNS name, or the library failed.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A file cannot be written.
    #[error("cannot write {path}: {cause}")]
    Write {
        /// The file or directory.
        path: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// What is there already cannot be used.
    #[error(transparent)]
    Existing(#[from] CertificateError),
}

/// A new ECDSA P-256 certificate for `names` (DNS names, wildcards, IP addresses).
///
/// # Errors
/// A name that is not ASCII.
pub fn self_signed(names: &[&str]) -> Result<SelfSigned, SelfSignedError> {
    sign(names, &new_key()?)
}

/// Makes `DOMAIN.key` (0600) and `DOMAIN.crt` in `directory` (0700), each unless it is there; the certificate names the
/// domain and its direct subdomains. Answers the certificate's fingerprint.
///
/// # Errors
/// What cannot be made, written or read.
pub fn ensure_self_signed(directory: &Path, domain: &str) -> Result<Fingerprint, SelfSignedError> {
    create_directory(directory).map_err(|cause| write_error(directory, cause))?;
    let chain_path = directory.join(format!("{domain}.crt"));
    let key_path = directory.join(format!("{domain}.key"));
    // A certificate without its key is left for `check` to tell; nothing is overwritten.
    if chain_path.exists() {
        return fingerprint(&chain_path);
    }
    // The key first: an interrupted start goes on from it.
    let key = if key_path.exists() {
        KeyPair::from_pem(&String::from_utf8_lossy(&files::read_key(&key_path)?))?
    } else {
        let key = new_key()?;
        write(&key_path, Zeroizing::new(key.serialize_pem()).as_bytes(), 0o600)?;
        key
    };
    let made = sign(&subjects(domain).iter().map(String::as_str).collect::<Vec<_>>(), &key)?;
    write(&chain_path, made.certificate.as_bytes(), 0o644)?;
    Ok(made.fingerprint)
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn sign(names: &[&str], key: &KeyPair) -> Result<SelfSigned, SelfSignedError> {
    let owned: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(owned)?;
    let common_name = names.first().copied().unwrap_or_default();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = parameters.self_signed(key)?;
    Ok(SelfSigned {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
        fingerprint: Fingerprint::of(certificate.der()),
    })
}

fn subjects(domain: &str) -> Vec<String> {
    let mut names = vec![domain.to_owned(), format!("*.{domain}")];
    if domain == "localhost" {
        names.extend(LOOPBACK.map(str::to_owned));
    }
    names
}

fn fingerprint(chain_path: &Path) -> Result<Fingerprint, SelfSignedError> {
    let contents = files::read_chain(chain_path)?;
    let leaf =
        CertificateDer::from_pem_slice(&contents).map_err(|_| CertificateError::NoCertificate { path: chain_path.to_owned() })?;
    Ok(Fingerprint::of(&leaf))
}

fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Writes beside and links into place, so that no half file ever bears the name and none is replaced.
fn write(path: &Path, contents: &[u8], mode: u32) -> Result<(), SelfSignedError> {
    let draft = path.with_added_extension("new");
    let written = write_draft(&draft, contents, mode).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    written.and(removed).map_err(|cause| write_error(path, cause))
}

fn write_draft(draft: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    // One left by an interrupted start.
    if draft.exists() {
        fs::remove_file(draft)?;
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(draft)?;
    file.write_all(contents)?;
    file.sync_all()
}

fn write_error(path: &Path, cause: io::Error) -> SelfSignedError {
    SelfSignedError::Write { path: path.display().to_string(), cause }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::accept::Acceptor;
    use crate::identity::Profile;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_made_is_private_whole_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("data/certificates");
        let first = ensure_self_signed(&directory, "localhost").unwrap();
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join("localhost.key")), 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
        assert_eq!(ensure_self_signed(&directory, "localhost").unwrap(), first);

        let hosts = ["localhost".to_owned(), "rooms.localhost".to_owned()];
        let acceptor = Acceptor::load(&directory, &hosts, Profile::Modern).unwrap();
        let leaf = acceptor.identity("localhost").unwrap().leaf().clone();
        assert_eq!(leaf.fingerprint, first);
        assert_eq!(leaf.names, ["localhost", "*.localhost", "127.0.0.1", "::1"]);
    }

    #[test]
    fn an_interrupted_start_goes_on_from_the_key() {
        let root = tempfile::tempdir().unwrap();
        ensure_self_signed(root.path(), "a.example").unwrap();
        let key = fs::read(root.path().join("a.example.key")).unwrap();
        fs::remove_file(root.path().join("a.example.crt")).unwrap();
        fs::write(root.path().join("a.example.crt.new"), "half").unwrap();
        ensure_self_signed(root.path(), "a.example").unwrap();
        assert_eq!(fs::read(root.path().join("a.example.key")).unwrap(), key);
        Acceptor::load(root.path(), &["a.example".to_owned()], Profile::Modern).unwrap();
    }

    #[test]
    fn an_impossible_name_is_an_error() {
        assert!(matches!(self_signed(&["käse.example"]), Err(SelfSignedError::Make(_))));
    }
}
