//! What a peer may say on a stream that is up.

use super::{End, Live, pings};
use crate::{
    c2s::errors,
    ingress,
    router::{IqJob, Step},
    s2s::{
        dialback::{self, Verdict},
        features::SM,
        federation,
        links::settle,
    },
    sm::Entry,
};
use bocage_api::{Frozen, Kind, LinkView, Stanza, Verdict as Filtered};
use bocage_stream::{Condition, Event, StreamError, ns::DIALBACK};
use jid::DomainPart;
use minidom::Element;
use rxml::xml_ncname;
use std::{sync::Arc, time::Duration};

/// A peer is slowed down by a slow recipient at most so long: others wait behind it.
const PRESSURE_PAUSE: Duration = Duration::from_millis(250);
/// Domains that one stream may speak for besides the first.
const ALSO: usize = 16;

impl Live {
    pub(super) async fn receive(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Close => Err(End::Closed),
            Event::Open(_) => Err(End::Error(Condition::BadFormat.into())),
            Event::Element(element, _) if element.has_ns(bocage_api::ns::CLIENT) => self.stanza(element),
            Event::Element(element, _) => self.other(&element).await,
        }
    }

    fn stanza(&mut self, element: Element) -> Result<(), End> {
        if !self.receives {
            return Err(End::Error(errors::not_authorized()));
        }
        self.busy = self.federation.router.clock.mono();
        self.management.received();
        let (stanza, fault) = match Stanza::parse(element) {
            None => return Err(End::Error(errors::unsupported_stanza())),
            Some(Ok(stanza)) => (stanza, None),
            Some(Err(refused)) => (refused.stanza, Some(refused.error)),
        };
        let (here, there) = self.pair(&stanza)?;
        let answers = |id| self.federation.router.links.answered((&here, &there), id);
        if pings::answer_id(&stanza).is_some_and(answers) {
            return Ok(());
        }
        match fault {
            None => self.filtered(stanza, &here, &there),
            Some(error) => self.apply(Step::bounce(&stanza, &error)),
        }
        Ok(())
    }

    /// Whom it is from and for: a proven domain, and one that is served here (RFC 6120 sections 8.1.1.2, 8.1.2.2).
    fn pair(&self, stanza: &Stanza) -> Result<(DomainPart, DomainPart), End> {
        let error = |condition: Condition| End::Error(condition.into());
        let from = stanza.from.as_ref().ok_or_else(|| error(Condition::ImproperAddressing))?;
        let to = stanza.to.as_ref().ok_or_else(|| error(Condition::ImproperAddressing))?;
        let there = from.domain().to_owned();
        if there != self.there && !self.also.contains(&there) {
            return Err(error(Condition::InvalidFrom));
        }
        if !self.federation.serves(to.domain().as_str()) {
            return Err(error(Condition::HostUnknown));
        }
        Ok((to.domain().to_owned(), there))
    }

    fn filtered(&mut self, mut stanza: Stanza, here: &DomainPart, there: &DomainPart) {
        let plans = self.federation.router.plans();
        ingress::strip_foreign(&mut stanza, &plans);
        if ingress::is_forged_push(&stanza) {
            return self.apply(Step::bounce(&stanza, &bocage_api::StanzaError::service_unavailable()));
        }
        if let Some(place) = plans.place(here.as_str()) {
            let link = LinkView { here, there, modern_tls: federation::version(&self.proof) };
            match place.plan().link_sends(&link, &mut stanza) {
                Filtered::Pass => {}
                Filtered::Drop => return,
                Filtered::Bounce(error) => return self.apply(Step::bounce(&stanza, &error)),
            }
        }
        self.go(stanza);
    }

    fn go(&mut self, stanza: Stanza) {
        let router = &self.federation.router;
        let step = match stanza.kind {
            Kind::Iq(_) => match router.iq(stanza) {
                IqJob::Step(step) => step,
                IqJob::Service(lane, job) => {
                    let lane = format!("{lane} {}", job.asker());
                    self.work.iq(lane, Entry::NONE, *job);
                    return;
                }
            },
            _ => router.route(stanza),
        };
        self.apply(step);
    }

    /// A commit's step in its turn: what came before is done.
    pub(super) fn released(&mut self, step: Step) {
        match step {
            Step::Then(then) => {
                let step = then(&self.federation.router);
                self.released(step);
            }
            other => self.apply(other),
        }
    }

    pub(super) fn apply(&mut self, step: Step) {
        match step {
            Step::Done => {}
            Step::Then(then) if self.work.is_committing() => {
                self.work.commit(Entry::NONE, Box::pin(std::future::ready(Step::Then(then))))
            }
            Step::Then(_) => self.released(step),
            // Answers go the way of all stanzas; none of them can be answered again.
            Step::Answer(answer) => match self.federation.router.route(*answer) {
                Step::Wait(later) | Step::Commit(later) => self.work.commit(Entry::NONE, later),
                then @ Step::Then(_) => self.apply(then),
                Step::Done | Step::Pressure(_) | Step::Answer(_) => {}
            },
            Step::Wait(later) => self.work.wait(Entry::NONE, later),
            Step::Commit(later) => self.work.commit(Entry::NONE, later),
            Step::Pressure(slow) => self.work.pause(Box::pin(async move {
                let _ = tokio::time::timeout(PRESSURE_PAUSE, slow.mailbox.drained()).await;
            })),
        }
    }

    /// What a service streams ahead of its answer.
    pub(super) fn streamed(&mut self, stanza: &Arc<Frozen>) {
        self.federation.router.frozen_to_remote(stanza);
    }

    async fn other(&mut self, element: &Element) -> Result<(), End> {
        if element.has_ns(SM) {
            return self.managed(element).await;
        }
        if dialback::is_request(element, "verify") {
            let federation = self.federation.clone();
            let mut answer = Vec::new();
            dialback::verify(&mut answer, &federation.keys, element, |host| federation.serves(host));
            self.output.raw(&answer);
            return Ok(());
        }
        if dialback::is_request(element, "result") {
            return self.piggyback(element).await;
        }
        if element.has_ns(DIALBACK) {
            return Ok(());
        }
        if element.is("error", bocage_api::ns::STREAMS) {
            return Err(End::Closed);
        }
        Err(End::Error(errors::unsupported_stanza()))
    }

    async fn managed(&mut self, element: &Element) -> Result<(), End> {
        match element.name() {
            "enable" if self.management.is_off() && self.sent.is_empty() => {
                self.management.enable();
                self.forget_pings();
                self.hold = None;
                self.output.element(&Element::bare("enabled", SM));
            }
            // What is on its way already was not counted.
            "enable" => {
                let condition = Element::bare("unexpected-request", bocage_api::error::NS_STANZAS);
                self.output.element(&Element::builder("failed", SM).append(condition).build());
            }
            "enabled" if self.management.is_requested() => {
                self.management.enabled();
                self.ask();
            }
            "failed" if self.management.is_requested() => {
                self.management.failed();
                self.ping();
                if self.output.is_empty() {
                    self.written().await;
                }
            }
            "r" => self.management.owe(),
            "a" => {
                let h = element.attr(xml_ncname!("h")).and_then(|h| h.parse().ok());
                let count = h.ok_or(super::management::TooHigh).and_then(|h| self.management.acked(h));
                let count = count.map_err(|_| End::Error(StreamError::from(Condition::PolicyViolation)))?;
                for _ in 0..count {
                    let Some(item) = self.sent.pop_front() else { break };
                    settle(&self.federation, item, Ok(())).await;
                }
                self.ask();
            }
            _ => {}
        }
        Ok(())
    }

    fn ask(&mut self) {
        let empty = self.sends.as_ref().is_none_or(|link| link.is_empty());
        let now = self.federation.router.clock.mono();
        self.management.ask(empty, self.sent.len(), &mut self.output, now);
    }

    /// A further domain on this stream (XEP-0220 section 2.6.2): the certificate has to name it too.
    async fn piggyback(&mut self, element: &Element) -> Result<(), End> {
        let Some(asked) = dialback::asked(element) else {
            return Err(End::Error(Condition::ImproperAddressing.into()));
        };
        let from = DomainPart::new(&asked.from).ok().map(|name| name.into_owned());
        let mut verdict = Verdict::Error("not-authorized");
        if !self.federation.serves(&asked.to) {
            verdict = Verdict::Error("item-not-found");
        } else if let Some(from) = from.filter(|_| self.receives && self.also.len() < ALSO)
            && self.federation.admits(from.as_str())
            && !self.federation.serves(from.as_str())
            && self.federation.prove(&self.io, from.as_str(), None).await.is_ok()
        {
            verdict = Verdict::Valid;
            if from != self.there && !self.also.contains(&from) {
                self.also.push(from);
            }
        }
        let mut answer = Vec::new();
        dialback::write_answer(&mut answer, "result", &asked, (None, verdict));
        self.output.raw(&answer);
        Ok(())
    }
}
