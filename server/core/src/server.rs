//! Life of the server: listeners up, certificates watched, an orderly end.
//!
//! The end, 8 s in all: stop accepting; every session commits what it accepted, gets `system-shutdown` and is closed;
//! tasks end. The store is closed by whoever opened it.

use crate::{
    c2s::{self, Login, Opening, Server as Serves, Waiting, errors},
    router::Router,
    s2s::{self, Federation},
    settings::Settings,
};
use bocage_tls::{Acceptor, CertificateError, ReloadReport};
use jid::BareJid;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::AbortHandle};

/// How often the certificate files are looked at.
const CERTIFICATE_WATCH: Duration = Duration::from_secs(15);
/// Between two looks at the accounts' keys.
const STATISTICS_PAUSE: Duration = Duration::from_secs(2);
/// How long services may take to say that they stop.
const SERVICES_STOP: Duration = Duration::from_secs(1);
/// How long the sessions may take to end.
const DRAIN: Duration = Duration::from_secs(6);
/// How long the links with other servers may take to end.
const LINKS_DRAIN: Duration = Duration::from_secs(3);

/// A listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub cause: io::Error,
}

/// A running server.
pub struct Server {
    /// Its router.
    pub router: Arc<Router>,
    login: Arc<Login>,
    listeners: Vec<AbortHandle>,
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Binds all listeners, then serves. Nothing is accepted unless all of them are up.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub fn start(
        router: Arc<Router>,
        login: Login,
        federation: Option<Arc<Federation>>,
        settings: &Settings,
    ) -> Result<Self, ListenError> {
        let login = Arc::new(login);
        let clients = Serves::Clients(login.clone());
        let mut bound = bind(Opening::Starttls, &clients, &settings.c2s)?;
        bound.extend(bind(Opening::Direct, &clients, &settings.c2s_direct_tls)?);
        if let Some(federation) = &federation {
            let peers = Serves::Peers(federation.clone());
            bound.extend(bind(Opening::Starttls, &peers, &settings.s2s)?);
            bound.extend(bind(Opening::Direct, &peers, &settings.s2s_direct_tls)?);
        }
        // Clients and peers do not take each other's places.
        let waiting = (Waiting::new(settings.limits.max_logins), Waiting::new(settings.limits.max_logins));
        let addresses = bound.iter().filter_map(|bound| bound.listener.local_addr().ok()).collect();
        let listeners = bound.into_iter().map(|bound| listen(&router, &waiting, bound)).collect();
        router.tasks.go_live();
        if let Some(federation) = &federation {
            s2s::begin(federation);
        }
        let server = Self { router, login, listeners, addresses };
        server.watch_certificates();
        server.refresh_statistics();
        Ok(server)
    }

    /// Where it listens, in the order of the settings: STARTTLS first.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// For whoever changes accounts or certificates while it runs.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { router: self.router.clone(), login: self.login.clone() }
    }

    fn watch_certificates(&self) {
        let acceptor = self.login.acceptor.clone();
        self.router.tasks.spawn_core("certificate watch", async move {
            loop {
                tokio::time::sleep(CERTIFICATE_WATCH).await;
                reload_if_changed(&acceptor);
            }
        });
    }

    fn refresh_statistics(&self) {
        let login = self.login.clone();
        self.router.tasks.spawn_core("key statistics", async move {
            loop {
                login.router.accounts_changed.notified().await;
                login.refresh_statistics().await;
                tokio::time::sleep(STATISTICS_PAUSE).await;
            }
        });
    }

    /// Stops in order; what was accepted is stored when this resolves.
    pub async fn shutdown(self) {
        self.listeners.iter().for_each(AbortHandle::abort);
        let plans = self.router.plans();
        let stopped = async {
            for plan in plans.hosts() {
                plan.stop_services().await;
            }
        };
        let _ = tokio::time::timeout(SERVICES_STOP, stopped).await;
        for session in self.router.users.all() {
            session.cut(errors::shutdown());
        }
        let ended = async {
            while self.router.users.count() > 0 {
                self.router.users.fewer().await;
            }
        };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!(sessions = self.router.users.count(), "sessions were still open at the end of the drain");
        }
        self.router.leave_all();
        // Behind the sessions: what they sent last goes out, or stays as rows.
        if let Some(federation) = self.router.links.federation() {
            federation.close(LINKS_DRAIN).await;
        }
        self.router.tasks.abort_all();
    }
}

/// What may be changed while the server runs.
#[derive(Clone)]
pub struct ServerHandle {
    router: Arc<Router>,
    login: Arc<Login>,
}

impl ServerHandle {
    /// Reads the certificates again. Blocks on the disk.
    ///
    /// # Errors
    /// All faults; nothing was changed then.
    pub fn reload_certificates(&self) -> Result<ReloadReport, Vec<CertificateError>> {
        self.login.acceptor.reload()
    }

    /// An account is new: what was remembered of its absence is forgotten.
    pub async fn account_created(&self, account: &BareJid) {
        let _no_load = self.router.facts.lock(account).await;
        self.router.facts.forget(account);
        self.router.accounts_changed.notify_one();
    }

    /// Ends all sessions and tokens of an account (H11): its password changed, it is gone, or its operator wants it.
    pub async fn revoke(&self, account: &BareJid) {
        self.router.revoke(account, None).await;
    }
}

/// A listener that nothing was accepted from yet.
struct Bound {
    opening: Opening,
    serves: Serves,
    listener: TcpListener,
}

fn bind(opening: Opening, serves: &Serves, addresses: &[SocketAddr]) -> Result<Vec<Bound>, ListenError> {
    let bound = |&address: &SocketAddr| match c2s::bind(address) {
        Ok(listener) => Ok(Bound { opening, serves: serves.clone(), listener }),
        Err(cause) => Err(ListenError { address, cause }),
    };
    addresses.iter().map(bound).collect()
}

fn listen(router: &Arc<Router>, (clients, peers): &(Arc<Waiting>, Arc<Waiting>), bound: Bound) -> AbortHandle {
    let waiting = match bound.serves {
        Serves::Clients(_) => clients,
        Serves::Peers(_) => peers,
    };
    router.tasks.spawn_core("listener", c2s::accept(bound.listener, bound.opening, bound.serves, waiting.clone()))
}

fn reload_if_changed(acceptor: &Acceptor) {
    if !acceptor.changed_on_disk() {
        return;
    }
    match acceptor.reload() {
        Ok(report) => tracing::info!(changed = report.changed.len(), "certificates were reloaded"),
        Err(faults) => {
            for fault in faults {
                tracing::error!(%fault, "the new certificates cannot be used; the old ones stay");
            }
        }
    }
}
