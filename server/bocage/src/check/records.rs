//! TLSA records against the keys (RFC 7671-7673), CAA records against the authority (RFC 8659, RFC 8657).

use super::{
    domains::{Domain, Offer},
    finding,
    names::{Seen, heard},
};
use bocage_api::{Finding, Severity};
use bocage_dial::{Authorisation, Tlsa, Unreachable};
use bocage_tls::DaneSet;

/// What authorities call themselves in certificates, and in CAA records.
const AUTHORITIES: [(&str, &str); 9] = [
    ("Let's Encrypt", "letsencrypt.org"),
    ("ZeroSSL", "sectigo.com"),
    ("Sectigo", "sectigo.com"),
    ("Google Trust Services", "pki.goog"),
    ("Buypass", "buypass.com"),
    ("DigiCert", "digicert.com"),
    ("GlobalSign", "globalsign.com"),
    ("SSL Corp", "ssl.com"),
    ("Actalis", "actalis.it"),
];

/// The name of `issuer` in CAA records, where it is known.
pub(super) fn authority(issuer: &str) -> Option<&'static str> {
    AUTHORITIES.iter().find(|(name, _)| issuer.starts_with(name)).map(|(_, domain)| *domain)
}

/// TLSA records where the SRV records for servers lead.
pub(super) fn tlsa(domain: &Domain, offers: &[Offer], seen: &Seen) -> Vec<Finding> {
    if !seen.validating {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut unsigned = false;
    for offer in offers.iter().filter(|offer| offer.servers) {
        let Some(Ok(service)) = heard(domain, offer, seen) else { continue };
        for place in service.records.iter().filter(|place| !place.host.is_empty()) {
            let secure = seen.hosts.get(&place.host).is_some_and(|heard| heard.as_ref().is_ok_and(|host| host.secure));
            if !(service.secure && secure) {
                unsigned = true;
                continue;
            }
            let Some(heard) = seen.tlsa.get(&(place.host.clone(), place.port)) else { continue };
            all.push(at(domain, &format!("_{}._tcp.{}", place.port, place.host), heard));
        }
    }
    if unsigned {
        let text = format!(
            "TLSA: {}: its zone or that of its server is not signed (DNSSEC), so that other servers heed no TLSA records: an \
             authority that is deceived can speak for it (H44)",
            domain.name
        );
        all.push(finding(Severity::Warning, text));
    }
    all
}

fn at(domain: &Domain, owner: &str, heard: &Result<Option<Vec<Tlsa>>, Unreachable>) -> Finding {
    let say = |severity, text: &str| finding(severity, format!("TLSA: {owner}: {text}"));
    let name = &domain.name;
    let records = match heard {
        Err(Unreachable::Bogus) => return say(Severity::Error, "does not verify: servers that heed DANE refuse us"),
        Err(_) => return say(Severity::Error, "cannot be asked for: servers that heed DANE refuse us"),
        Ok(records) => records.clone().unwrap_or_default(),
    };
    if records.is_empty() {
        return say(Severity::Warning, "no record in a signed zone; see the lines for the zone below");
    }
    let record = |r: Tlsa| bocage_tls::Tlsa { usage: r.usage, selector: r.selector, matching: r.matching, data: r.data };
    let set = DaneSet { records: records.into_iter().map(record).collect(), names: Vec::new() };
    let Some(certificate) = &domain.certificate else {
        return say(Severity::Warning, &format!("there, but {name} has no certificate to compare"));
    };
    match certificate.is_named_by(&set) {
        Some(true) => say(Severity::Good, &format!("names the key of {name}")),
        Some(false) => say(
            Severity::Error,
            &format!(
                "does not name the key that {name} has: servers that heed DANE refuse us. Add the record below before others go"
            ),
        ),
        None => say(Severity::Warning, "holds no record that is heeded: 3 1 1 is (RFC 7671)"),
    }
}

/// CAA records: what each domain has, once for those that share them.
pub(super) fn authorisations(domains: &[Domain], seen: &Seen) -> Vec<Finding> {
    let mut told: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for domain in domains {
        let found = match seen.authorisations.get(&domain.name) {
            None => continue,
            Some(Ok(found)) => found,
            Some(Err(_)) => {
                let text = format!("CAA: {}: no answer that can be believed: authorities do not issue then", domain.name);
                all.push(finding(Severity::Warning, text));
                continue;
            }
        };
        // Of a name above that was told of already; without any, the closest domain above has said so.
        let shared = if found.records.is_empty() {
            told.iter().any(|above| domain.name.strip_suffix(above.as_str()).is_some_and(|below| below.ends_with('.')))
        } else {
            told.contains(&found.at)
        };
        if !shared {
            all.extend(authorisation(domain, found));
        }
        told.push(if found.records.is_empty() { domain.name.clone() } else { found.at.clone() });
    }
    all
}

fn authorisation(domain: &Domain, found: &Authorisation) -> Option<Finding> {
    let issue: Vec<(String, &str)> = found.records.iter().filter(|caa| caa.tag == "issue").map(|caa| parts(&caa.value)).collect();
    if issue.is_empty() {
        let text =
            format!("CAA: {}: no record, so every authority may issue for it; see the lines for the zone below", domain.name);
        return Some(finding(Severity::Warning, text));
    }
    let say = |severity, text: String| Some(finding(severity, format!("CAA: {}: {text}", found.at)));
    let issuer = domain.certificate.as_ref().and_then(|certificate| certificate.leaf.issuer.as_deref());
    let known = issuer.and_then(authority);
    if let (Some(issuer), Some(known)) = (issuer, known)
        && !issue.iter().any(|(name, _)| name == known)
    {
        return say(Severity::Warning, format!("does not let {issuer} issue ({known}): the certificate cannot be renewed"));
    }
    let open: Vec<&str> = issue
        .iter()
        .filter(|(name, parameters)| !name.is_empty() && !parameters.to_ascii_lowercase().contains("accounturi="))
        .map(|(name, _)| name.as_str())
        .collect();
    if open.is_empty() {
        return say(Severity::Good, "names authority and account".into());
    }
    let text = format!(
        "{} may issue to everybody who can intercept this machine's traffic: name your account too (accounturi, RFC 8657; H47)",
        open.join(", ")
    );
    say(Severity::Warning, text)
}

/// The authority and its parameters (RFC 8659 section 4.2).
fn parts(value: &str) -> (String, &str) {
    let (name, parameters) = value.split_once(';').unwrap_or((value, ""));
    (name.trim().to_ascii_lowercase(), parameters)
}
