//! Archives of accounts (XEP-0313): what the recorders want kept is stored before anybody gets it. The archives of both
//! sides and what waits for an absent recipient are one transaction.
//!
//! The sender reads on meanwhile; what it sends next stands behind this one in its own queue of commits, so that
//! everything arrives in the order in which it was sent.

use super::{Router, Step, held::Storing};
use crate::{facts::Facts, plan::HostPlan, wire};
use bocage_api::{
    BoxFuture, Frozen, RecordView, Stanza, StanzaError,
    archive::{Append, Appended, ArchiveEntry, ArchivedMessage, Party, StanzaId},
    stanza::MessageType,
    store::{StoreError, Stored},
};
use jid::{BareJid, Jid};
use std::sync::Arc;

/// A message on its way to an account here: judged, frozen, and not yet stored.
pub(super) struct Draft {
    pub(super) kind: MessageType,
    pub(super) to: Jid,
    /// Its tree is there still.
    pub(super) frozen: Frozen,
    pub(super) facts: Arc<Facts>,
}

/// What is to be stored of a message.
#[derive(Default)]
struct Wishes {
    entries: Vec<ArchiveEntry>,
    /// The recipient's archive keeps or holds it.
    recipient: bool,
}

impl Router {
    /// Stores what is to be stored, then delivers.
    pub(super) fn record(self: &Arc<Self>, plan: &Arc<HostPlan>, draft: Draft) -> Step {
        let Draft { kind, to, mut frozen, facts } = draft;
        let owner = to.to_bare();
        let sender = match self.sender_facts(&frozen) {
            Ok(sender) => sender,
            Err(missing) => {
                let (router, plan) = (self.clone(), plan.clone());
                return Step::Wait(Box::pin(async move {
                    match router.facts.load(&missing).await {
                        Ok(_) => router.record(&plan, Draft { kind, to, frozen, facts }),
                        Err(error) => Step::bounce_frozen(&frozen, &error.into()),
                    }
                }));
            }
        };
        let away = !self.is_present(&to);
        let mut wishes = match self.recipient_wish(plan, (&owner, &facts), &frozen, away) {
            Ok(wishes) => wishes,
            Err(error) => return Step::bounce_frozen(&frozen, &error),
        };
        if let Err(error) = self.sender_wish(sender, &frozen, &mut wishes) {
            return Step::bounce_frozen(&frozen, &error);
        }
        frozen.tree = None;
        let kept = wishes.entries.first().filter(|entry| wishes.recipient && entry.kept).map(|entry| entry.id);
        if let Some(id) = kept {
            wire::add_stanza_id(&mut frozen, owner.as_str(), id);
        }
        let frozen = Arc::new(frozen);
        if wishes.entries.is_empty() {
            return Step::Then(Box::new(move |router| router.deliver_message(kind, to, frozen)));
        }
        // Only the recipient's archive tells whether the recipient had it before. What nobody takes comes back, and its
        // sender's archive has it all the same.
        let known = wishes.recipient;
        let storing = (away && known).then(|| self.storing(owner));
        let appending = self.append(wishes.entries);
        let router = self.clone();
        Step::Commit(Box::pin(async move {
            let stored = match appending.await {
                Ok(Appended::Resent) if !known => Ok(Appended::Stored),
                other => other,
            };
            router.recorded(stored, (kind, to, frozen), storing).await
        }))
    }

    async fn recorded(
        self: Arc<Self>,
        stored: Stored<Appended>,
        (kind, to, frozen): (MessageType, Jid, Arc<Frozen>),
        storing: Option<Storing>,
    ) -> Step {
        match stored {
            Ok(Appended::Resent) => Step::Done,
            Err(StoreError::Limit(_)) => Step::bounce_frozen(&frozen, &StanzaError::service_unavailable()),
            Err(error) => Step::bounce_frozen(&frozen, &error.into()),
            Ok(Appended::Stored) => match storing {
                None => Step::Then(Box::new(move |router| router.deliver_message(kind, to, frozen))),
                Some(storing) => {
                    self.is_stored(storing.owner(), frozen).await;
                    Step::Done
                }
            },
        }
    }

