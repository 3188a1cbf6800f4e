//! Files on disk: which ones a host may have, how a key is read, and what tells that one has changed.
//!
//! Permissions are judged on the opened file, so that none can be swapped in between judging and reading. Links are
//! followed: certbot's `live/` consists of nothing else.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::fault::CertificateError;

/// No certificate chain or key is anywhere near this long.
const MAX_FILE: u64 = 1 << 20;

/// A chain and its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// What exists of a host's own files.
pub(crate) enum Found {
    Pair(Pair),
    Half(CertificateError),
    Nothing,
}

/// The places a host's files may have, in order of preference.
pub(crate) fn candidates(directory: &Path, host: &str) -> Vec<Pair> {
    // A host is a validated domain; this keeps a mistake elsewhere from naming a file outside.
    if host.is_empty() || host.starts_with('.') || host.contains(['/', '\0']) {
        return Vec::new();
    }
    let key = directory.join(format!("{host}.key"));
    vec![
        Pair { chain: directory.join(format!("{host}.crt")), key: key.clone() },
        Pair { chain: directory.join(host).join("fullchain.pem"), key: directory.join(host).join("privkey.pem") },
        Pair { chain: directory.join(format!("{host}.pem")), key },
    ]
}

/// The first whole pair; else the fault of the first half one.
pub(crate) fn find(directory: &Path, host: &str) -> Found {
    let mut half = None;
    for pair in candidates(directory, host) {
        match (present(&pair.chain), present(&pair.key)) {
            (Ok(true), Ok(true)) => return Found::Pair(pair),
            (Err(fault), _) | (_, Err(fault)) => return Found::Half(fault),
            (Ok(true), Ok(false)) => half = half.or(Some((pair.chain, pair.key))),
            (Ok(false), Ok(true)) => half = half.or(Some((pair.key, pair.chain))),
            (Ok(false), Ok(false)) => {}
        }
    }
    half.map_or(Found::Nothing, |(present, missing)| Found::Half(CertificateError::HalfPair { present, missing }))
}

/// The contents of a chain file, which anybody may read.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    let mut contents = Vec::new();
    read(file, &mut contents, path)?;
    Ok(contents)
}

/// The contents of a key file, refused when others have any access to it (H71). The group may read it.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    let metadata = file.metadata().map_err(|cause| unreadable(path, &cause))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o007 != 0 {
        return Err(CertificateError::Permissions { path: path.to_owned(), mode });
    }
    // Whole in one allocation: a growing buffer would leave copies of the key behind.
    let size = usize::try_from(metadata.len().min(MAX_FILE)).unwrap_or_default();
    let mut contents = Zeroizing::new(Vec::with_capacity(size.saturating_add(64)));
    read(file, &mut contents, path)?;
    Ok(contents)
}

/// [`CertificateError::Unreadable`] with the system's reason.
pub(crate) fn unreadable(path: &Path, cause: &io::Error) -> CertificateError {
    CertificateError::Unreadable { path: path.to_owned(), cause: cause.to_string() }
}

fn read(file: File, into: &mut Vec<u8>, path: &Path) -> Result<(), CertificateError> {
    let count = file.take(MAX_FILE).read_to_end(into).map_err(|cause| unreadable(path, &cause))?;
    if count as u64 == MAX_FILE {
        return Err(CertificateError::Unreadable {
            path: path.to_owned(),
            cause: "it is far too long for a certificate or key".into(),
        });
    }
    Ok(())
}

fn present(path: &Path) -> Result<bool, CertificateError> {
    match path.try_exists() {
        // `DOMAIN` itself may be a file where `DOMAIN/fullchain.pem` is looked for.
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => Ok(false),
        answer => answer.map_err(|cause| unreadable(path, &cause)),
    }
}

/// A file as it was when last looked at. The change time is part of it: a corrected mode changes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    path: PathBuf,
    state: Option<(u64, u64, u64, [i64; 4])>,
}

impl Stamp {
    pub(crate) fn of(path: PathBuf) -> Self {
        let state = fs::metadata(&path).ok().map(|file| {
            let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
            (file.dev(), file.ino(), file.size(), times)
        });
        Self { path, state }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_host_cannot_leave_the_directory() {
        for host in ["", "..", "../etc", ".hidden", "a/b", "a\0b"] {
            assert!(candidates(Path::new("/certificates"), host).is_empty(), "{host:?}");
        }
        assert_eq!(candidates(Path::new("/certificates"), "a.example").len(), 3);
    }

    #[test]
    fn only_others_are_kept_from_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "secret").unwrap();
        for (mode, accepted) in [(0o600, true), (0o640, true), (0o644, false), (0o601, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let expected = CertificateError::Permissions { path: path.clone(), mode };
            match read_key(&path) {
                Ok(contents) => assert!(accepted && *contents == b"secret"),
                Err(fault) => assert!(!accepted && fault == expected, "{fault}"),
            }
        }
    }

    #[test]
    fn endless_files_are_not_read_whole() {
        let fault = read_chain(Path::new("/dev/zero")).unwrap_err();
        assert!(fault.to_string().contains("too long"), "{fault}");
    }

    #[test]
    fn a_changed_mode_changes_the_stamp() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let missing = Stamp::of(path.clone());
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let open = Stamp::of(path.clone());
        assert_eq!(open, Stamp::of(path.clone()));
        assert_ne!(open, missing);
        // Coarse clocks tick every few milliseconds: repeat until the kernel's has.
        let changed = (0..10_000).any(|_| {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            Stamp::of(path.clone()) != open
        });
        assert!(changed);
    }
}
