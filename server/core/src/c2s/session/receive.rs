//! What a bound client may send, and where it goes (checkpoints 2 to 4 of a stanza's way).

use super::{
    End, Live,
    acks::send,
    csi::{CSI, Urgency},
    work::{Outcome, Work, follow},
};
use crate::{
    c2s::errors,
    ingress,
    mailbox::{Address, Mail, More},
    plan::Place,
    presence,
    router::{IqJob, Router, Session, Step},
    sm::{Entry, SM},
    wire,
};
use bocage_api::{Kind, SessionView, Stanza, StanzaError, Verdict, stanza::Refused};
use bocage_stream::{Condition, Event};
use minidom::Element;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

/// A sender pauses for a slow recipient so long at first: who writes a word to somebody who takes nothing talks on with
/// others …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … and who goes on writing to them, at most so long each time.
const PRESSURE_PAUSE: Duration = Duration::from_secs(5);

/// For whom a session has paused last, and how often without another between.
#[derive(Default)]
pub(super) struct Pressed {
    slow: Weak<Session>,
    times: u8,
}

impl Pressed {
    /// How long to pause for this one now.
    fn pause(&mut self, slow: &Arc<Session>) -> Duration {
        let slow = Arc::downgrade(slow);
        self.times = if self.slow.ptr_eq(&slow) { self.times.saturating_add(1) } else { 0 };
        self.slow = slow;
        FIRST_PAUSE.saturating_mul(1 << self.times.min(8)).min(PRESSURE_PAUSE)
    }
}

