//! Iqs (RFC 6120 section 8.2.3, RFC 6121 section 8.5): to the server, to an account, to a session.

use super::{Router, Step};
use crate::{
    mailbox::Address,
    plan::{HostPlan, Place},
    wire,
};
use bocage_api::{Action, Asker, Entity, IqPayload, Kind, Relation, Reply, Stanza, StanzaError, stanza::IqType};
use jid::Jid;
use std::sync::Arc;
use tokio::sync::mpsc;

/// RFC 3921's session establishment: asked by old clients, a no-op since RFC 6121.
const LEGACY_SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";

/// Where an iq leads.
pub enum IqJob {
    /// Routed.
    Step(Step),
    /// To be answered by a service; in order per namespace.
    Service(String, Box<ServiceJob>),
}

/// An iq that a service is about to answer.
pub struct ServiceJob {
    router: Arc<Router>,
    plan: Arc<HostPlan>,
    entity: Entity,
    stanza: Stanza,
}

impl ServiceJob {
    /// Who asks.
    pub fn asker(&self) -> &str {
        self.stanza.from.as_ref().map(Jid::as_str).unwrap_or_default()
    }
    /// The language of the stream is that of what has none of its own (RFC 6120 section 8.1.5).
    pub fn default_lang(&mut self, lang: Option<&str>) {
        if self.stanza.lang.is_none() {
            self.stanza.lang = lang.map(str::to_owned);
        }
    }
    /// Asks the service; resolves to the answer for the asker.
    pub async fn answer(self, reply: Reply) -> Stanza {
        let Self { router, plan, entity, mut stanza } = self;
        let outcome = router.ask(&plan, entity, &mut stanza, reply).await;
        match outcome {
            Ok(payload) => stanza.result(payload),
            Err(error) => stanza.bounce(&error).unwrap_or(stanza),
        }
    }
    /// For askers without a reply buffer: what is streamed ahead of the result is lost.
    pub async fn without_reply(self) -> Step {
        let (buffer, _closed) = mpsc::channel(1);
        let answer = self.answer(Reply::new(buffer, wire::freeze_for_wire)).await;
        Step::Answer(Box::new(answer))
    }
}

impl Router {
    /// Decides where an iq of a client goes.
    pub fn iq(self: &Arc<Self>, stanza: Stanza) -> IqJob {
        let plans = self.plans();
        let own = stanza.from.as_ref().map(|from| Jid::from(from.to_bare()));
        let Some(to) = stanza.to.clone().or_else(|| own.clone()) else { return IqJob::Step(Step::Done) };
        let domain = to.domain().as_str();
        let (plan, entity) = match plans.place(domain) {
            None => return IqJob::Step(self.to_remote(stanza)),
            Some(Place::Service(plan)) => {
                let entity = Entity::Host(domain.to_owned());
                if !is_answered(plan, &entity, &stanza) {
                    return IqJob::Step(self.to_service(plan, &to, stanza));
                }
                (plan, entity)
            }
            Some(Place::Accounts(plan)) if to.node().is_none() => (plan, Entity::Server),
            Some(Place::Accounts(plan)) if Some(&to) == own.as_ref() => (plan, Entity::OwnAccount),
            Some(Place::Accounts(plan)) if to.is_bare() => (plan, Entity::OtherAccount),
            Some(Place::Accounts(_)) => return IqJob::Step(self.iq_to_session(to, stanza)),
        };
        if !matches!(stanza.kind, Kind::Iq(IqType::Get | IqType::Set)) {
            if entity == Entity::Server {
                self.answered(stanza);
            }
            return IqJob::Step(Step::Done);
        }
        if let Some(answer) = self.copies_asked(&entity, &stanza).or_else(|| self.access_asked(&entity, &stanza)) {
            return IqJob::Step(Step::Answer(Box::new(answer)));
        }
        let own_session = matches!(entity, Entity::Server | Entity::OwnAccount) && stanza.has("session", LEGACY_SESSION);
        if own_session && stanza.kind == Kind::Iq(IqType::Set) {
            return IqJob::Step(Step::Answer(Box::new(stanza.result(None))));
        }
        let lane = stanza.payload().map(minidom::Element::ns).unwrap_or_default();
        IqJob::Service(lane, Box::new(ServiceJob { router: self.clone(), plan: plan.clone(), entity, stanza }))
    }

