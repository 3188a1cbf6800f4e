//! The roster as a client reads and edits it (RFC 6121 section 2, with versioning and the pre-approval feature).
//!
//! Pushes, subscriptions and presence are core's, behind the handle `Contacts`; here requests are checked and
//! rosters shown. Only `listed` rows are: a mere request of somebody else is no contact.
#![forbid(unsafe_code)]

mod edit;

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Contacts, Entity, InstallError, IqKey, IqPayload, IqService, Module, Relation, Reply,
    SessionView, StanzaError, StreamFeature,
    config::NoSettings,
    dep::rxml::xml_ncname,
    ns,
    store::{Roster as Rows, RosterItem},
};
use edit::Edit;
use jid::BareJid;
use minidom::Element;

/// The module.
pub struct Roster;

impl Module for Roster {
    const NAME: &'static str = "roster";
    type Config = NoSettings;
    type Needs = (Contacts,);

    fn install(_: NoSettings, (contacts,): (Contacts,), at: &mut Checkpoints) -> Result<(), InstallError> {
        for entity in [Entity::OwnAccount, Entity::OtherAccount] {
            for action in [Action::Get, Action::Set] {
                let key = IqKey { entity: entity.clone(), action, name: "query", namespace: ns::ROSTER };
                at.iq_service(key, Service(contacts.clone()));
            }
        }
        at.stream_feature(Advert { name: "ver", namespace: ns::ROSTER_VERSIONING });
        at.stream_feature(Advert { name: "sub", namespace: ns::PRE_APPROVAL });
        Ok(())
    }
}

struct Service(Contacts);
impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if asker.relation != Relation::Owner {
                return Err(asker.relation.refusal());
            }
            match iq.action {
                Action::Get => self.get(&asker, &iq.element).await,
                Action::Set => self.set(asker.jid.to_bare(), &iq.element).await.map(|()| None),
            }
        })
    }
}

impl Service {
    /// RFC 6121 sections 2.2 and 2.6. Pushes start before the roster is read, so that no change falls between.
    async fn get(&self, asker: &Asker, query: &Element) -> Result<Option<Element>, StanzaError> {
        if let Ok(session) = asker.jid.try_as_full() {
            self.0.interested(session);
        }
        let roster = self.0.roster(&asker.jid.to_bare()).await?;
        let known = query.attr(xml_ncname!("ver")).is_some_and(|ver| ver == roster.version.to_string());
        Ok((!known).then(|| shown(&roster)))
    }

    async fn set(&self, owner: BareJid, query: &Element) -> Result<(), StanzaError> {
        match edit::read(query, &owner)? {
            Edit::Set(contact) => self.0.set(&owner, contact).await,
            Edit::Remove(contact) => {
                let roster = self.0.roster(&owner).await?;
                match roster.items.iter().any(|item| item.listed && item.jid == contact) {
                    true => self.0.remove(&owner, &contact).await,
                    false => Err(StanzaError::item_not_found()),
                }
            }
        }
    }
}

fn shown(roster: &Rows) -> Element {
    Element::builder("query", ns::ROSTER)
        .attr(xml_ncname!("ver").to_owned(), roster.version)
        .append_all(roster.items.iter().filter(|item| item.listed).map(item))
        .build()
}

/// RFC 6121 section 2.1.2.
fn item(row: &RosterItem) -> Element {
    let group = |name: &String| Element::builder("group", ns::ROSTER).append(name.as_str()).build();
    Element::builder("item", ns::ROSTER)
        .attr(xml_ncname!("jid").to_owned(), row.jid.as_str())
        .attr(xml_ncname!("name").to_owned(), row.name.as_deref())
        .attr(xml_ncname!("subscription").to_owned(), row.subscription.as_str())
        .attr(xml_ncname!("ask").to_owned(), row.ask.then_some("subscribe"))
        .attr(xml_ncname!("approved").to_owned(), row.approved.then_some("true"))
        .append_all(row.groups.iter().map(group))
        .build()
}

/// A line of the stream features that says what exists (RFC 6121 sections 2.6.1 and 3.4.1); nothing is asked by it.
struct Advert {
    name: &'static str,
    namespace: &'static str,
}
impl StreamFeature for Advert {
    fn namespace(&self) -> &'static str {
        self.namespace
    }
    fn advert(&self) -> Option<Element> {
        Some(Element::bare(self.name, self.namespace))
    }
    fn nonza(&self, _: SessionView<'_>, _: &Element) -> Option<Element> {
        None
    }
}

#[cfg(test)]
mod tests;
