//! Handles: what a module may ask for in `Needs`, and nothing else. Core implements the ports behind them.

use crate::{
    archive::Preferences,
    blocks::{BlockChange, BlockList},
    clock::{Clock, Entropy},
    commands::{Command, CommandPlace},
    disco::{DiscoNode, DiscoPart, DiscoTarget},
    error::StanzaError,
    module::InstallError,
    records::Records,
    stanza::{Frozen, Stanza},
    store::{Archive, Collection, Roster, Stored, Stores},
    views::{OptOut, Payloads, Reveal, RoomStanza, RoomView, Verdict, Whois},
};
use futures_util::future::BoxFuture;
use jid::{BareJid, DomainPart, FullJid};
use minidom::Element;
use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Runs tasks; implemented by core.
pub trait TaskPort: Send + Sync {
    /// Starts a supervised task of `module`. Calls during `install` take effect when the plan goes live.
    fn spawn(&self, module: &'static str, name: &'static str, task: BoxFuture<'static, ()>);
    /// Runs `work` where blocking is allowed.
    fn blocking(&self, module: &'static str, work: Box<dyn FnOnce() + Send>);
}
/// Sends stanzas; implemented by core.
pub trait OutboxPort: Send + Sync {
    /// Routes a stanza of the server's own.
    fn send(&self, stanza: Stanza) -> BoxFuture<'_, Result<(), StanzaError>>;
    /// Ends all editing of a stanza that several are to get.
    fn freeze(&self, stanza: Stanza) -> Arc<Frozen>;
    /// See [`Outbox::deliver`].
    fn deliver(&self, stanza: &Arc<Frozen>, to: &FullJid) -> Result<(), Undelivered>;
    /// Sends a request in the name of the host; resolves to the payload of its result.
    fn ask(&self, request: Stanza) -> BoxFuture<'_, Result<Option<Element>, StanzaError>>;
}
/// Why a shared stanza did not reach one of those that it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// There is no such session.
    Gone,
    /// Too much waits for it already; a session of this server is cut for it.
    Full,
}
/// What the plan of a host says about its rooms; implemented by core, which keeps it failing closed.
pub trait RoomsPort: Send + Sync {
    /// All [`RoomFilter`](crate::RoomFilter)s in order. For presence every verdict but `Pass` has left the bare skeleton.
    fn emits(&self, room: &RoomView<'_>, what: RoomStanza, payloads: &mut Payloads<'_>) -> Verdict;
    /// The least that an [`OccupantIdPolicy`](crate::OccupantIdPolicy) allows.
    fn reveal(&self, room: &RoomView<'_>, wish: OptOut) -> Reveal;
    /// The strictest of all [`RoomDefaults`](crate::RoomDefaults).
    fn whois(&self) -> Whois;
    /// The longest delay of leaves.
    fn leave_jitter(&self) -> Duration;
    /// May `who` enter?
    ///
    /// # Errors
    /// The first refusal.
    fn admit(&self, room: &BareJid, who: &BareJid) -> Result<(), StanzaError>;
    /// The shortest period of all [`RetentionPolicy`](crate::RetentionPolicy)s; nothing without one.
    fn keep(&self, room: &BareJid) -> Duration;
}
/// Rosters with everything that follows from a change (pushes, presence); implemented by core.
pub trait ContactsPort: Send + Sync {
    /// The roster of `owner`.
    fn roster(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Arc<Roster>>>;
    /// Sets name and groups (RFC 6121 section 2.3), and pushes.
    fn set(&self, owner: &BareJid, contact: ContactEdit) -> BoxFuture<'_, Result<(), StanzaError>>;
    /// Removes the contact and cancels the subscriptions (RFC 6121 section 2.5).
    fn remove(&self, owner: &BareJid, contact: &BareJid) -> BoxFuture<'_, Result<(), StanzaError>>;
    /// From now on this session gets roster pushes (RFC 6121 section 2.2: "interested resource").
    fn interested(&self, session: &FullJid);
}
/// Accounts as their owners change them; implemented by core.
pub trait AccountsPort: Send + Sync {
    /// Gives the account of `session` another password and ends its other sessions (H11); resolves after the commit.
    ///
    /// `not-acceptable` for a password that cannot be used.
    fn set_password(&self, session: &FullJid, password: SecretString) -> BoxFuture<'_, Result<(), StanzaError>>;
    /// Deletes the account of `session` with all that every module and store keeps for it (H06). All its sessions end;
    /// `session` itself when this resolves.
    fn delete(&self, session: &FullJid) -> BoxFuture<'_, Result<(), StanzaError>>;
    /// Shows one of its sessions presence?
    fn is_available(&self, account: &BareJid) -> bool;
}
/// Block lists with everything that follows from a change (pushes, presence); implemented by core.
pub trait BlocksPort: Send + Sync {
    /// The list of `owner`.
    fn list(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Arc<BlockList>>>;
    /// Changes it, shows and withdraws presence, pushes (XEP-0191 sections 3.3 to 3.5); resolves after the commit.
    fn change(&self, owner: &BareJid, change: BlockChange) -> BoxFuture<'_, Result<(), StanzaError>>;
    /// From now on this session gets pushes.
    fn interested(&self, session: &FullJid);
}
/// What a client may set about a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactEdit {
    /// The contact.
    pub jid: BareJid,
    /// Name.
    pub name: Option<String>,
    /// Groups, sorted, without doubles.
    pub groups: Vec<String>,
}
/// Archives of accounts as sessions and routing know them; implemented by core.
pub trait ArchivingPort: Send + Sync {
    /// What the owner wants archived; `None` = never said.
    fn preferences(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Option<Preferences>>>;
    /// Sets it, from the next message on.
    fn set_preferences(&self, owner: &BareJid, preferences: Preferences) -> BoxFuture<'_, Stored<()>>;
    /// This session reads the archive: what that keeps is not delivered to it as offline messages besides.
    fn reads_archive(&self, session: &FullJid);
}
/// Reads what all disco entries say together; implemented by core.
pub trait DiscoPort: Send + Sync {
    /// Joined parts for `target`.
    fn disco(&self, target: &DiscoTarget) -> DiscoPart;
    /// A node of `target`, from the first entry that has it.
    fn node(&self, target: &DiscoTarget, asked: &DiscoNode<'_>) -> Option<DiscoPart>;
}
/// Reads which commands there are; implemented by core.
pub trait CommandsPort: Send + Sync {
    /// Those offered at `place`, in the order of the modules.
    fn offered(&self, place: CommandPlace) -> Vec<Arc<dyn Command>>;
}

/// Everything a host offers; core makes one per module and host.
#[derive(Clone)]
pub struct HostHandles {
    /// The module that is being wired.
    pub module: &'static str,
    /// The host.
    pub host: Host,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Tasks.
    pub tasks: Arc<dyn TaskPort>,
    /// Sending.
    pub outbox: Arc<dyn OutboxPort>,
    /// Rosters.
    pub contacts: Arc<dyn ContactsPort>,
    /// Archives of accounts.
    pub archiving: Arc<dyn ArchivingPort>,
    /// Block lists.
    pub blocks: Arc<dyn BlocksPort>,
    /// Accounts.
    pub accounts: Arc<dyn AccountsPort>,
    /// Discovery.
    pub disco: Arc<dyn DiscoPort>,
    /// Policies and filters of rooms.
    pub rooms: Arc<dyn RoomsPort>,
    /// Commands.
    pub commands: Arc<dyn CommandsPort>,
    /// The stores.
    pub stores: Stores,
    /// States that outlive reloads.
    pub states: States,
}

/// Facts about the host that a module serves.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its domain.
    pub domain: DomainPart,
    /// Who administers it.
    pub admins: Arc<[BareJid]>,
    /// Longest time that offline messages wait.
    pub offline_retention: Duration,
    /// Longest time that archives of accounts keep messages.
    pub message_retention: Duration,
    /// Longest time that rooms keep what was said.
    pub room_retention: Duration,
    /// Longest times of other things.
    pub retention: Retention,
}

/// How long things are kept at most, as the operator has it (H01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Reports of abuse.
    pub reports: Duration,
    /// Push registrations since their last use.
    pub push: Duration,
}

/// Handles are built from the host; a tuple of them is a `Needs`.
pub trait FromHost: Sized {
    /// Builds it.
    ///
    /// # Errors
    /// When the host cannot offer it.
    fn from_host(host: &HostHandles) -> Result<Self, InstallError>;
}

impl FromHost for () {
    fn from_host(_: &HostHandles) -> Result<Self, InstallError> {
        Ok(())
    }
}
impl FromHost for Clock {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        Ok(host.clock.clone())
    }
}
impl FromHost for Entropy {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        Ok(host.entropy.clone())
    }
}
impl FromHost for Host {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        Ok(host.host.clone())
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        impl<$($name: FromHost),+> FromHost for ($($name,)+) {
            fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
                Ok(($($name::from_host(host)?,)+))
            }
        }
    )*};
}
tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

