//! All rooms of a host: which there are, which are awake, and the way of a stanza to the task of its room.
//!
//! `accept` never waits. A room sleeps in the store until somebody needs it, and falls asleep again when nobody does; what
//! is known of every room without waking it is in the [`Index`].

mod archive;
mod broken;
mod data;
mod index;
mod lobby;
mod privacy;
mod store;
mod task;

use crate::room::{Env, MAX_GRANTS};
pub(crate) use archive::Mam;
use bocage_api::{
    Disco, Frozen, Full, Host, Kind, Stanza, StanzaError, Tasks,
    rt::sync::{mpsc, oneshot},
    stanza::PresenceType,
};
pub(crate) use data::RoomData;
pub(crate) use index::Index;
use jid::BareJid;
pub(crate) use privacy::Privacy;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
pub use store::RoomStores;
pub(crate) use store::Store;

/// Stanzas that wait for one room.
const QUEUE: usize = 1_024;
/// Rooms awake at the same time.
const MAX_AWAKE: usize = 10_000;
/// Stanzas that wait for the host itself and for accounts.
const MAIL: usize = 1_024;

const _: () = assert!(MAX_GRANTS <= store::GRANT_ROWS);

/// What a room's task is handed.
pub(crate) enum Input {
    Stanza(Box<Stanza>, crate::room::Cause),
    /// Wishes about occupant-ids changed.
    Refresh,
    /// An account was deleted.
    Forget(BareJid, oneshot::Sender<()>),
    /// What may they read of the archive?
    Read(jid::Jid, oneshot::Sender<Result<crate::room::Reader, StanzaError>>),
    /// A command of the room.
    Command(jid::Jid, Box<minidom::Element>, oneshot::Sender<Result<minidom::Element, StanzaError>>),
    /// The service stops.
    Stop(oneshot::Sender<()>),
}

/// The host of rooms.
pub(crate) struct Service {
    pub(crate) env: Arc<Env>,
    pub(crate) index: Arc<Index>,
    pub(crate) store: Store,
    host: Host,
    disco: Disco,
    tasks: Tasks,
    awake: Mutex<HashMap<BareJid, mpsc::Sender<Input>>>,
    broken: Mutex<broken::Broken>,
    mail: mpsc::Sender<Box<Stanza>>,
}

impl Service {
    /// With the queue of what goes by the router's whole way.
    pub(crate) fn new(env: Arc<Env>, store: Store, host: (Host, Disco, Tasks)) -> (Arc<Self>, mpsc::Receiver<Box<Stanza>>) {
        let (mail, waiting) = mpsc::channel(MAIL);
        let (host, disco, tasks) = host;
        let service = Self {
            env,
            index: Arc::default(),
            store,
            host,
            disco,
            tasks,
            awake: Mutex::default(),
            broken: Mutex::default(),
            mail,
        };
        (Arc::new(service), waiting)
    }
    fn awake(&self) -> MutexGuard<'_, HashMap<BareJid, mpsc::Sender<Input>>> {
        self.awake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what has to be known before rooms wake; tried again until the store answers.
    pub(crate) async fn load(&self) {
        while let Err(error) = self.store.load(&self.index, &self.env.opt_outs).await {
            tracing::warn!(%error, "the rooms cannot be read from the store yet");
            bocage_api::rt::time::sleep(Duration::from_secs(5)).await;
        }
    }

    /// To the room that it is for, or answered at once.
    pub(crate) fn take(self: &Arc<Self>, stanza: Box<Frozen>, cause: crate::room::Cause) -> Result<(), Full<Box<Frozen>>> {
        let Some(to) = stanza.to.as_ref() else { return Ok(()) };
        if to.node().is_none() {
            return self.at_the_door(stanza);
        }
        let room = to.to_bare();
        if self.is_closed(&room) {
            return self.refuse(&stanza, &StanzaError::service_unavailable());
        }
        let place = match self.queue(&room, stanza.kind) {
            Queue::Place(place) => place,
            Queue::Full => return Err(Full(stanza)),
            Queue::NoRoom => return self.no_room(&stanza),
        };
        if let Some(stanza) = stanza.into_stanza() {
            place.send(Input::Stanza(Box::new(stanza), cause));
        }
        Ok(())
    }

