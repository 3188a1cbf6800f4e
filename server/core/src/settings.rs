//! What core is told by the composition root. Checked there; here it is taken as it is.

use jid::{BareJid, DomainPart};
use std::{collections::HashMap, net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

/// Settings of the whole server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Hosts that serve accounts; the first is the default one.
    pub hosts: Vec<HostSettings>,
    /// STARTTLS listeners for clients.
    pub c2s: Vec<SocketAddr>,
    /// Direct TLS listeners for clients.
    pub c2s_direct_tls: Vec<SocketAddr>,
    /// Limits of client streams.
    pub limits: Limits,
    /// Authentication.
    pub auth: Auth,
    /// STARTTLS listeners for servers.
    pub s2s: Vec<SocketAddr>,
    /// Direct TLS listeners for servers.
    pub s2s_direct_tls: Vec<SocketAddr>,
}

/// Links with other servers.
#[derive(Clone, Debug)]
pub struct S2s {
    /// In whose name a connection is ended that named no host.
    pub default_host: String,
    /// Bytes of one stanza.
    pub max_stanza_size: usize,
    /// Bytes per second and stream, on average; `None` = unlimited.
    pub rate: Option<u64>,
    /// How many seconds' worth of `rate` may come at once.
    pub burst: Duration,
    /// A stream without traffic is closed after so long.
    pub idle_close: Duration,
    /// How long it is remembered what a peer was like (H43).
    pub peer_memory: Duration,
    /// Domains, with all below them, that are spoken with; empty = all.
    pub allow: Vec<String>,
    /// Domains, with all below them, that are not.
    pub deny: Vec<String>,
    /// Pinned keys by domain: they decide alone (H42).
    pub pins: HashMap<String, Vec<bocage_tls::Pin>>,
}

/// A host that serves accounts.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Its domain.
    pub domain: DomainPart,
    /// Its administrators.
    pub admins: Arc<[BareJid]>,
    /// How long offline messages wait.
    pub offline_retention: Duration,
}

/// Limits of client streams (H64).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one stanza after login.
    pub max_stanza_size: usize,
    /// Sessions per account.
    pub max_resources: usize,
    /// Bytes per second and stream, on average; `None` = unlimited.
    pub rate: Option<u64>,
    /// How many seconds' worth of `rate` may come at once.
    pub burst: Duration,
    /// Time from accept to a bound session, however bytes drip.
    pub login_timeout: Duration,
    /// A session that sends nothing for so long is pinged with whitespace; twice that, cut if writing stalls.
    pub keepalive: Duration,
    /// How long a resumable session outlives its connection (XEP-0198); zero = sessions cannot be resumed.
    pub resume_timeout: Duration,
    /// How long a token can be used for logging in (XEP-0484); zero = there are none.
    pub token_ttl: Duration,
    /// Connections that may be before login at the same time.
    pub max_logins: usize,
    /// Items of a roster up to which requests of others are kept in it; see [`Limits::own_rows`].
    pub max_roster: usize,
    /// Bytes that all mailboxes together may hold.
    pub queue_budget: usize,
}

impl Limits {
    /// Items of a roster up to which its owner may add some: requests of others cannot use up the room for contacts.
    #[must_use]
    pub fn own_rows(&self) -> usize {
        self.max_roster.saturating_mul(2)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_stanza_size: 256 * 1024,
            max_resources: 10,
            rate: Some(512 * 1024),
            burst: Duration::from_secs(10),
            login_timeout: Duration::from_secs(60),
            keepalive: Duration::from_secs(300),
            resume_timeout: Duration::from_secs(600),
            token_ttl: Duration::from_secs(7 * 86_400),
            max_logins: 4_096,
            max_roster: 1_000,
            queue_budget: 256 * 1024 * 1024,
        }
    }
}

/// Authentication.
#[derive(Clone, Copy, Debug)]
pub struct Auth {
    /// SCRAM-SHA-1 is offered.
    pub scram_sha1: bool,
    /// PBKDF2 iterations of new keys.
    pub iterations: u32,
    /// Failures …
    pub max_attempts: NonZeroU32,
    /// … within this time slow down or shut out who failed.
    pub attempts_window: Duration,
}
