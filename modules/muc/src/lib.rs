//! Rooms (XEP-0045 1.35) where one is known only by a chosen name.
//!
//! `room/` is a state machine without I/O; `service/` gives each room a task, stores what lasts, and wakes rooms that
//! sleep. See the README for how the files divide, and `room/emit.rs` for the one way out.
#![forbid(unsafe_code)]

mod host;
mod room;
mod service;
mod xml;

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Clock, Disco, DiscoEntry, DiscoPart, DiscoTarget, DomainService, Entity, Entropy,
    Frozen, Full, Host, InstallError, IqKey, IqPayload, IqService, Module, Outbox, Reply, Rooms, StanzaError, State, Tasks,
    Whois,
    commands::{Command, CommandCaller, CommandServer, CommandSessions, Conversation, NS_COMMANDS},
    disco::Item,
    ns,
};
use jid::{DomainPart, Jid};
use minidom::Element;
use room::{Cause, Env, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use service::RoomStores;
use service::{Mam, Privacy, RoomData, Service};
use std::sync::Arc;

/// The module.
pub struct Muc;

/// `[modules.muc]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Host of the rooms; "{domain}" stands for the domain of the accounts.
    pub host: String,
    /// Who may make rooms.
    pub create: Create,
    /// Who sees real addresses in new rooms. "nobody" also lets owners choose it for their rooms.
    pub whois: SeenBy,
    /// Are new rooms listed?
    pub public: bool,
    /// Messages for who enters a new room, at most 100.
    pub history: u32,
    /// Messages a second that one occupant may send, in the long run; 0 for no limit.
    pub rate: u32,
    /// People a second who may enter one room, in the long run; 0 for no limit.
    pub join_rate: u32,
    /// Occupants of one room.
    pub max_occupants: u32,
}

/// Who may make rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Create {
    /// The accounts of this server.
    Local,
    /// Those listed in `admins`.
    Admin,
}

/// Who sees real addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeenBy {
    /// Moderators.
    Moderators,
    /// Nobody, moderators included.
    Nobody,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "salons.{domain}".into(),
            create: Create::Local,
            whois: SeenBy::Moderators,
            public: false,
            history: 20,
            rate: 5,
            join_rate: 50,
            max_occupants: 2_000,
        }
    }
}

impl Module for Muc {
    const NAME: &'static str = "muc";
    type Config = Config;
    type Needs = ((Host, Disco), (Tasks, State<CommandSessions>), Outbox, Rooms, (Clock, Entropy), RoomStores);

    fn install(config: Config, needs: Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        let ((host, disco), (tasks, sessions), outbox, rooms, (clock, entropy), stores) = needs;
        let name = host::of_rooms(&config.host, &host.domain)?;
        let env = Arc::new(Env {
            accounts: host.domain.clone(),
            admins: host.admins.clone(),
            settings: settings(&config)?,
            clock,
            entropy,
            archives: stores.archives(),
            outbox: outbox.clone(),
            rooms,
            opt_outs: Arc::default(),
            makers: room::Makers::default(),
        });
        let (service, mut mail) = Service::new(env.clone(), stores.of(name.clone()), (host.clone(), disco, tasks.clone()));
        let loading = service.clone();
        tasks.spawn("load", async move { loading.load().await });
        let asking = service.clone();
        tasks.spawn("mail", async move {
            while let Some(stanza) = mail.recv().await {
                let head = xml::head(&stanza);
                // Where it cannot go, nobody can be told, unless it was a request: the rest are answers and invitations.
                if let Err(error) = outbox.send(*stanza).await {
                    asking.came_back(&head, &error);
                }
            }
        });
        let commands = CommandServer::new(env.clock.clone(), env.entropy.clone(), sessions);
        let key = IqKey {
            entity: Entity::Host(name.as_str().to_owned()),
            action: Action::Set,
            name: "command",
            namespace: NS_COMMANDS,
        };
        at.iq_service(
            key,
            Commands {
                service: service.clone(),
                server: commands,
                offered: vec![Arc::new(Privacy(service.clone()))],
                host: host.clone(),
            },
        );
        for (action, payload) in [(Action::Get, "query"), (Action::Set, "query"), (Action::Get, "metadata")] {
            let entity = Entity::Host(name.as_str().to_owned());
            at.iq_service(IqKey { entity, action, name: payload, namespace: ns::MAM }, Mam(service.clone()));
        }
        at.data(RoomData(service.clone()));
        at.domain_service(name.as_str().to_owned(), Door(service));
        at.disco_entry(Listed { item: Item { jid: Jid::from(name), node: None, name: None }, of: host.domain });
        Ok(())
    }
}

/// Above this, newcomers wait longer for history than for people.
const MOST_HISTORY: u32 = 100;

fn settings(config: &Config) -> Result<Settings, InstallError> {
    if config.history > MOST_HISTORY {
        return Err(InstallError::new(format!("history is {}, but it may be {MOST_HISTORY} at most", config.history)));
    }
    Ok(Settings {
        create: match config.create {
            Create::Local => room::Create::Local,
            Create::Admin => room::Create::Admin,
        },
        whois: if config.whois == SeenBy::Nobody { Whois::Nobody } else { Whois::Moderators },
        public: config.public,
        history: config.history,
        rate: config.rate,
        join_rate: config.join_rate,
        max_occupants: config.max_occupants,
    })
}

struct Door(Arc<Service>);
impl DomainService for Door {
    fn accept(&self, stanza: Box<Frozen>) -> Result<(), Full<Box<Frozen>>> {
        self.0.take(stanza, Cause::Meant)
    }
    fn session_over(&self, stanza: Box<Frozen>) -> Result<(), Full<Box<Frozen>>> {
        self.0.take(stanza, Cause::SessionOver)
    }
    fn about_resources(&self) -> Option<&'static str> {
        Some(room::NO_NICK)
    }
    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.stop())
    }
}

/// Commands of the host, and of rooms (hats).
struct Commands {
    service: Arc<Service>,
    server: CommandServer<State<CommandSessions>>,
    offered: Vec<Arc<dyn Command>>,
    host: Host,
}
impl IqService for Commands {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if iq.to.resource().is_some() {
                return Err(StanzaError::service_unavailable());
            }
            if iq.to.node().is_some() {
                return self.service.command(iq.to.to_bare(), asker.jid, iq.element).await.map(Some);
            }
            let said = Conversation { who: CommandCaller::of(&asker, &self.host), lang: iq.lang, element: iq.element };
            self.server.answer(&self.offered, said).await.map(Some)
        })
    }
}

struct Listed {
    item: Item,
    of: DomainPart,
}
impl DiscoEntry for Listed {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let items = if *target == DiscoTarget::Server(self.of.clone()) { vec![self.item.clone()] } else { Vec::new() };
        DiscoPart { items, ..DiscoPart::default() }
    }
}
