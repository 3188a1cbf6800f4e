//! Messages to accounts (RFC 6121 section 8.5): every row of its table is one arm here.
//!
//! Where the text leaves a choice: to the bare JID, `normal`, `chat` and `headline` reach *all* resources with a
//! non-negative priority; to a full JID that is gone, `normal` comes back (Prosody treats it like `chat`, against the
//! MUST of section 8.5.3.2.1) and a headline ends in silence.

use super::{Router, Session, Step, remote};
use crate::{
    facts::Facts,
    mailbox::{Address, Posted},
    plan::{HostPlan, Place},
    wire,
};
use bocage_api::{Delivery, Frozen, RecipientView, Stanza, StanzaError, Taken, stanza::MessageType};
use jid::{BareJid, Jid};
use std::sync::Arc;

impl Router {
    pub(super) fn message(self: &Arc<Self>, kind: MessageType, stanza: Stanza) -> Step {
        let Some(to) = stanza.to.clone().or_else(|| stanza.from.as_ref().map(|from| Jid::from(from.to_bare()))) else {
            return Step::Done;
        };
        let plans = self.plans();
        match plans.place(to.domain().as_str()) {
            None => remote(&stanza),
            Some(Place::Service(plan)) => self.to_service(plan, &to, stanza),
            Some(Place::Accounts(_)) if to.node().is_none() => Step::bounce(&stanza, &StanzaError::service_unavailable()),
            Some(Place::Accounts(plan)) => self.to_account(plan, kind, to, stanza),
        }
    }

    fn to_account(self: &Arc<Self>, plan: &Arc<HostPlan>, kind: MessageType, to: Jid, mut stanza: Stanza) -> Step {
        if !plan.at.recipient_rules.is_empty() {
            let owner = to.to_bare();
            let Some(facts) = self.facts.peek(&owner) else {
                return self.after_facts(owner, move |router, plan| router.to_account(&plan, kind, to, stanza));
            };
            if let Some(end) = judge(plan, &owner, &facts, &mut stanza) {
                return end;
            }
        }
        self.deliver_message(kind, &to, Arc::new(wire::freeze_for_wire(stanza)))
    }

    /// Loads the facts of `owner`, then goes on with the plan of its host as it is then.
    fn after_facts(
        self: &Arc<Self>,
        owner: BareJid,
        then: impl FnOnce(Arc<Self>, Arc<HostPlan>) -> Step + Send + 'static,
    ) -> Step {
        let router = self.clone();
        Step::Wait(Box::pin(async move {
            let loaded = router.facts.load(&owner).await;
            match (loaded, router.plans().accounts(owner.domain().as_str())) {
                (Ok(_), Some(plan)) => then(router.clone(), plan.clone()),
                _ => Step::Done,
            }
        }))
    }

    fn deliver_message(self: &Arc<Self>, kind: MessageType, to: &Jid, frozen: Arc<Frozen>) -> Step {
        if matches!(kind, MessageType::Chat | MessageType::Normal) && self.is_storing(&to.to_bare()) {
            return self.absent(to.to_bare(), frozen);
        }
        let user = self.users.user(&to.to_bare());
        if let (Some(user), Some(resource)) = (&user, to.resource())
            && let Some(session) = user.session(resource.as_str())
        {
            return match session.post(&frozen, Address::Own) {
                Ok(posted) => Step::posted(posted, &session),
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
        let mut taken = None;
        for session in self.wanting(owner) {
            match session.post(frozen, Address::Own) {
                Ok(Posted::Queued) => drop(taken.get_or_insert(Step::Done)),
                Ok(Posted::Pressure) => taken = Some(Step::Pressure(session)),
                Err(_) => {}
            }
        }
        taken
    }

    /// Nobody is there to read it: stored, or back to the sender (RFC 6121 section 8.5.2.2, XEP-0160).
    fn absent(self: &Arc<Self>, owner: BareJid, frozen: Arc<Frozen>) -> Step {
        let (router, storing) = (self.clone(), self.storing(owner.clone()));
        Step::Commit(Box::pin(async move {
            let step = router.keep(owner, frozen).await;
            drop(storing);
            step
        }))
    }

    async fn keep(self: Arc<Self>, owner: BareJid, frozen: Arc<Frozen>) -> Step {
        let facts = match self.facts.load(&owner).await {
            Ok(facts) => facts,
            Err(error) => return Step::bounce_frozen(&frozen, &error.into()),
        };
        let plans = self.plans();
        let Some(plan) = plans.accounts(owner.domain().as_str()).filter(|_| facts.exists) else {
            return Step::bounce_frozen(&frozen, &StanzaError::service_unavailable());
        };
        match plan.take_undeliverable(&owner, frozen.clone()).await {
            Ok(Taken::Declined) => Step::bounce_frozen(&frozen, &StanzaError::service_unavailable()),
            Err(error) => Step::bounce_frozen(&frozen, &error),
            Ok(Taken::Stored) => {
                // Somebody may have come while it was being stored.
                self.wanting(&owner).iter().for_each(|session| session.mailbox.flush_held());
                Step::Done
            }
        }
    }

    /// What a session that ended had not read yet: messages find another way, all else is lost with the session.
    pub async fn undelivered(self: &Arc<Self>, session: &Session, left: Vec<Arc<Frozen>>) {
        let owner = session.jid.to_bare();
        for frozen in left {
            let bocage_api::Kind::Message(kind @ (MessageType::Chat | MessageType::Normal)) = frozen.kind else { continue };
            // To a bare JID the other sessions have their copies.
            let shared = frozen.to.as_ref().is_none_or(Jid::is_bare) && !self.wanting(&owner).is_empty();
            if !shared {
                let to = frozen.to.clone().unwrap_or_else(|| owner.clone().into());
                let step = self.deliver_message(kind, &to, frozen);
                self.finish(step).await;
            }
        }
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

/// Recipient rules; `Some` ends the way of the stanza.
fn judge(plan: &HostPlan, owner: &BareJid, facts: &Facts, stanza: &mut Stanza) -> Option<Step> {
    let sender = stanza.from.clone()?;
    let relation = facts.relation(owner, &sender);
    match plan.judge(RecipientView { owner, sender: &sender, relation }, stanza) {
        Delivery::Deliver => None,
        Delivery::Reject(error) => Some(Step::bounce(stanza, &error)),
        Delivery::Silence => Some(Step::Done),
        // Holding is stored by the module that asked for it (H60).
        Delivery::Hold => Some(Step::Done),
    }
}
