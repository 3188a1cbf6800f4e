//! Rosters as modules change them: commit, then push to every session that asked for the roster (RFC 6121 section 2).

use super::broadcast;
use crate::{
    mailbox::Address,
    router::{Router, Session},
    wire,
};
use bocage_api::{
    ContactEdit, Kind, Stanza, StanzaError, ns,
    stanza::{IqType, PresenceType},
    store::{RosterChange, RosterChanged, RosterEdit, RosterItem, StoreError, Stored},
};
use jid::BareJid;
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Router {
    /// Changes one row, forgets the facts, calls `first`, pushes. One change of an account at a time: pushes go out in
    /// order.
    ///
    /// # Errors
    /// When it was not committed.
    pub async fn change(
        self: &Arc<Self>,
        owner: &BareJid,
        contact: &BareJid,
        change: RosterChange,
        first: impl FnOnce(&Self, &RosterChanged) + Send + 'static,
    ) -> Stored<RosterChanged> {
        let (router, owner, contact) = (self.clone(), owner.clone(), contact.clone());
        let (done, result) = oneshot::channel();
        // A task of its own: a session that ends meanwhile must not leave facts behind that are no longer true.
        self.tasks.spawn_core("roster change", async move {
            let _ = done.send(router.change_now(&owner, &contact, change, first).await);
        });
        result.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the change of the roster ended early".into())))
    }

    async fn change_now(
        &self,
        owner: &BareJid,
        contact: &BareJid,
        change: RosterChange,
        first: impl FnOnce(&Self, &RosterChanged),
    ) -> Stored<RosterChanged> {
        let _in_order = self.facts.lock(owner).await;
        let changed = self.stores.rosters.change(owner.clone(), contact.clone(), change).await;
        // What failed may have been committed all the same.
        if changed.as_ref().ok().is_none_or(|changed| changed.before != changed.after) {
            self.facts.forget(owner);
        }
        let changed = changed?;
        first(self, &changed);
        if changed.before != changed.after {
            self.push(owner, &changed);
            if let Some(plan) = self.plans().accounts(owner.domain().as_str()) {
                plan.tell_roster(owner, contact);
            }
        }
        Ok(changed)
    }

    fn push(&self, owner: &BareJid, changed: &RosterChanged) {
        let Some(item) = pushed_item(changed) else { return };
        let query = Element::builder("query", ns::ROSTER)
            .attr(xml_ncname!("ver").to_owned(), changed.version.to_string())
            .append(item)
            .build();
        for session in self.users.sessions(owner).iter().filter(|s| s.is_interested()) {
            self.push_to(session, query.clone());
        }
    }

    fn push_to(&self, session: &Session, query: Element) {
        let push =
            Stanza::new(Kind::Iq(IqType::Set), None, Some(session.jid.clone().into())).with_id(self.entropy.id()).with(query);
        // A push that finds no room is lost with its session, which is cut.
        let _ = session.post(&Arc::new(wire::freeze_for_wire(push)), Address::Own);
    }

    /// RFC 6121 sections 2.3, 2.4.
    ///
    /// # Errors
    /// When the roster is full or the change was not committed.
    pub async fn set_contact(self: &Arc<Self>, owner: &BareJid, contact: ContactEdit) -> Result<(), StanzaError> {
        let limit = self.limits.own_rows();
        let jid = contact.jid.clone();
        let change: RosterChange = Arc::new(move |row, rows| {
            if row.is_none() && rows >= limit {
                return RosterEdit::Keep;
            }
            let mut item = row.cloned().unwrap_or_else(|| RosterItem::new(contact.jid.clone()));
            item.name.clone_from(&contact.name);
            item.groups.clone_from(&contact.groups);
            item.listed = true;
            RosterEdit::Put(item)
        });
        let changed = self.change(owner, &jid, change, |_, _| {}).await?;
        changed.after.map(|_| ()).ok_or_else(StanzaError::resource_constraint)
    }

    /// RFC 6121 section 2.5: the row goes, and both directions of presence with it.
    ///
    /// # Errors
    /// `item-not-found`, or when it was not committed.
    pub async fn remove_contact(self: &Arc<Self>, owner: &BareJid, contact: &BareJid) -> Result<(), StanzaError> {
        self.drop_row(owner, contact, |item| item.listed).await
    }

    async fn drop_row(
        self: &Arc<Self>,
        owner: &BareJid,
        contact: &BareJid,
        which: fn(&RosterItem) -> bool,
    ) -> Result<(), StanzaError> {
        let change: RosterChange = Arc::new(move |row, _| match row {
            Some(item) if which(item) => RosterEdit::Remove,
            _ => RosterEdit::Keep,
        });
        let changed = self.change(owner, contact, change, |_, _| {}).await?;
        let (Some(before), None) = (changed.before, changed.after) else { return Err(StanzaError::item_not_found()) };
        if before.subscription.from() {
            broadcast::withdraw(self, owner, contact).await;
        }
        let mut say = Vec::new();
        if before.subscription.to() || before.ask {
            say.push(PresenceType::Unsubscribe);
        }
        if before.subscription.from() || before.pending_in.is_some() {
            say.push(PresenceType::Unsubscribed);
        }
        for kind in say {
            let stanza = Stanza::new(Kind::Presence(kind), Some(owner.clone().into()), Some(contact.clone().into()));
            self.finish(self.route(stanza)).await;
        }
        Ok(())
    }
}

impl Router {
    /// An account is about to go (H06): every contact, and who only asked, learns that the subscription ends.
    ///
    /// # Errors
    /// When the roster cannot be read or changed.
    pub async fn leave_contacts(self: &Arc<Self>, owner: &BareJid) -> Stored<()> {
        for item in &self.facts.load(owner).await?.roster.items {
            match self.drop_row(owner, &item.jid, |_| true).await {
                Ok(()) => {}
                Err(error) if error == StanzaError::item_not_found() => {}
                Err(_) => return Err(StoreError::Unavailable("the roster cannot be changed".into())),
            }
        }
        Ok(())
    }
}

/// What the client is shown of a change; `None` when nothing that it may see changed.
fn pushed_item(changed: &RosterChanged) -> Option<Element> {
    let shown = |item: &Option<RosterItem>| item.clone().filter(|i| i.listed).map(|i| RosterItem { pending_in: None, ..i });
    match (shown(&changed.before), shown(&changed.after)) {
        (before, Some(after)) => (before.as_ref() != Some(&after)).then(|| roster_item(&after)),
        (Some(before), None) => Some(
            Element::builder("item", ns::ROSTER)
                .attr(xml_ncname!("jid").to_owned(), before.jid.as_str())
                .attr(xml_ncname!("subscription").to_owned(), "remove")
                .build(),
        ),
        (None, None) => None,
    }
}

fn roster_item(item: &RosterItem) -> Element {
    bocage_api::store::roster_item(item)
}
