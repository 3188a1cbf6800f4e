//! The lines on the admin socket. Both ends are the same binary: there are no versions, an unknown request is an error.

use base64::{Engine, prelude::BASE64_STANDARD};
use bocage_api::store::{AccountKeys, Creation, StoreError, StoredKeys};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of one line, either way.
pub(crate) const MAX_LINE: u64 = 512 * 1024;
/// Accounts in one request or answer: with addresses of the greatest length (2047 bytes) they fit into [`MAX_LINE`].
pub(crate) const PAGE: usize = 128;

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Create accounts, at most [`PAGE`].
    Create { accounts: Vec<WireAccount> },
    /// Replace the keys of an account.
    SetKeys { account: WireAccount },
    /// Delete an account.
    Delete { account: String },
    /// End all sessions and tokens of an account.
    Revoke { account: String },
    /// A page of the accounts of a host, behind `after`.
    List { host: String, after: Option<String> },
    /// About other servers; answered in words.
    Peers { ask: PeersRequest },
    /// Read configuration and certificates anew.
    Reload {},
    /// What is stored; answered in words.
    AuditData {},
    /// Destroy what has expired; answered in words.
    Expire { clock: ClockIs },
    /// How are you?
    Health {},
}

/// What the operator says of the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockIs {
    /// Right, whatever was believed before.
    Right,
    /// Nothing: it is believed as far as it ran evenly.
    Unconfirmed,
}

/// What is asked about other servers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "peers", rename_all = "snake_case", deny_unknown_fields)]
pub enum PeersRequest {
    /// A page of those that are remembered, a line each that begins with the domain; empty behind the last.
    List {
        /// Behind this domain.
        after: Option<String>,
    },
    /// Forget how it was.
    Accept {
        /// Its domain.
        domain: String,
    },
    /// Refuse it.
    Block {
        /// Its domain.
        domain: String,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Response {
    /// What became of each account, in order.
    Created { outcomes: Vec<Outcome> },
    /// The account was there, or it was not.
    Changed { found: bool },
    /// A page.
    Accounts { accounts: Vec<String> },
    /// Done, in words.
    Done { text: String },
    /// Not done, and why.
    Failed { text: String },
}

/// What became of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It is there now.
    Created,
    /// The address is taken.
    Exists,
    /// The address belonged to a deleted account.
    Retired,
    /// Something failed.
    Failed(String),
}

impl From<Result<Creation, StoreError>> for Outcome {
    fn from(result: Result<Creation, StoreError>) -> Self {
        match result {
            Ok(Creation::Created) => Self::Created,
            Ok(Creation::Exists) => Self::Exists,
            Ok(Creation::Retired) => Self::Retired,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// An account with its keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireAccount {
    pub(crate) account: String,
    sha256: Option<WireKeys>,
    sha1: Option<WireKeys>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct WireKeys {
    salt: String,
    iterations: u32,
    stored_key: String,
    server_key: String,
}

impl WireAccount {
    pub(crate) fn new(account: String, keys: &AccountKeys) -> Self {
        Self { account, sha256: keys.sha256.as_ref().map(WireKeys::new), sha1: keys.sha1.as_ref().map(WireKeys::new) }
    }
    /// `None` when the base64 is none.
    pub(crate) fn keys(&self) -> Option<AccountKeys> {
        let keys = |wire: &Option<WireKeys>| wire.as_ref().map(WireKeys::stored).map_or(Some(None), |keys| keys.map(Some));
        Some(AccountKeys { sha256: keys(&self.sha256)?, sha1: keys(&self.sha1)? })
    }
}
impl WireKeys {
    fn new(keys: &StoredKeys) -> Self {
        let text = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        Self {
            salt: text(&keys.salt),
            iterations: keys.iterations,
            stored_key: text(&keys.stored_key),
            server_key: text(&keys.server_key),
        }
    }
    fn stored(&self) -> Option<StoredKeys> {
        let bytes = |text: &str| BASE64_STANDARD.decode(text).ok();
        Some(StoredKeys {
            salt: bytes(&self.salt)?,
            iterations: self.iterations,
            stored_key: bytes(&self.stored_key)?.into(),
            server_key: bytes(&self.server_key)?.into(),
        })
    }
}

/// Why a line could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Longer than [`MAX_LINE`], or cut off.
    #[error("a line is too long or has no end")]
    Unfinished,
    /// Not what this build says.
    #[error("a line cannot be understood: {0}")]
    Garbled(String),
}

/// Reads one line; `None` at the end of the stream. The buffer is wiped.
pub(crate) async fn read_line<T: serde::de::DeserializeOwned>(
    stream: &mut (impl AsyncBufRead + Unpin),
) -> Result<Option<T>, LineError> {
    let mut line = Zeroizing::new(Vec::new());
    stream.take(MAX_LINE).read_until(b'\n', &mut line).await?;
    match line.split_last() {
        None => Ok(None),
        Some((b'\n', text)) => serde_json::from_slice(text).map(Some).map_err(|error| LineError::Garbled(error.classify_text())),
        Some(_) => Err(LineError::Unfinished),
    }
}

/// The kind of an error, without the input that serde quotes.
trait Classified {
    fn classify_text(&self) -> String;
}
impl Classified for serde_json::Error {
    fn classify_text(&self) -> String {
        format!("{:?} error at column {}", self.classify(), self.column())
    }
}

/// Writes one line; the buffer is wiped.
pub(crate) async fn write_line(stream: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> Result<(), LineError> {
    let mut line = Zeroizing::new(serde_json::to_vec(value).map_err(|error| LineError::Garbled(error.classify_text()))?);
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream.flush().await?)
}