/// Runs tasks, supervised and tied to the module.
#[derive(Clone)]
pub struct Tasks {
    module: &'static str,
    port: Arc<dyn TaskPort>,
}
impl Tasks {
    /// Starts a task.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.port.spawn(self.module, name, Box::pin(task));
    }
    /// Runs `work` every `period`, the first time after one.
    pub fn every<F: Future<Output = ()> + Send>(
        &self,
        name: &'static str,
        period: Duration,
        mut work: impl FnMut() -> F + Send + 'static,
    ) {
        self.spawn(name, async move {
            loop {
                tokio::time::sleep(period).await;
                work().await;
            }
        });
    }
    /// Runs `work` where blocking is allowed.
    pub fn blocking(&self, work: impl FnOnce() + Send + 'static) {
        self.port.blocking(self.module, Box::new(work));
    }
}
impl FromHost for Tasks {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        Ok(Self { module: host.module, port: host.tasks.clone() })
    }
}

/// Sends stanzas in the server's name.
#[derive(Clone)]
pub struct Outbox(Arc<dyn OutboxPort>);
impl Outbox {
    /// Routes a stanza; resolves when its fate is known as far as this server decides it.
    ///
    /// # Errors
    /// Why it did not go.
    pub async fn send(&self, stanza: Stanza) -> Result<(), StanzaError> {
        self.0.send(stanza).await
    }
    /// Ends all editing of a stanza that several are to get. Without a `to`, each gets it with their own.
    #[must_use]
    pub fn freeze(&self, stanza: Stanza) -> Arc<Frozen> {
        self.0.freeze(stanza)
    }
    /// Hands a frozen stanza to a session of this server or to the queue of another; never waits and copies nothing.
    /// What does not go is lost, but a message that cannot reach another server comes back to its `from` as an error.
    /// A session that its account shields from the sender (XEP-0191) gets nothing, in silence.
    ///
    /// # Errors
    /// Why it did not go.
    pub fn deliver(&self, stanza: &Arc<Frozen>, to: &FullJid) -> Result<(), Undelivered> {
        self.0.deliver(stanza, to)
    }
    /// Sends an iq request in the name of the host (`from` is its domain); resolves to the payload of its result.
    ///
    /// # Errors
    /// The error that came back; `remote-server-timeout` when nothing did within a minute.
    pub async fn ask(&self, request: Stanza) -> Result<Option<Element>, StanzaError> {
        self.0.ask(request).await
    }
}
impl FromHost for Outbox {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        Ok(Self(host.outbox.clone()))
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident($port:ty) = $field:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<$port>);
        impl Deref for $name {
            type Target = $port;
            fn deref(&self) -> &Self::Target { &*self.0 }
        }
        impl FromHost for $name {
            fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
                let field: fn(&HostHandles) -> &Arc<$port> = $field;
                Ok(Self(field(host).clone()))
            }
        }
    };
}
handle!(/// Rosters, with pushes and presence.
    Contacts(dyn ContactsPort) = |host| &host.contacts);
