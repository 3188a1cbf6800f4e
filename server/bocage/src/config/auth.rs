//! `[auth]`: SCRAM only; there is no key that offers PLAIN (H41).

use super::{mistakes::Collector, values::Attempts};
use bocage_api::config::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How people log in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Auth {
    /// Also offer SCRAM-SHA-1: Dino and Smack know no other. Switch it off once no member needs it.
    pub scram_sha1: bool,
    /// PBKDF2 iterations of new passwords, from 4096 (RFC 7677) to 1000000. The client does the work.
    pub scram_iterations: u32,
    /// Failed attempts within a period from which an address, or an account, is slowed down.
    pub max_attempts: Attempts,
    /// How long a client can come back by a token instead of the password (XEP-0484), from 0s to 31d. Tokens live in
    /// memory only: a restart ends them all. With 0s there are none.
    pub fast_token_ttl: Span,
}

const LONGEST_TTL: Span = Span::seconds(31 * 86_400);
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;

impl Default for Auth {
    fn default() -> Self {
        let max_attempts = Attempts { count: 5, within: Span::seconds(600) };
        Self { scram_sha1: true, scram_iterations: 10_000, max_attempts, fast_token_ttl: Span::seconds(7 * 86_400) }
    }
}

impl Auth {
    pub(super) fn validate(&self, at: &mut Collector) {
        if !ITERATIONS.contains(&self.scram_iterations) {
            at.wrong("auth", "scram_iterations", format!("found {}; allowed: from 4096 to 1000000", self.scram_iterations));
        }
        if self.fast_token_ttl > LONGEST_TTL {
            let found = self.fast_token_ttl;
            at.wrong("auth", "fast_token_ttl", format!("found \"{found}\"; allowed: from 0s to {LONGEST_TTL}"));
        }
    }
}
