//! The plan of a host: its checkpoints sealed, sorted and keyed. Each stanza loads the current plan once.

mod guard;
mod rooms;

use bocage_api::{BoxFuture, Checkpoints, DiscoPart, DiscoTarget, DomainService, Entity, InstallError, IqKey, Named, ns};
pub use guard::IqOutcome;
use jid::DomainPart;
use std::{collections::HashMap, sync::Arc};

type Keyed = (IqKey, Named<dyn bocage_api::IqService>);

/// What serves one host; frozen, replaced whole by a reload.
pub struct HostPlan {
    /// The host.
    pub domain: DomainPart,
    /// Its extensions. Filters are in order of phase, then of the module list.
    pub at: Checkpoints,
    iq: HashMap<Entity, Vec<Keyed>>,
    services: HashMap<String, Named<dyn DomainService>>,
}

impl HostPlan {
    /// Seals the checkpoints.
    ///
    /// # Errors
    /// When two modules claim the same key: a start-up error by design.
    pub fn seal(domain: DomainPart, mut at: Checkpoints) -> Result<Self, InstallError> {
        at.client_filters.sort_by_key(|(phase, _)| *phase);
        at.link_filters.sort_by_key(|(phase, _)| *phase);
        at.recipient_rules.sort_by_key(|(phase, _)| *phase);
        at.egress_filters.sort_by_key(|(phase, _)| *phase);
        at.room_filters.sort_by_key(|(phase, _)| *phase);
        let mut iq: HashMap<Entity, Vec<_>> = HashMap::new();
        for (key, service) in std::mem::take(&mut at.iq_services) {
            let keyed = iq.entry(key.entity.clone()).or_default();
            if let Some((_, other)) = keyed.iter().find(|(k, _): &&Keyed| *k == key) {
                return Err(claimed_twice(other.module, service.module, key.namespace));
            }
            keyed.push((key, service));
        }
        let mut services = HashMap::new();
        for (domain, service) in std::mem::take(&mut at.domain_services) {
            let module = service.module;
            if let Some(other) = services.insert(domain.clone(), service) {
                return Err(claimed_twice(other.module, module, &domain));
            }
        }
        Ok(Self { domain, at, iq, services })
    }

    /// Domains of its services.
    pub fn service_domains(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }
    /// Its services.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Named<dyn DomainService>> {
        self.services.values()
    }
    /// The service of a domain.
    pub fn service(&self, domain: &str) -> Option<&Named<dyn DomainService>> {
        self.services.get(domain)
    }
    fn iq_service(&self, entity: &Entity, matches: impl Fn(&IqKey) -> bool) -> Option<&Named<dyn bocage_api::IqService>> {
        self.iq.get(entity)?.iter().find(|(key, _)| matches(key)).map(|(_, service)| service)
    }
}

fn claimed_twice(one: &str, other: &str, what: &str) -> InstallError {
    InstallError::new(format!("modules {one} and {other} both claim {what}"))
}

/// All plans of the server: hosts by domain, services by theirs.
#[derive(Default)]
pub struct Plans {
    places: HashMap<String, Place>,
}

/// What is served at a domain.
#[derive(Clone)]
pub enum Place {
    /// Accounts.
    Accounts(Arc<HostPlan>),
    /// A service of that host.
    Service(Arc<HostPlan>),
}

impl Place {
    /// What serves it.
    #[must_use]
    pub fn plan(&self) -> &Arc<HostPlan> {
        match self {
            Self::Accounts(plan) | Self::Service(plan) => plan,
        }
    }
}

impl Plans {
    /// From sealed hosts.
    ///
    /// # Errors
    /// When two of them claim one domain.
    pub fn new(hosts: impl IntoIterator<Item = HostPlan>) -> Result<Self, InstallError> {
        let mut places = HashMap::new();
        for host in hosts {
            let host = Arc::new(host);
            let own = (host.domain.as_str().to_owned(), Place::Accounts(host.clone()));
            let services = host.service_domains().map(|domain| (domain.to_owned(), Place::Service(host.clone())));
            for (domain, place) in std::iter::once(own).chain(services.collect::<Vec<_>>()) {
                if places.insert(domain.clone(), place).is_some() {
                    return Err(InstallError::new(format!("the domain {domain} is claimed twice")));
                }
            }
        }
        Ok(Self { places })
    }
    /// What is served at `domain`; `None` = somebody else's.
    #[must_use]
    pub fn place(&self, domain: &str) -> Option<&Place> {
        self.places.get(domain)
    }
    /// The plan of a host that serves accounts.
    #[must_use]
    pub fn accounts(&self, domain: &str) -> Option<&Arc<HostPlan>> {
        match self.places.get(domain)? {
            Place::Accounts(plan) => Some(plan),
            Place::Service(_) => None,
        }
    }
    /// The domains of all services, sorted.
    #[must_use]
    pub fn service_domains(&self) -> Vec<String> {
        let services = self.places.iter().filter(|(_, place)| matches!(place, Place::Service(_)));
        let mut domains: Vec<String> = services.map(|(domain, _)| domain.clone()).collect();
        domains.sort();
        domains
    }
    /// All hosts that serve accounts.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<HostPlan>> {
        self.places.values().filter_map(|place| match place {
            Place::Accounts(plan) => Some(plan),
            Place::Service(_) => None,
        })
    }
    /// Joined disco parts of all entries.
    #[must_use]
    pub fn disco(&self, domain: &str, target: &DiscoTarget) -> DiscoPart {
        let mut whole = DiscoPart::default();
        let (Some(Place::Accounts(plan)) | Some(Place::Service(plan))) = self.places.get(domain) else { return whole };
        whole.join(core_features(target));
        for entry in &plan.at.disco_entries {
            whole.join(plan.entry(entry, target));
        }
        whole.identities.sort();
        whole.identities.dedup();
        whole
    }
}

/// What core itself offers.
fn core_features(target: &DiscoTarget) -> DiscoPart {
    match target {
        DiscoTarget::Server(_) => DiscoPart::features([ns::CARBONS, "urn:xmpp:carbons:rules:0"]),
        DiscoTarget::Account => DiscoPart::features(["urn:xmpp:cam:0"]),
        DiscoTarget::Host(_) => DiscoPart::default(),
    }
}

/// A future of an iq service that cannot take the connection with it.
pub type Guarded<'a, T> = BoxFuture<'a, T>;
