//! What can be stored. Every future of a write resolves after the commit: awaiting it is what allows to acknowledge.
//!
//! The traits are implemented by `bocage-store` for SQLite and PostgreSQL alike. Modules do not see them: they get
//! [`Records`](crate::Records) or one of the subject handles.

pub use crate::archive::*;
use crate::clock::UnixSeconds;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use jid::{BareJid, DomainPart};
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// Why the store did not do what was asked. Each becomes a stanza error; none is ever an acknowledgement.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// The writer's queue is full: `resource-constraint`, type `wait`.
    #[error("the storage queue is full")]
    Busy,
    /// The database is locked, full or unreachable at the moment; later calls may succeed.
    #[error("the storage is unavailable: {0}")]
    Unavailable(String),
    /// Stored bytes cannot be understood or opened.
    #[error("stored data cannot be read: {0}")]
    Corrupt(&'static str),
    /// A bound was reached: rows of this owner or size of a value.
    #[error("a storage limit is reached: {0}")]
    Limit(&'static str),
}

/// What a store call resolves to.
pub type Stored<T> = Result<T, StoreError>;

/// SCRAM keys of one mechanism (RFC 5802 section 3); there is no password and nothing reversible (H71).
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKeys {
    /// Salt, raw bytes.
    pub salt: Vec<u8>,
    /// PBKDF2 iterations.
    pub iterations: u32,
    /// `StoredKey`, raw bytes.
    pub stored_key: Zeroizing<Vec<u8>>,
    /// `ServerKey`, raw bytes.
    pub server_key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredKeys")
    }
}

/// The SCRAM keys of an account; imported accounts may have one of the two only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountKeys {
    /// For SCRAM-SHA-256(-PLUS).
    pub sha256: Option<StoredKeys>,
    /// For SCRAM-SHA-1(-PLUS).
    pub sha1: Option<StoredKeys>,
}

/// How the keys of a host's accounts are distributed: unknown names are answered in the same proportion (H49).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyStatistics {
    /// (iterations, number of accounts), any order.
    pub iterations: Vec<(u32, u64)>,
    /// Accounts that have SHA-1 keys only.
    pub sha1_only: u64,
    /// All accounts.
    pub accounts: u64,
}

/// What became of a request to create an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is there now.
    Created,
    /// The address is taken.
    Exists,
    /// The address belonged to a deleted account (H06).
    Retired,
}

/// Accounts and their keys.
pub trait Accounts: Send + Sync {
    /// The keys of `account`; `None` when there is no such account.
    fn keys(&self, account: &BareJid) -> BoxFuture<'_, Stored<Option<AccountKeys>>>;
    /// Creates an account.
    fn create(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<Creation>>;
    /// Replaces the keys; `false` when there is no such account.
    fn set_keys(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<bool>>;
    /// Deletes the account with everything that every store keeps for it, and retires its address; `false` when there is none.
    fn delete(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>>;
    /// All accounts of a host, sorted.
    fn list(&self, host: &DomainPart) -> BoxFuture<'_, Stored<Vec<BareJid>>>;
    /// Distribution of keys on a host.
    fn statistics(&self, host: &DomainPart) -> BoxFuture<'_, Stored<KeyStatistics>>;
}

/// State of a subscription as RFC 6121 section 2.1.2.5 names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// Nobody gets presence.
    #[default]
    None,
    /// The owner gets the contact's presence.
    To,
    /// The contact gets the owner's presence.
    From,
    /// Both get both.
    Both,
}

impl Subscription {
    /// Does the contact get the owner's presence?
    pub fn from(self) -> bool {
        matches!(self, Self::From | Self::Both)
    }
    /// Does the owner get the contact's presence?
    pub fn to(self) -> bool {
        matches!(self, Self::To | Self::Both)
    }
    /// From the two directions.
    pub fn of(to: bool, from: bool) -> Self {
        match (to, from) {
            (false, false) => Self::None,
            (true, false) => Self::To,
            (false, true) => Self::From,
            (true, true) => Self::Both,
        }
    }
    /// The value of the `subscription` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::To => "to",
            Self::From => "from",
            Self::Both => "both",
        }
    }
}