handle!(/// Archives of accounts, with what sessions and routing know of them.
    Archiving(dyn ArchivingPort) = |host| &host.archiving);
handle!(/// Block lists, with pushes and presence.
    Blocks(dyn BlocksPort) = |host| &host.blocks);
handle!(/// Accounts, as their owners change them.
    OwnAccounts(dyn AccountsPort) = |host| &host.accounts);
handle!(/// What is discovered of a host.
    Disco(dyn DiscoPort) = |host| &host.disco);
handle!(/// Policies and filters of the host's rooms.
    Rooms(dyn RoomsPort) = |host| &host.rooms);
handle!(/// The commands of all modules.
    Offered(dyn CommandsPort) = |host| &host.commands);
handle!(/// The archives.
    Archives(dyn Archive) = |host| &host.stores.archive);

/// Secrets of the module that outlive a restart.
#[derive(Clone)]
pub struct Keys(Stores);
impl Keys {
    /// The secret of this name.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn secret(&self, name: &'static str) -> Stored<Zeroizing<[u8; 32]>> {
        self.0.secrets.secret(name).await
    }
}
impl FromHost for Keys {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        Ok(Self(host.stores.clone()))
    }
}

/// States by module and type; bounded by the number of modules.
#[derive(Clone, Default)]
pub struct States(Arc<Mutex<HashMap<StateKey, Arc<dyn Any + Send + Sync>>>>);
/// Host, module, type.
type StateKey = (String, &'static str, TypeId);

/// A module's running state of type `S`, one per host, the same before and after a reload.
pub struct State<S>(Arc<S>);
impl<S> Clone for State<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
impl<S> Deref for State<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0
    }
}
impl<S: Default + Send + Sync + 'static> FromHost for State<S> {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        let key = (host.host.domain.as_str().to_owned(), host.module, TypeId::of::<S>());
        let mut states = host.states.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(key).or_insert_with(|| Arc::new(S::default())).clone();
        state.downcast().map(Self).map_err(|_| InstallError::new("state of another type"))
    }
}

