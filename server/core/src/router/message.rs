//! Messages to accounts (RFC 6121 section 8.5): every row of its table is one arm here.
//!
//! Where the text leaves a choice: to the bare JID, `normal`, `chat` and `headline` reach *all* resources with a
//! non-negative priority; to a full JID that is gone, `normal` comes back (Prosody treats it like `chat`, against the
//! MUST of section 8.5.3.2.1) and a headline ends in silence.

use super::{Router, Step, held::Storing};
use crate::{
    facts::Facts,
    mailbox::{Address, Posted},
    plan::{HostPlan, Place},
    wire,
};
use bocage_api::{Frozen, Relation, Stanza, StanzaError, Taken, stanza::MessageType};
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
            None => self.to_remote(stanza),
            Some(Place::Service(plan)) => self.to_service(plan, &to, stanza),
            Some(Place::Accounts(_)) if to.node().is_none() => Step::bounce(&stanza, &StanzaError::service_unavailable()),
            Some(Place::Accounts(plan)) => self.to_account(plan, kind, to, stanza),
        }
    }

    fn to_account(self: &Arc<Self>, plan: &Arc<HostPlan>, kind: MessageType, to: Jid, mut stanza: Stanza) -> Step {
        if !plan.at.recipient_rules.is_empty() {
            let owner = to.to_bare();
            let Some(facts) = self.facts.peek(&owner) else {
                return self.after_facts(owner, stanza, move |router, stanza| router.message(kind, stanza));
            };
            if let Some(end) = self.judged(&owner, &facts, &mut stanza) {
                return end;
            }
        }
        self.deliver_message(kind, to, Arc::new(wire::freeze_for_wire(stanza)))
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
    fn deliver_message(self: &Arc<Self>, kind: MessageType, to: Jid, frozen: Arc<Frozen>) -> Step {
        let waits = matches!(kind, MessageType::Chat | MessageType::Normal) && self.users.leaving.is(&to.to_bare());
        if !waits {
            return self.place_message(kind, &to, frozen);
        }
        let router = self.clone();
        Step::Wait(Box::pin(async move {
            let owner = to.to_bare();
            // Whatever holds it up is not worth a sender's time: order is given up first.
            let _ = tokio::time::timeout(LEAVING, router.users.leaving.over(&owner)).await;
            router.place_message(kind, &to, frozen)
        }))
    }

    pub(super) fn place_message(self: &Arc<Self>, kind: MessageType, to: &Jid, frozen: Arc<Frozen>) -> Step {
        let session = to.try_as_full().ok().and_then(|full| self.users.session(full));
        // A session that gets no held messages would not get this one either, were it stored behind them.
        let behind = session.as_ref().is_none_or(|session| session.wants_messages());
        if behind && matches!(kind, MessageType::Chat | MessageType::Normal) && self.is_storing(&to.to_bare()) {
            return self.absent(to.to_bare(), frozen);
        }
        if let Some(session) = session {
            return match session.post(&frozen, Address::Own) {
                Ok(posted) => {
                    let step = Step::posted(posted, &session);
                    self.copy_received(&to.to_bare(), &frozen, &[session]);
                    step
                }
                Err(_) => self.absent(to.to_bare(), frozen),
            };
        }
        match (kind, to.is_full()) {
            (MessageType::Error, _) | (MessageType::Headline, true) => Step::Done,
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
            true
        });
        if let Some(delivery) = delivery {
            delivery.finish(frozen);
        }
        self.copy_received(owner, frozen, &sessions);
        taken
    }

    /// Nobody is there to read it: stored, or back to the sender (RFC 6121 section 8.5.2.2, XEP-0160).
    ///
    /// Facts that are missing hold up the sender: commits are queued by their first poll, in the order of messages, and
    /// one that had to load first would be overtaken.
    fn absent(self: &Arc<Self>, owner: BareJid, frozen: Arc<Frozen>) -> Step {
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
        match plan.take_undeliverable(owner, frozen.clone()).await {
            Ok(Taken::Declined) => self.untaken(&facts, owner, &frozen),
            Err(error) => Step::bounce_frozen(&frozen, &error),
            Ok(Taken::Stored) => {
                // Somebody may have come while it was being stored.
                self.was_stored(owner);
                self.wanting(owner).iter().for_each(|session| session.mailbox.flush_held());
                Step::Done
            }
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
            }
        }
    }
}
