//! Fail closed: every call into an extension is caught here, and a panic gives the strictest answer of its kind.

use super::HostPlan;
use bocage_api::{
    Action, Asker, Delivery, DiscoEntry, DiscoNode, DiscoPart, DiscoTarget, EgressView, Entity, Frozen, Full, IqPayload,
    LinkView, Named, RecipientView, RecordView, Reply, SessionEvent, SessionView, Stanza, StanzaError, StreamFeature, Taken,
    Verdict, archive::Retraction, clock::UnixSeconds,
};
use futures_util::FutureExt;
use jid::{BareJid, FullJid};
use minidom::Element;
use std::{panic::AssertUnwindSafe, sync::Arc};

pub(super) fn caught<T>(module: &'static str, what: &'static str, call: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(call)).inspect_err(|_| panicked(module, what)).ok()
}

fn panicked(module: &'static str, what: &'static str) {
    tracing::error!(module, what, "an extension panicked; the strictest answer was taken");
}

/// What became of an iq.
pub type IqOutcome = Result<Option<Element>, StanzaError>;

impl HostPlan {
    /// Client filters in order; a panic is a bounce.
    pub fn client_sends(&self, session: SessionView<'_>, stanza: &mut Stanza) -> Verdict {
        for (_, filter) in &self.at.client_filters {
            let verdict = caught(filter.module, "client filter", || filter.it.client_sends(session, stanza));
            match verdict.unwrap_or_else(bounce) {
                Verdict::Pass => {}
                stop => return stop,
            }
        }
        Verdict::Pass
    }

    /// Link policies; a panic is a refusal.
    ///
    /// # Errors
    /// The first refusal.
    pub fn admit(&self, link: &LinkView<'_>) -> Result<(), StanzaError> {
        let refused = || Err(StanzaError::remote_server_not_found());
        self.at
            .link_policies
            .iter()
            .try_for_each(|policy| caught(policy.module, "link policy", || policy.it.admit(link)).unwrap_or_else(refused))
    }

    /// Link filters in order; a panic is a bounce.
    pub fn link_sends(&self, link: &LinkView<'_>, stanza: &mut Stanza) -> Verdict {
        for (_, filter) in &self.at.link_filters {
            let verdict = caught(filter.module, "link filter", || filter.it.link_sends(link, stanza));
            match verdict.unwrap_or_else(bounce) {
                Verdict::Pass => {}
                stop => return stop,
            }
        }
        Verdict::Pass
    }

    /// Egress filters in order; a panic is a bounce.
    pub fn leaves(&self, to: EgressView, stanza: &mut Stanza) -> Verdict {
        for (_, filter) in &self.at.egress_filters {
            let verdict = caught(filter.module, "egress filter", || filter.it.leaves(to, stanza));
            match verdict.unwrap_or_else(bounce) {
                Verdict::Pass => {}
                stop => return stop,
            }
        }
        Verdict::Pass
    }

    /// Recipient rules in order; a panic is a rejection.
    pub fn judge(&self, recipient: RecipientView<'_>, stanza: &mut Stanza) -> Delivery {
        for (_, rule) in &self.at.recipient_rules {
            let delivery = caught(rule.module, "recipient rule", || rule.it.judge(recipient, stanza));
            match delivery.unwrap_or_else(|| Delivery::Reject(StanzaError::internal_server_error())) {
                Delivery::Deliver => {}
                stop => return stop,
            }
        }
        Delivery::Deliver
    }

    /// The service for this iq; `None` when there is none.
    pub async fn answer(&self, entity: Entity, asker: Asker, iq: IqPayload, reply: Reply) -> Option<IqOutcome> {
        let service = self.iq_service(&entity, |key| {
            key.action == iq.action && key.name == iq.element.name() && iq.element.has_ns(key.namespace)
        })?;
        let (module, it) = (service.module, service.it.clone());
        let call = AssertUnwindSafe(async move { it.answer(asker, iq, reply).await });
        Some(call.catch_unwind().await.unwrap_or_else(|_| {
            panicked(module, "iq service");
            Err(StanzaError::internal_server_error())
        }))
    }

    /// Is there a service for it?
    pub fn answers(&self, entity: &Entity, action: Action, element: &Element) -> bool {
        self.iq_service(entity, |key| key.action == action && key.name == element.name() && element.has_ns(key.namespace))
            .is_some()
    }