impl Live {
    pub(super) fn receive(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Close => Err(End::Closed),
            // A second header on a running stream.
            Event::Open(_) => Err(End::Error(Condition::BadFormat.into())),
            Event::Element(element, _) => self.element(element),
        }
    }

    fn element(&mut self, element: Element) -> Result<(), End> {
        if element.has_ns(SM) {
            return self.managed(element);
        }
        if element.has_ns(CSI) {
            self.attended(&element);
            return Ok(());
        }
        if !element.has_ns(bocage_api::ns::CLIENT) {
            return self.nonza(&element);
        }
        match Stanza::parse(element) {
            None => Err(End::Error(errors::unsupported_stanza())),
            Some(Err(refused)) => {
                let entry = self.enter();
                let step = self.refusal(*refused);
                self.apply(entry, step);
                Ok(())
            }
            Some(Ok(stanza)) => {
                let entry = self.enter();
                self.stanza(entry, stanza)
            }
        }
    }

    /// Of what is no valid stanza. A service that is meant says it in its own words.
    fn refusal(&self, mut refused: Refused) -> Step {
        refused.stanza.from = None;
        let (plans, to) = (self.router.plans(), refused.stanza.to.clone());
        let place = to.as_ref().and_then(|to| plans.place(to.domain().as_str()));
        let service = to.as_ref().filter(|_| refused.written_to.is_some() && matches!(place, Some(Place::Service(_))));
        if let (Some(to), Some(place)) = (service, place)
            && let Some(text) = place.plan().about_resources(to.domain().as_str())
        {
            refused.error = refused.error.clone().with_text(text);
        }
        refused.answer(service).map_or(Step::Done, |answer| Step::Answer(Box::new(answer)))
    }

    fn nonza(&mut self, element: &Element) -> Result<(), End> {
        let plans = self.router.plans();
        let plan = plans.accounts(self.session.jid.domain().as_str());
        let view = SessionView { jid: &self.session.jid };
        match plan.and_then(|plan| plan.nonza(view, element)) {
            Some(answer) => {
                self.output.element(&answer);
                Ok(())
            }
            None if element.has_ns(crate::c2s::SASL) || element.has_ns(crate::c2s::SASL2) || element.has_ns(crate::c2s::TLS) => {
                Err(End::Error(errors::not_authorized_again()))
            }
            None => Err(End::Error(errors::unsupported_stanza())),
        }
    }

    fn stanza(&mut self, entry: Entry, mut stanza: Stanza) -> Result<(), End> {
        ingress::stamp(&mut stanza, &self.session.jid).map_err(|ingress::InvalidFrom| End::Error(errors::invalid_from()))?;
        if stanza.lang.is_none() && !matches!(stanza.kind, Kind::Iq(_)) {
            stanza.lang.clone_from(&self.lang);
        }
        let plans = self.router.plans();
        ingress::strip(&mut stanza, &plans);
        let verdict = match plans.accounts(self.session.jid.domain().as_str()) {
            _ if ingress::is_forged_push(&stanza) => Verdict::Bounce(StanzaError::service_unavailable()),
            Some(plan) => plan.client_sends(SessionView { jid: &self.session.jid }, &mut stanza),
            None => Verdict::Pass,
        };
        match verdict {
            Verdict::Pass => match self.router.let_out(&self.session, stanza, on_its_way) {
                Ok(stanza) => self.go(entry, stanza),
                Err(step) => self.apply(entry, step),
            },
            Verdict::Drop => self.done(entry),
            Verdict::Bounce(error) => self.apply(entry, Step::bounce(&stanza, &error)),
        }
        Ok(())
    }

    fn go(&mut self, entry: Entry, stanza: Stanza) {
        if self.must_wait(&stanza) {
            let session = self.session.clone();
            return self.apply(
                entry,
                Step::Then(Box::new(move |router| match (stanza.kind, session) {
                    (Kind::Presence(kind), session) => presence::from_client(router, &session, kind, stanza),
                    _ => router.route(stanza),
                })),
            );
        }
        let step = match stanza.kind {
            Kind::Presence(kind) => presence::from_client(&self.router, &self.session, kind, stanza),
            Kind::Message(_) => {
                self.router.copy_sent(&self.session, &stanza);
                self.router.route(stanza)
            }
            Kind::Iq(_) => match self.router.iq(stanza) {
                IqJob::Step(step) => step,
                IqJob::Service(namespace, mut job) => {
                    job.default_lang(self.lang.as_deref());
                    self.work().iq(namespace, entry, *job);
                    return;
                }
            },
        };
        self.apply(entry, step);
    }

    /// Presence and iqs to other entities keep their place behind messages that are being stored.
    fn must_wait(&self, stanza: &Stanza) -> bool {
        let other = stanza.to.as_ref().is_some_and(|to| to.is_full() || matches!(stanza.kind, Kind::Presence(_)));
        let kind = match stanza.kind {
            Kind::Presence(_) => other || stanza.to.is_none(),
            Kind::Iq(_) => other,
            Kind::Message(_) => false,
        };
        kind && self.work.as_ref().is_some_and(|work| work.is_committing())
    }

    /// A commit's step in its turn: what was sent before is done.
    pub(super) fn released(&mut self, entry: Entry, step: Step) {
        let outcome = follow(&mut self.work, &self.router, (entry, step), true);
        self.ended(entry, outcome);
    }

    /// What a stanza led to, so far.
    pub(super) fn apply(&mut self, entry: Entry, step: Step) {
        let outcome = follow(&mut self.work, &self.router, (entry, step), false);
        self.ended(entry, outcome);
    }

    fn ended(&mut self, entry: Entry, outcome: Outcome) {
        match outcome {
            Outcome::Later => return,
            Outcome::Done => {}
            Outcome::Answer(answer) => {
                self.router.copy_own_error(&self.session, &answer);
                self.write(*answer);
            }
            Outcome::Pressure(slow) => {
                let pause = self.pressed.pause(&slow);
                self.work().pause(Box::pin(async move {
                    // Whoever is still slow after that meets the hard bound.
                    let _ = tokio::time::timeout(pause, slow.mailbox.drained()).await;
                }));
            }
        }
        self.done(entry);
    }

    pub(super) fn write(&mut self, stanza: Stanza) {
        self.put(&Mail { stanza: Arc::new(wire::freeze_for_wire(stanza)), address: Address::Own });
    }

    /// Mail into the output, as much as it takes; a cut ends the session, a call for held messages begins their flush.
    pub(super) fn take_mail(&mut self) -> Result<(), End> {
        self.cut_reason()?;
        if self.session.mailbox.take_flush_held() {
            self.begin_held();
        }
        if self.held.lets_mail_pass() && !self.held_again && !self.output.is_high() && !self.is_full() {
            let Self { session, output, acks, bare, inactive, .. } = self;
            session.mailbox.drain(|mail| {
                if let Some(inactive) = inactive {
                    if inactive.sort(mail, session) == Urgency::Later {
                        return More::Yes;
                    }
                    for waited in inactive.take() {
                        send(output, acks, &waited, waited.address.instead(bare, session));
                    }
                }
                send(output, acks, mail, mail.address.instead(bare, session));
                let full = acks.as_ref().is_some_and(|acks| acks.unacked.is_full());
                if full || output.is_high() { More::Enough } else { More::Yes }
            });
        }
        Ok(())
    }

    pub(super) fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }
}

/// Where a stanza goes that had to wait for facts before it could leave.
fn on_its_way(router: &Arc<Router>, session: &Arc<Session>, stanza: Stanza) -> Step {
    match stanza.kind {
        Kind::Presence(kind) => presence::from_client(router, session, kind, stanza),
        Kind::Message(_) => {
            router.copy_sent(session, &stanza);
            router.route(stanza)
        }
        Kind::Iq(_) => router.route(stanza),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Budget;

    #[test]
    fn who_writes_once_to_who_takes_nothing_is_not_held_up_and_who_goes_on_is() {
        let session = |jid: &str| Arc::new(Session::new(jid.parse().unwrap(), Arc::new(Budget::new(usize::MAX))));
        let (jammed, other) = (session("jammed@x.example/r"), session("other@x.example/r"));
        let mut pressed = Pressed::default();
        assert_eq!([&jammed, &jammed, &other, &jammed].map(|slow| pressed.pause(slow).as_millis()), [250, 500, 250, 250]);
        let flood: Duration = (0..1_000).map(|_| pressed.pause(&jammed)).sum();
        assert!(flood > PRESSURE_PAUSE * 990 && pressed.pause(&jammed) == PRESSURE_PAUSE);
    }
}
