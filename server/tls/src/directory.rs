//! The directory `tls.certificates`: which file serves which host. A host's own files come first; a host without any is
//! served from another pair there whose certificate names it. Every fault of every host is collected.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::fault::CertificateError;
use crate::files::{self, Found, Pair, Stamp};
use crate::leaf::Leaf;
use crate::provider::provider;

/// Directory entries looked at for hosts without files of their own.
const MAX_SCANNED: usize = 256;

/// A certificate chain with its key, read and found consistent.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) chain_path: PathBuf,
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) leaf: Leaf,
}

/// What a directory gives to the hosts.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) hosts: Vec<(String, Arc<Material>)>,
    pub(crate) faults: Vec<CertificateError>,
}

/// `tls.certificates`.
#[derive(Clone, Debug)]
pub(crate) struct CertificateDir(PathBuf);

impl CertificateDir {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn load(&self, hosts: &[String]) -> Loaded {
        let mut loaded = Loaded::default();
        if let Err(cause) = fs::metadata(&self.0) {
            loaded.faults.push(files::unreadable(&self.0, &cause));
            return loaded;
        }
        let mut without_files = Vec::new();
        for host in hosts {
            match files::find(&self.0, host) {
                Found::Pair(pair) => loaded.take(host, Material::read(&pair)),
                Found::Half(fault) => loaded.faults.push(fault),
                Found::Nothing => without_files.push(host),
            }
        }
        if !without_files.is_empty() {
            self.cover(&without_files, &mut loaded);
        }
        loaded
    }

    /// Everything whose change may change what [`Self::load`] answers.
    pub(crate) fn stamps(&self, hosts: &[String]) -> Vec<Stamp> {
        let own = hosts.iter().flat_map(|host| files::candidates(&self.0, host));
        let mut pairs: Vec<Pair> = own.chain(self.scan()).collect();
        pairs.sort();
        pairs.dedup();
        let paths = pairs.into_iter().flat_map(|pair| [pair.chain, pair.key]);
        paths.map(Stamp::of).collect()
    }

    /// Serves hosts from other pairs. Faults of those pairs matter only to a host that is left with nothing.
    fn cover(&self, hosts: &[&String], loaded: &mut Loaded) {
        let own: Vec<_> = loaded.hosts.iter().map(|(_, material)| Arc::clone(material)).collect();
        let (others, faults) = self.others(&own);
        for host in hosts {
            let found = own.iter().chain(&others).find(|material| material.leaf.covers(host));
            match found {
                Some(material) => loaded.hosts.push(((*host).clone(), Arc::clone(material))),
                None => loaded.miss(host, &self.0, &faults),
            }
        }
    }

    fn others(&self, own: &[Arc<Material>]) -> (Vec<Arc<Material>>, Vec<CertificateError>) {
        let mut materials = Vec::new();
        let mut faults = Vec::new();
        for pair in self.scan() {
            if own.iter().any(|material| material.chain_path == pair.chain) {
                continue;
            }
            match Material::read(&pair) {
                Ok(material) => materials.push(Arc::new(material)),
                Err(fault) => faults.extend(fault),
            }
        }
        (materials, faults)
    }

    /// Every whole pair in the directory, in the order of names.
    fn scan(&self) -> Vec<Pair> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| pair_name(&entry.path())).collect();
        names.sort();
        names.dedup();
        names.truncate(MAX_SCANNED);
        let found = names.iter().map(|name| files::find(&self.0, name));
        let whole = found.filter_map(|found| match found {
            Found::Pair(pair) => Some(pair),
            Found::Half(_) | Found::Nothing => None,
        });
        whole.collect()
    }
}

/// `a.example` for `a.example.crt`, `a.example.pem` and the directory `a.example`.
fn pair_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".crt").or_else(|| name.strip_suffix(".pem"));
    match stem {
        Some(stem) => Some(stem.to_owned()),
        None => path.is_dir().then(|| name.to_owned()),
    }
}

impl Loaded {
    fn take(&mut self, host: &str, read: Result<Material, Vec<CertificateError>>) {
        match read {
            Ok(material) => self.hosts.push((host.to_owned(), Arc::new(material))),
            Err(faults) => self.faults.extend(faults),
        }
    }

    fn miss(&mut self, host: &str, directory: &Path, faults: &[CertificateError]) {
        self.faults.push(CertificateError::Missing { host: host.to_owned(), directory: directory.to_owned() });
        for fault in faults {
            if !self.faults.contains(fault) {
                self.faults.push(fault.clone());
            }
        }
    }
}

impl Material {
    /// Reads a pair; both files' faults are told.
    fn read(pair: &Pair) -> Result<Self, Vec<CertificateError>> {
        match (read_chain(&pair.chain), read_key(&pair.key)) {
            (Ok((chain, leaf)), Ok(key)) => Self::join(pair, chain, leaf, key).map_err(|fault| vec![fault]),
            (chain, key) => Err([chain.err(), key.err()].into_iter().flatten().collect()),
        }
    }

    fn join(
        pair: &Pair,
        chain: Vec<CertificateDer<'static>>,
        leaf: Leaf,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|cause| rejected(pair, &cause))?;
        Ok(Self { chain_path: pair.chain.clone(), key: Arc::new(key), leaf })
    }
}

fn rejected(pair: &Pair, cause: &Error) -> CertificateError {
    match cause {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            CertificateError::Mismatch { chain: pair.chain.clone(), key: pair.key.clone() }
        }
        cause => CertificateError::KeyRejected { path: pair.key.clone(), cause: cause.to_string() },
    }
}

fn read_chain(path: &Path) -> Result<(Vec<CertificateDer<'static>>, Leaf), CertificateError> {
    let contents = files::read_chain(path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&contents)
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateError::Malformed { path: path.to_owned() })?;
    let first = chain.first().ok_or(CertificateError::NoCertificate { path: path.to_owned() })?;
    let leaf = Leaf::parse(first).ok_or(CertificateError::Malformed { path: path.to_owned() })?;
    Ok((chain, leaf))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let contents = files::read_key(path)?;
    PrivateKeyDer::from_pem_slice(&contents).map_err(|_| CertificateError::NoKey { path: path.to_owned() })
}