    /// Does an archive keep it?
    ///
    /// # Errors
    /// When a recorder panicked: nothing is stored then, and nothing acknowledged.
    pub fn wants(&self, view: &RecordView<'_>, message: &Frozen) -> Result<bool, StanzaError> {
        for recorder in &self.at.recorders {
            let wants = caught(recorder.module, "recorder", || recorder.it.wants(view, message));
            if wants.ok_or_else(StanzaError::internal_server_error)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a message takes back.
    pub fn retracts(&self, message: &Frozen, stamp: UnixSeconds) -> Option<Retraction> {
        let recorders = self.at.recorders.iter();
        recorders.filter_map(|it| caught(it.module, "recorder", || it.it.retracts(message, stamp)).flatten()).next()
    }

    /// May it wait for its addressee, and how many may? A panic is a no.
    pub fn holds(&self, owner: &BareJid, message: &Frozen) -> Option<usize> {
        let places = self.at.undeliverables.iter();
        places.filter_map(|it| caught(it.module, "undeliverable", || it.it.holds(owner, message)).flatten()).next()
    }

    /// Offers a message to the places for undeliverable ones, in order; a panic counts as failure to store.
    ///
    /// # Errors
    /// When one failed to store it; the sender is told, nothing was acknowledged.
    pub async fn take_undeliverable(&self, owner: &BareJid, stanza: Arc<Frozen>) -> Result<Taken, StanzaError> {
        for place in &self.at.undeliverables {
            let call = AssertUnwindSafe(place.it.take(owner, stanza.clone()));
            let taken = call.catch_unwind().await.unwrap_or_else(|_| {
                panicked(place.module, "undeliverable");
                Err(StanzaError::internal_server_error())
            })?;
            if taken == Taken::Stored {
                return Ok(Taken::Stored);
            }
        }
        Ok(Taken::Declined)
    }

    /// Tells the watches about a session.
    pub fn tell_session(&self, session: SessionView<'_>, event: SessionEvent) {
        for watch in &self.at.session_watches {
            caught(watch.module, "session watch", || watch.it.session(session, event));
        }
    }

    /// Tells the watches what waits for a hibernated session.
    pub fn tell_waiting(&self, session: &FullJid, message: &Frozen) {
        for watch in &self.at.sleep_watches {
            caught(watch.module, "sleep watch", || watch.it.waits(session, message));
        }
    }

    /// Tells the watches about a roster row.
    pub fn tell_roster(&self, owner: &BareJid, contact: &BareJid) {
        for watch in &self.at.roster_watches {
            caught(watch.module, "roster watch", || watch.it.changed(owner, contact));
        }
    }

    pub(super) fn entry(&self, entry: &Named<dyn DiscoEntry>, target: &DiscoTarget) -> DiscoPart {
        caught(entry.module, "disco entry", || entry.it.disco(target)).unwrap_or_default()
    }

    /// A node of discovery from this entry; a panic is none.
    pub fn node(&self, entry: &Named<dyn DiscoEntry>, (target, asked): (&DiscoTarget, &DiscoNode<'_>)) -> Option<DiscoPart> {
        caught(entry.module, "disco entry", || entry.it.node(target, asked)).flatten()
    }

    /// Hands a stanza to the service of a domain; a panic gives the error a full one would.
    ///
    /// # Errors
    /// What the sender is told.
    pub fn post_to_service(&self, domain: &str, stanza: Frozen) -> Result<(), StanzaError> {
        let Some(service) = self.service(domain) else { return Err(StanzaError::service_unavailable()) };
        match caught(service.module, "domain service", || service.it.accept(Box::new(stanza))) {
            Some(Ok(())) => Ok(()),
            Some(Err(Full(_))) => Err(StanzaError::resource_constraint()),
            None => Err(StanzaError::internal_server_error()),
        }
    }

    /// What the service of `domain` says about resources that cannot be.
    pub fn about_resources(&self, domain: &str) -> Option<&'static str> {
        let service = self.service(domain)?;
        caught(service.module, "domain service", || service.it.about_resources()).flatten()
    }

    /// Tells the services that the server stops.
    pub async fn stop_services(&self) {
        for service in self.services() {
            if AssertUnwindSafe(service.it.stop()).catch_unwind().await.is_err() {
                panicked(service.module, "domain service");
            }
        }
    }

    /// The same for the `unavailable` of a session that did not leave on purpose.
    ///
    /// # Errors
    /// Those of [`HostPlan::post_to_service`].
    pub fn session_over(&self, domain: &str, stanza: Frozen) -> Result<(), StanzaError> {
        let Some(service) = self.service(domain) else { return Err(StanzaError::service_unavailable()) };
        match caught(service.module, "domain service", || service.it.session_over(Box::new(stanza))) {
            Some(Ok(())) => Ok(()),
            Some(Err(Full(_))) => Err(StanzaError::resource_constraint()),
            None => Err(StanzaError::internal_server_error()),
        }
    }

    /// Lines of the stream features after login.
    pub fn adverts(&self) -> Vec<Element> {
        let advert =
            |feature: &Named<dyn StreamFeature>| caught(feature.module, "stream feature", || feature.it.advert()).flatten();
        self.at.stream_features.iter().filter_map(advert).collect()
    }

    /// The answer to what was asked inline at bind.
    pub fn inline_bound(&self, session: SessionView<'_>, element: &Element) -> Option<Element> {
        let feature = self.at.stream_features.iter().find(|f| element.has_ns(f.it.namespace()))?;
        caught(feature.module, "stream feature", || feature.it.bound(session, element)).flatten()
    }

    /// The answer of a stream feature to an element that is no stanza.
    pub fn nonza(&self, session: SessionView<'_>, element: &Element) -> Option<Element> {
        let feature = self.at.stream_features.iter().find(|f| element.has_ns(f.it.namespace()))?;
        caught(feature.module, "stream feature", || feature.it.nonza(session, element)).flatten()
    }
}

fn bounce() -> Verdict {
    Verdict::Bounce(StanzaError::internal_server_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        BoxFuture, Checkpoints, ClientFilter, DomainService, EgressFilter, IqKey, IqService, Kind, Phase, RecipientRule,
        Recorder, Relation, SessionWatch, Undeliverable, stanza::MessageType,
    };

    struct Broken;
    impl ClientFilter for Broken {
        fn client_sends(&self, _: SessionView<'_>, _: &mut Stanza) -> Verdict {
            panic!("broken")
        }
    }
    impl RecipientRule for Broken {
        fn judge(&self, _: RecipientView<'_>, _: &mut Stanza) -> Delivery {
            panic!("broken")
        }
    }
    impl DomainService for Broken {
        fn accept(&self, _: Box<Frozen>) -> Result<(), Full<Box<Frozen>>> {
            panic!("broken")
        }
    }

    impl IqService for Broken {
        fn answer(&self, _: Asker, _: IqPayload, _: Reply) -> BoxFuture<'_, IqOutcome> {
            Box::pin(async { panic!("broken") })
        }
    }
    impl Undeliverable for Broken {
        fn take(&self, _: &BareJid, _: Arc<Frozen>) -> BoxFuture<'_, Result<Taken, StanzaError>> {
            Box::pin(async { panic!("broken") })
        }
        fn holds(&self, _: &BareJid, _: &Frozen) -> Option<usize> {
            panic!("broken")
        }
    }
    impl Recorder for Broken {
        fn wants(&self, _: &RecordView<'_>, _: &Frozen) -> bool {
            panic!("broken")
        }
    }
    impl DiscoEntry for Broken {
        fn disco(&self, _: &DiscoTarget) -> DiscoPart {
            panic!("broken")
        }
    }
    impl EgressFilter for Broken {
        fn leaves(&self, _: EgressView, _: &mut Stanza) -> Verdict {
            panic!("broken")
        }
    }
    impl SessionWatch for Broken {
        fn session(&self, _: SessionView<'_>, _: SessionEvent) {
            panic!("broken")
        }
    }

