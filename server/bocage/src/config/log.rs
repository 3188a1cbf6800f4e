//! `[log]`: no level shows addresses at info or above (H09).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The log, on standard error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Log {
    /// How much is told. `debug` and `trace` are for finding faults, not for production.
    pub level: Level,
    /// Lines for people or JSON for machines.
    pub format: Format,
    /// What stands in the place of an address: nothing, or a hash under a key that lives in memory and changes daily.
    pub identifiers: Identifiers,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// What failed.
    Error,
    /// What will fail.
    Warn,
    /// What happened.
    Info,
    /// Why.
    Debug,
    /// Everything.
    Trace,
}
/// Form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
/// What stands in the place of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identifiers {
    /// Nothing.
    None,
    /// A keyed hash.
    Hashed,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, format: Format::Text, identifiers: Identifiers::None }
    }
}
