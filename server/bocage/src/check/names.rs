//! What the DNS says of the domains that are served here: looked at, and judged.

use super::{
    domains::{Domain, Offer},
    finding, records,
};
use crate::{assemble::ways, config::Config};
use bocage_api::{Finding, Severity};
use bocage_dial::{Authorisation, Host, Inspector, Service, Tlsa, Unreachable};
use futures_util::{StreamExt, stream};
use std::{collections::BTreeMap, time::Duration};

/// For all questions together.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
/// Questions under way.
const AT_ONCE: usize = 8;
/// Targets of one domain's records that are looked at.
const TARGETS: usize = 16;

type Heard<T> = Result<T, Unreachable>;

/// All that was looked at.
#[derive(Default)]
pub(super) struct Seen {
    /// Why there is nothing else.
    pub(super) nothing: Option<Nothing>,
    /// Whether DNSSEC can be judged.
    pub(super) validating: bool,
    /// By service and domain.
    pub(super) services: BTreeMap<(String, &'static str), Heard<Service>>,
    /// By name.
    pub(super) hosts: BTreeMap<String, Heard<Host>>,
    /// By host and port; `None` = the zone is not signed.
    pub(super) tlsa: BTreeMap<(String, u16), Heard<Option<Vec<Tlsa>>>>,
    /// By domain.
    pub(super) authorisations: BTreeMap<String, Heard<Authorisation>>,
}

/// Why nothing could be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// Nobody else looks for these names.
    Private,
    /// The settings or the system name no usable name server.
    Setup(String),
    /// They do not answer.
    Silence,
}

pub(super) async fn look(config: &Config, domains: &[Domain]) -> Seen {
    let none = |nothing| Seen { nothing: Some(nothing), ..Seen::default() };
    let Some(first) = domains.first() else { return none(Nothing::Private) };
    let inspector = match Inspector::new(&ways(config)) {
        Ok(inspector) => inspector,
        Err(fault) => return none(Nothing::Setup(fault.to_string())),
    };
    let all = async {
        // One question first: without an answer, none of the others will have one.
        if inspector.service("_xmpp-server", &first.name).await == Err(Unreachable::TimedOut) {
            return none(Nothing::Silence);
        }
        everything(&inspector, config, domains).await
    };
    tokio::time::timeout(DEADLINE, all).await.unwrap_or_else(|_| none(Nothing::Silence))
}

async fn everything(inspector: &Inspector, config: &Config, domains: &[Domain]) -> Seen {
    let wanted: Vec<(String, &'static str)> = domains
        .iter()
        .flat_map(|domain| domain.offers(config).into_iter().map(|offer| (domain.name.clone(), offer.service)))
        .collect();
    let services = each(wanted, async |(domain, service)| inspector.service(service, domain).await).await;
    let mut places: Vec<(String, u16)> = places(&services);
    places.sort();
    places.dedup();
    let mut hosts: Vec<String> = places.iter().map(|(host, _)| host.clone()).collect();
    hosts.extend(domains.iter().map(|domain| domain.name.clone()));
    hosts.sort();
    hosts.dedup();
    let hosts = each(hosts, async |host| inspector.host(host).await).await;
    let validating = inspector.is_validating().await;
    let places = if validating { places } else { Vec::new() };
    let tlsa = each(places, async |(host, port)| tlsa(inspector, &hosts, host, *port).await).await;
    let names = domains.iter().map(|domain| domain.name.clone()).collect();
    let authorisations = each(names, async |name: &String| inspector.authorisation(name).await).await;
    Seen { nothing: None, validating, services, hosts, tlsa, authorisations }
}

/// Where the records lead.
fn places(services: &BTreeMap<(String, &'static str), Heard<Service>>) -> Vec<(String, u16)> {
    let heard = services.values().flatten();
    let records = heard.flat_map(|service| service.records.iter().take(TARGETS)).filter(|place| !place.host.is_empty());
    records.map(|place| (place.host.clone(), place.port)).collect()
}

/// Where a proven alias leads comes first (RFC 7671 section 7).
async fn tlsa(inspector: &Inspector, hosts: &BTreeMap<String, Heard<Host>>, host: &str, port: u16) -> Heard<Option<Vec<Tlsa>>> {
    let alias = hosts.get(host).and_then(|heard| heard.as_ref().ok()?.alias.clone());
    if let Some(alias) = alias
        && let Some(records) = inspector.tlsa(&alias, port).await?.filter(|records| !records.is_empty())
    {
        return Ok(Some(records));
    }
    inspector.tlsa(host, port).await
}

/// Asks `question` about each of `subjects`, several at once.
async fn each<K: Ord, T>(subjects: Vec<K>, question: impl AsyncFn(&K) -> T) -> BTreeMap<K, T> {
    let asked = subjects.into_iter().map(async |subject| {
        let answer = question(&subject).await;
        (subject, answer)
    });
    stream::iter(asked).buffer_unordered(AT_ONCE).collect().await
}

/// All findings about names.
pub(super) fn findings(config: &Config, domains: &[Domain], seen: &Seen) -> Vec<Finding> {
    let hint = "set [dns] servers to a resolver that answers";
    match &seen.nothing {
        Some(Nothing::Private) => return Vec::new(),
        Some(Nothing::Setup(fault)) => return vec![finding(Severity::Error, format!("[dns]: {fault}"))],
        Some(Nothing::Silence) => {
            let text = format!("names: the name servers do not answer, so nothing is known of SRV, TLSA and CAA records: {hint}");
            return vec![finding(Severity::Warning, text)];
        }
        None => {}
    }
    let mut all = Vec::new();
    if config.listen.federates() && !seen.validating {
        let text = "names: the name servers deliver no DNSSEC, so TLSA records of other servers are not heeded and ours cannot be \
                    looked at (H44): a validating resolver on this machine in [dns] servers is better";
        all.push(finding(Severity::Warning, text));
    }
    for domain in domains {
        let offers = domain.offers(config);
        all.extend(offers.iter().map(|offer| about(domain, offer, seen)));
        all.extend(order(domain, &offers, seen));
        all.extend(targets(domain, &offers, seen));
        all.extend(records::tlsa(domain, &offers, seen));
    }
    all.extend(records::authorisations(domains, seen));
    all
}

/// What `text` is about.
pub(super) fn heard<'a>(domain: &Domain, offer: &Offer, seen: &'a Seen) -> Option<&'a Heard<Service>> {
    seen.services.get(&(domain.name.clone(), offer.service))
}

