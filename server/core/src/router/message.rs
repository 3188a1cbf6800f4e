//! Messages to accounts (RFC 6121 section 8.5): every row of its table is one arm here.
//!
//! Where the text leaves a choice: to the bare JID, `normal`, `chat` and `headline` reach *all* resources with a
//! non-negative priority; to a full JID that is gone, `normal` comes back (Prosody treats it like `chat`, against the
//! MUST of section 8.5.3.2.1) and a headline ends in silence.

use super::{Router, Session, Step, held::Storing, record::Draft};
use crate::{
    facts::Facts,
    mailbox::{Address, Posted},
    plan::{HostPlan, Place},
    wire,
};
use bocage_api::{
    BoxFuture, Frozen, Kind, Relation, Stanza, StanzaError, Taken,
    archive::{Append, ArchiveEntry, StanzaId},
    stanza::MessageType,
    store::{StoreError, Stored},
};
use jid::{BareJid, Jid};
use std::{sync::Arc, time::Duration};

/// A sender waits for messages of a session that has just ended at most so long.
const LEAVING: Duration = Duration::from_secs(5);

/// A message that is to wait for its addressee.
struct Row {
    owner: BareJid,
    id: StanzaId,
    limit: usize,
    /// What is to be stored; `None`: the archive has it.
    entry: Option<ArchiveEntry>,
}

impl Router {
    pub(super) fn message(self: &Arc<Self>, kind: MessageType, stanza: Stanza) -> Step {
        let Some(to) = stanza.to.clone().or_else(|| stanza.from.as_ref().map(|from| Jid::from(from.to_bare()))) else {
            return Step::Done;
        };
        let plans = self.plans();
        match plans.place(to.domain().as_str()) {
            None if is_storable(kind) => self.record_outgoing(stanza),
            None => self.to_remote(stanza),
            Some(Place::Service(plan)) => self.to_service(plan, &to, stanza),
            Some(Place::Accounts(_)) if to.node().is_none() => Step::bounce(&stanza, &StanzaError::service_unavailable()),
            Some(Place::Accounts(plan)) => self.to_account(plan, kind, to, stanza),
        }
    }

    fn to_account(self: &Arc<Self>, plan: &Arc<HostPlan>, kind: MessageType, to: Jid, mut stanza: Stanza) -> Step {
        let owner = to.to_bare();
        let stored = is_storable(kind) && !self.comes_back(kind, &to);
        if stored && self.users.leaving.is(&owner) {
            return self.after_leaving(owner, move |router| router.message(kind, stanza));
        }
        if stored || !plan.at.recipient_rules.is_empty() {
            let Some(facts) = self.facts.peek(&owner) else {
                return self.after_facts(owner, stanza, move |router, stanza| router.message(kind, stanza));
            };
            if let Some(end) = self.judged(&owner, &facts, &mut stanza) {
                self.copy_unrecorded(kind, &stanza);
                return end;
            }
            if stored {
                return self.record(plan, Draft { kind, to, frozen: wire::freeze(stanza, wire::Tree::Keep), facts });
            }
        }
        self.copy_unrecorded(kind, &stanza);
        let frozen = Arc::new(wire::freeze_for_wire(stanza));
        Step::Then(Box::new(move |router| router.deliver_message(kind, to, frozen)))
    }

    /// Is it among what archives may keep, so that the copies for its sender's devices are made there?
    pub(super) fn is_recorded(&self, kind: MessageType, to: Option<&Jid>) -> bool {
        let Some(to) = to.filter(|_| is_storable(kind)) else { return false };
        match self.plans().place(to.domain().as_str()) {
            None => true,
            Some(Place::Accounts(_)) => to.node().is_some(),
            Some(Place::Service(_)) => false,
        }
    }

    /// Will it come back, whoever is there? (RFC 6121 section 8.5.3.2.1)
    fn comes_back(&self, kind: MessageType, to: &Jid) -> bool {
        let gone = || to.try_as_full().is_ok_and(|full| self.users.session(full).is_none());
        kind == MessageType::Normal && gone()
    }

