//! Stream management on a session that runs (XEP-0198 sections 3 and 4).

use super::{End, Live};
use crate::{
    c2s::errors,
    mailbox::{Address, Budget, Mail},
    router::{Router, Session},
    sm::{self, Entry, Ledger, Resumable, Row, TooHigh, Unacked},
};
use bocage_api::Frozen;
use bocage_stream::{Condition, StreamError};
use jid::BareJid;
use minidom::Element;
use std::{sync::Arc, time::Duration};
use xmpp_parsers::{
    sm::{A, Enable, Enabled, Nonza, R, StreamId},
    stanza_error::DefinedCondition,
};

/// A client that owes an acknowledgement for so long has lost its connection.
pub(super) const OVERDUE: Duration = Duration::from_secs(60);

/// Both counters of a stream.
pub(crate) struct Acks {
    pub(super) ledger: Ledger,
    pub(super) unacked: Unacked,
}

impl Acks {
    pub(super) fn new(budget: Arc<Budget>) -> Box<Self> {
        Box::new(Self { ledger: Ledger::default(), unacked: Unacked::new(budget) })
    }
    /// The session is over: rows of what was acknowledged go.
    pub(super) async fn free(&mut self, router: &Router, owner: &BareJid) {
        let ids = self.unacked.take_freed();
        if !ids.is_empty()
            && let Err(error) = router.release_ids(owner, ids).await
        {
            tracing::warn!(%error, "messages that were handed out will be handed out again");
        }
    }
    /// The session is over: whoever comes back to it later learns at least how far it came.
    pub(super) fn remember(&self, router: &Router, session: &Session) {
        if let Some(resumable) = session.resumable() {
            router.former.remember(resumable.id(), session.jid.to_bare(), self.ledger.handled(), router.clock.mono());
        }
    }
}

/// Grants `<enable/>` to a session that has no stream management yet.
pub(crate) fn enable(router: &Router, session: &Session, enable: &Enable) -> (Box<Acks>, Element) {
    let most = router.limits.resume_timeout;
    let wish = enable.max.map_or(most, |max| Duration::from_secs(max.into()));
    let timeout = most.min(wish);
    let resume = enable.resume && !timeout.is_zero();
    let mut enabled = Enabled { id: None, location: None, max: None, resume };
    if resume {
        let id = router.entropy.id();
        enabled.id = Some(StreamId(id.clone()));
        enabled.max = u32::try_from(timeout.as_secs()).ok();
        session.set_resumable(Resumable::new(id, timeout));
    }
    (Acks::new(router.budget.clone()), enabled.into())
}

impl Live {
    /// A stanza came in.
    pub(super) fn enter(&mut self) -> Entry {
        self.acks.as_mut().map_or(Entry::NONE, |acks| acks.ledger.enter())
    }
    /// It has come to its end: stored where it had to be, answered, accepted by whom it was for.
    pub(super) fn done(&mut self, entry: Entry) {
        if let Some(acks) = &mut self.acks
            && acks.ledger.done(entry)
        {
            let h = acks.ledger.handled();
            self.output.element(&A::new(h).into());
        }
    }

    /// A stanza to the client, remembered until it has it.
    pub(super) fn put(&mut self, mail: &Mail) {
        let instead = mail.address.instead(&self.bare, &self.session);
        send(&mut self.output, &mut self.acks, mail, instead);
    }
    /// The same of a message that the store has until then.
    pub(super) fn put_row(&mut self, stanza: Arc<Frozen>) {
        self.output.untracked(&stanza, None);
        if let Some(acks) = &mut self.acks {
            acks.unacked.push(stanza, Address::Own, Row::Held);
        }
    }
    /// What the client has to have acknowledged to have all that was put so far; `None`: it never acknowledges.
    pub(super) fn put_so_far(&self) -> Option<u32> {
        self.acks.as_ref().map(|acks| acks.unacked.count())
    }

    /// The client has so much that it never acknowledged that the rest waits.
    pub(super) fn is_full(&self) -> bool {
        self.acks.as_ref().is_some_and(|acks| acks.unacked.is_full())
    }
    /// The client has more than can be remembered for it.
    pub(super) fn check_unacked(&self) -> Result<(), End> {
        match &self.acks {
            Some(acks) if acks.unacked.is_over() => Err(End::Error(errors::unacknowledged())),
            _ => Ok(()),
        }
    }
    /// Behind what is about to go out the client is asked whether it came.
    pub(super) fn ask(&mut self) {
        let now = self.router.clock.mono();
        if let Some(acks) = &mut self.acks
            && acks.unacked.ask(now)
        {
            self.output.element(&R.into());
            self.look_again_in(OVERDUE);
        }
    }
    /// When the client has to have answered by.
    pub(super) fn due(&self) -> Option<Duration> {
        self.acks.as_ref()?.unacked.asked().map(|asked| asked + OVERDUE)
    }

    /// An element of stream management.
    pub(super) fn managed(&mut self, element: Element) -> Result<(), End> {
        let requests = matches!(element.name(), "enable" | "resume");
        match (Nonza::try_from(element), &mut self.acks) {
            (Ok(Nonza::Enable(wish)), acks @ None) => {
                let (granted, enabled) = enable(&self.router, &self.session, &wish);
                *acks = Some(granted);
                self.output.element(&enabled);
            }
            (Ok(Nonza::Req(R)), Some(acks)) => {
                let h = acks.ledger.promise();
                self.output.element(&A::new(h).into());
            }
            (Ok(Nonza::Ack(A { h })), Some(acks)) => {
                acks.unacked.acknowledge(h).map_err(too_high)?;
                if acks.unacked.answered() {
                    self.ask();
                }
            }
            (Ok(Nonza::Enable(_) | Nonza::Resume(_) | Nonza::Req(_) | Nonza::Ack(_)), _) => {
                self.output.element(&sm::failed(DefinedCondition::UnexpectedRequest, None));
            }
            // As when it stands in a login.
            (Err(_), _) if requests => self.output.element(&sm::failed(DefinedCondition::BadRequest, None)),
            // What only servers say, or what is no element of stream management at all.
            (Ok(_) | Err(_), _) => return Err(End::Error(StreamError::from(Condition::InvalidXml))),
        }
        Ok(())
    }
}

pub(super) fn too_high(fault: TooHigh) -> End {
    End::Error(fault.into())
}

pub(super) fn send(output: &mut super::Output, acks: &mut Option<Box<Acks>>, mail: &Mail, instead: Option<&str>) {
    match acks {
        None => output.stanza(&mail.stanza, instead),
        Some(acks) => {
            output.untracked(&mail.stanza, instead);
            acks.unacked.push(mail.stanza.clone(), mail.address, Row::No);
        }
    }
}
