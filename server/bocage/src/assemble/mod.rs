//! The composition root: the one place where store, core, modules, clock and configuration meet.
//!
//! [`start`] takes clock and randomness as arguments: tests run the whole server in their own process with it.

mod admin;
mod audit;
mod federation;
mod machine;
mod plans;
mod signals;

use crate::{
    admin as socket,
    config::{Config, Identifiers, Source},
    modules::Modules,
};
use admin::Operator;
use anyhow::Context;
use bocage_api::{Clock, Entropy, store::Stores};
use bocage_core::{
    Server, Settings,
    c2s::Login,
    router::Router,
    settings::{Auth, HostSettings, Limits},
};
use bocage_store::{HostPeriods, Retention, Store, StoreConfig};
use bocage_tls::{Acceptor, Profiles};
pub(crate) use federation::ways;
pub use machine::{machine_clock, machine_entropy};
use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

/// How often what has expired is destroyed, besides at start (H01).
const SWEEP: Duration = Duration::from_secs(600);

/// A running server with all that belongs to it.
pub struct Running {
    server: Server,
    store: Arc<Store>,
    operator: Arc<Operator>,
}

/// Starts a server.
///
/// # Errors
/// The first thing that cannot be had: store, certificates, modules, listeners.
pub async fn start(config: Config, modules: Modules, clock: Clock, entropy: Entropy) -> anyhow::Result<Running> {
    start_from(config, None, modules, (clock, entropy)).await
}

async fn start_from(
    config: Config,
    source: Option<Source>,
    modules: Modules,
    (clock, entropy): (Clock, Entropy),
) -> anyhow::Result<Running> {
    if config.log.identifiers == Identifiers::Hashed {
        bocage_core::hidden::show_hashes(clock.clone(), &entropy);
    }
    let store = Arc::new(open_store(&config, &clock, &entropy).await?);
    let router = Arc::new(Router::new(store.handles(), clock, entropy, limits(&config)));
    let builder = plans::Builder::new(router.clone());
    router.set_plans(builder.build(&config, &modules)?);
    let acceptor = acceptor(&config, &router)?;
    let settings = settings(&config);
    let domains = config.hosts.iter().map(|host| host.domain.clone()).collect();
    let federation = federation::federation(&config, &router, &acceptor)?;
    let login = Login::new(router.clone(), acceptor, settings.auth, domains).await?;
    let server = Server::start(router.clone(), login, federation, &settings)?;
    sweep(&router, store.handles());
    let operator = Arc::new(Operator::new((router, server.handle(), store.clone()), builder, (config, source, modules)));
    Ok(Running { server, store, operator })
}

impl Running {
    /// Where it listens: STARTTLS first, then direct TLS.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }
    /// The stores, as the command line uses them.
    #[must_use]
    pub fn stores(&self) -> Stores {
        self.store.handles()
    }
    /// What the admin socket serves.
    #[must_use]
    pub fn admin(&self) -> &dyn socket::Admin {
        &*self.operator
    }
    /// Stops in order: sessions, tasks, then the store.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
        drop(self.operator);
        match Arc::into_inner(self.store) {
            Some(store) => store.close().await,
            None => tracing::error!("the store is still in use at the end"),
        }
    }
}

/// Runs the server until it is told to stop.
pub(crate) async fn run(config: Config, source: Source, modules: Modules) -> anyhow::Result<()> {
    let path = config.admin.socket.clone();
    let listener = socket::bind(&path).await?;
    let running = start_from(config, Some(source), modules, (machine_clock(), machine_entropy())).await?;
    tracing::info!("ready");
    tokio::select! {
        () = socket::serve(&listener, &*running.operator) => {}
        () = running.store.ended() => anyhow::bail!("the store's writer ended: nothing can be stored any more"),
        result = signals::until_stopped(&running.operator) => result?,
    }
    tracing::info!("stopping");
    let hard = signals::second_stop();
    tokio::select! {
        () = running.shutdown() => tracing::info!("stopped"),
        () = hard => tracing::warn!("stopped hard"),
    }
    let _ = std::fs::remove_file(path);
    Ok(())
}