    /// Loads the facts of `owner`, then goes on; without facts the sender is told that it cannot be said now.
    pub(super) fn after_facts(
        self: &Arc<Self>,
        owner: BareJid,
        stanza: Stanza,
        then: impl FnOnce(Arc<Self>, Stanza) -> Step + Send + 'static,
    ) -> Step {
        let router = self.clone();
        Step::Wait(Box::pin(async move {
            match router.facts.load(&owner).await {
                Ok(_) => then(router.clone(), stanza),
                Err(error) => Step::bounce(&stanza, &error.into()),
            }
        }))
    }

    /// Behind what a session that has just ended had not read.
    pub(super) fn deliver_message(self: &Arc<Self>, kind: MessageType, to: Jid, frozen: Arc<Frozen>) -> Step {
        if is_storable(kind) && self.users.leaving.is(&to.to_bare()) {
            return self.after_leaving(to.to_bare(), move |router| router.place_message(kind, &to, frozen));
        }
        self.place_message(kind, &to, frozen)
    }

    fn after_leaving(self: &Arc<Self>, owner: BareJid, then: impl FnOnce(&Arc<Self>) -> Step + Send + 'static) -> Step {
        let router = self.clone();
        Step::Wait(Box::pin(async move {
            // Whatever holds it up is not worth a sender's time: order is given up first.
            let _ = tokio::time::timeout(LEAVING, router.users.leaving.over(&owner)).await;
            then(&router)
        }))
    }

    pub(super) fn place_message(self: &Arc<Self>, kind: MessageType, to: &Jid, frozen: Arc<Frozen>) -> Step {
        let session = to.try_as_full().ok().and_then(|full| self.users.session(full));
        // A session that gets no held messages would not get this one either, were it stored behind them.
        let behind = session.as_ref().is_none_or(|session| session.wants_messages());
        let comes_back = session.is_none() && kind == MessageType::Normal && to.is_full();
        if is_storable(kind)
            && !comes_back
            && let Some(step) = self.to_sleepers(&to.to_bare(), &frozen)
        {
            return step;
        }
        if behind && is_storable(kind) && self.is_storing(&to.to_bare()) {
            return self.absent(to.to_bare(), frozen);
        }
        if let Some(session) = session {
            return match session.post(&frozen, Address::Own) {
                Ok(posted) => {
                    let step = Step::posted(posted, &session);
                    self.wake(&session, &frozen);
                    self.copy_received(&to.to_bare(), &frozen, &[session]);
                    step
                }
                Err(_) => self.absent(to.to_bare(), frozen),
            };
        }
        match (kind, to.is_full()) {
            (MessageType::Error, _) | (MessageType::Headline, true) => Step::Done,
            // What an archive has is not refused any more.
            (MessageType::Normal, true) if frozen.archived.is_some() => self.absent(to.to_bare(), frozen),
            (MessageType::Groupchat, _) | (MessageType::Normal, true) => {
                Step::bounce_frozen(&frozen, &StanzaError::service_unavailable())
            }
            (MessageType::Headline, false) => {
                self.to_all(&to.to_bare(), &frozen);
                Step::Done
            }
            (MessageType::Normal | MessageType::Chat, _) => self.to_bare(to.to_bare(), frozen),
        }
    }

    fn to_bare(self: &Arc<Self>, owner: BareJid, frozen: Arc<Frozen>) -> Step {
        self.to_all(&owner, &frozen).unwrap_or_else(|| self.absent(owner, frozen))
    }

    /// To sessions that sleep: in the turn of its sender it is in their mailboxes, with the name of the row that it has before
    /// it counts as accepted. `None` when somebody is awake, when nobody is there, and for what does not wait in the store.
    fn to_sleepers(self: &Arc<Self>, owner: &BareJid, frozen: &Arc<Frozen>) -> Option<Step> {
        let wanting = self.wanting(owner);
        let sleepers = self.addressed(frozen).map_or_else(|| wanting.clone(), |session| vec![session]);
        if sleepers.is_empty() || sleepers.iter().chain(&wanting).any(|session| !session.is_asleep()) {
            return None;
        }
        let plan = self.plans().accounts(owner.domain().as_str())?.clone();
        let row = self.row(&plan, (owner, plan.holds(owner, frozen)?), frozen)?;
        let with_row = Arc::new(Frozen { waits: Some(row.id), ..(**frozen).clone() });
        let storing = self.storing(owner.clone());
        let took: Vec<_> = sleepers.into_iter().filter(|session| session.post(&with_row, Address::Own).is_ok()).collect();
        took.first()?;
        took.iter().for_each(|session| self.wake(session, &with_row));
        self.copy_received(owner, &with_row, &took);
        let (router, frozen) = (self.clone(), frozen.clone());
        Some(Step::Commit(Box::pin(async move {
            let stored = router.store_row(row).await;
            if stored != Ok(true) {
                took.iter().for_each(|session| session.mailbox.exchange(&with_row, &frozen));
            }
            router.was_stored(storing.owner());
            match stored {
                Ok(_) | Err(StoreError::Limit(_)) => Step::Done,
                Err(error) => Step::bounce_frozen(&frozen, &error.into()),
            }
        })))
    }

