//! The domains that others look for: hosts, and the services of modules, which have names and certificates of their own.

use crate::config::Config;
use bocage_tls::HostReport;

/// A domain that is served here.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    /// As A-labels.
    pub(super) name: String,
    /// What it is for.
    pub(super) role: Role,
    /// Its certificate, where it has one.
    pub(super) certificate: Option<HostReport>,
}

/// What a domain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Accounts: clients look for it, and servers.
    Accounts,
    /// A module's: servers alone look for it.
    Service,
}

/// One kind of connection to a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// The service of its SRV records.
    pub(super) service: &'static str,
    /// The key of `[listen]`.
    pub(super) key: &'static str,
    /// The ports that are listened to; none: it is off.
    pub(super) ports: Vec<u16>,
    pub(super) direct: bool,
    pub(super) servers: bool,
}

/// Domains of modules, as their settings name them.
pub(super) fn services(config: &Config) -> Vec<String> {
    let named = config.hosts.iter().flat_map(|host| host.modules.values());
    let mut names: Vec<String> = named.filter_map(|settings| Some(settings.value("host")?.as_str()?.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

/// Is `name` one that others can look for? `localhost` is everybody's own, and `.onion` is not in the DNS.
fn is_public(name: &str) -> bool {
    let special = ["localhost", "onion", "invalid"];
    !special.iter().any(|last| name == *last || name.strip_suffix(last).is_some_and(|above| above.ends_with('.')))
}

/// Those that others look for: hosts first. Services only matter to other servers.
pub(super) fn domains(config: &Config, now: i64) -> Vec<Domain> {
    let hosts = config.hosts.iter().map(|host| (host.domain.as_str().to_owned(), Role::Accounts));
    let services = services(config).into_iter().filter(|_| config.listen.federates()).map(|name| (name, Role::Service));
    let all: Vec<(String, Role)> = hosts.chain(services).filter(|(name, _)| is_public(name)).collect();
    let names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let seen = bocage_tls::inspect(&config.certificates(), &names, now);
    let certificate = |name: &str| {
        seen.iter().find_map(|finding| match finding {
            bocage_tls::Finding::Served(report) if report.host == name => Some(HostReport::clone(report)),
            _ => None,
        })
    };
    let domain = |(name, role): (String, Role)| Domain {
        certificate: certificate(&name),
        name: bocage_dial::ascii(&name).unwrap_or(name),
        role,
    };
    all.into_iter().map(domain).collect()
}

impl Domain {
    /// What its zone should say, direct TLS before STARTTLS.
    pub(super) fn offers(&self, config: &Config) -> Vec<Offer> {
        let listen = &config.listen;
        let ports = |addresses: Vec<std::net::SocketAddr>| {
            let mut ports: Vec<u16> = addresses.into_iter().map(|address| address.port()).collect();
            ports.dedup();
            ports
        };
        let offer = |service, key, ports, (direct, servers)| Offer { service, key, ports, direct, servers };
        let clients = [
            offer("_xmpps-client", "c2s_direct_tls", ports(listen.c2s_direct_tls()), (true, false)),
            offer("_xmpp-client", "c2s", ports(listen.c2s()), (false, false)),
        ];
        let servers = [
            offer("_xmpps-server", "s2s_direct_tls", ports(listen.s2s_direct_tls()), (true, true)),
            offer("_xmpp-server", "s2s", ports(listen.s2s()), (false, true)),
        ];
        match self.role {
            Role::Accounts => clients.into_iter().chain(servers).collect(),
            Role::Service => servers.into(),
        }
    }
}
