//! From an accepted socket to a bound session: TLS, authentication, binding, all within one deadline.

mod authenticate;
mod bind;
mod fast;
mod host;
mod inline;
mod plain;
mod resume;

use super::{Established, Link};
use crate::{
    router::{Router, Session},
    settings::Auth,
    sm::{self, Claim},
    stream::talk::Fault,
};
use bocage_api::store::StoreError;
use bocage_sasl as sasl;
use bocage_stream::Content;
use bocage_tls::{Acceptor, Opening as TlsOpening, Plain, Secured};
use inline::Bound;
use jid::{BareJid, DomainPart};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};
use tokio::{net::TcpStream, time::Instant};

/// A client's stream before its session.
type Talk = crate::stream::talk::Talk<Secured<TcpStream>>;

/// How a connection comes to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// RFC 6120 section 5.
    Starttls,
    /// XEP-0368.
    Direct,
}

/// A stream that is through with its negotiation.
struct Ready {
    lang: Option<String>,
    next: Next,
}

/// What a stream goes on with.
enum Next {
    /// A session of its own, with what was asked for on the way.
    Bound(Arc<Session>, Bound),
    /// The session of an older stream.
    Resumed(Claim),
}

fn link(talk: Talk, lang: Option<String>) -> Link {
    Link { io: talk.io, reader: talk.reader, out: talk.out, lang }
}

/// What all logins share.
pub struct Login {
    /// The router.
    pub router: Arc<Router>,
    /// The door to TLS.
    pub acceptor: Arc<Acceptor>,
    auth: Auth,
    hosts: RwLock<HashMap<String, Arc<sasl::Host>>>,
    domains: Vec<DomainPart>,
    decoy: sasl::Decoy,
    throttle: Mutex<sasl::Throttle>,
}

impl Login {
    /// For these hosts, the first of which is the default.
    ///
    /// # Errors
    /// When the key of the fake salts cannot be read or made.
    pub async fn new(
        router: Arc<Router>,
        acceptor: Arc<Acceptor>,
        auth: Auth,
        domains: Vec<DomainPart>,
    ) -> Result<Self, StoreError> {
        let key = router.stores.secrets.secret("sasl/decoy").await?;
        let throttle = Mutex::new(host::throttle(&router.entropy, auth));
        let decoy = sasl::Decoy::new(*key);
        let login = Self { router, acceptor, auth, hosts: RwLock::default(), domains, decoy, throttle };
        login.refresh_statistics().await;
        Ok(login)
    }

    fn serves(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| domain.as_str() == host)
    }
    fn default_host(&self) -> String {
        self.domains.first().map(|domain| domain.as_str().to_owned()).unwrap_or_default()
    }
    fn host(&self, domain: &str) -> Option<Arc<sasl::Host>> {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
    }

    /// Leads one connection to its session; `None` = it ended before, or took over a session that runs already.
    pub async fn run(self: Arc<Self>, plain: Plain<TcpStream>, peer: IpAddr, opening: Opening) -> Option<Box<Established>> {
        let deadline = Instant::now() + self.router.limits.login_timeout;
        // Boxed: the handshake's room would otherwise stay with the task for as long as the session lives.
        let secured = tokio::time::timeout_at(deadline, Box::pin(self.secured(plain, opening))).await.ok()??;
        let mut talk = Talk::new(secured, Content::Client, deadline);
        match Box::pin(authenticate::session(&self, &mut talk, peer)).await {
            Ok(Ready { lang, next: Next::Bound(session, Bound { acks, inactive, .. }) }) => {
                Some(Box::new(Established { link: link(talk, lang), session, acks, inactive }))
            }
            Ok(Ready { lang, next: Next::Resumed(claim) }) => {
                // Whoever waited for it is there, or the session has just ended: then this connection ends, too.
                let _ = claim.take.send(Box::new(link(talk, lang)));
                None
            }
            Err(fault) => {
                self.end(talk, fault).await;
                None
            }
        }
    }

    async fn secured(&self, plain: Plain<TcpStream>, opening: Opening) -> Option<Secured<TcpStream>> {
        match opening {
            Opening::Starttls => plain::starttls(self, plain).await,
            Opening::Direct => self.acceptor.accept(plain, TlsOpening::Direct).await.ok(),
        }
    }

    /// A fault before our header still gets one (RFC 6120 section 4.9.1.2).
    async fn end(&self, mut talk: Talk, fault: Fault) {
        if !talk.is_open() {
            let id = self.router.entropy.id();
            talk.open(&self.default_host(), None, Some(&id));
        }
        talk.end(fault).await;
    }

    /// Looks again at what the accounts of each host have for keys: unknown names answer in proportion (H49).
    pub async fn refresh_statistics(&self) {
        for domain in &self.domains {
            // Without statistics the usual shape is shown; real accounts are not affected.
            let statistics = self.router.stores.accounts.statistics(domain).await.unwrap_or_default();
            let host = Arc::new(host::host(domain, self.auth, &self.decoy, (&statistics, self.inline(domain.as_str()))));
            self.hosts.write().unwrap_or_else(PoisonError::into_inner).insert(domain.as_str().to_owned(), host);
        }
    }

    /// What Bind 2 offers together with the login.
    fn inline(&self, domain: &str) -> sasl::Inline {
        let plans = self.router.plans();
        let features = plans.accounts(domain).map(|plan| plan.at.stream_features.clone()).unwrap_or_default();
        let offered = features.iter().filter(|feature| feature.it.inline().is_some());
        let own = inline::FEATURES.iter().map(|&namespace| namespace.to_owned());
        sasl::Inline {
            sasl2: vec![sm::feature()],
            bind2: own.chain(offered.map(|feature| feature.it.namespace().to_owned())).collect(),
            tokens: if self.router.tokens().are_offered() { sasl::TokenOffer::On } else { sasl::TokenOffer::Off },
        }
    }

    async fn keys(&self, account: &BareJid) -> Result<Option<sasl::Credentials>, StoreError> {
        Ok(self.router.stores.accounts.keys(account).await?.map(host::credentials))
    }

    fn check(&self, peer: IpAddr, account: &BareJid) -> sasl::Verdict {
        let now = self.router.clock.mono();
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).check(now, sasl::Source::Address(peer), account)
    }
    fn failed(&self, peer: IpAddr, account: &BareJid) {
        let now = self.router.clock.mono();
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).failed(now, sasl::Source::Address(peer), account);
    }
    fn succeeded(&self, peer: IpAddr, account: &BareJid) {
        let now = self.router.clock.mono();
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).succeeded(now, sasl::Source::Address(peer), account);
    }
}

/// The longest that a slowed attempt waits; the login's deadline holds besides.
const MAX_DELAY: Duration = Duration::from_secs(10);
