//! The lines that belong into the zones, to paste: SRV with direct TLS first and "." for what is off, TLSA of the
//! current keys, CAA of the authority that has issued.

use super::{
    domains::{Domain, Offer, Role},
    names::{Seen, heard},
    records::authority,
};
use crate::config::Config;
use std::{collections::BTreeSet, fmt::Write};

/// Priorities of direct TLS and of STARTTLS (H46).
const PRIORITIES: (u16, u16) = (5, 10);
/// Of all lines, in seconds.
const TTL: u32 = 3600;

/// All lines; empty when no domain is for others.
pub(super) fn lines(config: &Config, domains: &[Domain], seen: &Seen) -> String {
    let mut text = String::new();
    let Some(first) = domains.first() else { return text };
    text += "; lines for the zones; what is there already and says the same can stay\n";
    let home = server(first, config, seen).unwrap_or_else(|| first.name.clone());
    let mut tlsa = BTreeSet::new();
    for domain in domains {
        let target = server(domain, config, seen).unwrap_or_else(|| match domain.role {
            Role::Accounts => domain.name.clone(),
            Role::Service => home.clone(),
        });
        for offer in domain.offers(config) {
            services(&mut text, domain, &offer, &target);
            let key = domain.certificate.as_ref().filter(|_| offer.servers).map(|certificate| certificate.leaf.tlsa_311());
            for (key, port) in key.iter().flat_map(|key| offer.ports.iter().map(move |port| (key, port))) {
                tlsa.insert(format!("_{port}._tcp.{target}. {TTL} IN TLSA {key}"));
            }
        }
    }
    if !tlsa.is_empty() {
        text += "; heeded where DNSSEC signs the zone; with a new key, its record comes first and a day before the key\n";
    }
    for line in tlsa {
        let _ = writeln!(text, "{line}");
    }
    caa(&mut text, domains);
    text
}

/// Where the records of this domain lead today.
fn server(domain: &Domain, config: &Config, seen: &Seen) -> Option<String> {
    let offers = domain.offers(config);
    let services = offers.iter().filter_map(|offer| heard(domain, offer, seen)?.as_ref().ok());
    let mut records = services.flat_map(|service| &service.records);
    records.find(|record| !record.host.is_empty()).map(|record| record.host.clone())
}

fn services(text: &mut String, domain: &Domain, offer: &Offer, target: &str) {
    let owner = format!("{}._tcp.{}", offer.service, domain.name);
    if offer.ports.is_empty() {
        let _ = writeln!(text, "{owner}. {TTL} IN SRV 0 0 0 .");
    }
    let priority = if offer.direct { PRIORITIES.0 } else { PRIORITIES.1 };
    for port in &offer.ports {
        let _ = writeln!(text, "{owner}. {TTL} IN SRV {priority} 0 {port} {target}.");
    }
}

/// For hosts: names below them share it.
fn caa(text: &mut String, domains: &[Domain]) {
    for domain in domains.iter().filter(|domain| domain.role == Role::Accounts) {
        let issuer = domain.certificate.as_ref().and_then(|certificate| certificate.leaf.issuer.as_deref());
        match issuer.map(|issuer| (issuer, authority(issuer))) {
            Some((_, Some(authority))) => {
                let _ = writeln!(
                    text,
                    "; better with your account (RFC 8657): \"{authority}; accounturi=URI; validationmethods=dns-01\""
                );
                let _ = writeln!(text, "{}. {TTL} IN CAA 0 issue \"{authority}\"", domain.name);
            }
            Some((issuer, None)) => {
                let _ = writeln!(text, "; CAA of {}: ask {} for its name there", domain.name, one_line(issuer));
            }
            None => {}
        }
    }
}

/// A comment ends with its line, whatever a certificate says.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
