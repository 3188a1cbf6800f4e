//! The hosts that are served and the modules of each: `[modules]` for all, `[host."x"]` on top for one.

use super::{Retention, mistakes::Collector, mistakes::shown, table};
use crate::modules::{Modules, Settings};
use jid::{BareJid, DomainPart};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// A host, with everything that may differ between hosts.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its domain.
    pub domain: DomainPart,
    /// Who administers it.
    pub admins: Vec<BareJid>,
    /// How long it keeps things.
    pub retention: Retention,
    /// The modules that are on, with their settings.
    pub modules: BTreeMap<&'static str, Settings>,
}

/// Modules are on unless they are named here; each has a table `[modules.NAME]` for its settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Switches {
    /// Modules to switch off. Names of later builds are allowed: one file serves both.
    pub(crate) off: Vec<String>,
}

/// `[host."x"]` without its tables.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Override {
    /// Who administers this host, instead of the `admins` above.
    pub(crate) admins: Vec<String>,
}

/// Modules of later work: they may be in `off` already, so that one file serves this build and the next.
const LATER: &[&str] =
    &["carbons", "occupant_id", "padding", "profile", "sm", "strangers", "turn", "upload", "vcard_guard", "witness", "invites"];

/// `[modules]` of the server or of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModuleTables {
    off: Option<BTreeSet<String>>,
    tables: BTreeMap<String, Table>,
}

impl ModuleTables {
    /// Reads the table called `path`.
    pub(crate) fn read(path: &str, given: Option<&Value>, (modules, at): (&Modules, &mut Collector)) -> Self {
        let Some(given) = table_at(path, given, at) else { return Self::default() };
        let (tables, switches): (Vec<_>, Vec<_>) = given.iter().partition(|(key, value)| *key != "off" && value.is_table());
        let mut result = Self::default();
        let switches: Table = switches.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        result.off = switches.contains_key("off").then(|| read_off(path, &switches, (modules, at)));
        for key in switches.keys().filter(|key| *key != "off") {
            unknown_module(path, key, (modules, at));
        }
        for (name, value) in tables {
            match value.as_table() {
                Some(table) if modules.names().contains(&name.as_str()) => _ = result.tables.insert(name.clone(), table.clone()),
                _ => unknown_module(path, name, (modules, at)),
            }
        }
        result
    }

    /// This on top of `below`.
    fn over(&self, below: &Self) -> Self {
        let mut tables = below.tables.clone();
        for (name, table) in &self.tables {
            tables.entry(name.clone()).or_default().extend(table.clone());
        }
        Self { off: self.off.clone().or_else(|| below.off.clone()), tables }
    }

    /// Settings of all modules that are on, checked as those of `host`.
    pub(crate) fn settings(
        &self,
        path: &str,
        host: &DomainPart,
        (modules, at): (&Modules, &mut Collector),
    ) -> BTreeMap<&'static str, Settings> {
        let mut result = BTreeMap::new();
        let empty = Table::new();
        for entry in modules.entries() {
            let given = self.tables.get(entry.name()).unwrap_or(&empty);
            let settings = entry.read(&format!("{path}.{}", entry.name()), given, host, at);
            if self.off.as_ref().is_none_or(|off| !off.contains(entry.name())) {
                result.insert(entry.name(), settings);
            }
        }
        result
    }
}

fn read_off(path: &str, switches: &Table, (modules, at): (&Modules, &mut Collector)) -> BTreeSet<String> {
    let only_off: Table = switches.iter().filter(|(key, _)| *key == "off").map(|(k, v)| (k.clone(), v.clone())).collect();
    let (switches, _) = table::read::<Switches>(path, &only_off, at);
    let known: Vec<String> = modules.names().into_iter().map(str::to_owned).collect();
    for name in &switches.off {
        if !known.contains(name) && !LATER.contains(&name.as_str()) {
            let hint =
                super::mistakes::did_you_mean(name, &known).map(|n| format!(" (did you mean \"{n}\"?)")).unwrap_or_default();
            at.wrong(path, "off", format!("found \"{name}\", which is no module{hint}; allowed: {}", known.join(", ")));
        }
    }
    switches.off.into_iter().collect()
}

fn unknown_module(path: &str, name: &str, (modules, at): (&Modules, &mut Collector)) {
    if LATER.contains(&name) {
        at.wrong(path, name, "this build does not have this module yet; allowed: to leave the table out");
        return;
    }
    let known: Vec<String> = std::iter::once("off").chain(modules.names()).map(str::to_owned).collect();
    at.unknown(path, name, &known);
}

