//! A room as a state machine: a stanza in, what follows out. No I/O; clock and dice come with the [`Env`].
//!
//! What would surprise a reader: there is one way out for what occupants say and show, `emit.rs`, and nothing else builds
//! a stanza from what a client sent.

mod admin;
mod affiliation;
mod avatar;
mod config;
mod disco;
mod emit;
mod enter;
mod env;
mod form;
mod forward;
mod hats;
mod held;
mod history;
mod ids;
mod input;
mod invite;
mod iq;
mod leave;
mod links;
mod membership;
pub(crate) mod model;
mod moderate;
mod nick;
mod occupant;
mod owner;
mod presence;
mod private;
mod rate;
mod reader;
mod register;
mod speak;
mod subject;
mod voice;

use bocage_api::{
    Frozen, RoomView, Shows, Stanza, StanzaError,
    archive::{ArchiveEntry, Retraction, StanzaId},
};
pub(crate) use env::{Create, Env, Makers, OptOuts, Settings};
use history::Archived;
pub(crate) use history::Past;
pub(crate) use input::Cause;
use jid::{BareJid, FullJid, Jid};
use model::{Affiliation, Grant, RoomConfig, RoomKeys, RoomRecord};
pub(crate) use nick::{NO_NICK, NickKey};
pub(crate) use occupant::Occupant;
pub(crate) use reader::Reader;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Accounts with an affiliation, a nick or a hat in one room.
pub(crate) const MAX_GRANTS: usize = 10_000;
/// Sessions of one occupant.
pub(super) const MAX_SEATS: usize = 10;
/// People who left and can still be named by their occupant-id.
pub(super) const MAX_REMEMBERED: usize = 500;

/// What a room wants done, in order.
pub(crate) enum Out {
    /// To a session.
    Deliver(Arc<Frozen>, Arc<FullJid>),
    /// To many, once it is recorded.
    Say(Box<Said>),
    /// By the router's whole way: to accounts, not to occupants.
    Mail(Box<Stanza>),
    /// To be stored before anything of this turn is delivered.
    Keep(Kept),
}

/// Something said to all.
pub(crate) struct Said {
    pub(crate) stanza: Arc<Frozen>,
    pub(crate) to: Vec<Arc<FullJid>>,
    /// For the archive; who wrote it is told when it cannot be kept.
    pub(crate) record: Option<Record>,
}

/// A message on its way into the archive, and its head for who wrote it.
pub(crate) struct Record {
    pub(crate) entry: Option<ArchiveEntry>,
    pub(crate) id: StanzaId,
    pub(crate) head: Stanza,
}

/// A change to what is stored.
pub(crate) enum Kept {
    Room(Box<RoomRecord>),
    Grant(BareJid, Option<Box<Grant>>),
    /// The room and all that belongs to it.
    Destroyed,
    /// A message of the archive says this from now on.
    Retracted(Box<Retraction>),
    /// For how long messages are kept, if shorter than the service would.
    Keeps(Option<Duration>),
    /// Everything that was archived.
    Forgotten,
}

/// A room.
pub(crate) struct Room {
    pub(crate) jid: BareJid,
    me: Jid,
    state: RoomRecord,
    exists: bool,
    /// Created, and not set up yet (XEP-0045 section 10.1.1).
    locked: bool,
    grants: BTreeMap<BareJid, Grant>,
    occupants: BTreeMap<NickKey, Occupant>,
    seats: HashMap<FullJid, NickKey>,
    past: VecDeque<Past>,
    held: Vec<held::Held>,
    /// Iqs that were handed on to occupants.
    asked: Vec<forward::Asked>,
    /// Occupant-ids of who left lately, oldest first.
    remembered: VecDeque<(String, BareJid)>,
    /// Authors who want to be somebody else under another nick.
    opted: BTreeSet<String>,
    joins: rate::Bucket,
    subjects: rate::Bucket,
    requests: rate::Bucket,
    out: Vec<Out>,
}

