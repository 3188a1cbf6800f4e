//! What the operator may ask of a running server.

use super::plans::Builder;
use crate::{
    admin::{Admin, ClockIs, PeersRequest},
    config::{Config, Source},
    modules::Modules,
};
use bocage_api::{
    BoxFuture, Reconfigured,
    store::{AccountKeys, Creation, StoreError, Stored},
};
use bocage_core::{
    ServerHandle,
    router::Router,
    s2s::{Memory, Peer},
};
use bocage_store::Store;
use jid::{BareJid, DomainPart};
use std::sync::{Arc, Mutex, PoisonError};

/// Serves the admin socket.
pub(super) struct Operator {
    router: Arc<Router>,
    server: ServerHandle,
    store: Arc<Store>,
    builder: Builder,
    source: Option<Source>,
    modules: Modules,
    config: Mutex<Config>,
}

impl Operator {
    pub(super) fn new(
        (router, server, store): (Arc<Router>, ServerHandle, Arc<Store>),
        builder: Builder,
        of: (Config, Option<Source>, Modules),
    ) -> Self {
        let (config, source, modules) = of;
        Self { router, server, store, builder, source, modules, config: Mutex::new(config) }
    }

    /// Accounts changed: their facts are looked up anew, their sessions end.
    async fn changed(&self, account: &BareJid) {
        self.server.revoke(account).await;
    }

    fn reload_all(&self) -> Result<String, String> {
        let source = self.source.as_ref().ok_or("this server has no configuration file")?;
        let new = source.load(&self.modules).map_err(|mistakes| mistakes.to_string())?;
        let old = self.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let plans = self.builder.build(&new, &self.modules).map_err(|error| format!("{error:#}"))?;
        let certificates = self
            .server
            .reload_certificates()
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        self.router.set_plans(plans);
        let restart = needs_restart(&old, &new, &self.modules);
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = new;
        let mut text = format!("modules were wired anew, {} certificates changed", certificates.changed.len());
        if !restart.is_empty() {
            text = format!("{text}; these wait for a restart: {}", restart.join(", "));
        }
        Ok(text)
    }
}

/// What changed in the file but is read at start alone.
fn needs_restart(old: &Config, new: &Config, modules: &Modules) -> Vec<String> {
    let differs = |name: &str, old: String, new: String| (old != new).then(|| name.to_owned());
    let mut list: Vec<String> = [
        differs("listen", format!("{:?}", old.listen), format!("{:?}", new.listen)),
        differs("s2s", format!("{:?}", old.s2s), format!("{:?}", new.s2s)),
        differs("dns", format!("{:?}", old.dns), format!("{:?}", new.dns)),
        differs("c2s", format!("{:?}", old.c2s), format!("{:?}", new.c2s)),
        differs("auth", format!("{:?}", old.auth), format!("{:?}", new.auth)),
        differs("tls", format!("{:?}", old.tls), format!("{:?}", new.tls)),
        differs("data_dir", format!("{:?}", old.data_dir), format!("{:?}", new.data_dir)),
        differs("admin", format!("{:?}", old.admin), format!("{:?}", new.admin)),
        differs("storage.key_dir", format!("{:?}", old.storage.key_dir), format!("{:?}", new.storage.key_dir)),
        differs("storage", old.storage.url.expose().to_owned(), new.storage.url.expose().to_owned()),
        differs("retention", format!("{:?}", old.retention), format!("{:?}", new.retention)),
        differs("log", format!("{:?}", old.log), format!("{:?}", new.log)),
        differs("host", format!("{:?}", domains(old)), format!("{:?}", domains(new))),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (old, new) in old.hosts.iter().zip(&new.hosts) {
        for entry in modules.entries() {
            if let (Some(old), Some(new)) = (old.modules.get(entry.name()), new.modules.get(entry.name()))
                && entry.reconfigure(old, new) == Reconfigured::NeedsRestart
            {
                list.push(format!("modules.{}", entry.name()));
            }
        }
    }
    list
}

fn domains(config: &Config) -> Vec<&str> {
    config.hosts.iter().map(|host| host.domain.as_str()).collect()
}

/// Peers on one page of the list.
const PEERS: usize = 500;

async fn peers(memory: &Memory, request: PeersRequest) -> Stored<String> {
    match request {
        PeersRequest::List { after } => {
            let page = memory.list(after, PEERS).await?;
            Ok(page.iter().map(|(domain, peer)| format!("{domain} {}\n", described(*peer))).collect())
        }
        PeersRequest::Accept { domain } => Ok(if memory.accept(&domain).await? {
            format!("how {domain} was is forgotten")
        } else {
            format!("nothing was remembered of {domain}")
        }),
        PeersRequest::Block { domain } => {
            memory.block(&domain).await?;
            Ok(format!("{domain} is refused; links that are up end with their connection"))
        }
    }
}

fn described(peer: Peer) -> String {
    let proof = if peer.pin {
        "pin"
    } else if peer.dane {
        "DANE"
    } else {
        "authority"
    };
    let tls = if peer.tls13 { "TLS 1.3" } else { "TLS 1.2" };
    format!("{tls}, {proof}{}", if peer.blocked { ", blocked" } else { "" })
}

impl Admin for Operator {
    fn create(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<Creation>> {
        Box::pin(async move {
            let created = self.router.stores.accounts.create(account.clone(), keys).await?;
            self.server.account_created(&account).await;
            Ok(created)
        })
    }
    fn set_keys(&self, account: BareJid, keys: AccountKeys) -> BoxFuture<'_, Stored<bool>> {
        Box::pin(async move {
            let found = self.router.stores.accounts.set_keys(account.clone(), keys).await?;
            self.changed(&account).await;
            Ok(found)
        })
    }
    fn delete(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>> {
        Box::pin(async move { self.router.delete_account(&account, None).await })
    }
    fn revoke(&self, account: BareJid) -> BoxFuture<'_, Stored<bool>> {
        Box::pin(async move {
            let found = self.router.stores.accounts.keys(&account).await?.is_some();
            self.changed(&account).await;
            Ok(found)
        })
    }
    fn list(&self, host: DomainPart) -> BoxFuture<'_, Stored<Vec<BareJid>>> {
        Box::pin(async move { self.router.stores.accounts.list(&host).await })
    }
    fn peers(&self, request: PeersRequest) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move {
            let federation = self.router.links.federation().ok_or("this server speaks with no other")?;
            peers(&federation.memory, request).await.map_err(|error| error.to_string())
        })
    }
    fn reload(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move { self.reload_all() })
    }
    fn audit(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move { Ok(super::audit::report(&self.store.audit().await.map_err(|error| error.to_string())?)) })
    }
    fn expire(&self, clock: ClockIs) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move {
            if clock == ClockIs::Right {
                self.store.accept_clock();
            }
            let now = self.router.clock.wall();
            let stores = &self.router.stores;
            let rows = async { Ok::<_, StoreError>(stores.archive.expire(now).await? + stores.records.expire(now).await?) };
            rows.await.map(|rows| format!("{rows} rows had expired and are gone")).map_err(|error| error.to_string())
        })
    }
    fn health(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.store.health().await.map_err(|error| error.to_string()) })
    }
}
