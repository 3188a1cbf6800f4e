//! A host without a server: clock and dice stand still, tasks and stanzas are collected.

use super::{FakeAccounts, FakeBlocks, FakeContacts, MemoryArchive, MemoryOutbound, MemoryRecords, store};
use crate::{
    Action, Asker, Checkpoints, Clock, Command, CommandsPort, DiscoNode, DiscoPart, DiscoPort, DiscoTarget, Entity, Entropy,
    FromHost, Host, HostHandles, InstallError, IqPayload, Module, OptOut, OutboxPort, Payloads, Relation, Reply, Reveal,
    RoomStanza, RoomView, RoomsPort, Stanza, StanzaError, States, TaskPort, Undelivered, Verdict, Whois,
    clock::{RandomSource, TimeSource, UnixSeconds},
    commands::CommandPlace,
    stanza::Frozen,
    store::Stores,
};
use futures_util::{FutureExt, future::BoxFuture};
use jid::{BareJid, FullJid};
use minidom::Element;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// The value of a future that does not wait.
///
/// # Panics
/// When it does.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a stand-in never waits")
}

/// An element from text that the test wrote itself.
///
/// # Panics
/// When it is no XML.
pub fn xml(text: &str) -> Element {
    text.parse().unwrap()
}

/// A stanza from text, frozen as core freezes it for services: with its tree.
///
/// # Panics
/// When it is no stanza.
pub fn for_service(text: &str) -> Frozen {
    frozen(Stanza::parse(xml(text)).unwrap().unwrap())
}

/// A stanza from text, frozen as core freezes it for mailboxes: bytes alone.
///
/// # Panics
/// When it is no stanza.
pub fn on_the_wire(text: &str) -> Arc<Frozen> {
    Arc::new(Frozen { tree: None, ..for_service(text) })
}

fn frozen(stanza: Stanza) -> Frozen {
    let mut tail = Vec::new();
    for child in stanza.el.children() {
        tail.extend_from_slice(String::from(child).as_bytes());
    }
    let children = 0..tail.len();
    let Stanza { kind, from, to, id, lang, el } = stanza;
    let traits = crate::Traits::of(&el);
    Frozen {
        kind,
        from,
        to,
        id,
        lang,
        tail: tail.into(),
        children,
        traits,
        tree: Some(Box::new(el)),
        archived: None,
        waits: None,
    }
}

