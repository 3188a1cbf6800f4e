//! Routing (RFC 6120 section 10, RFC 6121 section 8): from a stamped stanza to whom it concerns.
//!
//! Nothing here waits for a recipient. What must wait for the store comes back as a future in a [`Step`]; the
//! sender's own loop drives it.

mod access;
mod asks;
mod carbons;
mod copies;
mod deliver;
mod gates;
mod held;
mod iq;
mod leaving;
mod message;
mod ports;
mod record;
mod undelivered;
mod users;

#[cfg(test)]
mod tests;

use crate::{
    facts::FactsCache,
    mailbox::{Budget, Posted},
    plan::{Place, Plans},
    presence::Leaves,
    s2s::Links,
    settings::Limits,
    sm::Former,
    tasks::Supervisor,
    wire,
};
use bocage_api::{
    BoxFuture, Clock, Entropy, Frozen, Stanza, StanzaError,
    stanza::{Kind, PresenceType},
    store::Stores,
};
use bocage_sasl::{Moment, Tokens};
pub(crate) use gates::Addressee;
pub use held::FlushClaim;
pub(crate) use held::PAGE as HELD_PAGE;
pub use iq::{IqJob, ServiceJob};
use jid::{BareJid, Jid};
pub use ports::Ports;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::Notify;
pub use users::{Binding, Directed, MAX_DIRECTED, Session, User, Users};
pub(crate) use users::{Client, Proof};

/// Something to be done by the router in its turn.
pub type Then = Box<dyn FnOnce(&Arc<Router>) -> Step + Send>;

