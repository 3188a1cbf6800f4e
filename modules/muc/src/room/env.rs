//! What a room is handed besides stanzas.

use super::{
    model::{RoomConfig, SeenBy},
    rate::Bucket,
};
use bocage_api::{Archives, Clock, Entropy, OptOut, Outbox, Rooms, Whois};
use jid::{BareJid, DomainPart};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

/// Who may make rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Create {
    Local,
    Admin,
}

/// The operator's part of how rooms are.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) create: Create,
    pub(crate) whois: Whois,
    pub(crate) public: bool,
    pub(crate) history: u32,
    /// Messages a second of one occupant; 0 = no limit.
    pub(crate) rate: u32,
    /// Joins a second of one room; 0 = no limit.
    pub(crate) join_rate: u32,
    pub(crate) max_occupants: u32,
}

impl Settings {
    /// A new room before its owner said anything.
    pub(crate) fn defaults(&self) -> RoomConfig {
        RoomConfig {
            public: self.public,
            history: self.history,
            whois: if self.whois == Whois::Nobody { SeenBy::Nobody } else { SeenBy::Moderators },
            ..RoomConfig::default()
        }
    }
}

/// Surroundings of all rooms of a host.
pub(crate) struct Env {
    /// Where accounts are.
    pub(crate) accounts: DomainPart,
    pub(crate) admins: Arc<[BareJid]>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    /// Names what is said.
    pub(crate) archives: Archives,
    pub(crate) outbox: Outbox,
    pub(crate) rooms: Rooms,
    pub(crate) opt_outs: Arc<OptOuts>,
    pub(crate) makers: Makers,
}

/// How many rooms each account makes, lately.
#[derive(Default)]
pub(crate) struct Makers(Mutex<HashMap<BareJid, Bucket>>);

/// Rooms that one account makes at once, and how long until it may make one more.
const BURST: u32 = 50;
const PAUSE: Duration = Duration::from_secs(20);
/// Accounts whose rooms are counted; above that, who made none lately is forgotten first.
const MAX_MAKERS: usize = 10_000;

impl Makers {
    /// May `who` make another one?
    pub(crate) fn take(&self, who: &BareJid, now: Duration) -> bool {
        let mut makers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if makers.len() >= MAX_MAKERS {
            makers.retain(|_, bucket| !bucket.is_full(now));
        }
        makers.len() < MAX_MAKERS && makers.entry(who.clone()).or_default().take_every(PAUSE, BURST, now)
    }
}

impl Env {
    pub(crate) fn may_create(&self, who: &BareJid) -> bool {
        match self.settings.create {
            Create::Local => *who.domain() == *self.accounts,
            Create::Admin => self.is_admin(who),
        }
    }
    pub(crate) fn is_admin(&self, who: &BareJid) -> bool {
        self.admins.contains(who)
    }
    /// `whois=nobody` is for operators who want it (H20).
    pub(crate) fn offers_nobody(&self) -> bool {
        self.settings.whois == Whois::Nobody || self.rooms.whois() == Whois::Nobody
    }
}

/// People who want to be somebody else under another nick (H25): in one room, or in all of the host.
#[derive(Default)]
pub(crate) struct OptOuts(RwLock<BTreeMap<BareJid, BTreeSet<Scope>>>);

/// Where a wish holds; `None` = everywhere.
pub(crate) type Scope = Option<BareJid>;

impl OptOuts {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<BareJid, BTreeSet<Scope>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn set(&self, who: &BareJid, scope: Scope, wish: OptOut) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match wish {
            OptOut::Yes => _ = all.entry(who.clone()).or_default().insert(scope),
            OptOut::No => {
                if let Some(scopes) = all.get_mut(who) {
                    scopes.remove(&scope);
                }
                all.retain(|_, scopes| !scopes.is_empty());
            }
        }
    }
    /// How many wishes there are, and how many of `who`.
    pub(crate) fn count(&self, who: &BareJid) -> (usize, usize) {
        let all = self.read();
        (all.values().map(BTreeSet::len).sum(), all.get(who).map_or(0, BTreeSet::len))
    }
    /// The wishes of `who`.
    pub(crate) fn of(&self, who: &BareJid) -> Vec<Scope> {
        self.read().get(who).into_iter().flatten().cloned().collect()
    }
    /// Whose wish holds in `room`.
    pub(crate) fn in_room(&self, room: &BareJid) -> Vec<BareJid> {
        let holds = |scopes: &BTreeSet<Scope>| scopes.iter().any(|scope| scope.as_ref().is_none_or(|named| named == room));
        self.read().iter().filter(|(_, scopes)| holds(scopes)).map(|(who, _)| who.clone()).collect()
    }
    /// What `who` wants in `room`.
    pub(crate) fn wish(&self, room: &BareJid, who: &BareJid) -> OptOut {
        let all = self.read();
        let holds = all.get(who).is_some_and(|scopes| scopes.iter().any(|s| s.as_ref().is_none_or(|named| named == room)));
        if holds { OptOut::Yes } else { OptOut::No }
    }
}