    /// To all sessions that want it; `None` when none took it.
    fn to_all(&self, owner: &BareJid, frozen: &Arc<Frozen>) -> Option<Step> {
        let user = self.users.user(owner)?;
        let mut sessions = user.sessions();
        sessions.retain(|session| session.wants_messages());
        let mut delivery = user.copies.delivery_to(&sessions);
        let mut taken = None;
        sessions.retain(|session| {
            match session.post(frozen, Address::Own) {
                Ok(Posted::Queued) => drop(taken.get_or_insert(Step::Done)),
                Ok(Posted::Pressure) => taken = Some(Step::Pressure(session.clone())),
                Err(_) => return false,
            }
            if let Some(delivery) = &mut delivery {
                delivery.taken_by(session);
            }
            self.wake(session, frozen);
            true
        });
        if let Some(delivery) = delivery {
            delivery.finish(frozen);
        }
        self.copy_received(owner, frozen, &sessions);
        taken
    }

    /// A client whose connection is lost may hear by other ways that something waits (XEP-0357).
    pub(super) fn wake(&self, session: &Session, message: &Frozen) {
        if session.is_asleep()
            && let Some(plan) = self.plans().accounts(session.jid.domain().as_str())
        {
            plan.tell_waiting(&session.jid, message);
        }
    }

    /// Nobody is there to read it: stored, or back to the sender (RFC 6121 section 8.5.2.2, XEP-0160).
    ///
    /// Facts that are missing hold up the sender: commits are queued by their first poll, in the order of messages, and
    /// one that had to load first would be overtaken.
    pub(super) fn absent(self: &Arc<Self>, owner: BareJid, frozen: Arc<Frozen>) -> Step {
        let (router, storing) = (self.clone(), self.storing(owner.clone()));
        if let Some(facts) = self.facts.peek(&owner) {
            return Step::Commit(Box::pin(router.keep(facts, storing, frozen)));
        }
        Step::Wait(Box::pin(async move {
            match router.facts.load(&owner).await {
                Ok(facts) => Step::Commit(Box::pin(router.clone().keep(facts, storing, frozen))),
                Err(error) => Step::bounce_frozen(&frozen, &error.into()),
            }
        }))
    }

    async fn keep(self: Arc<Self>, facts: Arc<Facts>, storing: Storing, frozen: Arc<Frozen>) -> Step {
        let owner = storing.owner();
        let plans = self.plans();
        let Some(plan) = plans.accounts(owner.domain().as_str()).filter(|_| facts.exists) else {
            return self.untaken(&facts, owner, &frozen);
        };
        let row = match plan.holds(owner, &frozen) {
            Some(limit) => self.wait_in_store(plan, (owner, limit), &frozen).await,
            None => Ok(None),
        };
        match row {
            Ok(Some(id)) => Step::Then(Box::new(move |router| router.hand_out(&storing, id, frozen))),
            Err(StoreError::Limit(_)) => Step::bounce_frozen(&frozen, &StanzaError::service_unavailable()),
            Err(error) => Step::bounce_frozen(&frozen, &error.into()),
            // It was behind one that was being stored.
            Ok(None) if self.to_present(owner, &frozen) => Step::Done,
            Ok(None) => match plan.take_undeliverable(owner, frozen.clone()).await {
                Ok(Taken::Stored) => Step::Done,
                _ if frozen.archived.is_some() => Step::Done,
                Ok(Taken::Declined) => self.untaken(&facts, owner, &frozen),
                Err(error) => Step::bounce_frozen(&frozen, &error),
            },
        }
    }

