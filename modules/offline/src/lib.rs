//! Offline messages (XEP-0160 1.0.1): what nobody is there to read waits, sealed, in the archive of its addressee.
//!
//! Core stores and hands out; what may wait is said here. A full queue answers the sender `service-unavailable`, as section 2
//! wants, whatever other archives have room for. Waiting ends with the retention of offline messages (H01).
#![forbid(unsafe_code)]

mod data;

use bocage_api::{
    Archives, Checkpoints, Frozen, Host, InstallError, Kind, Module, Undeliverable, archive::worth, disco::Features, ns,
    stanza::MessageType,
};
use jid::BareJid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Messages that are read at once.
const PAGE: usize = 50;
/// More than this for one account is a denial of service, not patience.
const MOST: u32 = 100_000;

/// The module.
pub struct Offline;

/// `[modules.offline]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Messages that wait for one account at most; 0 for none. How long they wait is `retention.offline`.
    pub max_messages: u32,
}
impl Default for Config {
    fn default() -> Self {
        Self { max_messages: 1000 }
    }
}

impl Module for Offline {
    const NAME: &'static str = "offline";
    type Config = Config;
    type Needs = (Host, Archives);

    fn install(config: Config, (host, archives): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        if config.max_messages > MOST {
            return Err(InstallError::new(format!("max_messages is {}, but it may be {MOST} at most", config.max_messages)));
        }
        at.data(data::Held { archives, lifetime: host.offline_retention });
        // Without room or time there is nothing to offer; messages that wait already are still handed out.
        let keeps = config.max_messages > 0 && !host.offline_retention.is_zero();
        let limit = if keeps { config.max_messages } else { 0 };
        if keeps {
            at.disco_entry(Features { server: &[ns::OFFLINE_FEATURE], account: &[] });
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        at.undeliverable(Queue { limit });
        Ok(())
    }
}

struct Queue {
    limit: usize,
}

impl Undeliverable for Queue {
    fn holds(&self, _: &BareJid, message: &Frozen) -> Option<usize> {
        let Kind::Message(MessageType::Normal | MessageType::Chat) = message.kind else { return None };
        (self.limit > 0 && is_worth_waiting(message)).then_some(self.limit)
    }
}

/// XEP-0160 section 3, XEP-0334; H04. Waiting is no permanent store.
fn is_worth_waiting(message: &Frozen) -> bool {
    // What core's own writer wrote can be read; were it not so, keeping it is the smaller harm.
    let Some(payloads) = message.payloads() else { return true };
    !worth::hinted(&payloads, "no-store") && (worth::hinted(&payloads, "store") || worth::says_something(&payloads))
}

#[cfg(test)]
mod tests;
