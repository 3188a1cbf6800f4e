//! From configuration to plans: each module of each host is wired with the handles that it asks for.

use crate::{
    config::{Config, Host as HostConfig},
    modules::Modules,
};
use anyhow::Context;
use bocage_api::{Checkpoints, Host, HostHandles, Retention, States};
use bocage_core::{
    plan::{HostPlan, Plans},
    router::{Ports, Router},
    settings::Auth,
};
use std::sync::Arc;

/// Makes plans, again at each reload; the states of modules stay.
pub(super) struct Builder {
    router: Arc<Router>,
    states: States,
}

impl Builder {
    pub(super) fn new(router: Arc<Router>) -> Self {
        Self { router, states: States::default() }
    }

    pub(super) fn build(&self, config: &Config, modules: &Modules) -> anyhow::Result<Plans> {
        let hosts = config
            .hosts
            .iter()
            .map(|host| self.host((host, super::auth(config)), modules))
            .collect::<anyhow::Result<Vec<_>>>()?;
        Plans::new(hosts).context("the modules cannot be wired")
    }

    fn host(&self, (host, auth): (&HostConfig, Auth), modules: &Modules) -> anyhow::Result<HostPlan> {
        let mut at = Checkpoints::default();
        for entry in modules.entries() {
            let Some(settings) = host.modules.get(entry.name()) else { continue };
            let handles = self.handles((host, auth), entry.name());
            entry
                .install(settings, &handles, &mut at)
                .with_context(|| format!("[modules.{}] on {}", entry.name(), host.domain))?;
        }
        HostPlan::seal(host.domain.clone(), at).with_context(|| format!("the modules of {} cannot be wired", host.domain))
    }

    fn handles(&self, (host, auth): (&HostConfig, Auth), module: &'static str) -> HostHandles {
        let ports = Arc::new(Ports { router: self.router.clone(), host: host.domain.clone(), auth });
        HostHandles {
            module,
            host: Host {
                domain: host.domain.clone(),
                admins: host.admins.clone().into(),
                offline_retention: host.retention.offline.duration(),
                message_retention: host.retention.messages.duration(),
                room_retention: host.retention.rooms.duration(),
                retention: Retention { reports: host.retention.reports.duration(), push: host.retention.push.duration() },
            },
            clock: self.router.clock.clone(),
            entropy: self.router.entropy.clone(),
            tasks: self.router.tasks.clone(),
            outbox: ports.clone(),
            contacts: ports.clone(),
            archiving: ports.clone(),
            blocks: ports.clone(),
            accounts: ports.clone(),
            commands: ports.clone(),
            disco: ports.clone(),
            rooms: ports,
            stores: self.router.stores.clone(),
            states: self.states.clone(),
        }
    }
}
