//! Between the store's idea of keys and statistics and that of `bocage-sasl`.

use crate::settings::Auth;
use bocage_api::{
    Entropy,
    store::{AccountKeys, KeyStatistics, StoredKeys},
};
use bocage_sasl as sasl;
use jid::DomainPart;

pub(super) fn credentials(keys: AccountKeys) -> sasl::Credentials {
    sasl::Credentials { sha256: keys.sha256.map(scram_keys), sha1: keys.sha1.map(scram_keys) }
}

fn scram_keys(keys: StoredKeys) -> sasl::ScramKeys {
    let StoredKeys { salt, iterations, stored_key, server_key } = keys;
    sasl::ScramKeys { salt, iterations, stored_key: stored_key.to_vec(), server_key: server_key.to_vec() }
}

pub(super) fn throttle(entropy: &Entropy, auth: Auth) -> sasl::Throttle {
    sasl::Throttle::new(entropy.bytes(), sasl::ThrottleLimits { attempts: auth.max_attempts, window: auth.attempts_window })
}

pub(super) fn host(
    domain: &DomainPart,
    auth: Auth,
    decoy: &sasl::Decoy,
    (statistics, inline): (&KeyStatistics, sasl::Inline),
) -> sasl::Host {
    sasl::Host {
        domain: domain.clone(),
        scram_sha1: if auth.scram_sha1 { sasl::ScramSha1::On } else { sasl::ScramSha1::Off },
        decoy: decoy.clone(),
        facts: sasl::HostFacts::new(shapes(statistics, auth)),
        inline,
        max_failures: sasl::MAX_FAILURES,
    }
}

/// The store counts iterations and SHA-1-only accounts apart; the latter are taken to be spread evenly.
fn shapes(statistics: &KeyStatistics, auth: Auth) -> Vec<(sasl::Shape, u64)> {
    let all = statistics.accounts.max(1);
    let usual = if auth.scram_sha1 { sasl::AccountMechanisms::Both } else { sasl::AccountMechanisms::Sha256Only };
    let split = |&(iterations, count): &(u32, u64)| {
        let old = count.saturating_mul(statistics.sha1_only) / all;
        [
            (sasl::Shape::usual(usual, iterations), count.saturating_sub(old)),
            (sasl::Shape::usual(sasl::AccountMechanisms::Sha1Only, iterations), old),
        ]
    };
    let shapes: Vec<_> = statistics.iterations.iter().flat_map(split).filter(|(_, count)| *count > 0).collect();
    if shapes.is_empty() { vec![(sasl::Shape::usual(usual, auth.iterations), 1)] } else { shapes }
}
