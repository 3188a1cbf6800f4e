//! Block lists as modules change them: commit, then presence, then push to every session that asked for the list
//! (XEP-0191 sections 3.3 to 3.5).

use super::broadcast;
use crate::{
    facts::Facts,
    mailbox::Address,
    router::{Router, Session},
    wire,
};
use bocage_api::{
    BlockChange, BlockList, Kind, Stanza, StanzaError, ns,
    stanza::{IqType, PresenceType},
    store::{StoreError, Stored},
};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Router {
    /// The list of an account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn block_list(&self, owner: &BareJid) -> Stored<Arc<BlockList>> {
        Ok(self.facts.load(owner).await?.blocked.clone())
    }

    /// A session was bound: from now on it is known whom its account blocks.
    pub async fn note_blocked(&self, session: &Session) {
        let account = session.jid.to_bare();
        match (self.facts.hold(&account).await, self.users.user(&account)) {
            (Ok((_no_change, facts)), Some(user)) => user.set_blocked(facts.blocked.clone()),
            (Ok(_), None) => {}
            (Err(_), _) => session.cut(crate::c2s::errors::internal()),
        }
    }

    /// Changes a list, with all that follows.
    ///
    /// # Errors
    /// `resource-constraint` for too long a list, or when it was not committed.
    pub async fn change_blocks(self: &Arc<Self>, owner: &BareJid, change: BlockChange) -> Result<(), StanzaError> {
        let (router, owner) = (self.clone(), owner.clone());
        let (done, result) = oneshot::channel();
        // A task of its own: a session that ends meanwhile must not leave the change half done.
        self.tasks.spawn_core("block list", async move {
            let _ = done.send(router.change_blocks_now(&owner, &change).await);
        });
        let ended = || StoreError::Unavailable("the change of the block list ended early".into());
        result.await.unwrap_or_else(|_| Err(ended().into()))
    }

    async fn change_blocks_now(self: &Arc<Self>, owner: &BareJid, change: &BlockChange) -> Result<(), StanzaError> {
        let (_in_order, facts) = self.facts.hold(owner).await?;
        let after = facts.blocked.after(change)?;
        if after != *facts.blocked {
            self.facts.set_blocked(owner, &after).await?;
        }
        let (more, fewer) = (after.without(&facts.blocked), facts.blocked.without(&after));
        let after = Arc::new(after);
        // Who is blocked sees the owner go while the owner may still speak to them.
        self.withdraw_from(owner, (&facts, &more));
        if let Some(user) = self.users.user(owner) {
            user.set_blocked(after.clone());
        }
        self.push_blocks(owner, change);
        let now = Facts { blocked: after, ..(*facts).clone() };
        self.show_again(owner, (&now, &fewer));
        Ok(())
    }

    fn withdraw_from(self: &Arc<Self>, owner: &BareJid, (facts, more): (&Facts, &BlockList)) {
        if more.is_empty() {
            return;
        }
        for session in self.users.sessions(owner) {
            let gone = Stanza::new(Kind::Presence(PresenceType::Unavailable), Some(session.jid.clone().into()), None);
            let told = if session.presence().is_some() { subscribers(facts, owner, more) } else { Vec::new() };
            for to in session.withdraw_directed(|to| more.blocks_for(owner, to)).into_iter().filter(|to| !told.contains(to)) {
                // Neither waits nor is answered: it is unavailable.
                drop(self.route(Stanza { to: Some(to), ..gone.clone() }));
            }
            let gone = Arc::new(wire::freeze_for_wire(gone));
            told.iter().for_each(|to| broadcast::answer(self, to, &gone));
        }
    }

    fn show_again(self: &Arc<Self>, owner: &BareJid, (facts, fewer): (&Facts, &BlockList)) {
        let mut told = subscribers(facts, owner, fewer);
        told.retain(|to| !facts.blocked.blocks_for(owner, to));
        for (presence, _) in self.users.sessions(owner).iter().filter_map(|session| session.presence()) {
            told.iter().for_each(|to| broadcast::answer(self, to, &presence));
        }
    }

    fn push_blocks(&self, owner: &BareJid, change: &BlockChange) {
        let (name, jids) = match change {
            BlockChange::Block(jids) => ("block", jids.as_slice()),
            BlockChange::Unblock(jids) => ("unblock", jids.as_slice()),
            BlockChange::UnblockAll => ("unblock", [].as_slice()),
        };
        let item = |jid: &Jid| Element::builder("item", ns::BLOCKING).attr(xml_ncname!("jid").to_owned(), jid.as_str()).build();
        let payload = Element::builder(name, ns::BLOCKING).append_all(jids.iter().map(item)).build();
        for session in self.users.sessions(owner).iter().filter(|session| session.wants_blocks()) {
            let push = Stanza::new(Kind::Iq(IqType::Set), None, Some(session.jid.clone().into()));
            let push = push.with_id(self.entropy.id()).with(payload.clone());
            // A push that finds no room is lost with its session, which is cut.
            let _ = session.post(&Arc::new(wire::freeze_for_wire(push)), Address::Own);
        }
    }
}

/// Who of `list` gets the owner's presence: the contact, or the one resource of it that is named.
fn subscribers(facts: &Facts, owner: &BareJid, list: &BlockList) -> Vec<Jid> {
    let mut found = Vec::new();
    for item in facts.roster.items.iter().filter(|item| item.subscription.from()) {
        let contact = Jid::from(item.jid.clone());
        if list.blocks_for(owner, &contact) {
            found.push(contact);
        } else {
            found.extend(list.iter().filter(|jid| jid.is_full() && jid.to_bare() == item.jid).cloned());
        }
    }
    found
}
