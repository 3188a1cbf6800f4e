//! When TLSA records are asked for and what a failure means (RFC 7672, section 2.2; RFC 7673, section 3). They are not
//! asked for where the way to them is unproven: servers of unsigned zones are known to fail on such questions.

use crate::{
    dns::Dns,
    name,
    target::{Dane, DaneSet, Tlsa, Unreachable},
};

/// Most TLSA records that are heeded: of one target, and of all together.
pub(crate) const RECORDS: usize = 32;

/// How it is known that the host is the domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// By records without proof.
    Unproven,
    /// It is the domain itself, provably without SRV records.
    None,
    /// By proven SRV records.
    Srv,
    /// By the operator.
    Configured,
}

/// What DNSSEC says of the server at `host` and `port`. Fails when the host has no address that could be used.
pub(crate) async fn of(dns: &Dns, host: &str, port: u16, names: Names) -> Result<Dane, Unreachable> {
    let addresses = dns.addresses(host).await?;
    if names == Names::Unproven || !addresses.secure || name::ip(host).is_some() {
        return Ok(Dane::Absent);
    }
    // Where proven aliases end comes first (RFC 7671, section 7).
    for base in addresses.alias.iter().map(String::as_str).chain([host]) {
        match judge(dns.tlsa(&format!("_{port}._tcp.{base}")).await, host, names) {
            Dane::Absent => {}
            Dane::Secure(mut set) if base != host => {
                set.names.push(base.to_owned());
                return Ok(Dane::Secure(set));
            }
            found => return Ok(found),
        }
    }
    Ok(Dane::Absent)
}

/// What an answer about TLSA means where the way to it is proven.
pub(crate) fn judge(answer: Result<Option<Vec<Tlsa>>, Unreachable>, host: &str, names: Names) -> Dane {
    match answer {
        Err(_) => Dane::Bogus,
        Ok(None) => Dane::Absent,
        Ok(Some(records)) if records.is_empty() => Dane::Absent,
        Ok(Some(mut records)) => {
            records.truncate(RECORDS);
            let named = matches!(names, Names::Srv | Names::Configured);
            Dane::Secure(DaneSet { records, names: if named { vec![host.to_owned()] } else { Vec::new() } })
        }
    }
}

/// What a target that could not be weighed says of a peer that has come to us.
pub(crate) fn of_failure(cause: Unreachable, names: Names) -> Dane {
    match (cause, names) {
        (Unreachable::NotFound, _) => Dane::Absent,
        (Unreachable::Bogus, _) => Dane::Bogus,
        // Its records would not have been believed.
        (_, Names::Unproven) => Dane::Absent,
        _ => Dane::Bogus,
    }
}

/// All that is said of one domain's targets.
pub(crate) fn union(parts: impl Iterator<Item = Dane>) -> Dane {
    let mut all = DaneSet::default();
    for part in parts {
        match part {
            Dane::Bogus => return Dane::Bogus,
            Dane::Absent => {}
            Dane::Secure(set) => {
                let room = RECORDS.saturating_sub(all.records.len());
                let new = set.records.into_iter().filter(|r| !all.records.contains(r)).take(room).collect::<Vec<_>>();
                all.records.extend(new);
                all.names.extend(set.names.into_iter().filter(|n| !all.names.contains(n)).collect::<Vec<_>>());
            }
        }
    }
    if all.records.is_empty() { Dane::Absent } else { Dane::Secure(all) }
}