    /// Requests reach a session only from who may know that it is there (RFC 6121 section 8.5.3.1, H49): its own
    /// account, who gets its presence, whom it showed its presence to.
    fn iq_to_session(self: &Arc<Self>, to: Jid, mut stanza: Stanza) -> Step {
        let session = to.try_as_full().ok().and_then(|full| self.users.session(full));
        let (Some(session), Some(from)) = (session, &stanza.from) else {
            return Step::bounce(&stanza, &StanzaError::service_unavailable());
        };
        let owner = to.to_bare();
        if session.blocks(from) {
            let Some(facts) = self.facts.peek(&owner) else {
                return self.after_facts(owner, stanza, move |router, stanza| router.iq_to_session(to, stanza));
            };
            if let Some(end) = self.judged(&owner, &facts, &mut stanza) {
                return end;
            }
        }
        let Some(from) = &stanza.from else { return Step::Done };
        let asked = matches!(stanza.kind, Kind::Iq(IqType::Get | IqType::Set));
        if asked && from.to_bare() != owner && !session.shows_itself_to(from) {
            let Some(facts) = self.facts.peek(&owner) else {
                return self.after_facts(owner, stanza, move |router, stanza| router.iq_to_session(to, stanza));
            };
            if !facts.relation(&owner, from).may_see_presence() {
                return Step::bounce(&stanza, &StanzaError::service_unavailable());
            }
        }
        let frozen = Arc::new(wire::freeze_for_wire(stanza));
        match session.post(&frozen, Address::Own) {
            Ok(posted) => Step::posted(posted, &session),
            Err(_) => Step::bounce_frozen(&frozen, &StanzaError::service_unavailable()),
        }
    }

    /// Asks the service of `entity`. An account that does not exist answers like one that offers nothing (H49).
    async fn ask(&self, plan: &HostPlan, entity: Entity, stanza: &mut Stanza, reply: Reply) -> crate::plan::IqOutcome {
        let Some(from) = stanza.from.clone() else { return Err(StanzaError::bad_request()) };
        let to = stanza.to.clone().unwrap_or_else(|| Jid::from(from.to_bare()));
        let relation = match entity {
            Entity::OwnAccount => Relation::Owner,
            Entity::OtherAccount => {
                let facts = self.facts.load(&to.to_bare()).await?;
                if !facts.exists {
                    return Err(StanzaError::service_unavailable());
                }
                if facts.blocked.blocks_for(&to.to_bare(), &from) && self.judged(&to.to_bare(), &facts, stanza).is_some() {
                    return Err(StanzaError::service_unavailable());
                }
                facts.relation(&to.to_bare(), &from)
            }
            Entity::Server | Entity::Host(_) if self.plans().accounts(from.domain().as_str()).is_some() => Relation::Neighbour,
            Entity::Server | Entity::Host(_) => Relation::Stranger,
        };
        let action = if stanza.kind == Kind::Iq(IqType::Set) { Action::Set } else { Action::Get };
        let Some(element) = first_payload(stanza) else { return Err(StanzaError::bad_request()) };
        let asker = Asker { jid: from, relation };
        let iq = IqPayload { to, action, lang: stanza.lang.clone(), element };
        plan.answer(entity, asker, iq, reply).await.unwrap_or_else(|| Err(StanzaError::service_unavailable()))
    }
}

fn is_answered(plan: &HostPlan, entity: &Entity, stanza: &Stanza) -> bool {
    let action = match stanza.kind {
        Kind::Iq(IqType::Get) => Action::Get,
        Kind::Iq(IqType::Set) => Action::Set,
        _ => return false,
    };
    stanza.payload().is_some_and(|payload| plan.answers(entity, action, payload))
}

/// Takes the payload out: the answer is built from the head alone.
fn first_payload(stanza: &mut Stanza) -> Option<minidom::Element> {
    stanza.el.take_nodes().into_iter().find_map(|node| match node {
        minidom::Node::Element(element) => Some(element),
        minidom::Node::Text(_) => None,
    })
}