/// Everything that a module can be given.
pub struct FakeHost {
    /// Facts about the host: `bocage.example`, one admin, offline messages kept for 7 days. Changed before wiring.
    pub host: Host,
    /// Civil time; 2023-11-14T22:13:20Z at first.
    pub wall: Arc<AtomicI64>,
    /// Records.
    pub records: Arc<MemoryRecords>,
    /// Archives.
    pub archive: Arc<MemoryArchive>,
    /// What waits for other servers.
    pub outbound: Arc<MemoryOutbound>,
    /// Rosters.
    pub contacts: Arc<FakeContacts>,
    /// Block lists.
    pub blocks: Arc<FakeBlocks>,
    /// Accounts.
    pub accounts: Arc<FakeAccounts>,
    /// What was sent.
    pub outbox: Arc<FakeOutbox>,
    /// What rooms are allowed.
    pub rooms: Arc<FakeRooms>,
    /// What was started.
    pub tasks: Arc<FakeTasks>,
    /// What discovery says, set by the test.
    pub disco: Arc<Mutex<Vec<(DiscoTarget, DiscoPart)>>>,
    /// Commands of all modules, set by the test.
    pub commands: Arc<Mutex<Vec<Arc<dyn Command>>>>,
    states: States,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeHost {
    /// A host where nothing happened yet.
    #[must_use]
    pub fn new() -> Self {
        let host = Host {
            domain: jid::DomainPart::new("bocage.example").unwrap().into_owned(),
            admins: Arc::from([jid::BareJid::new("admin@bocage.example").unwrap()]),
            offline_retention: Duration::from_secs(7 * 86_400),
            message_retention: Duration::from_secs(7 * 86_400),
            room_retention: Duration::from_secs(7 * 86_400),
            retention: crate::Retention { reports: Duration::from_secs(30 * 86_400), push: Duration::from_secs(30 * 86_400) },
        };
        Self {
            host,
            wall: Arc::new(AtomicI64::new(1_700_000_000)),
            records: Arc::default(),
            archive: Arc::default(),
            outbound: Arc::default(),
            contacts: Arc::default(),
            blocks: Arc::default(),
            accounts: Arc::default(),
            outbox: Arc::default(),
            rooms: Arc::default(),
            tasks: Arc::default(),
            disco: Arc::default(),
            commands: Arc::default(),
            states: States::default(),
        }
    }

    /// The handles of one module.
    pub fn handles(&self, module: &'static str) -> HostHandles {
        HostHandles {
            module,
            host: self.host.clone(),
            clock: Clock::new(FakeTime(self.wall.clone())),
            entropy: Entropy::new(Counter::default()),
            tasks: self.tasks.clone(),
            outbox: self.outbox.clone(),
            contacts: self.contacts.clone(),
            blocks: self.blocks.clone(),
            accounts: self.accounts.clone(),
            archiving: self.archive.clone(),
            disco: Arc::new(FakeDisco(self.disco.clone())),
            rooms: self.rooms.clone(),
            commands: Arc::new(FakeCommands(self.commands.clone())),
            stores: Stores {
                accounts: Arc::new(store::Nobody),
                rosters: self.contacts.clone(),
                archive: self.archive.clone(),
                outbound: self.outbound.clone(),
                records: self.records.clone(),
                secrets: Arc::new(store::Nobody),
            },
            states: self.states.clone(),
        }
    }

    /// Wires a module as core does.
    ///
    /// # Errors
    /// Those of the module.
    pub fn try_install<M: Module>(&self, config: M::Config) -> Result<Installed, InstallError> {
        let needs = M::Needs::from_host(&self.handles(M::NAME))?;
        let mut at = Checkpoints::default();
        M::install(config, needs, at.of(M::NAME))?;
        Ok(Installed { at, lang: None })
    }

    /// Wires a module with its default settings.
    ///
    /// # Panics
    /// When it refuses them.
    pub fn install<M: Module>(&self) -> Installed {
        self.try_install::<M>(M::Config::default()).unwrap()
    }
}

/// What a module wired.
pub struct Installed {
    /// Where.
    pub at: Checkpoints,
    /// `xml:lang` of what is asked.
    pub lang: Option<String>,
}

impl Installed {
    /// Asks as `asker`; `None` when no service answers that.
    ///
    /// # Panics
    /// When `payload` is no XML or the asker no JID.
    pub fn asked_by(
        &self,
        (asker, relation): (&str, Relation),
        entity: &Entity,
        action: Action,
        payload: &str,
    ) -> Option<Result<Option<Element>, StanzaError>> {
        let element = xml(payload);
        let matches = |key: &crate::IqKey| key.entity == *entity && key.action == action && element.is(key.name, key.namespace);
        let (_, service) = self.at.iq_services.iter().find(|(key, _)| matches(key))?;
        let to = match entity {
            Entity::Server => "bocage.example",
            Entity::Host(name) => name.as_str(),
            _ => "me@bocage.example",
        };
        let iq = IqPayload { to: to.parse().unwrap(), action, lang: self.lang.clone(), element };
        let (buffer, _) = mpsc::channel(1);
        let asker = Asker { jid: asker.parse().unwrap(), relation };
        Some(now(service.it.answer(asker, iq, Reply::new(buffer, frozen))))
    }