    /// Queued at its first poll: sessions poll their commits in the order in which they began.
    fn append(&self, entries: Vec<ArchiveEntry>) -> BoxFuture<'static, Stored<Appended>> {
        let archive = self.stores.archive.clone();
        Box::pin(async move { archive.append(Append { entries, once: true }).await })
    }

    /// Somebody may have come while it was being stored; whoever tells the absent is told.
    pub(super) async fn is_stored(&self, owner: &BareJid, frozen: Arc<Frozen>) {
        self.was_stored(owner);
        self.wanting(owner).iter().for_each(|session| session.mailbox.flush_held());
        if let Some(plan) = self.plans().accounts(owner.domain().as_str())
            && let Err(error) = plan.take_undeliverable(owner, frozen).await
        {
            tracing::debug!(condition = ?error.condition, "what was stored was not told of");
        }
    }

    /// Would it reach a session now?
    fn is_present(&self, to: &Jid) -> bool {
        let owner = to.to_bare();
        let session = to.try_as_full().ok().and_then(|full| self.users.session(full));
        // A session that gets no held messages would not get this one either, were it stored behind them.
        if session.as_ref().is_none_or(|session| session.wants_messages()) && self.is_storing(&owner) {
            return false;
        }
        session.is_some() || !self.wanting(&owner).is_empty()
    }

    /// The sender's facts, when the sender's archive is here; `Err` when they have to be loaded.
    fn sender_facts(&self, frozen: &Frozen) -> Result<Option<(BareJid, Arc<Facts>)>, BareJid> {
        let Some(from) = &frozen.from else { return Ok(None) };
        let here = self.plans().accounts(from.domain().as_str()).is_some_and(|plan| !plan.at.recorders.is_empty());
        if !here || from.node().is_none() {
            return Ok(None);
        }
        let owner = from.to_bare();
        match self.facts.peek(&owner) {
            Some(facts) => Ok(Some((owner, facts))),
            None => Err(owner),
        }
    }

    fn recipient_wish(
        &self,
        plan: &HostPlan,
        (owner, facts): (&BareJid, &Facts),
        frozen: &Frozen,
        away: bool,
    ) -> Result<Wishes, StanzaError> {
        let (Some(from), true) = (&frozen.from, facts.exists) else { return Ok(Wishes::default()) };
        let kept = wanted(plan, (owner, facts), from, frozen)?;
        let held = if away { plan.holds(owner, frozen) } else { None };
        if !kept && held.is_none() {
            return Ok(Wishes::default());
        }
        let mut entries = Vec::with_capacity(2);
        entries.extend(self.entry(plan, (owner, from), frozen, None).map(|entry| ArchiveEntry { kept, held, ..entry }));
        let recipient = !entries.is_empty();
        Ok(Wishes { entries, recipient })
    }

    fn sender_wish(
        &self,
        sender: Option<(BareJid, Arc<Facts>)>,
        frozen: &Frozen,
        wishes: &mut Wishes,
    ) -> Result<(), StanzaError> {
        let Some((owner, facts)) = sender else { return Ok(()) };
        let (Some(to), plans) = (&frozen.to, self.plans()) else { return Ok(()) };
        let Some(plan) = plans.accounts(owner.domain().as_str()).filter(|_| facts.exists) else { return Ok(()) };
        // A message to oneself is in one archive, once.
        if to.to_bare() == owner || !wanted(plan, (&owner, &facts), to, frozen)? {
            return Ok(());
        }
        let shared = wishes.entries.first().map(|entry| entry.message.clone());
        wishes.entries.extend(self.entry(plan, (&owner, to), frozen, shared));
        Ok(())
    }

    /// A kept entry for `owner`.
    fn entry(
        &self,
        plan: &HostPlan,
        (owner, party): (&BareJid, &Jid),
        frozen: &Frozen,
        shared: Option<Arc<ArchivedMessage>>,
    ) -> Option<ArchiveEntry> {
        let stamp = self.clock.wall();
        Some(ArchiveEntry {
            owner: owner.clone(),
            id: StanzaId(self.entropy.bytes()),
            stamp,
            party: Party::With(party.clone()),
            message: match shared {
                Some(message) => message,
                None => Arc::new(ArchivedMessage::of(frozen)?),
            },
            kept: true,
            held: None,
            retracts: plan.retracts(frozen, stamp),
        })
    }

    /// The row that an absent recipient's message becomes, where no archive has it.
    pub(super) fn held_entry(&self, plan: &HostPlan, owner: &BareJid, frozen: &Frozen, limit: usize) -> Option<ArchiveEntry> {
        let entry = self.entry(plan, (owner, frozen.from.as_ref()?), frozen, None)?;
        Some(ArchiveEntry { kept: false, held: Some(limit), retracts: None, ..entry })
    }

    /// A message to another server: the sender's archive keeps it before it goes.
    pub(super) fn record_outgoing(self: &Arc<Self>, stanza: Stanza) -> Step {
        let frozen = wire::freeze(stanza, wire::Tree::Keep);
        let Err(missing) = self.sender_facts(&frozen) else { return self.keep_outgoing(frozen) };
        let router = self.clone();
        Step::Wait(Box::pin(async move {
            match router.facts.load(&missing).await {
                Ok(_) => router.keep_outgoing(frozen),
                Err(error) => Step::bounce_frozen(&frozen, &error.into()),
            }
        }))
    }

    fn keep_outgoing(self: &Arc<Self>, mut frozen: Frozen) -> Step {
        let mut wishes = Wishes::default();
        let wished = match self.sender_facts(&frozen) {
            Ok(sender) => self.sender_wish(sender, &frozen, &mut wishes),
            // Forgotten again at this very moment: it is not worth another round.
            Err(_) => Err(StanzaError::try_later()),
        };
        if let Err(error) = wished {
            return Step::bounce_frozen(&frozen, &error);
        }
        frozen.tree = None;
        let frozen = Arc::new(frozen);
        if wishes.entries.is_empty() {
            return Step::Then(Box::new(move |router| router.message_to_remote(frozen)));
        }
        let appending = self.append(wishes.entries);
        Step::Commit(Box::pin(async move {
            match appending.await {
                // Resent: it may have been lost between our archive and the other server.
                Ok(_) => Step::Then(Box::new(move |router| router.message_to_remote(frozen))),
                Err(error) => Step::bounce_frozen(&frozen, &error.into()),
            }
        }))
    }
}

/// Does the archive of `owner` keep it?
fn wanted(plan: &HostPlan, (owner, facts): (&BareJid, &Facts), party: &Jid, frozen: &Frozen) -> Result<bool, StanzaError> {
    let in_roster = facts.contact(&party.to_bare()).is_some_and(|item| item.listed);
    plan.wants(&RecordView { owner, party, in_roster, preferences: facts.preferences.as_ref() }, frozen)
}
