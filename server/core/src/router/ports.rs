//! The router as modules may use it.

use super::Router;
use bocage_api::{
    BoxFuture, ContactEdit, ContactsPort, DiscoPart, DiscoPort, DiscoTarget, OutboxPort, Stanza, StanzaError,
    store::{Roster, Stored},
};
use jid::{BareJid, DomainPart, FullJid};
use std::sync::Arc;

/// The ports of one host.
#[derive(Clone)]
pub struct Ports {
    /// The router.
    pub router: Arc<Router>,
    /// The host whose modules use them.
    pub host: DomainPart,
}

impl OutboxPort for Ports {
    fn send(&self, stanza: Stanza) -> BoxFuture<'_, Result<(), StanzaError>> {
        Box::pin(self.router.send(stanza))
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

impl DiscoPort for Ports {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let domain = match target {
            DiscoTarget::Server(domain) | DiscoTarget::Host(domain) => domain.as_str(),
            DiscoTarget::Account => self.host.as_str(),
        };
        self.router.plans().disco(domain, target)
    }
}