/// What routing a stanza led to.
pub enum Step {
    /// Done.
    Done,
    /// Done; this session is slow: its senders pause until it has caught up.
    Pressure(Arc<Session>),
    /// The sender gets this answer.
    Answer(Box<Stanza>),
    /// Facts are missing: wait before anything else of this sender is looked at.
    Wait(BoxFuture<'static, Step>),
    /// Something is being committed: the sender may read on; completions are released in order.
    Commit(BoxFuture<'static, Step>),
    /// To be done when all is done that the sender sent before; then it leads on.
    Then(Then),
}

impl Step {
    /// From a delivery to one session.
    fn posted(posted: Posted, session: &Arc<Session>) -> Self {
        match posted {
            Posted::Queued => Self::Done,
            Posted::Pressure => Self::Pressure(session.clone()),
        }
    }
    /// The error answer to `stanza`, where it may have one.
    pub(crate) fn bounce(stanza: &Stanza, error: &StanzaError) -> Self {
        stanza.bounce(error).map_or(Self::Done, |answer| Self::Answer(Box::new(answer)))
    }
    pub(crate) fn bounce_frozen(stanza: &Frozen, error: &StanzaError) -> Self {
        Self::bounce_as(stanza, stanza.to.clone(), error)
    }
    /// The same for a shared stanza that was on its way to `to`.
    pub(crate) fn bounce_from(stanza: &Frozen, to: &Jid, error: &StanzaError) -> Self {
        Self::bounce_as(stanza, Some(to.clone()), error)
    }
    fn bounce_as(stanza: &Frozen, to: Option<Jid>, error: &StanzaError) -> Self {
        let mut head = Stanza::new(stanza.kind, stanza.from.clone(), to);
        head.id.clone_from(&stanza.id);
        Self::bounce(&head, error)
    }
}

/// The router.
pub struct Router {
    /// Sessions.
    pub users: Users,
    /// Facts about accounts.
    pub facts: FactsCache,
    /// The stores.
    pub stores: Stores,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Limits of sessions.
    pub limits: Limits,
    /// What mailboxes may hold together.
    pub budget: Arc<Budget>,
    /// Tasks.
    pub tasks: Arc<Supervisor>,
    /// Queues of other servers.
    pub links: Links,
    /// Accounts were made, changed or deleted: statistics about them are stale.
    pub accounts_changed: Notify,
    /// Sessions that could have been resumed and are over.
    pub(crate) former: Former,
    /// Tokens for logging in, in RAM alone (H11).
    tokens: Mutex<Tokens>,
    /// Leaves of rooms elsewhere that wait.
    pub leaves: Leaves,
    asks: asks::Asks,
    held: held::HeldState,
    plans: RwLock<Arc<Plans>>,
}

impl Router {
    /// A router without plans: nothing is served until [`Router::set_plans`].
    #[must_use]
    pub fn new(stores: Stores, clock: Clock, entropy: Entropy, limits: Limits) -> Self {
        Self {
            users: Users::default(),
            facts: FactsCache::new(stores.clone()),
            stores,
            clock,
            entropy,
            limits,
            budget: Arc::new(Budget::new(limits.queue_budget)),
            tasks: Arc::default(),
            links: Links::default(),
            accounts_changed: Notify::new(),
            former: Former::default(),
            tokens: Mutex::new(Tokens::new(limits.token_ttl)),
            leaves: Leaves::default(),
            asks: asks::Asks::default(),
            held: held::HeldState::default(),
            plans: RwLock::default(),
        }
    }
    /// The tokens of all accounts.
    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Now, by both clocks.
    pub(crate) fn now(&self) -> Moment {
        Moment { wall: self.clock.wall(), mono: self.clock.mono() }
    }
    /// The current plans.
    pub fn plans(&self) -> Arc<Plans> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Replaces the plans: from the next stanza on.
    pub fn set_plans(&self, plans: Plans) {
        *self.plans.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plans);
    }

    /// Routes what a client or a part of the server itself sends; `from` is stamped already.
    pub fn route(self: &Arc<Self>, stanza: Stanza) -> Step {
        match stanza.kind {
            Kind::Message(kind) => self.message(kind, stanza),
            Kind::Presence(PresenceType::Available | PresenceType::Unavailable | PresenceType::Error) => self.presence_to(stanza),
            Kind::Presence(_) => Step::Wait(Box::pin(crate::presence::inbound(self.clone(), stanza))),
            Kind::Iq(_) => match self.iq(stanza) {
                IqJob::Step(step) => step,
                IqJob::Service(_, job) => Step::Wait(Box::pin(async move { job.without_reply().await })),
            },
        }
    }

    /// Routes and drives every step to its end; for senders without a loop of their own.
    ///
    /// # Errors
    /// What the sender would have been told.
    pub async fn send(self: &Arc<Self>, stanza: Stanza) -> Result<(), StanzaError> {
        let mut step = self.route(stanza);
        loop {
            step = match step {
                Step::Done | Step::Pressure(_) => return Ok(()),
                Step::Answer(answer) if answer.kind.is_error() => return Err(StanzaError::service_unavailable()),
                // What a service asked of an account goes back to it.
                Step::Answer(answer) if self.is_service(answer.to.as_ref()) => self.route(*answer),
                Step::Answer(_) => return Ok(()),
                Step::Wait(later) | Step::Commit(later) => later.await,
                Step::Then(then) => then(self),
            }
        }
    }

    fn is_service(&self, to: Option<&Jid>) -> bool {
        to.is_some_and(|to| matches!(self.plans().place(to.domain().as_str()), Some(Place::Service(_))))
    }

    /// Directed presence and presence errors (RFC 6121 sections 4.6, 8.5).
    fn presence_to(self: &Arc<Self>, stanza: Stanza) -> Step {
        let Some(to) = stanza.to.clone() else { return Step::Done };
        let plans = self.plans();
        match plans.place(to.domain().as_str()) {
            None => self.to_remote(stanza),
            Some(Place::Service(plan)) => self.to_service(plan, &to, stanza),
            Some(Place::Accounts(_)) => {
                let frozen = Arc::new(wire::freeze_for_wire(stanza));
                self.deliver_presence(&to, &frozen);
                Step::Done
            }
        }
    }

    /// To the session named, or to all available ones of a bare JID; to nobody in silence.
    pub fn deliver_presence(&self, to: &Jid, frozen: &Arc<Frozen>) {
        use crate::mailbox::Address;
        let sessions = match to.try_as_full() {
            Ok(full) => self.users.session(full).into_iter().collect(),
            Err(bare) => self.users.sessions(bare),
        };
        let address = if to.is_full() { Address::Own } else { Address::Bare };
        if frozen.from.as_ref().is_some_and(|from| sessions.first().is_some_and(|one| one.blocks(from)))
            && self.is_kept_out(&to.to_bare(), frozen)
        {
            return;
        }
        for session in sessions.iter().filter(|s| to.is_full() || s.presence().is_some()) {
            // A presence that finds no room is lost with the session that had none: it is cut.
            let _ = session.post(frozen, address);
        }
    }

    /// Stanzas about subscriptions: requests to who is available (RFC 6121 section 3.1.3), all else to who asked for the
    /// roster too, because it explains the push that follows (sections 3.1.6, 3.2.3, 3.3.3).
    pub fn deliver_subscription(&self, kind: PresenceType, owner: &BareJid, frozen: &Arc<Frozen>) {
        let sessions = self.users.sessions(owner);
        let interested = |s: &Session| kind != PresenceType::Subscribe && s.is_interested();
        for session in sessions.iter().filter(|s| s.presence().is_some() || interested(s)) {
            let _ = session.post(frozen, crate::mailbox::Address::Bare);
        }
    }

    /// Presence of any type for a service.
    pub fn presence_to_service(&self, to: &Jid, stanza: Stanza) -> Step {
        match self.plans().place(to.domain().as_str()) {
            Some(Place::Service(plan)) => self.to_service(plan, to, stanza),
            _ => Step::Done,
        }
    }

    fn to_service(&self, plan: &crate::plan::HostPlan, to: &Jid, stanza: Stanza) -> Step {
        let mut head = Stanza::new(stanza.kind, stanza.from.clone(), stanza.to.clone());
        head.id.clone_from(&stanza.id);
        match plan.post_to_service(to.domain().as_str(), wire::freeze(stanza, wire::Tree::Keep)) {
            Ok(()) => Step::Done,
            Err(error) => Step::bounce(&head, &error),
        }
    }

    /// The `unavailable` of a session that did not leave on purpose.
    pub(crate) fn session_over(self: &Arc<Self>, stanza: Stanza) -> Step {
        let plans = self.plans();
        let domain = stanza.to.as_ref().map(|to| to.domain().as_str().to_owned()).unwrap_or_default();
        let Some(Place::Service(plan)) = plans.place(&domain) else { return self.route(stanza) };
        // A service that has no room for it now finds out with what it sends next.
        let _ = plan.session_over(&domain, wire::freeze(stanza, wire::Tree::Keep));
        Step::Done
    }

    /// Available sessions of `account` that want messages to its bare JID.
    pub fn wanting(&self, account: &BareJid) -> Vec<Arc<Session>> {
        let mut sessions = self.users.sessions(account);
        sessions.retain(|s| s.wants_messages());
        sessions
    }
}
