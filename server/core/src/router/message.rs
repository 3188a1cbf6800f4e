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
use bocage_api::{Frozen, Relation, Stanza, StanzaError, Taken, archive::Append, stanza::MessageType, store::StoreError};
use jid::{BareJid, Jid};
use std::{sync::Arc, time::Duration};

/// A sender waits for messages of a session that has just ended at most so long.
const LEAVING: Duration = Duration::from_secs(5);

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
                return end;
            }
            if stored {
                return self.record(plan, Draft { kind, to, frozen: wire::freeze(stanza, wire::Tree::Keep), facts });
            }
        }
        let frozen = Arc::new(wire::freeze_for_wire(stanza));
        Step::Then(Box::new(move |router| router.deliver_message(kind, to, frozen)))
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
    fn wake(&self, session: &Session, message: &Frozen) {
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
        match (frozen.archived, plan.holds(owner, &frozen)) {
            (Some(id), Some(limit)) => {
                if let Err(error) = self.stores.archive.hold(owner, id, limit).await {
                    tracing::warn!(%error, "a message is in the archive, but does not wait besides");
                }
                self.is_stored(owner, frozen).await;
                Step::Done
            }
            (Some(_), None) => {
                self.is_stored(owner, frozen).await;
                Step::Done
            }
            (None, Some(limit)) => self.hold(plan, (owner, limit), frozen).await,
            (None, None) => match plan.take_undeliverable(owner, frozen.clone()).await {
                Ok(Taken::Stored) => Step::Done,
                Ok(Taken::Declined) => self.untaken(&facts, owner, &frozen),
                Err(error) => Step::bounce_frozen(&frozen, &error),
            },
        }
    }

    /// A row for what no archive has (XEP-0160); a full queue answers the sender, as section 2 wants.
    async fn hold(self: &Arc<Self>, plan: &HostPlan, (owner, limit): (&BareJid, usize), frozen: Arc<Frozen>) -> Step {
        let Some(entry) = self.held_entry(plan, owner, &frozen, limit) else { return Step::Done };
        match self.stores.archive.append(Append { entries: vec![entry], once: false }).await {
            Ok(_) => {
                self.is_stored(owner, frozen).await;
                Step::Done
            }
            Err(StoreError::Limit(_)) => Step::bounce_frozen(&frozen, &StanzaError::service_unavailable()),
            Err(error) => Step::bounce_frozen(&frozen, &error.into()),
        }
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