/// One service of one domain.
fn about(domain: &Domain, offer: &Offer, seen: &Seen) -> Finding {
    let name = format!("{}._tcp.{}", offer.service, domain.name);
    let say = |severity, text: String| finding(severity, format!("names: {name}: {text}"));
    let records = match heard(domain, offer, seen) {
        Some(Ok(service)) => &service.records,
        Some(Err(Unreachable::Bogus)) => {
            return say(Severity::Error, "its DNSSEC signatures do not verify: who validates refuses it".into());
        }
        _ => return say(Severity::Warning, "no answer in time: nothing is known".into()),
    };
    let declined = !records.is_empty() && records.iter().all(|record| record.host.is_empty());
    let shown: Vec<String> = records.iter().map(|r| format!("{}:{} (priority {})", r.host, r.port, r.priority)).collect();
    let key = offer.key;
    let strangers: Vec<u16> = records.iter().map(|r| r.port).filter(|port| !offer.ports.contains(port)).collect();
    match (offer.ports.is_empty(), records.is_empty()) {
        (true, true) => say(Severity::Warning, format!("no record, and [listen] {key} is off: say so with the target \".\"")),
        (true, false) if declined => say(Severity::Good, "off, and the DNS says so".into()),
        (true, false) => {
            say(Severity::Warning, format!("leads to {}, but [listen] {key} is off: make its target \".\"", shown.join(", ")))
        }
        (false, true) => say(Severity::Warning, "no record; see the lines for the zone below".into()),
        (false, false) if declined => say(Severity::Error, format!("says that there is none, but [listen] {key} has one")),
        (false, false) if !strangers.is_empty() => {
            let ports: Vec<String> = strangers.iter().map(u16::to_string).collect();
            let text = format!(
                "leads to port {}, at which [listen] {key} does not listen: right only if something forwards it",
                ports.join(", ")
            );
            say(Severity::Warning, text)
        }
        (false, false) => say(Severity::Good, shown.join(", ")),
    }
}

/// H46: STARTTLS shows the domain in the clear, so direct TLS comes first.
fn order(domain: &Domain, offers: &[Offer], seen: &Seen) -> Vec<Finding> {
    let best = |servers: bool, direct: bool| {
        let offer = offers.iter().find(|offer| (offer.servers, offer.direct) == (servers, direct))?;
        let service = heard(domain, offer, seen)?.as_ref().ok()?;
        service.records.iter().filter(|record| !record.host.is_empty()).map(|record| record.priority).min()
    };
    let kinds = [(false, "client"), (true, "server")].into_iter();
    kinds
        .filter_map(|(servers, kind)| match (best(servers, true), best(servers, false)) {
            (Some(direct), Some(starttls)) if direct >= starttls => {
                let text = format!(
                    "names: {}: _xmpps-{kind} has priority {direct} and _xmpp-{kind} {starttls}: give direct TLS the lower number, \
                     STARTTLS shows the domain in the clear (H46)",
                    domain.name
                );
                Some(finding(Severity::Warning, text))
            }
            _ => None,
        })
        .collect()
}

/// Targets without an address.
fn targets(domain: &Domain, offers: &[Offer], seen: &Seen) -> Vec<Finding> {
    let services = offers.iter().filter_map(|offer| heard(domain, offer, seen)?.as_ref().ok());
    let mut names: Vec<&str> = services.flat_map(|service| &service.records).map(|record| record.host.as_str()).collect();
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        // Who finds no record goes to the domain itself.
        names.push(&domain.name);
    }
    names.sort_unstable();
    names.dedup();
    let say = |name: &str, severity, what: &str| finding(severity, format!("names: {}: its server {name} {what}", domain.name));
    names
        .into_iter()
        .filter_map(|name| match seen.hosts.get(name)? {
            Ok(host) if host.addresses.is_empty() => Some(say(name, Severity::Error, "has no address")),
            Ok(_) => None,
            Err(Unreachable::Bogus) => Some(say(name, Severity::Error, "has DNSSEC signatures that do not verify")),
            Err(_) => Some(say(name, Severity::Warning, "was asked for without an answer")),
        })
        .collect()
}
