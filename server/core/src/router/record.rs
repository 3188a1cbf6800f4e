//! Archives of accounts (XEP-0313): what the recorders want kept is stored before anybody gets it. The archives of both
//! sides and what waits for an absent recipient are one transaction.
//!
//! The sender reads on meanwhile; what it sends next stands behind this one in its own queue of commits, so that
//! everything arrives in the order in which it was sent.

use super::{Router, Session, Step, carbons::SentTo, held::Storing};
use crate::{facts::Facts, plan::HostPlan, wire};
use bocage_api::{
    BoxFuture, Frozen, Kind, RecordView, Stanza, StanzaError,
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

/// What is stored where it had to be, with the copies for its sender's devices.
struct Recorded {
    kind: MessageType,
    to: Jid,
    frozen: Arc<Frozen>,
    sent: Option<SentTo>,
}
impl Recorded {
    fn deliver(self, router: &Arc<Router>) -> Step {
        self.sent.into_iter().for_each(SentTo::give);
        router.deliver_message(self.kind, self.to, self.frozen)
    }
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
        let away = !self.is_awake(&to);
        let mut wishes = match self.recipient_wish(plan, (&owner, &facts), &frozen, away) {
            Ok(wishes) => wishes,
            Err(error) => return Step::bounce_frozen(&frozen, &error),
        };
        let sent = match self.sender_wish(sender, &frozen, &mut wishes) {
            Ok(id) => id,
            Err(error) => return Step::bounce_frozen(&frozen, &error),
        };
        frozen.tree = None;
        let sent = self.copies_when_recorded(kind, &frozen, sent);
        let row = wishes.entries.first().filter(|_| wishes.recipient);
        if let Some(row) = row.filter(|row| row.kept) {
            wire::add_stanza_id(&mut frozen, owner.as_str(), row.id);
        }
        frozen.waits = row.filter(|row| row.held.is_some()).map(|row| row.id);
        let draft = Recorded { kind, to, frozen: Arc::new(frozen), sent };
        if wishes.entries.is_empty() {
            return Step::Then(Box::new(move |router| draft.deliver(router)));
        }
        // Only the recipient's archive tells whether the recipient had it before. What nobody takes comes back, and its
        // sender's archive has it all the same.
        let known = wishes.recipient;
        let storing = draft.frozen.waits.map(|id| (id, self.storing(owner)));
        let appending = self.append(wishes.entries);
        let router = self.clone();
        Step::Commit(Box::pin(async move {
            let stored = match appending.await {
                Ok(Appended::Resent | Appended::ResentSinceStart(_)) if !known => Ok(Appended::Stored),
                other => other,
            };
            router.recorded(stored, draft, storing).await
        }))
    }

    async fn recorded(self: Arc<Self>, stored: Stored<Appended>, draft: Recorded, storing: Option<(StanzaId, Storing)>) -> Step {
        match (stored, storing) {
            (Ok(Appended::Resent), _) => Step::Done,
            (Ok(Appended::ResentSinceStart(id)), _) => self.offer_again(&draft, id).await,
            (Err(StoreError::Limit(_)), _) => Step::bounce_frozen(&draft.frozen, &StanzaError::service_unavailable()),
            (Err(error), _) => Step::bounce_frozen(&draft.frozen, &error.into()),
            (Ok(Appended::Stored), None) => Step::Then(Box::new(move |router| draft.deliver(router))),
            (Ok(Appended::Stored), Some((id, storing))) => {
                let Recorded { frozen, sent, .. } = draft;
                Step::Then(Box::new(move |router| {
                    sent.into_iter().for_each(SentTo::give);
                    router.hand_out(&storing, id, frozen)
                }))
            }
        }
    }

    /// Its sender was never told that it is stored, and the server died: perhaps before anybody had got it. It waits, and who
    /// is there looks; who reads the archive found it there.
    async fn offer_again(self: Arc<Self>, draft: &Recorded, id: StanzaId) -> Step {
        let (owner, plans) = (draft.to.to_bare(), self.plans());
        let limit = plans.accounts(owner.domain().as_str()).and_then(|plan| plan.holds(&owner, &draft.frozen));
        let Some(limit) = limit else { return Step::Done };
        let storing = self.storing(owner);
        match self.stores.archive.hold(storing.owner(), id, limit).await {
            Ok(_) => {
                self.was_stored(storing.owner());
                self.wanting(storing.owner()).iter().for_each(|session| session.mailbox.flush_held());
                Step::Done
            }
            Err(error) => Step::bounce_frozen(&draft.frozen, &error.into()),
        }
    }

    /// Queued at its first poll: sessions poll their commits in the order in which they began.
    fn append(&self, entries: Vec<ArchiveEntry>) -> BoxFuture<'static, Stored<Appended>> {
        let archive = self.stores.archive.clone();
        Box::pin(async move { archive.append(Append { entries, once: true }).await })
    }

    /// It waits in the row `id`. In the turn of its sender, sessions that sleep get it, as they would find it when they come
    /// back; who came while it was being stored looks there; whoever tells the absent is told.
    pub(super) fn hand_out(self: &Arc<Self>, storing: &Storing, id: StanzaId, frozen: Arc<Frozen>) -> Step {
        let owner = storing.owner();
        self.was_stored(owner);
        let mut here = self.wanting(owner);
        if let Some(session) = self.addressed(&frozen) {
            here.retain(|other| !other.is_asleep() && !Arc::ptr_eq(other, &session));
            here.push(session);
        }
        let with_row = match here.first().filter(|_| frozen.waits.is_none()) {
            Some(_) => Arc::new(Frozen { waits: Some(id), ..(*frozen).clone() }),
            None => frozen,
        };
        let took: Vec<_> = here.iter().filter(|session| session.post_stored(&with_row)).collect();
        took.iter().for_each(|session| self.wake(session, &with_row));
        if !took.is_empty() {
            self.copy_received(owner, &with_row, &here);
            return Step::Done;
        }
        let (router, owner) = (self.clone(), owner.clone());
        Step::Commit(Box::pin(async move {
            if let Some(plan) = router.plans().accounts(owner.domain().as_str())
                && let Err(error) = plan.take_undeliverable(&owner, with_row).await
            {
                tracing::debug!(condition = ?error.condition, "what was stored was not told of");
            }
            Step::Done
        }))
    }

    /// The session whose full JID it is addressed to.
    pub(super) fn addressed(&self, frozen: &Frozen) -> Option<Arc<Session>> {
        frozen.to.as_ref().and_then(|to| self.users.session(to.try_as_full().ok()?))
    }

    /// Would it reach a session now that has a connection?
    pub(super) fn is_awake(&self, to: &Jid) -> bool {
        let owner = to.to_bare();
        let session = to.try_as_full().ok().and_then(|full| self.users.session(full));
        // A session that gets no held messages would not get this one either, were it stored behind them.
        if session.as_ref().is_none_or(|session| session.wants_messages()) && self.is_storing(&owner) {
            return false;
        }
        session.is_some_and(|session| !session.is_asleep()) || self.wanting(&owner).iter().any(|other| !other.is_asleep())
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

    /// The name of its row in the sender's archive, if that keeps it.
    fn sender_wish(
        &self,
        sender: Option<(BareJid, Arc<Facts>)>,
        frozen: &Frozen,
        wishes: &mut Wishes,
    ) -> Result<Option<StanzaId>, StanzaError> {
        let Some((owner, facts)) = sender else { return Ok(None) };
        let (Some(to), plans) = (&frozen.to, self.plans()) else { return Ok(None) };
        let Some(plan) = plans.accounts(owner.domain().as_str()).filter(|_| facts.exists) else { return Ok(None) };
        // A message to oneself is in one archive, once.
        if to.to_bare() == owner || !wanted(plan, (&owner, &facts), to, frozen)? {
            return Ok(None);
        }
        let shared = wishes.entries.first().map(|entry| entry.message.clone());
        let entry = self.entry(plan, (&owner, to), frozen, shared);
        let id = entry.as_ref().map(|entry| entry.id);
        wishes.entries.extend(entry);
        Ok(id)
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
            id: self.stores.archive.name(),
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
        let id = match wished {
            Ok(id) => id,
            Err(error) => return Step::bounce_frozen(&frozen, &error),
        };
        frozen.tree = None;
        let sent = match frozen.kind {
            Kind::Message(kind) => self.copies_when_recorded(kind, &frozen, id),
            _ => None,
        };
        let frozen = Arc::new(frozen);
        let going = frozen.clone();
        let go = move |router: &Arc<Self>| {
            sent.into_iter().for_each(SentTo::give);
            router.message_to_remote(going)
        };
        if wishes.entries.is_empty() {
            return Step::Then(Box::new(go));
        }
        let (appending, unstored) = (self.append(wishes.entries), frozen);
        Step::Commit(Box::pin(async move {
            match appending.await {
                // Resent: it may have been lost between our archive and the other server.
                Ok(_) => Step::Then(Box::new(go)),
                Err(error) => Step::bounce_frozen(&unstored, &error.into()),
            }
        }))
    }
}

/// Does the archive of `owner` keep it?
fn wanted(plan: &HostPlan, (owner, facts): (&BareJid, &Facts), party: &Jid, frozen: &Frozen) -> Result<bool, StanzaError> {
    let in_roster = facts.contact(&party.to_bare()).is_some_and(|item| item.listed);
    plan.wants(&RecordView { owner, party, in_roster, preferences: facts.preferences.as_ref() }, frozen)
}
