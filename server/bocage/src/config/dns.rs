//! `[dns]`: read and checked now, used by federation.

use super::values::{NameServer, list};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name resolution. Used by links to other servers, which this build does not have yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Dns {
    /// Name servers to ask; empty = those of the system.
    #[serde(with = "list")]
    #[schemars(with = "Vec<NameServer>")]
    pub servers: Vec<NameServer>,
}
