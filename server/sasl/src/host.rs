//! What all streams of one host share while they authenticate. Replaced as a whole when the config or the accounts'
//! statistics change; streams under way keep the one they began with.

use jid::DomainPart;
use minidom::Element;

use crate::{Decoy, HostFacts, ScramSha1};

/// Failed attempts after which a stream is closed; RFC 6120 section 6.4.5 wants 2 to 5 retries.
pub const MAX_FAILURES: u8 = 3;

/// One host's side of authentication.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its domain.
    pub domain: DomainPart,
    /// `auth.scram_sha1`.
    pub scram_sha1: ScramSha1,
    /// Answers for accounts that do not exist.
    pub decoy: Decoy,
    /// What real accounts look like, for the decoy.
    pub facts: HostFacts,
    /// What can be negotiated together with the login.
    pub inline: Inline,
    /// Failed attempts after which a stream is closed, usually [`MAX_FAILURES`].
    pub max_failures: u8,
}

/// Features advertised inside SASL2. Bind 2 itself is always there and is not named.
#[derive(Clone, Debug, Default)]
pub struct Inline {
    /// Children of XEP-0388's `<inline/>`, such as `<sm xmlns='urn:xmpp:sm:3'/>`.
    pub sasl2: Vec<Element>,
    /// Feature names inside Bind 2's `<inline/>`, such as `urn:xmpp:carbons:2`.
    pub bind2: Vec<String>,
    /// Whether tokens are offered (XEP-0484), where the connection has something to bind them to.
    pub tokens: TokenOffer,
}

/// Whether tokens are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenOffer {
    /// They are not.
    #[default]
    Off,
    /// They are.
    On,
}
