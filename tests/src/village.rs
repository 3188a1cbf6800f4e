//! A server of a test's own.

use crate::{Direct, leash::all_are_spawned, soon};
use bocage::{
    Modules,
    config::{Listener, Source},
    machine_clock, machine_entropy,
};
use bocage_api::{
    Clock,
    store::{AccountKeys, StoredKeys},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Iterations of test accounts: tests are about the server, not about PBKDF2.
const ITERATIONS: u32 = 4_096;

/// A server with its directory.
pub struct Village {
    /// What it serves.
    pub domain: &'static str,
    /// The server.
    pub running: bocage::Running,
    /// How its people reach it.
    pub connector: Direct,
    /// Where it takes STARTTLS.
    pub starttls: SocketAddr,
    /// Its files.
    pub dir: TempDir,
}

impl Village {
    /// A village with these people, whose password is their name.
    pub async fn of(people: &[&str]) -> Self {
        Self::with("", people).await
    }
    /// The same with more configuration.
    pub async fn with(toml: &str, people: &[&str]) -> Self {
        let dir = TempDir::with_prefix("village").unwrap();
        Self::start(dir, toml, people, machine_clock()).await
    }
    /// In this directory, perhaps again, by this clock.
    pub async fn start(dir: TempDir, toml: &str, people: &[&str], clock: Clock) -> Self {
        let (domain, tls) = ("village.example", dir.path().join("tls"));
        if !tls.exists() {
            bocage_tls::ensure_self_signed(&tls, domain).unwrap();
        }
        let anchor = tls.join(format!("{domain}.crt"));
        Self::among((domain, anchor), (dir, tls), toml, (people, clock)).await
    }
    /// With a name that others know: whoever trusts `anchor` trusts the certificate in `tls`.
    pub async fn among(
        (domain, anchor): (&'static str, PathBuf),
        (dir, tls): (TempDir, PathBuf),
        toml: &str,
        (people, clock): (&[&str], Clock),
    ) -> Self {
        let config = configure(dir.path(), &tls, domain, toml);
        // A lock on the directory of a server that has ended may live on in one.
        all_are_spawned();
        let running = bocage::start(config, Modules::builtin(), clock, machine_entropy()).await.unwrap();
        let &[starttls, direct, ..] = running.addresses() else { panic!("two listeners for clients") };
        let connector = Direct::new(direct, &anchor);
        let village = Self { domain, running, connector, starttls, dir };
        for person in people {
            village.settle_in(person).await;
        }
        village
    }
    async fn settle_in(&self, name: &str) {
        let keys = self.keys(&self.password(name));
        self.running.admin().create(self.bare(name).parse().unwrap(), keys).await.unwrap();
    }
    /// What is stored of a password.
    #[must_use]
    pub fn keys(&self, password: &str) -> AccountKeys {
        let random = machine_entropy();
        let derived = bocage_sasl::Credentials::derive(
            &password.to_owned().into(),
            ITERATIONS,
            bocage_sasl::ScramSha1::On,
            &|b: &mut [u8]| random.fill(b),
        );
        let derived = derived.unwrap();
        let keys = |k: bocage_sasl::ScramKeys| StoredKeys {
            salt: k.salt.clone(),
            iterations: k.iterations,
            stored_key: k.stored_key.clone().into(),
            server_key: k.server_key.clone().into(),
        };
        AccountKeys { sha256: derived.sha256.map(keys), sha1: derived.sha1.map(keys) }
    }
    /// Their password.
    #[must_use]
    pub fn password(&self, name: &str) -> String {
        format!("{name}-password")
    }
    /// Their bare JID.
    #[must_use]
    pub fn bare(&self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }
    /// Its database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.path().join("data/bocage.db")
    }
    /// Stops it; the directory is left for a second start.
    pub async fn stop(self) -> TempDir {
        soon(self.running.shutdown()).await;
        self.dir
    }
}

fn configure(dir: &Path, tls: &Path, domain: &str, more: &str) -> bocage::Config {
    let (path, data) = (dir.join("bocage.toml"), dir.join("data"));
    // Keys of no table come before all tables.
    let (top, more) = more.split_at(if more.starts_with('[') { 0 } else { more.find("\n[").map_or(more.len(), |at| at + 1) });
    let text = format!(
        "{top}domain = \"{domain}\"\ndata_dir = \"{}\"\n[tls]\ncertificates = \"{}\"\n{more}",
        data.display(),
        tls.display()
    );
    std::fs::write(&path, text).unwrap();
    let mut config = Source::new(Some(path), []).load(&Modules::builtin()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    // Any free port: the file cannot say that.
    let free = || vec![Listener("127.0.0.1:0".parse().unwrap())];
    config.listen.c2s = free();
    config.listen.c2s_direct_tls = free();
    // Whoever wants others says where.
    if !more.contains("s2s = [") {
        config.listen.s2s.clear();
        config.listen.s2s_direct_tls.clear();
    }
    config
}
