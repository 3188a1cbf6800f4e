//! Offline messages (XEP-0160 1.0.1): what nobody is there to read waits, sealed, in the archive of its addressee.
//!
//! What is worth waiting for is decided in [`worth`]. A full queue answers the sender `service-unavailable`, as section 2
//! wants, whatever other archives have room for. Waiting ends with the retention of offline messages (H01).
#![forbid(unsafe_code)]

mod data;
mod worth;

use bocage_api::{
    Archives, BoxFuture, Checkpoints, Clock, Entropy, Frozen, Host, InstallError, Kind, Module, StanzaError, Taken,
    Undeliverable,
    disco::Features,
    ns,
    stanza::MessageType,
    store::{ArchiveEntry, ArchiveRow, StoreError, Stored},
};
use jid::BareJid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Messages that are handed out at once.
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
    type Needs = (Host, Archives, Clock, Entropy);

    fn install(config: Config, (host, archives, clock, entropy): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        if config.max_messages > MOST {
            return Err(InstallError::new(format!("max_messages is {}, but it may be {MOST} at most", config.max_messages)));
        }
        at.data(data::Held { archives: archives.clone(), lifetime: host.offline_retention });
        // Without room or time there is nothing to offer; messages that wait already are still handed out.
        let keeps = config.max_messages > 0 && !host.offline_retention.is_zero();
        let limit = if keeps { config.max_messages } else { 0 };
        if keeps {
            at.disco_entry(Features { server: &[ns::OFFLINE_FEATURE], account: &[] });
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        at.undeliverable(Queue { archives, clock, entropy, limit });
        Ok(())
    }
}

struct Queue {
    archives: Archives,
    clock: Clock,
    entropy: Entropy,
    limit: usize,
}

impl Undeliverable for Queue {
    fn take(&self, owner: &BareJid, stanza: Arc<Frozen>) -> BoxFuture<'_, Result<Taken, StanzaError>> {
        let entry = self.entry(owner, &stanza);
        Box::pin(async {
            let Some(entry) = entry else { return Ok(Taken::Declined) };
            match self.archives.append(entry, self.limit).await {
                Ok(_) => Ok(Taken::Stored),
                Err(StoreError::Limit(_)) => Err(StanzaError::service_unavailable()),
                Err(error) => Err(error.into()),
            }
        })
    }
    fn held(&self, owner: &BareJid, after: i64) -> BoxFuture<'_, Stored<Vec<ArchiveRow>>> {
        self.archives.held(owner, after, PAGE)
    }
    fn delivered(&self, owner: &BareJid, positions: Vec<i64>) -> BoxFuture<'_, Stored<()>> {
        self.archives.release(owner, positions)
    }
}

impl Queue {
    /// `None`: not a message to keep.
    fn entry(&self, owner: &BareJid, stanza: &Frozen) -> Option<ArchiveEntry> {
        let Kind::Message(kind @ (MessageType::Normal | MessageType::Chat)) = stanza.kind else { return None };
        let from = stanza.from.clone()?;
        if self.limit == 0 || !worth::keeping(stanza) {
            return None;
        }
        Some(ArchiveEntry {
            owner: owner.clone(),
            id: self.entropy.id(),
            stamp: self.clock.wall(),
            with: from.clone(),
            from,
            to: stanza.to.clone().unwrap_or_else(|| owner.clone().into()),
            kind: kind.attribute().unwrap_or("normal").to_owned(),
            message_id: stanza.id.clone(),
            lang: stanza.lang.clone(),
            payload: stanza.payload_bytes().to_vec(),
            held: true,
        })
    }
}

#[cfg(test)]
mod tests;
