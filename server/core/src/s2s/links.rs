//! From the router to the queues, and what happens to what cannot go.

use super::{
    federation::Federation,
    outgoing,
    queue::{Item, Link, Pushed},
    ticket::{self, Fate, Teller, Ticket},
};
use crate::router::{Router, Step};
use bocage_api::{Frozen, Kind, Stanza, StanzaError, Undelivered, error::Condition, stanza::MessageType, store::OutboundRow};
use jid::{BareJid, DomainPart, DomainRef, FullJid, Jid};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

/// Pairs of hosts and peers that may be known at the same time.
const MAX_LINKS: usize = 10_000;
/// A message waits so long for a peer that cannot be reached; one that a former run has left, until its row's deadline.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// Rows read at once when what a former run left is taken up.
const PAGE: usize = 256;

type ByPeer = HashMap<String, HashMap<String, Arc<Link>>>;

/// The queues of all peers.
#[derive(Default)]
pub struct Links {
    table: Mutex<ByPeer>,
    federation: OnceLock<Arc<Federation>>,
}

impl Links {
    /// From now on there is federation.
    pub fn begin(&self, federation: Arc<Federation>) {
        let _ = self.federation.set(federation);
    }
    /// The federation, if there is any.
    pub fn federation(&self) -> Option<&Arc<Federation>> {
        self.federation.get()
    }
    fn table(&self) -> MutexGuard<'_, ByPeer> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue of a pair. Posting happens under the table's lock: a queue in use is never forgotten.
    fn with<T>(&self, (here, there): (&DomainRef, &DomainRef), work: impl FnOnce(&Arc<Link>) -> T) -> Option<T> {
        let federation = self.federation.get()?;
        let mut table = self.table();
        if let Some(link) = table.get(there.as_str()).and_then(|links| links.get(here.as_str())) {
            return Some(work(link));
        }
        if table.len() >= MAX_LINKS {
            return None;
        }
        let links = table.entry(there.as_str().to_owned()).or_default();
        let new = || Arc::new(Link::new(here.to_owned(), there.to_owned(), federation.router.budget.clone()));
        Some(work(links.entry(here.as_str().to_owned()).or_insert_with(new)))
    }

    /// A stream of the peer's brings what waits for it, unless one does already.
    pub(super) fn attach(&self, (here, there): (&DomainPart, &DomainPart)) -> Option<Arc<Link>> {
        self.with((here, there), |link| link.take_over().then(|| link.clone())).flatten()
    }

    /// `there` has answered a ping of `here`; `false`: that was not asked.
    pub(super) fn answered(&self, (here, there): (&DomainPart, &DomainPart), id: &str) -> bool {
        let table = self.table();
        let link = table.get(there.as_str()).and_then(|links| links.get(here.as_str()));
        link.is_some_and(|link| link.answer(id))
    }

    /// Forgets a queue that nobody uses.
    pub(super) fn forget(&self, link: &Link) {
        let mut table = self.table();
        let Some(links) = table.get_mut(link.there.as_str()) else { return };
        if links.get(link.here.as_str()).is_some_and(|known| known.is_unused()) {
            links.remove(link.here.as_str());
        }
        if links.is_empty() {
            table.remove(link.there.as_str());
        }
    }

    fn post(&self, here: &DomainRef, there: &DomainRef, item: Item) -> Result<(), Box<(Item, StanzaError)>> {
        let Some(federation) = self.federation.get() else {
            return Err(Box::new((item, StanzaError::remote_server_not_found())));
        };
        if !federation.admits(there.as_str()) {
            return Err(Box::new((item, StanzaError::remote_server_not_found())));
        }
        let mut waiting = Some(item);
        let pushed = self.with((here, there), |link| match waiting.take().map(|item| link.push(item)) {
            Some(Ok(pushed)) => Some((pushed, link.clone())),
            Some(Err(item)) => {
                waiting = Some(item);
                None
            }
            None => None,
        });
        match (pushed.flatten(), waiting) {
            (Some((Pushed::First, link)), _) => {
                let federation = federation.clone();
                federation.router.tasks.clone().spawn_core("link", outgoing::drive(federation, link));
                Ok(())
            }
            (Some(_), _) | (None, None) => Ok(()),
            (None, Some(item)) => Err(Box::new((item, StanzaError::resource_constraint()))),
        }
    }
}

/// The fate of `item` is known: whoever is to hear of it hears.
pub(super) async fn settle(federation: &Arc<Federation>, item: Item, fate: Fate) {
    let teller = item.ticket.as_ref().map_or(Teller::Nobody, |ticket| ticket.settle(fate.clone()));
    if let Teller::Row(key) = teller {
        federation.rows.forget(key);
    }
    let Err(error) = fate else { return };
    // Nobody asked what became of a broadcast; a room wants to know whom its messages do not reach.
    let told = item.instead.is_none() || matches!(item.stanza.kind, Kind::Message(_));
    if let Some(to) = item.instead.as_ref().or(item.stanza.to.as_ref())
        && teller != Teller::Sender
        && told
    {
        federation.router.finish(Step::bounce_from(&item.stanza, to, &error)).await;
    }
}

