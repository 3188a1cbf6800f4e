//! A module: its name, its config table, the handles it needs, and where it is wired. Wired once, then frozen.

use crate::{commands::Command, extend::*, handles::FromHost};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, sync::Arc};

/// A module. Folder = crate = config table = [`Module::NAME`].
pub trait Module: Sized + 'static {
    /// `[modules.NAME]`.
    const NAME: &'static str;
    /// Its settings. `Default` is the private choice; unknown keys are errors.
    type Config: Default + Clone + DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static;
    /// The handles that it gets, and no others.
    type Needs: FromHost;
    /// Pure wiring: no I/O; tasks start when the plan goes live.
    ///
    /// # Errors
    /// When the settings make no sense.
    fn install(config: Self::Config, needs: Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError>;
    /// Can `new` take the place of `old` while running? By default yes: it is simply wired anew, its
    /// [`State`](crate::State) stays.
    fn reconfigure(old: &Self::Config, new: &Self::Config) -> Reconfigured {
        let _ = (old, new);
        Reconfigured::Applied
    }
}

/// Whether a reload takes effect at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconfigured {
    /// At once.
    Applied,
    /// At the next start.
    NeedsRestart,
}

/// A module cannot be wired; the text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallError(String);
impl InstallError {
    /// With this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for InstallError {}

/// An extension and the module that it belongs to.
pub struct Named<T: ?Sized> {
    /// The module.
    pub module: &'static str,
    /// The extension.
    pub it: Arc<T>,
}
impl<T: ?Sized> Clone for Named<T> {
    fn clone(&self) -> Self {
        Self { module: self.module, it: self.it.clone() }
    }
}

/// Where modules are wired: one named field per kind, so that an unknown checkpoint does not compile.
#[derive(Default)]
#[allow(missing_docs, reason = "each field is named for the trait it holds")]
pub struct Checkpoints {
    module: &'static str,
    pub link_policies: Vec<Named<dyn LinkPolicy>>,
    pub retention_policies: Vec<Named<dyn RetentionPolicy>>,
    pub occupant_id_policies: Vec<Named<dyn OccupantIdPolicy>>,
    pub room_defaults: Vec<Named<dyn RoomDefaults>>,
    pub registration_policies: Vec<Named<dyn RegistrationPolicy>>,
    pub client_filters: Vec<(Phase, Named<dyn ClientFilter>)>,
    pub link_filters: Vec<(Phase, Named<dyn LinkFilter>)>,
    pub recipient_rules: Vec<(Phase, Named<dyn RecipientRule>)>,
    pub egress_filters: Vec<(Phase, Named<dyn EgressFilter>)>,
    pub room_filters: Vec<(Phase, Named<dyn RoomFilter>)>,
    pub iq_services: Vec<(IqKey, Named<dyn IqService>)>,
    pub domain_services: Vec<(String, Named<dyn DomainService>)>,
    pub recorders: Vec<Named<dyn Recorder>>,
    pub undeliverables: Vec<Named<dyn Undeliverable>>,
    pub http_services: Vec<(&'static str, Named<dyn HttpService>)>,
    pub stream_features: Vec<Named<dyn StreamFeature>>,
    pub session_watches: Vec<Named<dyn SessionWatch>>,
    pub sleep_watches: Vec<Named<dyn SleepWatch>>,
    pub roster_watches: Vec<Named<dyn RosterWatch>>,
    pub disco_entries: Vec<Named<dyn DiscoEntry>>,
    pub commands: Vec<Named<dyn Command>>,
    pub diagnoses: Vec<Named<dyn Diagnose>>,
    pub account_data: Vec<Named<dyn AccountData>>,
}

macro_rules! wire {
    ($($(#[$doc:meta])* $method:ident[$kind:ident]($($key:ident: $key_type:ty)?) => $field:ident;)*) => {
        impl Checkpoints {$(
            $(#[$doc])*
            pub fn $method(&mut self, $($key: $key_type,)? it: impl $kind + 'static) {
                let named = Named { module: self.module, it: Arc::new(it) as Arc<dyn $kind> };
                self.$field.push(wire!(@entry $($key,)? named));
            }
        )*}
    };
    (@entry $key:ident, $named:ident) => { ($key, $named) };
    (@entry $named:ident) => { $named };
}
wire! {
    /// Adds a policy about links.
    link_policy[LinkPolicy]() => link_policies;
    /// Adds a policy about periods.
    retention_policy[RetentionPolicy]() => retention_policies;
    /// Adds a policy about occupant-ids.
    occupant_id_policy[OccupantIdPolicy]() => occupant_id_policies;
    /// Adds defaults of rooms.
    room_default[RoomDefaults]() => room_defaults;
    /// Adds a policy about registration.
    registration_policy[RegistrationPolicy]() => registration_policies;
    /// Adds a filter for what clients send.
    client_filter[ClientFilter](phase: Phase) => client_filters;
    /// Adds a filter for what servers send.
    link_filter[LinkFilter](phase: Phase) => link_filters;
    /// Adds a rule for what reaches accounts.
    recipient_rule[RecipientRule](phase: Phase) => recipient_rules;
    /// Adds a filter for what leaves accounts.
    egress_filter[EgressFilter](phase: Phase) => egress_filters;
    /// Adds a filter for what rooms emit.
    room_filter[RoomFilter](phase: Phase) => room_filters;
    /// Adds a service; two for one key are a start-up error.
    iq_service[IqService](key: IqKey) => iq_services;
    /// Adds a service for a domain; two for one domain are a start-up error.
    domain_service[DomainService](domain: String) => domain_services;
    /// Adds the recorder of archives.
    recorder[Recorder]() => recorders;
    /// Adds a place for undeliverable messages.
    undeliverable[Undeliverable]() => undeliverables;
    /// Adds a service for an HTTP path prefix.
    http_service[HttpService](prefix: &'static str) => http_services;
    /// Adds a stream feature.
    stream_feature[StreamFeature]() => stream_features;
    /// Adds a watch on sessions.
    session_watch[SessionWatch]() => session_watches;
    /// Adds a watch on what waits for sleeping sessions.
    sleep_watch[SleepWatch]() => sleep_watches;
    /// Adds a watch on rosters.
    roster_watch[RosterWatch]() => roster_watches;
    /// Adds to discovery.
    disco_entry[DiscoEntry]() => disco_entries;
    /// Adds a command.
    command[Command]() => commands;
    /// Adds findings.
    diagnose[Diagnose]() => diagnoses;
    /// Says what the module keeps.
    data[AccountData]() => account_data;
}

impl Checkpoints {
    /// Says whose extensions come next; for the composition root.
    pub fn of(&mut self, module: &'static str) -> &mut Self {
        self.module = module;
        self
    }
}
