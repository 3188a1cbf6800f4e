//! `bocage check`: what would go wrong, before it does. Everything is looked at as the server itself would; nothing is
//! changed but a probe file in the data directory, which is removed at once. What the DNS says is asked of the name
//! servers that the server asks; when they do not answer, that is a finding and not a pause.

mod certificates;
mod domains;
mod local;
mod names;
mod peers;
mod records;
#[cfg(test)]
mod tests;
mod zone;

use crate::config::Config;
use bocage_api::{Finding, Severity};
pub(crate) use local::port_trouble;

/// Is a server running with this configuration?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// It answers on the admin socket: its ports are its own.
    Running,
    /// It does not.
    Stopped,
}

/// What this machine says, in the order in which it is shown.
pub(crate) fn findings(config: &Config, server: Server, now: i64) -> Vec<Finding> {
    let mut all = certificates::findings(config, now);
    all.extend(local::ports(config, server));
    all.extend(local::files(config));
    all.extend(peers::findings(config));
    all.extend(config.relaxations().into_iter().map(|text| finding(Severity::Relaxed, text)));
    all
}

/// What the DNS says of the domains that are served here.
pub(crate) struct World {
    pub(crate) findings: Vec<Finding>,
    /// Lines for the zones, as they should be; empty when no name is for others.
    pub(crate) zone: String,
}

/// Asks the DNS. Never takes much longer than [`names::DEADLINE`].
pub(crate) async fn world(config: &Config, now: i64) -> World {
    let domains = domains::domains(config, now);
    let seen = names::look(config, &domains).await;
    World { zone: zone::lines(config, &domains, &seen), findings: names::findings(config, &domains, &seen) }
}

/// 0 = all is well, 1 = warnings or relaxations, 2 = errors.
pub(crate) fn exit_code(findings: &[Finding]) -> u8 {
    match findings.iter().map(|f| f.severity).max() {
        None | Some(Severity::Good) => 0,
        Some(Severity::Relaxed | Severity::Warning) => 1,
        Some(Severity::Error) => 2,
    }
}

/// Lines for people.
pub(crate) fn report(findings: &[Finding]) -> String {
    let word = |severity| match severity {
        Severity::Good => "ok     ",
        Severity::Relaxed => "relaxed",
        Severity::Warning => "warning",
        Severity::Error => "error  ",
    };
    let mut text: String = findings.iter().map(|f| format!("{}  {}\n", word(f.severity), f.text)).collect();
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings, relaxed) = (count(Severity::Error), count(Severity::Warning), count(Severity::Relaxed));
    text += &format!("{errors} errors, {warnings} warnings, {relaxed} relaxations\n");
    text
}

fn finding(severity: Severity, text: impl Into<String>) -> Finding {
    Finding { severity, row: None, text: text.into() }
}
