//! The configuration: one file per section, each with its defaults (the private choice) and its own check. Reading never
//! stops at a mistake; a [`Config`] exists only when there is none.

mod admin;
mod auth;
mod c2s;
mod dns;
mod hosts;
mod listen;
mod log;
mod mistakes;
mod retention;
mod s2s;
mod source;
mod storage;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod tls;
mod values;

pub use admin::Admin;
pub use auth::Auth;
pub use c2s::C2s;
pub use dns::Dns;
pub use hosts::Host;
pub(crate) use hosts::Switches;
pub use listen::Listen;
pub use log::{Format, Identifiers, Level, Log};
pub(crate) use mistakes::Collector;
pub use mistakes::{Mistake, Mistakes};
pub use retention::Retention;
pub use s2s::{Peer, S2s, Via};
pub use source::{Origin, Source};
pub use storage::{Storage, StorageUrl};
pub use tls::{Tls, TlsProfile};
pub use values::{Attempts, Listener, NameServer};

use crate::modules::Modules;
use bocage_api::config::Rate;
use hosts::{Common, ModuleTables, addresses, table_at};
use jid::{BareJid, DomainPart};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it comes from.
    pub origin: Origin,
    /// Directory of the server's own files.
    pub data_dir: PathBuf,
    /// Language of texts that the server itself writes.
    pub locale: Locale,
    /// Listeners.
    pub listen: Listen,
    /// TLS.
    pub tls: Tls,
    /// Name resolution.
    pub dns: Dns,
    /// Links to servers.
    pub s2s: S2s,
    /// Client streams.
    pub c2s: C2s,
    /// Logins.
    pub auth: Auth,
    /// Database and keys.
    pub storage: Storage,
    /// Administration.
    pub admin: Admin,
    /// Periods, before the overrides of hosts.
    pub retention: Retention,
    /// The log.
    pub log: Log,
    /// Hosts that serve accounts; the first is `domain`. Never empty.
    pub hosts: Vec<Host>,
}

/// The keys above the first table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Top {
    /// The domain of the community: addresses are `NAME@DOMAIN`. There is no default. Rooms are at `salons.DOMAIN`.
    pub(crate) domain: String,
    /// Accounts that administer the server.
    pub(crate) admins: Vec<String>,
    /// The directory of the server's own files; made for the server's user alone.
    pub(crate) data_dir: PathBuf,
    /// Language of texts that the server itself writes.
    pub(crate) locale: Locale,
}

/// Language of texts that the server itself writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Locale {
    /// English.
    En,
    /// French.
    Fr,
}

impl Default for Top {
    fn default() -> Self {
        Self { domain: String::new(), admins: Vec::new(), data_dir: "/var/lib/bocage".into(), locale: Locale::En }
    }
}

/// Keys and tables of the top level.
pub(crate) const KNOWN: [&str; 16] = [
    "domain",
    "admins",
    "data_dir",
    "locale",
    "listen",
    "tls",
    "dns",
    "s2s",
    "c2s",
    "auth",
    "storage",
    "admin",
    "retention",
    "log",
    "modules",
    "host",
];
/// Tables of later work.
const LATER: [&str; 4] = ["acme", "registration", "metrics", "sandbox"];