/// How a module's `Records` are declared.
pub trait Declared: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the collection, unique in the module.
    const COLLECTION: &'static str;
    /// Does it hold what can identify a person?
    const PERSONAL: bool = true;
    /// Records at most per owner.
    const ROWS_PER_OWNER: usize = 100;
    /// Bytes at most per record.
    const VALUE_BYTES: usize = 64 * 1024;
    /// Records vanish this long after their last write.
    const LIFETIME: Option<Duration> = None;
    /// The same where the operator has a say.
    fn lifetime(host: &Host) -> Option<Duration> {
        let _ = host;
        Self::LIFETIME
    }
}
impl<T: Declared> FromHost for Records<T> {
    fn from_host(host: &HostHandles) -> Result<Self, InstallError> {
        let name = format!("{}/{}", host.module, T::COLLECTION);
        host.stores.records.declare(Collection {
            name: name.clone(),
            personal: T::PERSONAL,
            rows_per_owner: T::ROWS_PER_OWNER,
            value_bytes: T::VALUE_BYTES,
            lifetime: T::lifetime(&host.host).map(|d| d.as_secs()),
        });
        Ok(Self::new(name, host.stores.records.clone()))
    }
}

/// Streams stanzas to an asker ahead of the iq's result, into its own reply buffer: waits when that is full, which
/// only the asker's own reading empties.
#[derive(Clone)]
pub struct Reply(mpsc::Sender<Arc<Frozen>>, Freezer);
/// Freezes a stanza; core's.
pub type Freezer = fn(Stanza) -> Frozen;

impl Reply {
    /// For core.
    pub fn new(buffer: mpsc::Sender<Arc<Frozen>>, freezer: Freezer) -> Self {
        Self(buffer, freezer)
    }
    /// Sends a stanza to the asker; `false` when the asker is gone.
    pub async fn send(&self, stanza: Stanza) -> bool {
        self.send_frozen(Arc::new((self.1)(stanza))).await
    }
    /// The same for bytes that are there already.
    pub async fn send_frozen(&self, stanza: Arc<Frozen>) -> bool {
        self.0.send(stanza).await.is_ok()
    }
}
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}