/// One row of a roster: RFC 6121 section 2.1.2 and the states of its appendix A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterItem {
    /// The contact.
    pub jid: BareJid,
    /// Name given by the owner.
    pub name: Option<String>,
    /// Groups given by the owner, sorted, without doubles.
    pub groups: Vec<String>,
    /// Who gets whose presence.
    pub subscription: Subscription,
    /// The owner asked and has no answer yet (`ask='subscribe'`).
    pub ask: bool,
    /// The owner approved in advance (RFC 6121 section 3.4).
    pub approved: bool,
    /// The contact asked: its whole `<presence type='subscribe'/>` as XML text, kept until answered (section 3.1.3).
    pub pending_in: Option<String>,
    /// Shown in the owner's roster. A mere pending request or a pre-approval without roster set is not.
    pub listed: bool,
}

impl RosterItem {
    /// A row that says nothing yet.
    pub fn new(jid: BareJid) -> Self {
        Self {
            jid,
            name: None,
            groups: Vec::new(),
            subscription: Subscription::None,
            ask: false,
            approved: false,
            pending_in: None,
            listed: false,
        }
    }
    /// Nothing in it is worth a row.
    pub fn is_void(&self) -> bool {
        !self.listed && !self.ask && !self.approved && self.pending_in.is_none() && self.subscription == Subscription::None
    }
}

/// A roster as of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Grows by one with each change that the client may see.
    pub version: u64,
    /// All rows, sorted by JID.
    pub items: Vec<RosterItem>,
}

/// What a [`RosterChange`] wants done with the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterEdit {
    /// Nothing.
    Keep,
    /// Write this row.
    Put(RosterItem),
    /// Delete the row.
    Remove,
}

/// Decides inside the writer's transaction, from the row as it is there and the number of rows of this owner.
/// It may run more than once (a failed batch is replayed): it must be pure.
pub type RosterChange = Arc<dyn Fn(Option<&RosterItem>, usize) -> RosterEdit + Send + Sync>;

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterChanged {
    /// The row before.
    pub before: Option<RosterItem>,
    /// The row after.
    pub after: Option<RosterItem>,
    /// The roster's version after it. Only grows when `listed` rows changed visibly (anything but `pending_in`).
    pub version: u64,
}

/// Rosters.
pub trait Rosters: Send + Sync {
    /// The whole roster of an account.
    fn roster(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Roster>>;
    /// Changes one row under the writer's transaction.
    fn change(&self, owner: BareJid, contact: BareJid, change: RosterChange) -> BoxFuture<'_, Stored<RosterChanged>>;
}

/// Names an outbound message from before it is stored until it is taken: random, chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboundKey(pub [u8; 16]);

/// A message for another server that is not to be lost. Everything but `key` is sealed under the sender's epoch (H02).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundDraft {
    /// Its name.
    pub key: OutboundKey,
    /// The domain of ours that it comes from.
    pub here: String,
    /// The domain of the server that it goes to.
    pub peer: String,
    /// The sender, whose epoch key seals it and with whose account it goes.
    pub owner: BareJid,
    /// Until when it is tried. Kept to the minute, rounded up.
    pub deadline: UnixSeconds,
    /// The stanza, in whatever form the caller understands.
    pub payload: Bytes,
}

/// A message that another server has not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundRow {
    /// Its name.
    pub key: OutboundKey,
    /// The domain of ours that it comes from.
    pub here: String,
    /// The domain of the server that it goes to.
    pub peer: String,
    /// The sender.
    pub owner: BareJid,
    /// Until when it is tried, a whole minute.
    pub deadline: UnixSeconds,
    /// What was stored.
    pub payload: Bytes,
    /// Grows in the order of commit and never comes back.
    pub position: i64,
}

/// Messages that wait for other servers.
///
/// Calls take effect in their order, whether or not the futures are polled: `taken` behind a `keep` that still waits for
/// its commit deletes what that would have stored, and `keep` resolves all the same. Nothing goes at its deadline: who
/// sent it wants to know, so the caller sends it back and says `taken`. What nobody fetched goes with its day, 7 days
/// after it came or when the retention ends, whichever is earlier.
pub trait OutboundStore: Send + Sync {
    /// Stores all of them or none; resolves after the commit. A key that is there already is left as it is.
    fn keep(&self, rows: Vec<OutboundDraft>) -> BoxFuture<'_, Stored<()>>;
    /// Deletes them; unknown keys are fine. After an error they may still be there: ask again, or they are sent twice.
    fn taken(&self, keys: Vec<OutboundKey>) -> BoxFuture<'_, Stored<()>>;
    /// What is committed behind position `after`, oldest first, at most `limit`; fewer mean that there is no more. Rows
    /// whose key is gone or that do not open are deleted instead.
    fn waiting(&self, after: i64, limit: usize) -> BoxFuture<'_, Stored<Vec<OutboundRow>>>;
}

