//! What a bound client may send, and where it goes (checkpoints 2 to 4 of a stanza's way).

use super::{End, Live, work::Work};
use crate::{
    c2s::errors,
    ingress,
    mailbox::{Address, More},
    presence,
    router::{IqJob, Router, Session, Step},
    wire,
};
use bocage_api::{Kind, SessionView, Stanza, StanzaError, Verdict};
use bocage_stream::{Condition, Event};
use minidom::Element;
use std::{sync::Arc, time::Duration};

/// A sender pauses for a slow recipient at most so long.
const PRESSURE_PAUSE: Duration = Duration::from_secs(5);

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
        if !element.has_ns(bocage_api::ns::CLIENT) {
            return self.nonza(&element);
        }
        match Stanza::parse(element) {
            None => Err(End::Error(errors::unsupported_stanza())),
            Some(Err(refused)) => {
                let mut stanza = refused.stanza;
                stanza.from = None;
                if let Some(answer) = stanza.bounce(&refused.error) {
                    self.write(answer);
                }
                Ok(())
            }
            Some(Ok(stanza)) => self.stanza(stanza),
        }
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

    fn stanza(&mut self, mut stanza: Stanza) -> Result<(), End> {
        ingress::stamp(&mut stanza, &self.session.jid).map_err(|ingress::InvalidFrom| End::Error(errors::invalid_from()))?;
        if stanza.lang.is_none() && !matches!(stanza.kind, Kind::Iq(_)) {
            stanza.lang.clone_from(&self.lang);
        }
        let plans = self.router.plans();
        ingress::strip(&mut stanza, &plans);
        if ingress::is_forged_push(&stanza) {
            self.bounce(&stanza, &StanzaError::service_unavailable());
            return Ok(());
        }
        if let Some(plan) = plans.accounts(self.session.jid.domain().as_str()) {
            match plan.client_sends(SessionView { jid: &self.session.jid }, &mut stanza) {
                Verdict::Pass => {}
                Verdict::Drop => return Ok(()),
                Verdict::Bounce(error) => {
                    self.bounce(&stanza, &error);
                    return Ok(());
                }
            }
        }
        match self.router.let_out(&self.session, stanza, on_its_way) {
            Ok(stanza) => self.go(stanza),
            Err(step) => self.apply(step),
        }
        Ok(())
    }

    fn go(&mut self, stanza: Stanza) {
        let step = match stanza.kind {
            Kind::Presence(kind) => presence::from_client(&self.router, &self.session, kind, stanza),
            Kind::Message(_) => self.router.route(stanza),
            Kind::Iq(_) => match self.router.iq(stanza) {
                IqJob::Step(step) => step,
                IqJob::Service(namespace, mut job) => {
                    job.default_lang(self.lang.as_deref());
                    self.work().iq(namespace, *job);
                    return;
                }
            },
        };
        self.apply(step);
    }

    pub(super) fn apply(&mut self, step: Step) {
        match step {
            Step::Done => {}
            Step::Answer(answer) => self.write(*answer),
            Step::Wait(later) => self.work().wait(later),
            Step::Commit(later) => self.work().commit(later),
            Step::Pressure(slow) => self.work().pause(Box::pin(async move {
                // Whoever is still slow after that meets the hard bound.
                let _ = tokio::time::timeout(PRESSURE_PAUSE, slow.mailbox.drained()).await;
            })),
        }
    }

    fn bounce(&mut self, stanza: &Stanza, error: &StanzaError) {
        if let Some(answer) = stanza.bounce(error) {
            self.write(answer);
        }
    }

    pub(super) fn write(&mut self, stanza: Stanza) {
        self.output.stanza(&Arc::new(wire::freeze_for_wire(stanza)), None);
    }

    /// Mail into the output, as much as it takes; a cut ends the session, a call for held messages begins their flush.
    pub(super) fn take_mail(&mut self) -> Result<(), End> {
        self.cut_reason()?;
        if self.session.mailbox.take_flush_held() {
            self.begin_held();
        }
        if self.held.is_idle() && !self.output.is_high() {
            let Self { session, output, bare, .. } = self;
            session.mailbox.drain(|mail| {
                let instead = match mail.address {
                    Address::Own => None,
                    Address::Bare => Some(&**bare),
                    Address::Full => Some(session.jid.as_str()),
                };
                output.stanza(&mail.stanza, instead);
                if output.is_high() { More::Enough } else { More::Yes }
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
        Kind::Message(_) | Kind::Iq(_) => router.route(stanza),
    }
}