    fn plan(wire: impl FnOnce(&mut Checkpoints)) -> HostPlan {
        let mut at = Checkpoints::default();
        wire(at.of("broken"));
        HostPlan::seal("x.example".parse().unwrap(), at).unwrap()
    }
    fn message() -> Stanza {
        Stanza::new(Kind::Message(MessageType::Chat), None, None)
    }

    #[test]
    fn a_panicking_client_filter_bounces() {
        let plan = plan(|at| at.client_filter(Phase::Feature, Broken));
        let jid = "a@x.example/r".parse().unwrap();
        assert_eq!(plan.client_sends(SessionView { jid: &jid }, &mut message()), bounce());
    }

    #[test]
    fn a_panicking_rule_rejects() {
        let plan = plan(|at| at.recipient_rule(Phase::Enforce, Broken));
        let (owner, sender) = ("a@x.example".parse().unwrap(), "b@x.example".parse().unwrap());
        let view = RecipientView { owner: &owner, sender: &sender, relation: Relation::Stranger, blocked: false };
        assert_eq!(plan.judge(view, &mut message()), Delivery::Reject(StanzaError::internal_server_error()));
    }

    #[test]
    fn a_panicking_domain_service_is_an_error_to_the_sender() {
        let plan = plan(|at| at.domain_service("s.example".into(), Broken));
        let frozen = crate::wire::freeze_for_wire(message());
        assert_eq!(plan.post_to_service("s.example", frozen), Err(StanzaError::internal_server_error()));
    }

