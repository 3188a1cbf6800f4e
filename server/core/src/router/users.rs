//! Who is here: sessions by account. Locks are held for look-ups only, never across a delivery that could wait.

use super::{carbons::SentCopies, copies::Copies, leaving::Leaving};
use crate::{
    mailbox::{Address, Budget, Mail, Mailbox, Posted, Refused, Stored},
    sm::Resumable,
};
use bocage_api::{BlockList, Frozen, bare};
use bocage_sasl::UserAgent;
use bocage_stream::StreamError;
use jid::{BareJid, FullJid, Jid};
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

const SHARDS: usize = 64;
/// Addresses outside the roster that one session may have shown its presence to (RFC 6121 section 4.6).
pub const MAX_DIRECTED: usize = 500;

/// A bound session.
pub struct Session {
    /// Its address.
    pub jid: FullJid,
    /// What waits for it.
    pub mailbox: Mailbox,
    state: Mutex<SessionState>,
    turn: Mutex<()>,
    user: OnceLock<Arc<User>>,
    cut: Mutex<Option<StreamError>>,
    interested: AtomicBool,
    wants_blocks: AtomicBool,
    reads_archive: AtomicBool,
    asleep: AtomicBool,
    wants_copies: AtomicBool,
    client: OnceLock<Box<Client>>,
    resumable: OnceLock<Box<Resumable>>,
}

/// The client behind a session, for its account's eyes alone (XEP-0494).
pub(crate) struct Client {
    /// A reference for the list of clients.
    pub(crate) reference: u64,
    /// How it logged in.
    pub(crate) proof: Proof,
    /// When, in seconds since 1970.
    pub(crate) since: i64,
    /// What it says of itself.
    pub(crate) agent: Option<UserAgent>,
}

/// How a client logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By the password.
    Password,
    /// By a token (XEP-0484).
    Token,
}

/// Presence of a session.
#[derive(Default)]
pub struct SessionState {
    /// The last broadcast presence; `None` = not available.
    pub presence: Option<Arc<Frozen>>,
    /// Its priority.
    pub priority: i8,
    /// To whom presence was shown directly; they are told when it ends.
    pub directed: Vec<Directed>,
    /// The session is over for everybody else: it shows no presence any more, whatever it still had under way.
    pub ended: bool,
}

/// Somebody to whom presence was shown directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directed {
    /// Whom.
    pub to: Jid,
    /// It is a room.
    pub room: bool,
}

