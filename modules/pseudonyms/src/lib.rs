//! What of a message a room passes on (H22): an allow-list by namespace, and no address of anybody in what is allowed. Also
//! the promise that new rooms are pseudonymous (H20); without this module they are all the same.
//!
//! Encrypted payloads name their senders' devices: they pass only where everybody sees real addresses, and elsewhere their
//! sender is told, so that nobody believes to have said something that nobody could read.
#![forbid(unsafe_code)]

mod addresses;

use bocage_api::{
    Checkpoints, InstallError, Module, Payloads, Phase, RoomDefaults, RoomFilter, RoomStanza, RoomView, StanzaError, Verdict,
    Whois, ns,
};
use minidom::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The module.
pub struct Pseudonyms;

/// `[modules.pseudonyms]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Namespaces of what messages through rooms may carry, besides body, subject and thread.
    pub allow: BTreeSet<String>,
    /// The same for members-only, hidden rooms with whois "anyone" alone.
    pub allow_in_open_groups: BTreeSet<String>,
}

/// XEP-0308, 0424, 0425, 0444, 0461, 0428, 0085, 0334, 0359, 0066, 0103, 0447, 0446, 0372, 0513, 0380, 0382, 0393, 0394, 0449.
const ALLOWED: [&str; 22] = [
    "http://jabber.org/protocol/chatstates",
    "jabber:x:oob",
    "urn:xmpp:attention:0",
    "urn:xmpp:eme:0",
    "urn:xmpp:fallback:0",
    "urn:xmpp:file:metadata:0",
    "urn:xmpp:hints",
    "urn:xmpp:markup:0",
    "urn:xmpp:mentions:0",
    "urn:xmpp:message-correct:0",
    "urn:xmpp:message-moderate:1",
    "urn:xmpp:message-retract:1",
    "urn:xmpp:reactions:0",
    "urn:xmpp:reference:0",
    "urn:xmpp:reply:0",
    "urn:xmpp:sfs:0",
    "urn:xmpp:sid:0",
    "urn:xmpp:sims:1",
    "urn:xmpp:spoiler:0",
    "urn:xmpp:sticker:0",
    "urn:xmpp:styling:0",
    "http://jabber.org/protocol/url-data",
];

/// Encryption, and what tells when somebody has read.
const OPEN: [&str; 7] = [
    "eu.siacs.conversations.axolotl",
    "jabber:x:encrypted",
    "urn:xmpp:chat-markers:0",
    "urn:xmpp:jingle-message:0",
    "urn:xmpp:omemo:2",
    "urn:xmpp:openpgp:0",
    "urn:xmpp:receipts",
];
/// What is refused instead of taken out: the message would say something else without it.
const ENCRYPTED: [&str; 4] = ["eu.siacs.conversations.axolotl", "jabber:x:encrypted", "urn:xmpp:omemo:2", "urn:xmpp:openpgp:0"];

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: ALLOWED.iter().map(|ns| (*ns).to_owned()).collect(),
            allow_in_open_groups: OPEN.iter().map(|ns| (*ns).to_owned()).collect(),
        }
    }
}

impl Module for Pseudonyms {
    const NAME: &'static str = "pseudonyms";
    type Config = Config;
    type Needs = ();

    fn install(config: Config, (): (), at: &mut Checkpoints) -> Result<(), InstallError> {
        at.room_default(Promise);
        at.room_filter(Phase::Enforce, Filter(config));
        Ok(())
    }
}

struct Promise;
impl RoomDefaults for Promise {
    fn whois(&self) -> Whois {
        Whois::Moderators
    }
}

struct Filter(Config);
impl RoomFilter for Filter {
    fn room_emits(&self, room: &RoomView<'_>, what: RoomStanza, payloads: &mut Payloads<'_>) -> Verdict {
        if what == RoomStanza::Presence {
            return Verdict::Pass;
        }
        let open = room.whois == Whois::Anyone && room.members_only && room.hidden;
        if !open && payloads.iter().any(|payload| self.is_refused(payload)) {
            let text = "this room hides who people are: encrypted messages would name their devices";
            return Verdict::Bounce(StanzaError::not_acceptable().with_text(text));
        }
        payloads.edit(|payload| self.passes(open, payload) && (open || addresses::strip(room.room, payload)));
        Verdict::Pass
    }
}

impl Filter {
    fn is_refused(&self, payload: &Element) -> bool {
        let namespace = payload.ns();
        ENCRYPTED.contains(&namespace.as_str()) && !self.0.allow.contains(&namespace)
    }
    fn passes(&self, open: bool, payload: &Element) -> bool {
        let namespace = payload.ns();
        if namespace == ns::CLIENT {
            return matches!(payload.name(), "body" | "subject" | "thread");
        }
        self.0.allow.contains(&namespace) || (open && self.0.allow_in_open_groups.contains(&namespace))
    }
}

#[cfg(test)]
mod tests;
