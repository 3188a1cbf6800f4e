//! The two gates between an account and everybody else: rules for what comes in, filters for what goes out.
//!
//! What is shared among many (a broadcast presence) is not edited for one: of such only those on the block list are
//! asked about, with a head that stands for the whole.

use super::{Router, Session, Step};
use crate::{facts::Facts, plan::Place};
use bocage_api::{
    Delivery, EgressView, Frozen, Kind, RecipientView, Relation, Stanza, Verdict, ns,
    stanza::{IqType, PresenceType},
};
use jid::{BareJid, Jid};
use std::sync::Arc;

/// To whom a stanza goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// Somebody.
    Person,
    /// A room that the sender enters or is in.
    Room,
}

impl Session {
    /// A room is where the session showed itself with the payload that enters one (XEP-0045 section 7.1).
    fn addressee(&self, stanza: &Stanza) -> Addressee {
        let Some(to) = &stanza.to else { return Addressee::Person };
        let room = matches!(stanza.kind, Kind::Presence(_)) && (stanza.has("x", ns::MUC) || self.is_in_room(to));
        if room { Addressee::Room } else { Addressee::Person }
    }
}

impl Router {
    /// Recipient rules of `owner`; `Some` ends the way of the stanza.
    pub(crate) fn judged(&self, owner: &BareJid, facts: &Facts, stanza: &mut Stanza) -> Option<Step> {
        let sender = stanza.from.clone()?;
        if sender.to_bare() == *owner {
            return None;
        }
        let (relation, blocked) = (facts.relation(owner, &sender), facts.blocked.blocks_for(owner, &sender));
        let plans = self.plans();
        let plan = plans.accounts(owner.domain().as_str())?;
        match plan.judge(RecipientView { owner, sender: &sender, relation, blocked }, stanza) {
            Delivery::Deliver => None,
            Delivery::Reject(error) => Some(Step::bounce(stanza, &error)),
            Delivery::Silence => Some(Step::Done),
            // Holding is stored by the module that asked for it (H60).
            Delivery::Hold => Some(Step::Done),
        }
    }

    /// Is a shared presence, whose sender `owner` blocks, to be left out for `owner`?
    pub(super) fn is_kept_out(&self, owner: &BareJid, frozen: &Frozen) -> bool {
        let Some(sender) = &frozen.from else { return false };
        let plans = self.plans();
        let Some(plan) = plans.accounts(owner.domain().as_str()) else { return false };
        let facts = self.facts.peek(owner);
        let relation = facts.map_or(Relation::Stranger, |facts| facts.relation(owner, sender));
        let mut head = Stanza::new(frozen.kind, frozen.from.clone(), frozen.to.clone());
        plan.judge(RecipientView { owner, sender, relation, blocked: true }, &mut head) != Delivery::Deliver
    }

    /// Does presence of `owner`, whose facts these are, stay away from `to`, because it is blocked?
    pub(crate) fn is_kept_from(&self, owner: &BareJid, facts: &Facts, to: &Jid) -> bool {
        if !facts.blocked.blocks_for(owner, to) {
            return false;
        }
        let mut head = Stanza::new(Kind::Presence(PresenceType::Available), Some(owner.clone().into()), Some(to.clone()));
        self.egress(owner, (facts, Addressee::Person), &mut head) != Verdict::Pass
    }

    /// Egress filters for a stanza of `owner` to somebody else.
    pub(crate) fn egress(&self, owner: &BareJid, (facts, who): (&Facts, Addressee), stanza: &mut Stanza) -> Verdict {
        let Some(to) = &stanza.to else { return Verdict::Pass };
        let (relation, blocked) = (facts.relation(owner, to), facts.blocked.blocks_for(owner, to));
        let view = EgressView { relation, blocked, room: who == Addressee::Room };
        match self.plans().accounts(owner.domain().as_str()) {
            Some(plan) => plan.leaves(view, stanza),
            None => Verdict::Pass,
        }
    }

    /// Does it leave the account? What is for oneself or for the server does not.
    fn goes_out(&self, owner: &BareJid, stanza: &Stanza) -> bool {
        let Some(to) = &stanza.to else { return false };
        let server = to.node().is_none() && matches!(self.plans().place(to.domain().as_str()), Some(Place::Accounts(_)));
        let filtered = |plan: &Arc<crate::plan::HostPlan>| !plan.at.egress_filters.is_empty();
        !server && to.to_bare() != *owner && self.plans().accounts(owner.domain().as_str()).is_some_and(filtered)
    }

    /// What a session sends passes the egress filters, edited, and comes back to go on; or its way ends here.
    ///
    /// # Errors
    /// The end: an answer, silence, or facts to wait for, behind which `then` goes on.
    pub(crate) fn let_out(
        self: &Arc<Self>,
        session: &Arc<Session>,
        mut stanza: Stanza,
        then: fn(&Arc<Self>, &Arc<Session>, Stanza) -> Step,
    ) -> Result<Stanza, Step> {
        let owner = session.jid.to_bare();
        if !self.goes_out(&owner, &stanza) {
            return Ok(stanza);
        }
        let who = session.addressee(&stanza);
        if let Some(facts) = self.facts.peek(&owner) {
            return match self.egress(&owner, (&facts, who), &mut stanza) {
                Verdict::Pass => Ok(stanza),
                verdict => Err(ended(&stanza, verdict)),
            };
        }
        let (router, session) = (self.clone(), session.clone());
        Err(Step::Wait(Box::pin(async move {
            let facts = match router.facts.load(&owner).await {
                Ok(facts) => facts,
                Err(error) => return Step::bounce(&stanza, &error.into()),
            };
            match router.egress(&owner, (&facts, who), &mut stanza) {
                Verdict::Pass => then(&router, &session, stanza),
                verdict => ended(&stanza, verdict),
            }
        })))
    }
}

fn ended(stanza: &Stanza, verdict: Verdict) -> Step {
    match verdict {
        Verdict::Bounce(error) if stanza.kind != Kind::Iq(IqType::Result) => Step::bounce(stanza, &error),
        _ => Step::Done,
    }
}
