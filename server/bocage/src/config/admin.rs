//! `[admin]`: the socket that the command line speaks to.

use super::mistakes::Collector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Administration at the machine.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Admin {
    /// A Unix socket that only the server's own user and root can use.
    pub socket: PathBuf,
}

/// `sun_path` of Linux holds 108 bytes with the final zero.
const LONGEST_SOCKET: usize = 107;

impl Default for Admin {
    fn default() -> Self {
        Self { socket: "{data_dir}/admin.sock".into() }
    }
}

impl Admin {
    pub(super) fn resolve(&mut self, data_dir: &str, at: &mut Collector) {
        super::fill_data_dir(&mut self.socket, data_dir);
        let length = self.socket.as_os_str().len();
        if !(1..=LONGEST_SOCKET).contains(&length) {
            let found = self.socket.display();
            at.wrong(
                "admin",
                "socket",
                format!("found \"{found}\" ({length} bytes); allowed: a path of 1 to {LONGEST_SOCKET} bytes"),
            );
        }
    }
}