/// The table at `path`; a mistake when it is something else.
pub(crate) fn table_at<'a>(path: &str, given: Option<&'a Value>, at: &mut Collector) -> Option<&'a Table> {
    let given = given?;
    if !given.is_table() {
        at.wrong(path, "", format!("found {}; allowed: a table", shown("", path, given)));
    }
    given.as_table()
}

/// What the hosts are made of.
pub(crate) struct Common<'a> {
    pub(crate) domain: DomainPart,
    pub(crate) admins: Vec<BareJid>,
    pub(crate) retention: Retention,
    pub(crate) retention_given: Table,
    pub(crate) modules: ModuleTables,
    pub(crate) builtin: &'a Modules,
}

/// The first host, and those of `[host."x"]`.
pub(crate) fn read(common: &Common<'_>, given: Option<&Value>, at: &mut Collector) -> Vec<Host> {
    let first = Host {
        domain: common.domain.clone(),
        admins: common.admins.clone(),
        retention: common.retention.clone(),
        modules: common.modules.settings("modules", &common.domain, (common.builtin, at)),
    };
    let mut hosts = vec![first];
    for (name, value) in table_at("host", given, at).into_iter().flatten() {
        let path = format!("host.\"{name}\"");
        let Some(overrides) = table_at(&path, Some(value), at) else { continue };
        match name.parse::<DomainPart>() {
            Ok(domain) if !super::is_hostname(&domain) => no_domain(&path, at),
            Ok(domain) if hosts.iter().all(|h| h.domain != domain) => {
                hosts.push(read_host(&path, domain, (common, overrides), at))
            }
            Ok(_) => at.wrong(&path, "", "is the table of a host that is there already; allowed: each host once"),
            Err(_) => no_domain(&path, at),
        }
    }
    hosts
}

fn no_domain(path: &str, at: &mut Collector) {
    at.wrong(path, "", "found a name that is no domain; allowed: a domain");
}

fn read_host(path: &str, domain: DomainPart, (common, given): (&Common<'_>, &Table), at: &mut Collector) -> Host {
    let mut own = given.clone();
    let modules = own.remove("modules");
    let retention = own.remove("retention");
    let known = ["admins", "modules", "retention"].map(str::to_owned);
    let strangers: Vec<String> = own.keys().filter(|key| !known.contains(key)).cloned().collect();
    for key in strangers {
        at.unknown(path, &key, &known);
        own.remove(&key);
    }
    let (overrides, _) = table::read::<Override>(path, &own, at);
    let admins = addresses(path, &overrides.admins, at);
    let modules_path = format!("{path}.modules");
    let modules = ModuleTables::read(&modules_path, modules.as_ref(), (common.builtin, at)).over(&common.modules);
    Host {
        admins: if own.contains_key("admins") { admins } else { common.admins.clone() },
        retention: host_retention(&format!("{path}.retention"), retention.as_ref(), common, at),
        modules: modules.settings(&modules_path, &domain, (common.builtin, at)),
        domain,
    }
}

fn host_retention(path: &str, given: Option<&Value>, common: &Common<'_>, at: &mut Collector) -> Retention {
    let own = table_at(path, given, at).cloned().unwrap_or_default();
    let mut merged = common.retention_given.clone();
    merged.extend(own.clone());
    // What is wrong in the common table was said there.
    let (_, checked) = table::read::<Retention>(path, &own, at);
    let mut quiet = Collector::default();
    let (mut retention, _) = table::read::<Retention>(path, &merged, &mut quiet);
    let own: Table = own.into_iter().filter(|(key, _)| checked.contains_key(key)).collect();
    retention.validate(path, &own, at);
    retention
}

/// Addresses of accounts; all that are none are named.
pub(crate) fn addresses(table: &str, texts: &[String], at: &mut Collector) -> Vec<BareJid> {
    let mut result = Vec::new();
    for text in texts {
        match text.parse::<BareJid>() {
            Ok(jid) if jid.node().is_some() => result.push(jid),
            _ => {
                let found = shown("", "admins", &Value::String(text.clone()));
                at.wrong(
                    table,
                    "admins",
                    format!("found {found}; allowed: addresses of accounts such as \"alice@village.example\""),
                );
            }
        }
    }
    result
}