/// A declared collection of [`Records`](crate::Records).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// `module/collection`, unique in the server.
    pub name: String,
    /// Does it hold what can identify a person? Shown by `bocage audit data`.
    pub personal: bool,
    /// Rows at most per owner.
    pub rows_per_owner: usize,
    /// Bytes at most per value.
    pub value_bytes: usize,
    /// Rows expire this many seconds after their last write.
    pub lifetime: Option<u64>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Key, unique per owner and collection.
    pub key: String,
    /// Grows with each write; for [`RecordStore::compare_and_set`].
    pub revision: i64,
    /// The value (JSON).
    pub value: Vec<u8>,
}

/// Untyped storage behind [`Records`](crate::Records). `owner` is a bare JID (account, room) or a host.
pub trait RecordStore: Send + Sync {
    /// Makes a collection known; once per start, before use.
    fn declare(&self, collection: Collection);
    /// Reads a record.
    fn read(&self, collection: &str, owner: &str, key: &str) -> BoxFuture<'_, Stored<Option<Record>>>;
    /// Writes a record.
    fn put(&self, collection: &str, owner: &str, key: &str, value: Vec<u8>) -> BoxFuture<'_, Stored<()>>;
    /// Writes only if the revision is still `expected` (0 = there is none); resolves to whether it wrote.
    fn compare_and_set(&self, collection: &str, owner: &str, key: &str, change: (i64, Vec<u8>)) -> BoxFuture<'_, Stored<bool>>;
    /// Deletes a record; resolves to whether there was one.
    fn delete(&self, collection: &str, owner: &str, key: &str) -> BoxFuture<'_, Stored<bool>>;
    /// Records whose key begins with `prefix`, by key, behind `after`, at most `limit`.
    fn list(&self, collection: &str, owner: &str, page: Page) -> BoxFuture<'_, Stored<Vec<Record>>>;
    /// Deletes everything of an owner in all collections.
    fn delete_owner(&self, owner: &str) -> BoxFuture<'_, Stored<()>>;
    /// Deletes expired records; resolves to their number.
    fn expire(&self, now: UnixSeconds) -> BoxFuture<'_, Stored<u64>>;
}

/// Which part of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys begin with it.
    pub prefix: String,
    /// Keys are greater than it.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Secrets of the server itself that outlive a restart (key of the fake salts …), 32 bytes each.
pub trait Secrets: Send + Sync {
    /// The secret of this name; made at first use.
    fn secret(&self, name: &'static str) -> BoxFuture<'_, Stored<Zeroizing<[u8; 32]>>>;
}

/// Everything that the store offers, as the composition root hands it on.
#[derive(Clone)]
pub struct Stores {
    /// Accounts.
    pub accounts: Arc<dyn Accounts>,
    /// Rosters.
    pub rosters: Arc<dyn Rosters>,
    /// Archives.
    pub archive: Arc<dyn Archive>,
    /// What waits for other servers.
    pub outbound: Arc<dyn OutboundStore>,
    /// Records.
    pub records: Arc<dyn RecordStore>,
    /// Server secrets.
    pub secrets: Arc<dyn Secrets>,
}

/// The `<item/>` that a client is shown (RFC 6121 section 2.1.2).
#[must_use]
pub fn roster_item(item: &RosterItem) -> minidom::Element {
    use rxml::xml_ncname;
    let mut el = minidom::Element::builder("item", crate::ns::ROSTER)
        .attr(xml_ncname!("jid").to_owned(), item.jid.as_str())
        .attr(xml_ncname!("subscription").to_owned(), item.subscription.as_str());
    if let Some(name) = &item.name {
        el = el.attr(xml_ncname!("name").to_owned(), name.as_str());
    }
    if item.ask {
        el = el.attr(xml_ncname!("ask").to_owned(), "subscribe");
    }
    if item.approved {
        el = el.attr(xml_ncname!("approved").to_owned(), "true");
    }
    let group = |group: &String| minidom::Element::builder("group", crate::ns::ROSTER).append(group.as_str()).build();
    el.append_all(item.groups.iter().map(group)).build()
}
