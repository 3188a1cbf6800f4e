//! Certificates against the domains that are served: hosts, and the services that other servers ask for by name.

use super::{domains, finding};
use crate::config::Config;
use bocage_api::{Finding, Severity};
use bocage_tls::{CertificateError, HostReport};

/// What a certificate of a server has to be for, if it says what it is for at all.
const SERVER_AUTH: [&str; 2] = ["serverAuth", "anyExtendedKeyUsage"];

pub(super) fn findings(config: &Config, now: i64) -> Vec<Finding> {
    let directory = config.certificates();
    if config.makes_own_certificate() && !directory.exists() {
        return vec![finding(Severity::Good, "certificate: made for localhost at the first start")];
    }
    let hosts: Vec<String> = config.hosts.iter().map(|host| host.domain.to_string()).collect();
    let federates = config.listen.federates() && !config.makes_own_certificate();
    let services = if federates { domains::services(config) } else { Vec::new() };
    let all: Vec<String> = hosts.iter().chain(&services).cloned().collect();
    let found = bocage_tls::inspect(&directory, &all, now);
    found.iter().flat_map(|found| one(found, &services)).collect()
}

fn one(found: &bocage_tls::Finding, services: &[String]) -> Vec<Finding> {
    match found {
        bocage_tls::Finding::Served(report) => {
            let served = finding(Severity::Good, format!("certificate: {report}"));
            std::iter::once(served).chain(usage(report)).collect()
        }
        // Served all the same; other servers will not believe it.
        bocage_tls::Finding::Fault(CertificateError::Missing { host, directory }) if services.contains(host) => {
            let text = format!(
                "certificate: none in {} names {host}: other servers cannot use this service. Let the certificate name it too",
                directory.display()
            );
            vec![finding(Severity::Warning, text)]
        }
        bocage_tls::Finding::Fault(fault) => {
            let severity = match fault.severity() {
                bocage_tls::Severity::Warning => Severity::Warning,
                bocage_tls::Severity::Error => Severity::Error,
            };
            vec![finding(severity, format!("certificate: {fault}"))]
        }
    }
}

fn usage(report: &HostReport) -> Option<Finding> {
    let usages = &report.leaf.usages;
    let fits = usages.is_empty() || usages.iter().any(|usage| SERVER_AUTH.contains(&usage.as_str()));
    let text = || {
        let (host, usages) = (&report.host, usages.join(", "));
        format!("certificate: that of {host} is for {usages} alone and not for servers: nobody accepts it")
    };
    (!fits).then(|| finding(Severity::Error, text()))
}