    /// Asks as `me@bocage.example/phone`, the owner of the account.
    ///
    /// # Panics
    /// When no service answers that.
    pub fn ask(&self, entity: &Entity, action: Action, payload: &str) -> Result<Option<Element>, StanzaError> {
        let owner = ("me@bocage.example/phone", Relation::Owner);
        self.asked_by(owner, entity, action, payload).expect("a service for it")
    }

    /// Asks the account of `me@bocage.example` as somebody of another server.
    ///
    /// # Panics
    /// When no service answers that.
    pub fn ask_other(&self, relation: Relation, action: Action, payload: &str) -> Result<Option<Element>, StanzaError> {
        let asker = ("them@elsewhere.example/x", relation);
        self.asked_by(asker, &Entity::OtherAccount, action, payload).expect("a service for it")
    }

    /// What the module says of a node, asked by the owner of `me@bocage.example`.
    ///
    /// # Panics
    /// Never.
    pub fn disco_node(&self, target: &DiscoTarget, (node, relation): (&str, Relation)) -> Option<DiscoPart> {
        let asker = Asker { jid: "me@bocage.example/phone".parse().unwrap(), relation };
        let at = match target {
            DiscoTarget::Server(domain) | DiscoTarget::Host(domain) => domain.as_str(),
            DiscoTarget::Account => "me@bocage.example",
        };
        let asked = DiscoNode { node, asker: &asker, at: &at.parse().unwrap(), lang: self.lang.as_deref() };
        self.at.disco_entries.iter().find_map(|entry| entry.it.node(target, &asked))
    }

    /// What the module adds to discovery.
    pub fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let mut whole = DiscoPart::default();
        self.at.disco_entries.iter().for_each(|entry| whole.join(entry.it.disco(target)));
        whole
    }
}

struct FakeTime(Arc<AtomicI64>);
impl TimeSource for FakeTime {
    fn wall(&self) -> UnixSeconds {
        self.0.load(Ordering::Relaxed)
    }
    fn mono(&self) -> Duration {
        Duration::from_secs(self.wall().unsigned_abs())
    }
}

/// Counts instead of throwing dice: distinct and repeatable.
#[derive(Default)]
struct Counter(AtomicU64);
impl RandomSource for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        bytes.iter_mut().zip(number.into_iter().cycle()).for_each(|(byte, n)| *byte = n);
    }
}

struct FakeDisco(Arc<Mutex<Vec<(DiscoTarget, DiscoPart)>>>);
impl DiscoPort for FakeDisco {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let known = self.0.lock().unwrap();
        known.iter().find(|(t, _)| t == target).map(|(_, part)| part.clone()).unwrap_or_default()
    }
    fn node(&self, _: &DiscoTarget, _: &DiscoNode<'_>) -> Option<DiscoPart> {
        None
    }
}

struct FakeCommands(Arc<Mutex<Vec<Arc<dyn Command>>>>);
impl CommandsPort for FakeCommands {
    fn offered(&self, place: CommandPlace) -> Vec<Arc<dyn Command>> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|command| command.places().contains(&place)).cloned().collect()
    }
}

/// Keeps what was sent.
#[derive(Default)]
pub struct FakeOutbox(Mutex<Vec<Stanza>>, Mutex<Vec<(FullJid, Undelivered)>>, Mutex<Option<StanzaError>>);
impl FakeOutbox {
    /// Takes out all that was sent so far.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn take(&self) -> Vec<Stanza> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
    /// From now on requests are answered by this error; `None` = by an empty result.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn answer_with(&self, error: Option<StanzaError>) {
        *self.2.lock().unwrap() = error;
    }
    /// From now on nothing reaches `session`.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn refuse(&self, session: FullJid, why: Undelivered) {
        self.1.lock().unwrap().push((session, why));
    }
}
impl OutboxPort for FakeOutbox {
    fn send(&self, stanza: Stanza) -> BoxFuture<'_, Result<(), StanzaError>> {
        self.0.lock().unwrap().push(stanza);
        Box::pin(async { Ok(()) })
    }
    fn freeze(&self, stanza: Stanza) -> Arc<Frozen> {
        Arc::new(frozen(stanza))
    }
    fn ask(&self, request: Stanza) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        self.0.lock().unwrap().push(request);
        let answer = self.2.lock().unwrap().clone().map_or(Ok(None), Err);
        Box::pin(async { answer })
    }
    fn deliver(&self, stanza: &Arc<Frozen>, to: &FullJid) -> Result<(), Undelivered> {
        if let Some((_, why)) = self.1.lock().unwrap().iter().find(|(session, _)| session == to) {
            return Err(*why);
        }
        let stanza = stanza.thaw().map(|s| Stanza { to: s.to.clone().or_else(|| Some(to.clone().into())), ..s });
        self.0.lock().unwrap().extend(stanza);
        Ok(())
    }
}