    /// Stores the row that waits for `owner` with it; `None` for what is in the archive and does not wait besides.
    async fn wait_in_store(&self, plan: &HostPlan, whose: (&BareJid, usize), frozen: &Frozen) -> Stored<Option<StanzaId>> {
        let Some(row) = self.row(plan, whose, frozen) else { return Ok(None) };
        let id = row.id;
        Ok(self.store_row(row).await?.then_some(id))
    }

    /// The row that is to wait with it (XEP-0160): the archive's where that has it. `None` without a sender.
    fn row(&self, plan: &HostPlan, (owner, limit): (&BareJid, usize), frozen: &Frozen) -> Option<Row> {
        let entry = match frozen.archived {
            Some(_) => None,
            None => Some(self.held_entry(plan, owner, frozen, limit)?),
        };
        let id = frozen.archived.or(entry.as_ref().map(|entry| entry.id))?;
        Some(Row { owner: owner.clone(), id, limit, entry })
    }

    /// A full queue answers the sender of what no archive has, as section 2 of XEP-0160 wants. `false`: the archive has it, and
    /// it does not wait besides.
    async fn store_row(&self, row: Row) -> Stored<bool> {
        let Row { owner, id, limit, entry } = row;
        if let Some(entry) = entry {
            return self.stores.archive.append(Append { entries: vec![entry], once: false }).await.map(|_| true);
        }
        Ok(self.stores.archive.hold(&owner, id, limit).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a message is in the archive, but does not wait besides");
            false
        }))
    }

    /// A row for what a session has that falls asleep, and whose client may never get it: what is sent later has one, too, and
    /// stands behind it. Resolves to the message with its row; queued at the first poll. `None` for what does not wait.
    pub(crate) fn shelter(
        self: &Arc<Self>,
        session: &Session,
        frozen: &Arc<Frozen>,
    ) -> Option<BoxFuture<'static, Option<Arc<Frozen>>>> {
        let storable = matches!(frozen.kind, Kind::Message(kind) if is_storable(kind)) && !frozen.traits.is_copy();
        if !storable || frozen.waits.is_some() || session.is_read_elsewhere(frozen) {
            return None;
        }
        let owner = session.jid.to_bare();
        let plan = self.plans().accounts(owner.domain().as_str())?.clone();
        let limit = plan.holds(&owner, frozen)?;
        let (router, frozen, storing) = (self.clone(), frozen.clone(), self.storing(owner));
        Some(Box::pin(async move {
            match router.wait_in_store(&plan, (storing.owner(), limit), &frozen).await {
                Ok(id) => Some(Arc::new(Frozen { waits: Some(id?), ..(*frozen).clone() })),
                Err(error) => {
                    tracing::warn!(%error, "what a session had not read is in memory alone while it sleeps");
                    None
                }
            }
        }))
    }

    /// To who is there after all.
    fn to_present(&self, owner: &BareJid, frozen: &Arc<Frozen>) -> bool {
        let Some(session) = self.addressed(frozen) else { return self.to_all(owner, frozen).is_some() };
        let posted = session.post(frozen, Address::Own).is_ok();
        if posted {
            self.wake(&session, frozen);
            self.copy_received(owner, frozen, &[session]);
        }
        posted
    }

    /// Nobody takes it. Strangers elsewhere hear nothing, as they do of what is kept: no oracle for existence (H49).
    fn untaken(&self, facts: &Facts, owner: &BareJid, frozen: &Frozen) -> Step {
        let stranger = |from: &Jid| {
            self.plans().place(from.domain().as_str()).is_none() && facts.relation(owner, from) == Relation::Stranger
        };
        if frozen.from.as_ref().is_some_and(stranger) {
            return Step::Done;
        }
        Step::bounce_frozen(frozen, &StanzaError::service_unavailable())
    }

    /// Drives a step whose sender is not there: an answer is routed to them.
    pub async fn finish(self: &Arc<Self>, mut step: Step) {
        loop {
            step = match step {
                Step::Done | Step::Pressure(_) => return,
                Step::Answer(answer) => self.route(*answer),
                Step::Wait(later) | Step::Commit(later) => later.await,
                Step::Then(then) => then(self),
            }
        }
    }
}

/// Messages that may wait and that archives keep.
fn is_storable(kind: MessageType) -> bool {
    matches!(kind, MessageType::Chat | MessageType::Normal)
}