    /// A place in the queue of a room; it is woken for it.
    fn queue(self: &Arc<Self>, room: &BareJid, kind: Kind) -> Queue {
        let mut awake = self.awake();
        if let Some(queue) = awake.get(room) {
            return match queue.clone().try_reserve_owned() {
                Ok(place) => Queue::Place(place),
                Err(_) => Queue::Full,
            };
        }
        // A room that is not there is made by presence alone; nothing else costs a task.
        let enters = kind == Kind::Presence(PresenceType::Available);
        if self.index.is_loaded() && !self.index.has(room) && !enters {
            return Queue::NoRoom;
        }
        if awake.len() >= MAX_AWAKE {
            return Queue::Full;
        }
        let (queue, inputs) = mpsc::channel(QUEUE);
        let Ok(place) = queue.clone().try_reserve_owned() else { return Queue::Full };
        awake.insert(room.clone(), queue);
        self.tasks.spawn("room", task::run(self.clone(), room.clone(), inputs));
        Queue::Place(place)
    }

    /// A room with nothing to do falls asleep, unless something came in meanwhile.
    fn sleep(&self, room: &BareJid, inputs: &mut mpsc::Receiver<Input>) -> Option<Input> {
        let mut awake = self.awake();
        match inputs.try_recv() {
            Ok(input) => Some(input),
            // A place that is reserved is filled in a moment.
            Err(_) if awake.get(room).is_some_and(|queue| queue.capacity() < queue.max_capacity()) => Some(Input::Refresh),
            Err(_) => {
                awake.remove(room);
                None
            }
        }
    }

    fn forget(&self, room: &BareJid) {
        self.awake().remove(room);
    }
    /// A room panicked.
    fn broke(&self, room: &BareJid) {
        let now = self.env.clock.mono();
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).note(room, now);
    }
    fn is_closed(&self, room: &BareJid) -> bool {
        let now = self.env.clock.mono();
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).is_closed(room, now)
    }

    /// The error answer, where there may be one.
    fn refuse(&self, stanza: &Frozen, error: &StanzaError) -> Result<(), Full<Box<Frozen>>> {
        let mut head = Stanza::new(stanza.kind, stanza.from.clone(), stanza.to.clone());
        head.id.clone_from(&stanza.id);
        // Who leaves is not told that there was nothing to leave.
        if stanza.kind != Kind::Presence(PresenceType::Unavailable)
            && let Some(answer) = head.bounce(error)
        {
            self.post(Box::new(answer));
        }
        Ok(())
    }
    fn no_room(&self, stanza: &Frozen) -> Result<(), Full<Box<Frozen>>> {
        self.refuse(stanza, &StanzaError::item_not_found())
    }

    /// A request that a room handed on did not go: the room reads what the one asked would have said.
    pub(crate) fn came_back(self: &Arc<Self>, head: &Stanza, error: &StanzaError) {
        let Some(answer) = head.bounce(error).filter(|answer| matches!(answer.kind, Kind::Iq(_))) else { return };
        let Some(room) = answer.to.as_ref().map(jid::Jid::to_bare) else { return };
        if let Queue::Place(place) = self.queue(&room, answer.kind) {
            place.send(Input::Stanza(Box::new(answer), crate::room::Cause::Meant));
        }
    }

    /// By the router's whole way, from the host's own task.
    pub(crate) fn post(&self, stanza: Box<Stanza>) {
        // Whom it does not reach would not have been told either: it is an invitation, or an answer to one.
        let _ = self.mail.try_send(stanza);
    }

    /// All rooms awake hear of it.
    pub(crate) fn tell_all(&self, input: impl Fn() -> Input) {
        let queues: Vec<_> = self.awake().values().cloned().collect();
        for queue in queues {
            let _ = queue.try_send(input());
        }
    }

    /// All rooms end their business: occupants of other servers are told (332).
    pub(crate) async fn stop(&self) {
        let queues: Vec<_> = self.awake().values().cloned().collect();
        for queue in queues {
            let (done, told) = oneshot::channel();
            if queue.try_send(Input::Stop(done)).is_ok() {
                let _ = told.await;
            }
        }
    }
}

enum Queue {
    Place(mpsc::OwnedPermit<Input>),
    Full,
    NoRoom,
}