    #[tokio::test]
    async fn a_panicking_iq_service_is_an_error_to_the_asker() {
        let key = IqKey { entity: Entity::Server, action: Action::Get, name: "q", namespace: "urn:x" };
        let plan = plan(|at| at.iq_service(key, Broken));
        let asker = Asker { jid: "a@x.example/r".parse().unwrap(), relation: Relation::Neighbour };
        let element = Element::bare("q", "urn:x");
        let iq = IqPayload { to: "x.example".parse().unwrap(), action: Action::Get, lang: None, element };
        let (buffer, _kept) = tokio::sync::mpsc::channel(1);
        let reply = Reply::new(buffer, crate::wire::freeze_for_wire);
        let answer = plan.answer(Entity::Server, asker, iq, reply).await.unwrap();
        assert_eq!(answer, Err(StanzaError::internal_server_error()));
    }

    #[tokio::test]
    async fn a_panicking_place_for_messages_acknowledges_nothing() {
        let plan = plan(|at| at.undeliverable(Broken));
        let frozen = Arc::new(crate::wire::freeze_for_wire(message()));
        let taken = plan.take_undeliverable(&"a@x.example".parse().unwrap(), frozen).await;
        assert_eq!(taken, Err(StanzaError::internal_server_error()));
    }

    #[test]
    fn a_panicking_recorder_is_an_error_to_the_sender_and_a_panicking_place_holds_nothing() {
        let plan = plan(|at| {
            at.recorder(Broken);
            at.undeliverable(Broken);
        });
        let (owner, party) = ("a@x.example".parse().unwrap(), "b@x.example".parse().unwrap());
        let view = RecordView { owner: &owner, party: &party, in_roster: false, preferences: None };
        let frozen = crate::wire::freeze_for_wire(message());
        assert_eq!(plan.wants(&view, &frozen), Err(StanzaError::internal_server_error()));
        assert_eq!(plan.holds(&owner, &frozen), None);
    }

    #[test]
    fn a_panicking_egress_filter_bounces_and_watches_and_entries_are_passed_over() {
        let plan = plan(|at| {
            at.egress_filter(Phase::Enforce, Broken);
            at.session_watch(Broken);
            at.disco_entry(Broken);
        });
        let to = EgressView { relation: Relation::Stranger, blocked: false, room: false };
        assert_eq!(plan.leaves(to, &mut message()), bounce());
        plan.tell_session(SessionView { jid: &"a@x.example/r".parse().unwrap() }, SessionEvent::Bound);
        assert_eq!(plan.entry(&plan.at.disco_entries[0], &DiscoTarget::Account), DiscoPart::default());
    }

    #[test]
    fn one_key_has_one_owner() {
        let mut at = Checkpoints::default();
        at.of("one").domain_service("s.example".into(), Broken);
        at.of("two").domain_service("s.example".into(), Broken);
        let Err(error) = HostPlan::seal("x.example".parse().unwrap(), at) else { panic!("sealed") };
        assert_eq!(error.to_string(), "modules one and two both claim s.example");
    }
}
