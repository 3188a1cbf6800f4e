//! What a lookup proves. The resolver's word is checked once more: it keeps foreign records in an answer, and looks at no
//! proof of absence (of the name itself, of what would stand before a wildcard) when the records that came with it are of
//! any unsigned zone at all, so that a proof could be had elsewhere and carried here. What it says of too many rounds of
//! hashing may be of a stranger's zone too: such zones are bogus here (RFC 9276, section 3.2, leaves the choice).

use crate::target::Unreachable;
use hickory_resolver::{
    lookup::Lookup,
    net::{DnsError, NetError, NoRecords},
    proto::{
        dnssec::{Proof, rdata::DNSSECRData},
        rr::{Name, RData, Record, RecordType},
    },
};

/// Longest chain of aliases.
pub(super) const ALIASES: usize = 8;
/// Most records of one answer.
const RECORDS: usize = 64;

/// Whether proofs are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judging {
    Proofs,
    Nothing,
}

/// Records, perhaps none, and whether that is proven.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) records: Vec<RData>,
    pub(super) secure: bool,
    /// The name that the records are of, if aliases lead there.
    pub(super) alias: Option<Name>,
}

const UNPROVEN: Answer = Answer { records: Vec::new(), secure: false, alias: None };

/// Where the aliases from `name` on have led the resolver.
pub(super) fn end(result: &Result<Lookup, NetError>, name: &Name, kind: RecordType) -> Name {
    match result {
        Ok(lookup) if kind != RecordType::CNAME => follow(lookup.answers(), name),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => none.query.name().clone(),
        _ => name.clone(),
    }
}

/// Whether `result` denies, and nothing says for which zone.
pub(super) fn is_bare(result: &Result<Lookup, NetError>) -> bool {
    match result {
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => none.authorities.as_deref().is_none_or(<[Record]>::is_empty),
        _ => false,
    }
}

/// What `result` says about records of `kind` at `name`.
pub(super) fn judge(
    result: Result<Lookup, NetError>,
    name: &Name,
    kind: RecordType,
    judging: Judging,
) -> Result<Answer, Unreachable> {
    match result {
        Ok(lookup) if judging == Judging::Proofs => positive(&lookup, name, kind),
        Ok(lookup) => Ok(unjudged(lookup.answers(), name, kind)),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match judging {
            Judging::Nothing => Ok(UNPROVEN),
            Judging::Proofs => denial(&none),
        },
        Err(NetError::Dns(DnsError::Nsec { .. } | DnsError::DnssecBogus)) => Err(Unreachable::Bogus),
        Err(_) => Err(Unreachable::TimedOut),
    }
}

fn unjudged(answers: &[Record], name: &Name, kind: RecordType) -> Answer {
    let end = follow(answers, name);
    let alias = (end != *name).then(|| end.clone());
    let records = answers.iter().filter(|r| r.name == end && r.record_type() == kind).take(RECORDS);
    Answer { records: records.map(|r| r.data.clone()).collect(), secure: false, alias }
}

/// Aliases are not followed: each is a question of its own, so that each message is judged for one name.
fn positive(lookup: &Lookup, name: &Name, kind: RecordType) -> Result<Answer, Unreachable> {
    let records = lookup.answers().iter().filter(|r| r.name == *name && r.record_type() == kind);
    let records: Vec<&Record> = records.take(RECORDS).collect();
    // Records, and nothing of what was asked for.
    if records.is_empty() {
        return Err(Unreachable::Bogus);
    }
    let data = records.iter().map(|r| r.data.clone()).collect();
    let secure = agreed(records.into_iter())?;
    if secure && is_expanded(lookup.answers(), name) && !lookup.authorities().iter().any(denies) {
        return Err(Unreachable::Bogus);
    }
    Ok(Answer { records: data, secure, alias: None })
}

/// Whether a wildcard is behind what is said of `name` (RFC 4035, section 5.3.4).
fn is_expanded(answers: &[Record], name: &Name) -> bool {
    let labels = |r: &Record| match &r.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => Some(signature.input().num_labels),
        _ => None,
    };
    answers.iter().filter(|r| r.name == *name).filter_map(labels).any(|n| n < name.num_labels())
}

/// With one of these among the authorities, the resolver has looked at the proof.
fn denies(record: &Record) -> bool {
    record.proof == Proof::Secure && matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
}

/// Where the aliases from `name` on end.
fn follow(answers: &[Record], name: &Name) -> Name {
    let mut end = name.clone();
    for _ in 0..ALIASES {
        let next = answers.iter().find_map(|r| match &r.data {
            RData::CNAME(target) if r.name == end => Some(target.0.clone()),
            _ => None,
        });
        let Some(target) = next else { break };
        end = target;
    }
    end
}

/// What is said about an empty answer.
fn denial(none: &NoRecords) -> Result<Answer, Unreachable> {
    let Some(authorities) = none.authorities.as_deref().filter(|a| !a.is_empty()) else {
        // Whoever asked finds out whether the zone is unsigned.
        return Ok(UNPROVEN);
    };
    let judged = authorities.iter().filter(|r| r.record_type() != RecordType::RRSIG);
    if agreed(judged)? {
        return Ok(Answer { secure: true, ..UNPROVEN });
    }
    let apex = |r: &Record| r.record_type() == RecordType::SOA && r.name.zone_of(none.query.name());
    if authorities.iter().any(apex) { Ok(UNPROVEN) } else { Err(Unreachable::Bogus) }
}

/// Whether all are proven; an error unless each is proven or provably unsigned.
fn agreed<'a>(records: impl Iterator<Item = &'a Record>) -> Result<bool, Unreachable> {
    let mut secure = true;
    for record in records {
        match record.proof {
            Proof::Secure => {}
            Proof::Insecure => secure = false,
            Proof::Bogus | Proof::Indeterminate => return Err(Unreachable::Bogus),
        }
    }
    Ok(secure)
}
