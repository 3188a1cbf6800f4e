//! Administration at the machine: a Unix socket that only the server's own user and root can use. Requests and answers
//! are single lines of JSON. Passwords do not travel: the command line sends the keys that are stored anyway.

mod client;
mod protocol;
mod server;

pub(crate) use client::Client;
pub use protocol::{ClockIs, PeersRequest};
pub(crate) use protocol::{Outcome, PAGE};
pub use server::{BindError, bind, serve};

use bocage_api::{
    BoxFuture,
    store::{AccountKeys, Creation, Stored},
};
use jid::{BareJid, DomainPart};

/// What the running server does for its operator.
pub trait Admin: Send + Sync {
    /// Creates an account. Many calls run at the same time, so that one batch of the writer takes them.
    fn create(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<Creation>>;
    /// Replaces the keys and ends all sessions of the account (H11); `false` when there is no such account.
    fn set_keys(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<bool>>;
    /// Deletes the account with all that is kept for it and ends its sessions (H06, H11); `false` when there is none.
    fn delete(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>>;
    /// Ends all sessions and tokens of the account (H11); `false` when there is no such account.
    fn revoke(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>>;
    /// All accounts of a host, sorted.
    fn list(&self, host: DomainPart) -> BoxFuture<'_, Stored<Vec<BareJid>>>;
    /// Other servers (H43): the answer in words, or why there is none.
    fn peers(&self, request: PeersRequest) -> BoxFuture<'_, Result<String, String>>;
    /// Reads configuration and certificates anew: what changed, in words, or why nothing did.
    fn reload(&self) -> BoxFuture<'_, Result<String, String>>;
    /// What is stored and for how long (H10), a table a line.
    fn audit(&self) -> BoxFuture<'_, Result<String, String>>;
    /// Destroys what has expired.
    fn expire(&self, clock: ClockIs) -> BoxFuture<'_, Result<String, String>>;
    /// Is the store writable and does every listener listen? Otherwise why not.
    fn health(&self) -> BoxFuture<'_, Result<(), String>>;
}