impl Room {
    /// A room that nobody has made yet.
    pub(crate) fn new(jid: BareJid, env: &Env) -> Self {
        let keys = RoomKeys { author: env.entropy.bytes(), id: env.entropy.bytes() };
        let record = RoomRecord::new(env.settings.defaults(), keys);
        Self {
            me: Jid::from(jid.clone()),
            jid,
            state: record,
            exists: false,
            locked: false,
            grants: BTreeMap::new(),
            occupants: BTreeMap::new(),
            seats: HashMap::new(),
            past: VecDeque::new(),
            held: Vec::new(),
            asked: Vec::new(),
            remembered: VecDeque::new(),
            opted: BTreeSet::new(),
            joins: rate::Bucket::default(),
            subjects: rate::Bucket::default(),
            requests: rate::Bucket::default(),
            out: Vec::new(),
        }
    }
    /// A room as it was stored.
    pub(crate) fn wake(jid: BareJid, env: &Env, record: RoomRecord, grants: Vec<(BareJid, Grant)>, past: Vec<Past>) -> Self {
        let mut room = Self::new(jid, env);
        room.state = record;
        room.exists = true;
        room.grants = grants.into_iter().collect();
        room.past = past.into();
        room.refresh_ids(env);
        room
    }

    /// Nobody is inside, and nothing waits: what is stored is all there is.
    pub(crate) fn is_idle(&self) -> bool {
        self.seats.is_empty() && self.held.is_empty() && self.out.is_empty()
    }
    pub(crate) fn config(&self) -> &RoomConfig {
        &self.state.config
    }
    /// What follows from all that was handed in since the last call.
    pub(crate) fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }
    /// When [`Room::tick`] wants to be called, in monotonic time.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.held.iter().map(|held| held.until).chain(self.asked.iter().map(|asked| asked.until)).min()
    }

    pub(super) fn affiliation(&self, who: &BareJid) -> Affiliation {
        let own = self.grants.get(who).map_or(Affiliation::None, |grant| grant.affiliation);
        // Section 9.2: who is nothing else is banned with their domain.
        let banned = || self.grants.get(&BareJid::from_parts(None, who.domain())).is_some_and(Grant::is_ban);
        if own == Affiliation::None && banned() { Affiliation::Outcast } else { own }
    }
    pub(super) fn occupant_at(&self, seat: &Jid) -> Option<&Occupant> {
        let full = seat.try_as_full().ok()?;
        self.occupants.get(self.seats.get(full)?)
    }
    pub(super) fn by_nick(&self, nick: &str) -> Option<&Occupant> {
        self.occupants.get(&NickKey::of(nick)).filter(|occupant| occupant.nick.as_str() == nick)
    }
    /// What this room is to filters and policies.
    pub(super) fn view(&self) -> RoomView<'_> {
        let config = self.config();
        let open = config.members_only && config.whois == model::SeenBy::Anyone;
        RoomView {
            room: &self.jid,
            whois: config.whois.into(),
            members_only: config.members_only,
            hidden: !config.public,
            shows: Shows {
                caps: open && config.show_caps,
                status: open && config.show_status,
                avatars: open && config.show_avatars,
            },
        }
    }
    pub(super) fn is_archived(&self, env: &Env) -> bool {
        self.config().archive && !env.rooms.keep(&self.jid).is_zero()
    }
    /// May anybody read what is said here (XEP-0045 section 7.2.12)?
    pub(super) fn is_publicly_logged(&self, env: &Env) -> bool {
        let config = self.config();
        config.public && !config.members_only && config.password.is_none() && self.is_archived(env)
    }
    pub(super) fn store_room(&mut self) {
        if self.exists && !self.locked && self.config().persistent {
            self.out.push(Out::Keep(Kept::Room(Box::new(self.state.clone()))));
        }
    }

    /// An answer goes to wherever the request came from.
    pub(super) fn answer(&mut self, env: &Env, answer: Stanza) {
        let to = answer.to.clone();
        match to.map(Jid::try_into_full) {
            Some(Ok(full)) => {
                let seat = Arc::new(full);
                self.out.push(Out::Deliver(env.outbox.freeze(answer), seat));
            }
            Some(Err(_)) => self.out.push(Out::Mail(Box::new(answer))),
            None => {}
        }
    }
    /// The error answer; `by` the room, as XEP-0045's examples have it.
    pub(super) fn refuse(&mut self, env: &Env, head: &Stanza, error: &StanzaError) {
        let Some(mut answer) = head.bounce(error) else { return };
        if answer.from.is_none() {
            answer.from = Some(self.me.clone());
        }
        let by = self.jid.as_str().to_owned();
        if let Some(el) = answer.el.get_child_mut("error", bocage_api::ns::CLIENT) {
            crate::xml::set(el, rxml::xml_ncname!("by"), &by);
        }
        self.answer(env, answer);
    }
}
