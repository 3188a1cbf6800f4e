//! Archives: of accounts and of rooms. Offline messages are rows of them that are `held`.
//!
//! What would surprise a reader: a row's content is sealed, its payload is bytes that nobody parses on the way out, and
//! addresses are text, because a page that parsed them would cost more than the rest of it.

mod query;
mod result;
mod serve;
pub mod worth;

pub use query::*;
pub use result::*;
pub use serve::*;

use crate::{
    clock::UnixSeconds,
    stanza::{Frozen, MessageType},
    store::Stored,
};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use jid::{BareJid, Jid};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};

/// A resent message is known by its sender and id for so long.
pub const RESENT_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// JIDs in the lists of [`Preferences`] at most, both together.
pub const MAX_LISTED: usize = 1000;

/// Names a row in an archive and the message in it (XEP-0359): random, and no clock can be read from it. See
/// [`Archive::name`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StanzaId(pub [u8; 16]);

impl StanzaId {
    /// From the text form; `None` when it is not one of this server's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        lower.then(|| u128::from_str_radix(text, 16).ok().map(|value| Self(value.to_be_bytes()))).flatten()
    }
}
impl fmt::Display for StanzaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}
impl fmt::Debug for StanzaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom a row can be found by. Neither is stored: only keyed tags of them are, under the key of the day and the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// In the archive of an account: the other side (`with` of XEP-0313).
    With(Jid),
    /// In the archive of a room: who spoke.
    Author {
        /// Their real address, for moderation and deletion.
        account: BareJid,
        /// Their address in the room.
        occupant: Jid,
    },
}

impl Party {
    /// The address that a query by full JID names.
    #[must_use]
    pub fn full(&self) -> &Jid {
        match self {
            Self::With(jid) => jid,
            Self::Author { occupant, .. } => occupant,
        }
    }
    /// The bare address that a query names: the real one.
    #[must_use]
    pub fn account(&self) -> &str {
        match self {
            Self::With(jid) => crate::bare(jid),
            Self::Author { account, .. } => account.as_str(),
        }
    }
}

/// A message as archives keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedMessage {
    /// `from` of the stanza.
    pub from: String,
    /// `to` of the stanza; empty = none (rooms).
    pub to: String,
    /// Its type.
    pub kind: MessageType,
    /// `id` attribute.
    pub message_id: Option<String>,
    /// `xml:lang` attribute.
    pub lang: Option<String>,
    /// The bytes of the children, in the namespace of a client stream.
    pub payload: Bytes,
}

impl ArchivedMessage {
    /// From a stanza that is about to be archived; `None` when it is no message or has no sender.
    #[must_use]
    pub fn of(stanza: &Frozen) -> Option<Self> {
        let crate::stanza::Kind::Message(kind) = stanza.kind else { return None };
        Some(Self {
            from: stanza.from.as_ref()?.as_str().to_owned(),
            to: stanza.to.as_ref().map(|to| to.as_str().to_owned()).unwrap_or_default(),
            kind,
            message_id: stanza.id.clone(),
            lang: stanza.lang.clone(),
            payload: Bytes::copy_from_slice(stanza.payload_bytes()),
        })
    }
    /// The bare part of `from`.
    #[must_use]
    pub fn author(&self) -> &str {
        self.from.split_once('/').map_or(&self.from, |(bare, _)| bare)
    }
}

/// A message on its way into an archive. Everything but `owner`, `id`, `stamp`, `kept` and `held` is sealed (H02).
#[derive(Clone, Debug)]
pub struct ArchiveEntry {
    /// Whose archive: an account or a room.
    pub owner: BareJid,
    /// Its name there.
    pub id: StanzaId,
    /// When the server got it.
    pub stamp: UnixSeconds,
    /// Whom it is found by.
    pub party: Party,
    /// The message, shared by the archives that keep it.
    pub message: Arc<ArchivedMessage>,
    /// Queries find it. An entry that is neither kept nor held is not stored.
    pub kept: bool,
    /// It waits for the owner's next session (XEP-0160), unless so many rows wait already.
    pub held: Option<usize>,
    /// What it takes back, in the same transaction.
    pub retracts: Option<Retraction>,
}

impl ArchiveEntry {
    /// The author and the `id` that they gave the message: what a [`Target::Ref`] names.
    #[must_use]
    pub fn reference(&self) -> Option<(&str, &str)> {
        let id = self.message.message_id.as_deref()?;
        Some(match &self.party {
            Party::With(_) => (self.message.author(), id),
            Party::Author { account, .. } => (account.as_str(), id),
        })
    }
}

