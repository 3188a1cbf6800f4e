//! `[c2s]`: limits of client streams (H64).

use super::mistakes::Collector;
use bocage_api::config::{Rate, Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of client connections.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct C2s {
    /// Sessions that one account may have at the same time, from 1 to 1000.
    pub max_resources: u16,
    /// The largest stanza that is read, from 10000 B (RFC 6120 section 13.12) to 16 MiB.
    pub max_stanza_size: Size,
    /// How much one stream may send, on average. `"off"` is a relaxation.
    pub rate: Rate,
    /// How long a stream may send without being slowed down, as if it had been silent for so long, from 1s to 1h.
    pub burst: Span,
    /// How long a session outlives a connection that broke, for its client to come back to it (XEP-0198), from 0s to 1h.
    /// With 0s sessions cannot be resumed; what was sent is acknowledged all the same.
    pub resume_timeout: Span,
}

const SMALLEST_STANZA: Size = Size::bytes(10_000);
const LARGEST_STANZA: Size = Size::mib(16);
const LONGEST_BURST: Span = Span::seconds(3_600);
const LONGEST_SLEEP: Span = Span::seconds(3_600);

impl Default for C2s {
    fn default() -> Self {
        Self {
            max_resources: 10,
            max_stanza_size: Size::kib(256),
            rate: Rate::kib(512),
            burst: Span::seconds(10),
            resume_timeout: Span::seconds(600),
        }
    }
}

impl C2s {
    pub(super) fn validate(&self, at: &mut Collector) {
        if !(1..=1000).contains(&self.max_resources) {
            at.wrong("c2s", "max_resources", format!("found {}; allowed: from 1 to 1000", self.max_resources));
        }
        if !(SMALLEST_STANZA..=LARGEST_STANZA).contains(&self.max_stanza_size) {
            let found = self.max_stanza_size;
            at.wrong("c2s", "max_stanza_size", format!("found \"{found}\"; allowed: from {SMALLEST_STANZA} to {LARGEST_STANZA}"));
        }
        if self.burst.is_zero() || self.burst > LONGEST_BURST {
            at.wrong("c2s", "burst", format!("found \"{}\"; allowed: from 1s to {LONGEST_BURST}", self.burst));
        }
        if self.resume_timeout > LONGEST_SLEEP {
            let found = self.resume_timeout;
            at.wrong("c2s", "resume_timeout", format!("found \"{found}\"; allowed: from 0s to {LONGEST_SLEEP}"));
        }
    }
}
