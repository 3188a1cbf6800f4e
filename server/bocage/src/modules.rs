//! THE list of modules. Everything that a server does beyond streams, sessions and routing is on it; a third party adds
//! to it with [`Modules::with`]. The core knows a module by its entry alone: its name and four functions.

use crate::{
    config::{Collector, table},
    reference,
};
use bocage_api::{Checkpoints, FromHost, HostHandles, InstallError, Module, Reconfigured};
use jid::DomainPart;
use serde::Deserialize;
use std::fmt;
use toml::{Table, Value};

/// The modules of a build, in the order in which they are wired.
#[derive(Clone, Default)]
pub struct Modules(Vec<Entry>);

/// Settings of one module on one host: complete and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings(Table);

/// A module without its type.
#[derive(Clone, Copy)]
pub struct Entry {
    name: &'static str,
    read: fn(&str, &Table, &mut Collector) -> Table,
    install: fn(&Settings, &HostHandles, &mut Checkpoints) -> Result<(), InstallError>,
    reconfigure: fn(&Settings, &Settings) -> Reconfigured,
    reference: fn() -> reference::TableText,
}

impl Modules {
    /// No modules: a server that routes and nothing else.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of this repository.
    pub fn builtin() -> Self {
        Self::none()
            .with::<bocage_module_roster::Roster>()
            .with::<bocage_module_mam::Mam>()
            .with::<bocage_module_push::Push>()
            .with::<bocage_module_offline::Offline>()
            .with::<bocage_module_data_policy::DataPolicy>()
            .with::<bocage_module_disco::Disco>()
            .with::<bocage_module_caps::Caps>()
            .with::<bocage_module_commands::Commands>()
            .with::<bocage_module_contact::Contact>()
            .with::<bocage_module_blocking::Blocking>()
            .with::<bocage_module_account::Account>()
            .with::<bocage_module_last::Last>()
            .with::<bocage_module_ping::Ping>()
            .with::<bocage_module_profile_egress::ProfileEgress>()
            .with::<bocage_module_privacy::Privacy>()
            .with::<bocage_module_private_xml::PrivateXml>()
            .with::<bocage_module_time::Time>()
            .with::<bocage_module_vcard::Vcard>()
            .with::<bocage_module_version::Version>()
            .with::<bocage_module_muc::Muc>()
            .with::<bocage_module_leave_jitter::LeaveJitter>()
            .with::<bocage_module_occupant_id::OccupantId>()
            .with::<bocage_module_pseudonyms::Pseudonyms>()
            .with::<bocage_module_room_retention::RoomRetention>()
            .with::<bocage_module_vcard_guard::VcardGuard>()
    }

    /// Adds a module at the end.
    #[must_use]
    pub fn with<M: Module>(mut self) -> Self {
        self.0.push(Entry::of::<M>());
        self
    }

    /// All of them.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// All names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|entry| entry.name).collect()
    }

    /// Names that are there more than once.
    pub(crate) fn twice(&self) -> Vec<&'static str> {
        let names = self.names();
        names
            .iter()
            .enumerate()
            .filter(|(at, name)| names.iter().skip(at + 1).any(|n| n == *name))
            .map(|(_, name)| *name)
            .collect()
    }
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Entry {
    fn of<M: Module>() -> Self {
        Self {
            name: M::NAME,
            read: |path, given, at| table::read::<M::Config>(path, given, at).1,
            install: install::<M>,
            reconfigure: |old, new| match (old.parse::<M>(), new.parse::<M>()) {
                (Ok(old), Ok(new)) => M::reconfigure(&old, &new),
                _ => Reconfigured::NeedsRestart,
            },
            reference: || reference::table_text::<M::Config>(&format!("modules.{}", M::NAME)),
        }
    }

    /// Its name and that of its table.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Wires the module; `handles` are those made for it on this host.
    ///
    /// # Errors
    /// When its settings make no sense to it.
    pub fn install(&self, settings: &Settings, handles: &HostHandles, at: &mut Checkpoints) -> Result<(), InstallError> {
        (self.install)(settings, handles, at.of(self.name))
    }

    /// Does a reload take effect at once?
    pub fn reconfigure(&self, old: &Settings, new: &Settings) -> Reconfigured {
        (self.reconfigure)(old, new)
    }

    /// Checks `given` and completes it.
    pub(crate) fn read(&self, path: &str, given: &Table, host: &DomainPart, at: &mut Collector) -> Settings {
        let mut table = (self.read)(path, given, at);
        table.iter_mut().for_each(|(_, value)| fill_domain(value, host.as_str()));
        Settings(table)
    }

    pub(crate) fn reference(&self) -> reference::TableText {
        (self.reference)()
    }
}

impl Settings {
    fn parse<M: Module>(&self) -> Result<M::Config, InstallError> {
        if self.0.is_empty() {
            return Ok(M::Config::default());
        }
        M::Config::deserialize(self.0.clone()).map_err(|error| InstallError::new(error.message()))
    }

    /// One value, for what the composition root itself wants to know.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }
}

fn install<M: Module>(settings: &Settings, handles: &HostHandles, at: &mut Checkpoints) -> Result<(), InstallError> {
    M::install(settings.parse::<M>()?, M::Needs::from_host(handles)?, at)
}

/// `{domain}` in a text means the host that the module is wired for.
fn fill_domain(value: &mut Value, host: &str) {
    match value {
        Value::String(text) if text.contains("{domain}") => *text = text.replace("{domain}", host),
        Value::Array(list) => list.iter_mut().for_each(|value| fill_domain(value, host)),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| fill_domain(value, host)),
        _ => {}
    }
}