impl Router {
    /// To another server. Messages of accounts are not lost: see `ticket`.
    pub(crate) fn to_remote(self: &Arc<Self>, stanza: Stanza) -> Step {
        let (Some(from), Some(to)) = (stanza.from.clone(), stanza.to.clone()) else { return Step::Done };
        let plans = self.plans();
        let keeps = matches!(stanza.kind, Kind::Message(MessageType::Chat | MessageType::Normal | MessageType::Groupchat))
            && plans.accounts(from.domain().as_str()).is_some();
        // Nobody speaks for a host that is not served here: nothing is relayed.
        if plans.place(from.domain().as_str()).is_none() {
            return Step::Done;
        }
        let stanza = Arc::new(crate::wire::freeze_for_wire(stanza));
        self.frozen_with_ticket((from, to), stanza, keeps)
    }

    /// A message whose archives are written: see [`Router::to_remote`].
    pub(crate) fn message_to_remote(self: &Arc<Self>, stanza: Arc<Frozen>) -> Step {
        let (Some(from), Some(to)) = (stanza.from.clone(), stanza.to.clone()) else { return Step::Done };
        let plans = self.plans();
        if plans.place(from.domain().as_str()).is_none() {
            return Step::Done;
        }
        let keeps = plans.accounts(from.domain().as_str()).is_some();
        self.frozen_with_ticket((from, to), stanza, keeps)
    }

    fn frozen_with_ticket(self: &Arc<Self>, (from, to): (Jid, Jid), stanza: Arc<Frozen>, keeps: bool) -> Step {
        let ticket = keeps.then(Ticket::open);
        let item = Item { stanza: stanza.clone(), instead: None, until: self.clock.mono() + PATIENCE, ticket: ticket.clone() };
        match (self.links.post(from.domain(), to.domain(), item), ticket, self.links.federation()) {
            (Ok(()), Some(ticket), Some(federation)) => Step::Commit(Box::pin(ticket::kept(federation.clone(), ticket, stanza))),
            (Ok(()), ..) => Step::Done,
            (Err(refused), ..) => Step::bounce_frozen(&stanza, &refused.1),
        }
    }

    /// A shared presence to a contact elsewhere; what cannot go is lost.
    pub(crate) fn tell_remote(&self, contact: &BareJid, frozen: &Arc<Frozen>) {
        let _ = self.post_shared(contact.domain(), frozen, Some(contact.clone().into()));
    }

    /// What a service sends to many; `Full` also when there is no way to that server.
    pub(crate) fn share_with_remote(&self, frozen: &Arc<Frozen>, to: &FullJid) -> Result<(), Undelivered> {
        let instead = frozen.to.is_none().then(|| Jid::from(to.clone()));
        self.post_shared(to.domain(), frozen, instead).map_err(|refused| match refused.1.condition {
            Condition::ResourceConstraint => Undelivered::Full,
            _ => Undelivered::Gone,
        })
    }

    /// What is frozen already, to its own addressee; what cannot go is lost.
    pub(crate) fn frozen_to_remote(&self, frozen: &Arc<Frozen>) {
        let Some(to) = &frozen.to else { return };
        let _ = self.post_shared(to.domain(), frozen, None);
    }

    fn post_shared(&self, there: &DomainRef, frozen: &Arc<Frozen>, instead: Option<Jid>) -> Result<(), Box<(Item, StanzaError)>> {
        let item = Item { stanza: frozen.clone(), instead, until: Duration::ZERO, ticket: None };
        match &frozen.from {
            Some(from) => self.links.post(from.domain(), there, item),
            None => Err(Box::new((item, StanzaError::bad_request()))),
        }
    }

    /// Takes up what a former run has left: it goes on its way again, or back to its sender.
    pub(crate) async fn take_up_rows(self: &Arc<Self>) {
        let Some(federation) = self.links.federation() else { return };
        let mut after = 0;
        loop {
            let rows = match self.stores.outbound.waiting(after, PAGE).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::error!(%error, "messages for other servers cannot be read");
                    return;
                }
            };
            let Some(last) = rows.last() else { return };
            after = last.position;
            let more = rows.len() == PAGE;
            for row in rows {
                self.take_up(federation, row).await;
            }
            if !more {
                return;
            }
        }
    }

    async fn take_up(&self, federation: &Arc<Federation>, row: OutboundRow) {
        let text = std::str::from_utf8(&row.payload).ok();
        let Some(stanza) = text.and_then(crate::wire::stanza) else { return federation.rows.forget(row.key) };
        let addresses = (stanza.from.clone(), stanza.to.clone());
        let stanza = Arc::new(crate::wire::freeze_for_wire(stanza));
        let left = Duration::from_secs(u64::try_from(row.deadline.saturating_sub(self.clock.wall())).unwrap_or(0));
        let ticket = Some(Ticket::of_row(row.key));
        let item = Item { stanza, instead: None, until: self.clock.mono() + left, ticket };
        let (Some(from), Some(to)) = addresses else { return federation.rows.forget(row.key) };
        if left.is_zero() {
            return settle(federation, item, Err(StanzaError::remote_server_timeout())).await;
        }
        if let Err(refused) = self.links.post(from.domain(), to.domain(), item) {
            let (item, error) = *refused;
            settle(federation, item, Err(error)).await;
        }
    }
}