/// Which row is replaced by a tombstone, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retraction {
    /// Which row.
    pub target: Target,
    /// The tombstone (XEP-0424, XEP-0425): payload bytes.
    pub tombstone: Bytes,
}

/// A row that is named by who retracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By the `id` that its author gave it.
    Ref {
        /// The author's real bare address.
        author: BareJid,
        /// The message's `id`.
        message_id: String,
    },
    /// By its name in this archive.
    Id(StanzaId),
    /// By its name in this archive, if this was its author.
    OwnId {
        /// The author's real bare address.
        author: BareJid,
        /// Its name.
        id: StanzaId,
    },
}

/// Entries that are stored together or not at all.
#[derive(Clone, Debug)]
pub struct Append {
    /// The entries, at most one per owner. The first decides whether the message was there before.
    pub entries: Vec<ArchiveEntry>,
    /// A message with the same sender, id and content within [`RESENT_WITHIN`] is not stored again.
    pub once: bool,
}

/// What became of an [`Append`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is stored.
    Stored,
    /// It was there already: its sender had sent it before.
    Resent,
    /// The same, before the server started: whether it was delivered nobody knows. The name of the row of the first entry.
    ResentSinceStart(StanzaId),
}

/// A row of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveRow {
    /// Position in the server's archives: grows in the order of commit.
    pub position: i64,
    /// Its name.
    pub id: StanzaId,
    /// When the server got it.
    pub stamp: UnixSeconds,
    /// Queries find it.
    pub kept: bool,
    /// The message.
    pub message: ArchivedMessage,
}

/// What of an archive is deleted (H05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it: its keys are destroyed.
    Whole,
    /// Everything exchanged with this address.
    With(BareJid),
    /// Everything from before this moment: keys of whole days are destroyed.
    Before(UnixSeconds),
}

/// The first or the last row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its name.
    pub id: StanzaId,
    /// When the server got it.
    pub stamp: UnixSeconds,
}

/// What messages are archived when nothing else is said about an address (XEP-0441).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DefaultPolicy {
    /// All.
    Always,
    /// Those of contacts.
    Roster,
    /// None.
    Never,
}

/// What its owner wants archived (XEP-0441).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// For addresses in neither list.
    pub default: DefaultPolicy,
    /// Always archived.
    #[serde(with = "jids")]
    pub always: Vec<Jid>,
    /// Never archived.
    #[serde(with = "jids")]
    pub never: Vec<Jid>,
}

impl Preferences {
    /// Nothing but a default.
    #[must_use]
    pub fn new(default: DefaultPolicy) -> Self {
        Self { default, always: Vec::new(), never: Vec::new() }
    }
    /// Is a message from or to `party` archived? A listed full JID goes before a bare one, `never` before `always`.
    #[must_use]
    pub fn keeps(&self, party: &Jid, in_roster: bool) -> bool {
        let bare = Jid::from(party.to_bare());
        for jid in [party, &bare] {
            if self.never.contains(jid) {
                return false;
            }
            if self.always.contains(jid) {
                return true;
            }
        }
        match self.default {
            DefaultPolicy::Always => true,
            DefaultPolicy::Roster => in_roster,
            DefaultPolicy::Never => false,
        }
    }
}

/// Addresses as text.
mod jids {
    use jid::Jid;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(jids: &[Jid], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(jids.iter().map(Jid::as_str))
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Jid>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| Jid::new(text).map_err(D::Error::custom)).collect()
    }
}

/// What an owner has set about their archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// How long messages are kept, if shorter than the server would.
    pub keeps: Option<Duration>,
    /// What is archived; `None` = never said.
    pub preferences: Option<Preferences>,
}