impl Session {
    /// A session that is about to be bound.
    #[must_use]
    pub fn new(jid: FullJid, budget: Arc<Budget>) -> Self {
        Self {
            jid,
            mailbox: Mailbox::new(budget),
            state: Mutex::default(),
            turn: Mutex::default(),
            user: OnceLock::new(),
            cut: Mutex::default(),
            interested: AtomicBool::new(false),
            wants_blocks: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            wants_copies: AtomicBool::new(false),
            client: OnceLock::new(),
            resumable: OnceLock::new(),
            reads_archive: AtomicBool::new(false),
        }
    }
    /// Its presence.
    pub fn state(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// While it is held, nobody else tells of this session's presence: what is told last is what is true.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// From now on it shows no presence. `false`: nobody had been shown any.
    pub fn end_presence(&self) -> bool {
        let _turn = self.turn();
        let mut state = self.state();
        state.ended = true;
        state.presence.is_some() || !state.directed.is_empty()
    }
    /// Did it show its presence to this address directly (RFC 6121 section 4.6)?
    pub fn shows_itself_to(&self, who: &Jid) -> bool {
        let bare = who.to_bare();
        self.state().directed.iter().any(|shown| shown.to == *who || shown.to == bare)
    }
    /// Is it in this room, whatever nick `to` names?
    pub fn is_in_room(&self, to: &Jid) -> bool {
        let room = to.to_bare();
        self.state().directed.iter().any(|shown| shown.room && shown.to.to_bare() == room)
    }
    /// Takes the addresses for which `which` says so out of those that presence was shown to directly.
    pub fn withdraw_directed(&self, which: impl Fn(&Jid) -> bool) -> Vec<Jid> {
        let mut state = self.state();
        let (gone, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut state.directed).into_iter().partition(|shown| which(&shown.to));
        state.directed = stay;
        gone.into_iter().map(|shown| shown.to).collect()
    }
    /// Has another session, which is still here, a copy of this message of ours?
    pub fn is_copied(&self, message: &Arc<Frozen>) -> bool {
        self.user.get().is_some_and(|user| user.copies.are_elsewhere(message, self, &user.sessions()))
    }
    /// Has another session, which is awake, a copy of this message of ours?
    pub(super) fn is_read_elsewhere(&self, message: &Arc<Frozen>) -> bool {
        self.user.get().is_some_and(|user| user.copies.are_read(message, self, &user.sessions()))
    }
    /// The last broadcast presence and its priority, while available.
    pub fn presence(&self) -> Option<(Arc<Frozen>, i8)> {
        let state = self.state();
        state.presence.clone().map(|presence| (presence, state.priority))
    }
    /// Available with a priority that wants messages to the bare JID.
    pub fn wants_messages(&self) -> bool {
        let state = self.state();
        state.presence.is_some() && state.priority >= 0
    }
    /// It asked for the roster (RFC 6121 section 2.2).
    pub fn is_interested(&self) -> bool {
        self.interested.load(Ordering::Relaxed)
    }
    /// It asked for the roster.
    pub fn set_interested(&self) {
        self.interested.store(true, Ordering::Relaxed);
    }
    /// It asked for the block list (XEP-0191 section 3.3).
    pub fn wants_blocks(&self) -> bool {
        self.wants_blocks.load(Ordering::Relaxed)
    }
    /// It asked for the block list.
    pub fn set_wants_blocks(&self) {
        self.wants_blocks.store(true, Ordering::Relaxed);
    }
    /// Does its account block this address?
    pub fn blocks(&self, who: &Jid) -> bool {
        self.user.get().is_some_and(|user| user.blocked().blocks_for(&user.account, who))
    }
    /// Its account's other devices share what they send and get with it (XEP-0280).
    pub fn wants_copies(&self) -> bool {
        self.wants_copies.load(Ordering::Relaxed)
    }
    /// It asks for that, or for no more of it.
    pub fn set_wants_copies(&self, wants: bool) {
        self.wants_copies.store(wants, Ordering::Relaxed);
    }
    /// The client behind it.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.get().map(|client| &**client)
    }
    /// Says which client is behind it; the first time counts.
    pub(crate) fn set_client(&self, client: Client) {
        let _ = self.client.set(Box::new(client));
    }
    /// Is it a session of this client installation?
    pub(crate) fn is_of(&self, id: &str) -> bool {
        let agent = self.client().and_then(|client| client.agent.as_ref());
        agent.and_then(|agent| agent.id.as_deref()).is_some_and(|known| known == id)
    }
    /// The account, once it is bound.
    pub(super) fn user(&self) -> Option<&Arc<User>> {
        self.user.get()
    }
    /// Has it got this message, or a copy?
    pub(super) fn has(&self, message: &Arc<Frozen>) -> bool {
        self.user().is_some_and(|user| user.copies.has(message, self))
    }
    /// It has lost its connection, and waits for another one (XEP-0198).
    pub fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }
    /// It has lost its connection: nobody needs to wait for it.
    pub(crate) fn sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        self.mailbox.sleep();
    }
    /// It has a connection again.
    pub(crate) fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        self.mailbox.wake();
    }
    /// What makes it resumable, if anything does.
    pub(crate) fn resumable(&self) -> Option<&Resumable> {
        self.resumable.get().map(|resumable| &**resumable)
    }
    /// Makes it resumable; the first time counts.
    pub(crate) fn set_resumable(&self, resumable: Resumable) {
        let _ = self.resumable.set(Box::new(resumable));
    }
    /// It queried its archive (XEP-0313): what that keeps is not handed out besides.
    pub fn reads_archive(&self) -> bool {
        self.reads_archive.load(Ordering::Relaxed)
    }
    /// It queried its archive.
    pub fn set_reads_archive(&self) {
        self.reads_archive.store(true, Ordering::Relaxed);
    }
    /// Ends the session from outside; the stream error is sent before the close. The first reason stands.
    pub fn cut(&self, reason: StreamError) {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.mailbox.flush_held();
    }
    /// Was it cut?
    pub fn is_cut(&self) -> bool {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
    /// Why it was cut.
    pub fn take_cut(&self) -> Option<StreamError> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Delivers a message that waits in the store as well; `false`: the session looks there by itself. Where it finds no
    /// room, it stays in the store and the session is cut.
    pub(super) fn post_stored(&self, stanza: &Arc<Frozen>) -> bool {
        // Who has read the archive is handed out nothing that is there; this came afterwards.
        let looks = self.resumable().is_none() || !self.reads_archive();
        if looks {
            self.reads_archive.store(false, Ordering::Relaxed);
        }
        match self.mailbox.post_stored(Mail { stanza: stanza.clone(), address: Address::Own }, looks) {
            Ok(stored) => stored == Stored::Posted,
            Err(Refused::Closed(_)) => false,
            Err(Refused::Full(_)) => {
                self.cut(crate::c2s::errors::too_slow());
                false
            }
        }
    }
    /// Delivers; at the hard bound the session is cut and the mail comes back.
    ///
    /// # Errors
    /// The mail, for the undeliverable path.
    pub fn post(&self, stanza: &Arc<Frozen>, address: Address) -> Result<Posted, Mail> {
        match self.mailbox.post(Mail { stanza: stanza.clone(), address }) {
            Ok(posted) => Ok(posted),
            Err(Refused::Closed(mail)) => Err(mail),
            Err(Refused::Full(mail)) => {
                self.cut(crate::c2s::errors::too_slow());
                Err(mail)
            }
        }
    }
}

