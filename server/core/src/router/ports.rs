//! The router as modules may use it.

use super::Router;
use crate::{plan::HostPlan, settings::Auth};
use bocage_api::{
    AccountsPort, ArchivingPort, BlockChange, BlockList, BlocksPort, BoxFuture, Command, CommandsPort, ContactEdit, ContactsPort,
    DiscoNode, DiscoPart, DiscoPort, DiscoTarget, Frozen, OptOut, OutboxPort, Payloads, Reveal, RoomStanza, RoomView, RoomsPort,
    Stanza, StanzaError, Undelivered, Verdict, Whois,
    archive::Preferences,
    commands::CommandPlace,
    store::{Roster, Stored},
};
use jid::{BareJid, DomainPart, FullJid};
use minidom::Element;
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};

/// The ports of one host.
#[derive(Clone)]
pub struct Ports {
    /// The router.
    pub router: Arc<Router>,
    /// The host whose modules use them.
    pub host: DomainPart,
    /// How passwords become keys.
    pub auth: Auth,
}

impl OutboxPort for Ports {
    fn send(&self, stanza: Stanza) -> BoxFuture<'_, Result<(), StanzaError>> {
        Box::pin(self.router.send(stanza))
    }
    fn ask(&self, request: Stanza) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(self.router.inquire(request))
    }
    fn freeze(&self, stanza: Stanza) -> Arc<Frozen> {
        Arc::new(crate::wire::freeze_for_wire(stanza))
    }
    fn deliver(&self, stanza: &Arc<Frozen>, to: &FullJid) -> Result<(), Undelivered> {
        self.router.deliver(stanza, to)
    }
}

/// A host without a plan has the strictest rooms.
impl RoomsPort for Ports {
    fn emits(&self, room: &RoomView<'_>, what: RoomStanza, payloads: &mut Payloads<'_>) -> Verdict {
        match self.plan() {
            Some(plan) => plan.room_emits(room, what, payloads),
            None => {
                payloads.clear();
                Verdict::Bounce(StanzaError::internal_server_error())
            }
        }
    }
    fn reveal(&self, room: &RoomView<'_>, wish: OptOut) -> Reveal {
        self.plan().map_or(Reveal::Nothing, |plan| plan.reveal(room, wish))
    }
    fn whois(&self) -> Whois {
        self.plan().map_or(Whois::Nobody, |plan| plan.room_whois())
    }
    fn leave_jitter(&self) -> Duration {
        self.plan().map_or(Duration::ZERO, |plan| plan.leave_jitter())
    }
    fn admit(&self, room: &BareJid, who: &BareJid) -> Result<(), StanzaError> {
        self.plan().map_or(Err(StanzaError::service_unavailable()), |plan| plan.room_admits(room, who))
    }
    fn keep(&self, room: &BareJid) -> Duration {
        self.plan().map_or(Duration::ZERO, |plan| plan.keep(room))
    }
}
impl Ports {
    fn plan(&self) -> Option<Arc<HostPlan>> {
        self.router.plans().accounts(self.host.as_str()).cloned()
    }
}

impl ContactsPort for Ports {
    fn roster(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Arc<Roster>>> {
        let owner = owner.clone();
        Box::pin(async move { Ok(self.router.facts.load(&owner).await?.roster.clone()) })
    }
    fn set(&self, owner: &BareJid, contact: ContactEdit) -> BoxFuture<'_, Result<(), StanzaError>> {
        let owner = owner.clone();
        Box::pin(async move { self.router.set_contact(&owner, contact).await })
    }
    fn remove(&self, owner: &BareJid, contact: &BareJid) -> BoxFuture<'_, Result<(), StanzaError>> {
        let (owner, contact) = (owner.clone(), contact.clone());
        Box::pin(async move { self.router.remove_contact(&owner, &contact).await })
    }
    fn interested(&self, session: &FullJid) {
        if let Some(session) = self.router.users.session(session) {
            session.set_interested();
        }
    }
}

impl ArchivingPort for Ports {
    fn preferences(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Option<Preferences>>> {
        let owner = owner.clone();
        Box::pin(async move { Ok(self.router.facts.load(&owner).await?.preferences.clone()) })
    }
    fn set_preferences(&self, owner: &BareJid, preferences: Preferences) -> BoxFuture<'_, Stored<()>> {
        let owner = owner.clone();
        Box::pin(async move {
            let _no_load = self.router.facts.lock(&owner).await;
            let set = self.router.stores.archive.set_preferences(&owner, preferences).await;
            // Also after an error: it may have been committed.
            self.router.facts.forget(&owner);
            set
        })
    }
    fn reads_archive(&self, session: &FullJid) {
        if let Some(session) = self.router.users.session(session) {
            session.set_reads_archive();
        }
    }
}

impl AccountsPort for Ports {
    fn set_password(&self, session: &FullJid, password: SecretString) -> BoxFuture<'_, Result<(), StanzaError>> {
        let session = session.clone();
        Box::pin(async move { self.router.change_password(&session, password, self.auth).await })
    }
    fn delete(&self, session: &FullJid) -> BoxFuture<'_, Result<(), StanzaError>> {
        let session = session.clone();
        Box::pin(async move {
            self.router.delete_account(&session.to_bare(), Some(&session)).await?;
            // Nothing waits behind this: the answer is on its way before the end of the stream.
            self.router.end_last(&session);
            Ok(())
        })
    }
    fn is_available(&self, account: &BareJid) -> bool {
        self.router.users.sessions(account).iter().any(|session| session.presence().is_some())
    }
}

impl BlocksPort for Ports {
    fn list(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Arc<BlockList>>> {
        let owner = owner.clone();
        Box::pin(async move { self.router.block_list(&owner).await })
    }
    fn change(&self, owner: &BareJid, change: BlockChange) -> BoxFuture<'_, Result<(), StanzaError>> {
        let owner = owner.clone();
        Box::pin(async move { self.router.change_blocks(&owner, change).await })
    }
    fn interested(&self, session: &FullJid) {
        if let Some(session) = self.router.users.session(session) {
            session.set_wants_blocks();
        }
    }
}

impl DiscoPort for Ports {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let domain = match target {
            DiscoTarget::Server(domain) | DiscoTarget::Host(domain) => domain.as_str(),
            DiscoTarget::Account => self.host.as_str(),
        };
        self.router.plans().disco(domain, target)
    }
    fn node(&self, target: &DiscoTarget, asked: &DiscoNode<'_>) -> Option<DiscoPart> {
        let plans = self.router.plans();
        let plan = plans.place(self.host.as_str())?.plan();
        plan.at.disco_entries.iter().find_map(|entry| plan.node(entry, (target, asked)))
    }
}

impl CommandsPort for Ports {
    fn offered(&self, place: CommandPlace) -> Vec<Arc<dyn Command>> {
        let plans = self.router.plans();
        let Some(plan) = plans.accounts(self.host.as_str()) else { return Vec::new() };
        let all = plan.at.commands.iter().filter(|command| command.it.places().contains(&place));
        all.map(|command| command.it.clone()).collect()
    }
}
