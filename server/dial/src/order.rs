//! The order of SRV records (RFC 2782), over both services together (XEP-0368, section 3).

use crate::{settings::Fill, target::Mode};

/// Most targets that are tried or asked about.
pub(crate) const TARGETS: usize = 16;
/// Most records that are sorted.
const RECORDS: usize = 64;

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Srv {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) mode: Mode,
    /// Whether DNSSEC proves it.
    pub(crate) secure: bool,
}

/// Sorted by priority, drawn by weight.
pub(crate) fn order(mut records: Vec<Srv>, fill: &Fill) -> Vec<Srv> {
    records.truncate(RECORDS);
    // Those without weight first: they are drawn when the lot is zero.
    records.sort_by_key(|r| (r.priority, r.weight != 0));
    let mut ordered: Vec<Srv> = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|r| r.priority) {
        let equals = records.iter().take_while(|r| r.priority == priority);
        let total = equals.map(|r| u64::from(r.weight)).sum();
        let drawn = records.remove(place(&records, lot(total, fill)));
        let same = |r: &Srv| (&r.host, r.port, r.mode) == (&drawn.host, drawn.port, drawn.mode);
        if !ordered.iter().any(same) {
            ordered.push(drawn);
        }
    }
    ordered.truncate(TARGETS);
    ordered
}

/// The first whose running sum reaches `lot`.
fn place(records: &[Srv], lot: u64) -> usize {
    let sums = records.iter().scan(0, |sum: &mut u64, r| {
        *sum = sum.saturating_add(u64::from(r.weight));
        Some(*sum)
    });
    sums.into_iter().position(|sum| sum >= lot).unwrap_or(0)
}

/// From 0 to `total`.
fn lot(total: u64, fill: &Fill) -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes) % (total + 1)
}