/// An account with at least one session.
pub struct User {
    /// Its address.
    pub account: BareJid,
    sessions: Mutex<Vec<Arc<Session>>>,
    /// The block list of the account, as it is: what is shared among many recipients cannot wait for facts.
    blocked: Mutex<Arc<BlockList>>,
    /// Messages that several of its sessions got.
    pub(super) copies: Copies,
    /// What was copied as sent.
    pub(super) sent: SentCopies,
}

impl User {
    fn new(account: BareJid) -> Self {
        Self {
            account,
            sessions: Mutex::default(),
            blocked: Mutex::default(),
            copies: Copies::default(),
            sent: SentCopies::default(),
        }
    }
    /// Its sessions.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Its block list.
    pub fn blocked(&self) -> Arc<BlockList> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Its block list has changed; for who holds the account's facts.
    pub fn set_blocked(&self, list: Arc<BlockList>) {
        *self.blocked.lock().unwrap_or_else(PoisonError::into_inner) = list;
    }
    /// The session with this resource.
    pub fn session(&self, resource: &str) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.iter().find(|s| s.jid.resource().as_str() == resource).cloned()
    }
}

/// What became of a bind.
pub enum Binding {
    /// It is bound; this session had the same resource, or made room, and is to be cut.
    Bound(Option<Arc<Session>>),
    /// The account has as many sessions as it may.
    Full,
}

type Shard = HashMap<Box<str>, Arc<User>>;

/// All sessions.
pub struct Users {
    /// By bare JIDs, as text: looking one up makes no address.
    shards: Vec<Mutex<Shard>>,
    pub(super) hasher: RandomState,
    open: AtomicUsize,
    fewer: Notify,
    /// Accounts whose unread messages of a session that ended are being handed on.
    pub(super) leaving: Leaving,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            open: AtomicUsize::new(0),
            fewer: Notify::new(),
            leaving: Leaving::default(),
        }
    }
}

impl Users {
    fn shard(&self, account: &str) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hasher.hash_one(account) % SHARDS as u64).unwrap_or(0);
        match self.shards.get(at).or(self.shards.first()) {
            Some(shard) => shard.lock().unwrap_or_else(PoisonError::into_inner),
            None => unreachable!("there are {SHARDS} shards"),
        }
    }
    /// The account, if it has a session.
    pub fn user(&self, account: &BareJid) -> Option<Arc<User>> {
        self.by_text(account.as_str())
    }
    fn by_text(&self, account: &str) -> Option<Arc<User>> {
        self.shard(account).get(account).cloned()
    }
    /// A session by its address.
    pub fn session(&self, jid: &FullJid) -> Option<Arc<Session>> {
        self.by_text(bare(jid))?.session(jid.resource().as_str())
    }
    /// Sessions of an account; none when nobody is there.
    pub fn sessions(&self, account: &BareJid) -> Vec<Arc<Session>> {
        self.user(account).map(|user| user.sessions()).unwrap_or_default()
    }
    /// Binds; an older session of the same resource gives way (RFC 6120 section 7.7.2.2, `conflict`).
    pub fn bind(&self, session: &Arc<Session>, max_resources: usize) -> Binding {
        let account = session.jid.to_bare();
        let mut shard = self.shard(account.as_str());
        let user = shard.entry(account.as_str().into()).or_insert_with(|| Arc::new(User::new(account))).clone();
        let mut sessions = user.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let same = sessions.iter().position(|s| s.jid.resource() == session.jid.resource());
        // A session that only waits for its client to come back makes room, the oldest first.
        let room = || sessions.iter().position(|s| s.is_asleep());
        let given = if sessions.len() >= max_resources { same.or_else(room) } else { same };
        if given.is_none() && sessions.len() >= max_resources {
            return Binding::Full;
        }
        // Not swapped: the order is that of their age.
        let replaced = given.map(|at| sessions.remove(at));
        let _ = session.user.set(user.clone());
        sessions.push(session.clone());
        self.open.fetch_add(1, Ordering::Relaxed);
        Binding::Bound(replaced)
    }
    /// Sessions that have not ended: those that gave way included.
    pub fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
    /// Resolves when a session has ended.
    pub async fn fewer(&self) {
        let fewer = self.fewer.notified();
        if self.count() > 0 {
            fewer.await;
        }
    }
    /// A bound session has ended, with all that follows from it.
    pub fn ended(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.fewer.notify_waiters();
    }
    /// Removes a session, also when another took its place. New messages wait until [`super::Router::undelivered`] has
    /// handed on what it had not read.
    pub fn unbind(&self, session: &Arc<Session>) {
        let account = session.jid.to_bare();
        self.leaving.begin(&account);
        let mut shard = self.shard(account.as_str());
        let Some(user) = shard.get(account.as_str()).cloned() else { return };
        let mut sessions = user.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|s| !Arc::ptr_eq(s, session));
        if sessions.is_empty() {
            shard.remove(account.as_str());
        }
    }
    /// All sessions of the server.
    pub fn all(&self) -> Vec<Arc<Session>> {
        let shard = |s: &Mutex<Shard>| s.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect::<Vec<_>>();
        self.shards.iter().flat_map(shard).flat_map(|user| user.sessions()).collect()
    }
}