/// Opens the store that the configuration names.
///
/// # Errors
/// When it cannot be opened.
pub(crate) async fn open_store(config: &Config, clock: &Clock, entropy: &Entropy) -> anyhow::Result<Store> {
    let settings = StoreConfig {
        url: config.storage.url.expose().to_owned().into(),
        key_dir: config.storage.key_dir.clone(),
        retention: retention(config),
    };
    Store::open(settings, clock.clone(), entropy.clone()).await.context("the store cannot be opened")
}

fn retention(config: &Config) -> Retention {
    Retention::new(config.hosts.iter().map(|host| {
        let periods = HostPeriods {
            messages: host.retention.messages.duration(),
            rooms: host.retention.rooms.duration(),
            offline: host.retention.offline.duration(),
        };
        (host.domain.as_str().to_owned(), periods)
    }))
}

/// Services without a certificate are served all the same; other servers will not believe them.
fn acceptor(config: &Config, router: &Router) -> anyhow::Result<Arc<Acceptor>> {
    let hosts: Vec<String> = config.hosts.iter().map(|host| host.domain.as_str().to_owned()).collect();
    let profiles = || Profiles { clients: config.tls.c2s.into(), servers: config.tls.s2s.into() };
    let services = router.plans().service_domains();
    if !services.is_empty() {
        let all: Vec<String> = hosts.iter().chain(&services).cloned().collect();
        match Acceptor::load(config.certificates(), &all, profiles()) {
            Ok(acceptor) => return Ok(Arc::new(acceptor)),
            Err(_) if config.listen.federates() => {
                tracing::warn!("not every service has a certificate: other servers cannot use it; see `bocage check`");
            }
            Err(_) => {}
        }
    }
    let loaded = Acceptor::load(config.certificates(), &hosts, profiles());
    loaded.map(Arc::new).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the certificates cannot be used:\n  {}", faults.join("\n  "))
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_stanza_size: config.c2s.max_stanza_size.as_usize(),
        max_resources: config.c2s.max_resources.into(),
        rate: config.c2s.rate.bytes_per_second(),
        burst: config.c2s.burst.duration(),
        resume_timeout: config.c2s.resume_timeout.duration(),
        token_ttl: config.auth.fast_token_ttl.duration(),
        ..Limits::default()
    }
}

fn settings(config: &Config) -> Settings {
    let host = |host: &crate::config::Host| HostSettings {
        domain: host.domain.clone(),
        admins: host.admins.clone().into(),
        offline_retention: host.retention.offline.duration(),
    };
    Settings {
        hosts: config.hosts.iter().map(host).collect(),
        c2s: config.listen.c2s(),
        c2s_direct_tls: config.listen.c2s_direct_tls(),
        s2s: config.listen.s2s(),
        s2s_direct_tls: config.listen.s2s_direct_tls(),
        limits: limits(config),
        auth: auth(config),
    }
}

fn auth(config: &Config) -> Auth {
    Auth {
        scram_sha1: config.auth.scram_sha1,
        iterations: config.auth.scram_iterations,
        max_attempts: NonZeroU32::new(config.auth.max_attempts.count).unwrap_or(NonZeroU32::MIN),
        attempts_window: config.auth.max_attempts.within.duration(),
    }
}

/// Expiry runs at start and ever after; what failed is tried again with the next sweep.
fn sweep(router: &Arc<Router>, stores: Stores) {
    let clock = router.clock.clone();
    router.tasks.spawn_core("sweep", async move {
        loop {
            let now = clock.wall();
            let (archive, records) = (stores.archive.expire(now).await, stores.records.expire(now).await);
            if let Err(error) = archive.and(records) {
                tracing::warn!(%error, "the sweep of expired data failed");
            }
            tokio::time::sleep(SWEEP).await;
        }
    });
}