impl Config {
    /// Reads the merged table; what is wrong is in `at`, and then the result must not be used.
    pub(crate) fn read(given: &Table, (origin, modules): (Origin, &Modules), at: &mut Collector) -> Self {
        unknown_tables(given, at);
        let only = |keys: &[&str]| {
            given.iter().filter(|(k, _)| keys.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        let (top, _) = table::read::<Top>("", &only(&["domain", "admins", "data_dir", "locale"]), at);
        let domain = domain(&top.domain, given.get("domain"), at);
        let mut retention: Retention = section("retention", given, at);
        let retention_given = given.get("retention").and_then(Value::as_table).cloned().unwrap_or_default();
        retention.validate("retention", &retention_given, at);
        for name in modules.twice() {
            at.wrong("modules", name, "two modules of this build have this name");
        }
        let common = Common {
            admins: addresses("", &top.admins, at),
            domain,
            retention: retention.clone(),
            retention_given,
            modules: ModuleTables::read("modules", given.get("modules"), (modules, at)),
            builtin: modules,
        };
        let hosts = hosts::read(&common, given.get("host"), at);
        let mut config = Self {
            origin,
            data_dir: top.data_dir,
            locale: top.locale,
            listen: section("listen", given, at),
            tls: section("tls", given, at),
            dns: section("dns", given, at),
            s2s: section("s2s", given, at),
            c2s: section("c2s", given, at),
            auth: section("auth", given, at),
            storage: section("storage", given, at),
            admin: section("admin", given, at),
            retention,
            log: section("log", given, at),
            hosts,
        };
        config.validate(common.domain.as_str(), at);
        config
    }

    fn validate(&mut self, domain: &str, at: &mut Collector) {
        if self.data_dir.as_os_str().is_empty() {
            at.wrong("", "data_dir", "found \"\"; allowed: a directory");
        }
        self.listen.validate(at);
        self.tls.validate(domain, at);
        self.dns.validate(at);
        self.s2s.validate(at);
        self.c2s.validate(at);
        self.auth.validate(at);
        let data_dir = self.data_dir.to_string_lossy().into_owned();
        self.storage.resolve(&data_dir, at);
        self.admin.resolve(&data_dir, at);
    }

    /// The first host's domain.
    pub fn domain(&self) -> &str {
        self.hosts.first().map_or("localhost", |host| host.domain.as_str())
    }

    /// The host of this domain, when it serves accounts.
    pub fn host(&self, domain: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.domain.as_str() == domain)
    }

    /// The directory with the certificates: the operator's, or our own for `localhost`.
    pub fn certificates(&self) -> PathBuf {
        if self.makes_own_certificate() { self.data_dir.join("tls") } else { self.tls.certificates.clone() }
    }

    /// Nobody gave a certificate: one is made on the spot (for `localhost` alone).
    pub fn makes_own_certificate(&self) -> bool {
        self.tls.certificates.as_os_str().is_empty()
    }

    /// What is weaker than the default by the operator's choice; logged at each start and listed by `check`.
    pub fn relaxations(&self) -> Vec<String> {
        let defaults = (Tls::default(), C2s::default());
        let mut list = Vec::new();
        if self.c2s.rate == Rate::Off {
            list.push("[c2s] rate = \"off\": one client can take all of the server's bandwidth and time (H64)".to_owned());
        }
        if self.tls.c2s != defaults.0.c2s {
            list.push("[tls] c2s = \"intermediate\": clients may speak TLS 1.2 (H40)".to_owned());
        }
        if self.c2s.max_stanza_size > defaults.1.max_stanza_size {
            list.push(format!("[c2s] max_stanza_size = \"{}\": one client can hold more memory (H64)", self.c2s.max_stanza_size));
        }
        let kept = self.hosts.iter().filter(|h| h.retention.max > Retention::default().max);
        list.extend(kept.map(|h| {
            format!("{}: retention.max = \"{}\": history is kept longer than a month (H01)", h.domain, h.retention.max)
        }));
        if matches!(self.log.level, Level::Debug | Level::Trace) {
            list.push("[log] level: below \"info\" the log is not made to be kept (H09)".to_owned());
        }
        list
    }

    /// The database's address stands in the file itself.
    pub(crate) fn file_holds_url(&self) -> bool {
        self.storage.url_file.as_os_str().is_empty()
    }
}

fn section<T: table::Section>(name: &str, given: &Table, at: &mut Collector) -> T {
    table_at(name, given.get(name), at).map(|table| table::read(name, table, at).0).unwrap_or_default()
}

fn unknown_tables(given: &Table, at: &mut Collector) {
    for key in given.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        if LATER.contains(&key.as_str()) {
            at.wrong(key, "", "this build does not have this yet; allowed: to leave it out");
        } else {
            at.unknown("", key, &KNOWN.map(str::to_owned));
        }
    }
}

/// Parsed, or `localhost` beside a mistake.
fn domain(text: &str, given: Option<&Value>, at: &mut Collector) -> DomainPart {
    let allowed = "allowed: a domain such as \"village.example\"";
    match text.parse::<DomainPart>() {
        Ok(domain) if is_hostname(&domain) => return domain,
        _ if given.is_none() => at.wrong("", "domain", format!("is missing; {allowed}")),
        // Of another type: said already.
        _ if !given.is_some_and(Value::is_str) => {}
        _ => at.wrong("", "domain", format!("found {}; {allowed}", mistakes::shown("", "domain", &text.into()))),
    }
    fallback_domain()
}

/// Addresses without a name (RFC 7622 allows them) have no certificate.
pub(crate) fn is_hostname(domain: &DomainPart) -> bool {
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let is_address = domain.as_str().parse::<std::net::IpAddr>().is_ok();
    !is_address && domain.as_str().split('.').all(label)
}

fn fallback_domain() -> DomainPart {
    BareJid::new("localhost").map_or_else(|_| unreachable!("a constant that parses"), |jid| jid.domain().to_owned())
}

fn fill_data_dir(path: &mut PathBuf, data_dir: &str) {
    if let Some(rest) = path.to_str().and_then(|p| p.strip_prefix("{data_dir}")) {
        *path = Path::new(data_dir).join(rest.trim_start_matches('/'));
    }
}