/// Rooms whose modules are set by the test; none at first.
#[derive(Default)]
pub struct FakeRooms(Mutex<Option<Checkpoints>>);
impl FakeRooms {
    /// What these modules wired.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn set(&self, at: Checkpoints) {
        *self.0.lock().unwrap() = Some(at);
    }
    fn with<T>(&self, none: T, ask: impl FnOnce(&Checkpoints) -> T) -> T {
        self.0.lock().unwrap().as_ref().map_or(none, ask)
    }
}
impl RoomsPort for FakeRooms {
    fn emits(&self, room: &RoomView<'_>, what: RoomStanza, payloads: &mut Payloads<'_>) -> Verdict {
        self.with(Verdict::Pass, |at| {
            let mut verdicts = at.room_filters.iter().map(|(_, filter)| filter.it.room_emits(room, what, payloads));
            verdicts.find(|verdict| *verdict != Verdict::Pass).unwrap_or(Verdict::Pass)
        })
    }
    fn reveal(&self, room: &RoomView<'_>, wish: OptOut) -> Reveal {
        self.with(Reveal::Nothing, |at| {
            at.occupant_id_policies.iter().map(|policy| policy.it.reveal(room, wish)).min().unwrap_or(Reveal::Nothing)
        })
    }
    fn whois(&self) -> Whois {
        self.with(Whois::Moderators, |at| at.room_defaults.iter().map(|d| d.it.whois()).min().unwrap_or(Whois::Moderators))
    }
    fn leave_jitter(&self) -> Duration {
        self.with(Duration::ZERO, |at| at.room_defaults.iter().map(|d| d.it.leave_jitter()).max().unwrap_or_default())
    }
    fn admit(&self, room: &BareJid, who: &BareJid) -> Result<(), StanzaError> {
        self.with(Ok(()), |at| at.room_defaults.iter().try_for_each(|d| d.it.admit(room, who)))
    }
    fn keep(&self, room: &BareJid) -> Duration {
        self.with(Duration::ZERO, |at| at.retention_policies.iter().map(|p| p.it.keep(room)).min().unwrap_or_default())
    }
}

/// Keeps started tasks until the test lets them run.
#[derive(Default)]
pub struct FakeTasks(Mutex<Vec<(&'static str, BoxFuture<'static, ()>)>>);
impl FakeTasks {
    /// Polls every task once; those that wait stay.
    ///
    /// # Panics
    /// When a task does.
    pub fn poll(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap());
        tasks.retain_mut(|(_, task)| task.now_or_never().is_none());
        self.0.lock().unwrap().append(&mut tasks);
    }
    /// Names of the tasks that have not ended.
    ///
    /// # Panics
    /// When a test panicked before.
    pub fn running(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().map(|(name, _)| *name).collect()
    }
}
impl TaskPort for FakeTasks {
    fn spawn(&self, _: &'static str, name: &'static str, task: BoxFuture<'static, ()>) {
        self.0.lock().unwrap().push((name, task));
    }
    fn blocking(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}
