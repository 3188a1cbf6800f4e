//! Aliases are followed here, one question for each name. The resolver would follow them too, but it forgets on the way
//! what proved them: a denial at their end says nothing of them, and of a wildcard's alias only the records are kept.

use super::proof::{ALIASES, Answer, Judging, end, is_bare, judge};
use crate::target::Unreachable;
use hickory_resolver::{
    TokioResolver,
    lookup::Lookup,
    proto::{
        dnssec::Proof,
        rr::{Name, RData, Record, RecordType},
    },
};

/// Names above that are asked for the apex of their zone.
const ABOVE: usize = 12;

/// What is proven about records of `kind` at `name`, and where the aliases from there lead.
pub(super) async fn ask(resolver: &TokioResolver, name: &Name, kind: RecordType) -> Result<Answer, Unreachable> {
    let (mut here, mut secure) = (name.clone(), true);
    for _ in 0..=ALIASES {
        let result = resolver.lookup(here.clone(), kind).await;
        if end(&result, &here, kind) == here {
            let bare = is_bare(&result);
            let answer = judge(result, &here, kind, Judging::Proofs)?;
            if bare && !is_unsigned(resolver, &here).await {
                return Err(Unreachable::Bogus);
            }
            let alias = (here != *name).then_some(here);
            return Ok(Answer { secure: answer.secure && secure, alias, ..answer });
        }
        let answer = judge(resolver.lookup(here.clone(), RecordType::CNAME).await, &here, RecordType::CNAME, Judging::Proofs)?;
        let Some(RData::CNAME(next)) = answer.records.into_iter().next() else { return Err(Unreachable::Bogus) };
        secure &= answer.secure;
        here = next.0;
    }
    Err(Unreachable::Bogus)
}

/// Whether the zone of `name`, or one above it, is proven to be unsigned by its own apex: who denies without a word about
/// the zone may speak for another.
async fn is_unsigned(resolver: &TokioResolver, name: &Name) -> bool {
    let mut apex = name.clone();
    for _ in 0..ABOVE {
        if apex.is_root() {
            return false;
        }
        let proof = resolver.lookup(apex.clone(), RecordType::SOA).await.ok().and_then(|lookup| proof_of(&lookup, &apex));
        if let Some(proof) = proof {
            return proof == Proof::Insecure;
        }
        apex = apex.base_name();
    }
    false
}

fn proof_of(lookup: &Lookup, apex: &Name) -> Option<Proof> {
    let of_apex = |r: &&Record| r.record_type() == RecordType::SOA && r.name == *apex;
    lookup.answers().iter().find(of_apex).map(|r| r.proof)
}
