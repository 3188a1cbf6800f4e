//! `[dns]`: how other servers are found.

use super::{
    mistakes::Collector,
    values::{NameServer, list},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Name resolution. Answers are validated (DNSSEC) here, whatever the name servers do.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Dns {
    /// Name servers to ask; empty = those of the system.
    #[serde(with = "list")]
    #[schemars(with = "Vec<NameServer>")]
    pub servers: Vec<NameServer>,
    /// A file with the keys that DNSSEC begins from, as zone records, instead of the root's; empty = the root's. For
    /// networks with a root of their own.
    pub trust_anchor: PathBuf,
}

impl Dns {
    pub(super) fn validate(&self, at: &mut Collector) {
        if !self.trust_anchor.as_os_str().is_empty() && !self.trust_anchor.is_file() {
            let found = self.trust_anchor.display();
            at.wrong("dns", "trust_anchor", format!("found \"{found}\", which is no file; allowed: a file, or \"\""));
        }
    }
}
