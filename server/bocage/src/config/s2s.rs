//! `[s2s]`: read and checked now, used by federation.

use super::mistakes::Collector;
use bocage_api::config::Rate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Links to other servers, which this build does not have yet.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct S2s {
    /// A PEM file with authorities to trust besides the system's; empty = none.
    pub trust_anchors: PathBuf,
    /// How much one link may send, on average.
    pub rate: Rate,
}

impl Default for S2s {
    fn default() -> Self {
        Self { trust_anchors: PathBuf::new(), rate: Rate::kib(1024) }
    }
}

impl S2s {
    pub(super) fn validate(&self, at: &mut Collector) {
        if !self.trust_anchors.as_os_str().is_empty() && !self.trust_anchors.is_file() {
            let found = self.trust_anchors.display();
            at.wrong("s2s", "trust_anchors", format!("found \"{found}\", which is no file; allowed: a PEM file, or \"\""));
        }
    }
}