/// Archives.
pub trait Archive: Send + Sync {
    /// A name for a row to come: random to everybody else, near the last ones to the store.
    fn name(&self) -> StanzaId;
    /// Stores all entries or none; resolves after the commit. [`StoreError::Limit`](crate::store::StoreError::Limit) when
    /// an owner has as many held rows as the entry allows. Order is the order of calls, not of polls.
    fn append(&self, append: Append) -> BoxFuture<'_, Stored<Appended>>;
    /// A page of what queries find; `None` when an id that it starts from or asks for is not there.
    fn page(&self, owner: &BareJid, query: ArchiveQuery) -> BoxFuture<'_, Stored<Option<ArchivePage>>>;
    /// The first and the last row that queries find.
    fn bounds(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Option<(Bound, Bound)>>>;
    /// Held rows of `owner` behind position `after`, oldest first, at most `limit`. Rows whose key is gone are left out.
    fn held(&self, owner: &BareJid, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<ArchiveRow>>>;
    /// Number of held rows.
    fn held_count(&self, owner: &BareJid) -> BoxFuture<'_, Stored<usize>>;
    /// A stored row waits for the owner after all, unless `limit` rows do already; `false` when it does not.
    fn hold(&self, owner: &BareJid, id: StanzaId, limit: usize) -> BoxFuture<'_, Stored<bool>>;
    /// The rows at these positions reached the owner: those that no archive keeps are deleted.
    fn release(&self, owner: &BareJid, positions: Vec<i64>) -> BoxFuture<'_, Stored<()>>;
    /// The same of rows by their names.
    fn release_ids(&self, owner: &BareJid, ids: Vec<StanzaId>) -> BoxFuture<'_, Stored<()>>;
    /// The owner reads the archive: what it keeps need not be delivered besides.
    fn release_kept(&self, owner: &BareJid) -> BoxFuture<'_, Stored<()>>;
    /// Replaces a row by a tombstone; `false` when it is not there. Its position, stamp and end stay.
    fn retract(&self, owner: &BareJid, retraction: Retraction) -> BoxFuture<'_, Stored<bool>>;
    /// Deletes; resolves to the number of rows.
    fn erase(&self, owner: &BareJid, scope: Scope) -> BoxFuture<'_, Stored<u64>>;
    /// What the owner has set.
    fn settings(&self, owner: &BareJid) -> BoxFuture<'_, Stored<ArchiveSettings>>;
    /// Keeps messages no longer than this; `None` = as long as the server does. What is older is gone at once for queries
    /// and with the next sweep from the disk.
    fn set_keeps(&self, owner: &BareJid, keeps: Option<Duration>) -> BoxFuture<'_, Stored<()>>;
    /// Sets what is archived from now on.
    fn set_preferences(&self, owner: &BareJid, preferences: Preferences) -> BoxFuture<'_, Stored<()>>;
    /// How long messages of this owner are kept now: the shorter of the server's period and the owner's.
    fn keeps(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Duration>>;
    /// Destroys what has expired: keys first, then rows in small ranges. Resolves to the rows deleted.
    fn expire(&self, now: UnixSeconds) -> BoxFuture<'_, Stored<u64>>;
}

/// Do two payloads say the same, apart from what a client adds when it sends a message again?
#[must_use]
pub fn is_resent(before: &[u8], now: &[u8]) -> bool {
    before == now || matches!((essence(before), essence(now)), (Some(before), Some(now)) if before == now)
}

fn essence(payload: &[u8]) -> Option<Vec<minidom::Element>> {
    let message = payload_tree(payload)?;
    let added = |el: &minidom::Element| el.has_ns(crate::ns::DELAY) || el.has_ns(crate::ns::SID);
    Some(message.children().filter(|el| !added(el)).cloned().collect())
}

/// A bare `<message/>` around the bytes of its children.
#[must_use]
pub fn payload_tree(payload: &[u8]) -> Option<minidom::Element> {
    let text = [b"<message xmlns='jabber:client'>".as_slice(), payload, b"</message>"].concat();
    xso::from_bytes(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_text_form() {
        let id = StanzaId([0xab; 16]);
        assert_eq!(StanzaId::parse(&id.to_string()), Some(id));
        for text in ["", "ab", "ABABABABABABABABABABABABABABABAB", "+bababababababababababababababab", &"g".repeat(32)] {
            assert_eq!(StanzaId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn preferences_match_as_xep_0441_says() {
        let jid = |text: &str| Jid::new(text).unwrap();
        let prefs = Preferences {
            default: DefaultPolicy::Roster,
            always: vec![jid("a@x"), jid("b@x/phone")],
            never: vec![jid("a@x/work"), jid("b@x")],
        };
        for (party, in_roster, kept) in [
            ("a@x/home", false, true),
            ("a@x/work", true, false),
            ("b@x/phone", false, true),
            ("b@x/other", true, false),
            ("c@x/r", true, true),
            ("c@x/r", false, false),
        ] {
            assert_eq!(prefs.keeps(&jid(party), in_roster), kept, "{party}");
        }
        assert!(Preferences::new(DefaultPolicy::Always).keeps(&jid("c@x"), false));
        assert!(!Preferences::new(DefaultPolicy::Never).keeps(&jid("c@x"), true));
    }

    #[test]
    fn a_message_sent_again_is_known_by_what_it_says() {
        assert!(is_resent(b"<body>a</body>", b"<body>a</body><delay xmlns='urn:xmpp:delay' stamp='x'/>"));
        assert!(!is_resent(b"<body>a</body>", b"<body>b</body>"));
        assert!(!is_resent(b"<body>a</body>", b"<bo"));
    }
}
