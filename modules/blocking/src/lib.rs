//! Blocking (XEP-0191 1.3) with reports (XEP-0377 0.4.1).
//!
//! Lists, pushes and presence are core's, behind the handle `Blocks`; what a block does to a stanza is decided here, at
//! the two gates of an account. Who blocks a stranger of another server looks to them like nobody (H49), where the XEP
//! would have messages answered by an error.
#![forbid(unsafe_code)]

mod gates;
mod report;
mod reports;

use bocage_api::{
    Action, Asker, BlockChange, Blocks, BoxFuture, Checkpoints, Clock, Entity, Entropy, Host, InstallError, IqKey, IqPayload,
    IqService, Module, Phase, Records, Relation, Reply, StanzaError, State, blocks::MAX_BLOCKED, config::NoSettings,
    dep::rxml::xml_ncname, disco::Features, ns,
};
use gates::{Incoming, Outgoing};
use jid::Jid;
use minidom::Element;
use report::{Report, Reported};
use reports::{Counts, Inbox};

/// The module.
pub struct Blocking;

impl Module for Blocking {
    const NAME: &'static str = "blocking";
    type Config = NoSettings;
    type Needs = (Host, Blocks, Records<Reported>, Clock, Entropy, State<Counts>);

    fn install(
        _: NoSettings,
        (host, blocks, records, clock, entropy, counts): Self::Needs,
        at: &mut Checkpoints,
    ) -> Result<(), InstallError> {
        let inbox = Inbox { host, records, clock, entropy, counts };
        let requests = [(Action::Get, "blocklist"), (Action::Set, "block"), (Action::Set, "unblock")];
        for (action, name) in requests {
            for entity in [Entity::OwnAccount, Entity::OtherAccount] {
                let key = IqKey { entity, action, name, namespace: ns::BLOCKING };
                at.iq_service(key, Service { blocks: blocks.clone(), inbox: inbox.clone() });
            }
        }
        at.recipient_rule(Phase::Feature, Incoming);
        at.egress_filter(Phase::Feature, Outgoing);
        at.command(inbox);
        at.disco_entry(Features { server: &[ns::BLOCKING, report::NS_REPORTING], account: &[] });
        Ok(())
    }
}

struct Service {
    blocks: Blocks,
    inbox: Inbox,
}

impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if asker.relation != Relation::Owner {
                return Err(asker.relation.refusal());
            }
            match iq.element.name() {
                "blocklist" => self.list(&asker).await.map(Some),
                "block" => self.block(&asker, &iq.element).await.map(|()| None),
                _ => self.unblock(&asker, &iq.element).await.map(|()| None),
            }
        })
    }
}

impl Service {
    /// Pushes start before the list is read, so that no change falls between.
    async fn list(&self, asker: &Asker) -> Result<Element, StanzaError> {
        if let Ok(session) = asker.jid.try_as_full() {
            self.blocks.interested(session);
        }
        let list = self.blocks.list(&asker.jid.to_bare()).await?;
        let item = |jid: &Jid| Element::builder("item", ns::BLOCKING).attr(xml_ncname!("jid").to_owned(), jid.as_str()).build();
        Ok(Element::builder("blocklist", ns::BLOCKING).append_all(list.iter().map(item)).build())
    }

    async fn block(&self, asker: &Asker, element: &Element) -> Result<(), StanzaError> {
        let items = items(element)?;
        if items.is_empty() {
            return Err(StanzaError::bad_request());
        }
        let (jids, reports): (Vec<Jid>, Vec<Option<Report>>) = items.into_iter().unzip();
        let change = BlockChange::Block(jids.clone());
        self.blocks.change(&asker.jid.to_bare(), change).await?;
        for (jid, report) in jids.iter().zip(reports) {
            if let Some(report) = report {
                self.inbox.take(&asker.jid.to_bare(), report.about(jid)).await;
            }
        }
        Ok(())
    }

    async fn unblock(&self, asker: &Asker, element: &Element) -> Result<(), StanzaError> {
        let jids: Vec<Jid> = items(element)?.into_iter().map(|(jid, _)| jid).collect();
        // Only an empty request means everybody: what is not understood might be a name.
        if jids.is_empty() && element.children().next().is_some() {
            return Err(StanzaError::bad_request());
        }
        let change = if jids.is_empty() { BlockChange::UnblockAll } else { BlockChange::Unblock(jids) };
        self.blocks.change(&asker.jid.to_bare(), change).await
    }
}

/// Whom a request names, and what it reports of each.
fn items(element: &Element) -> Result<Vec<(Jid, Option<Report>)>, StanzaError> {
    let named = element.children().filter(|child| child.is("item", ns::BLOCKING));
    let items = named.take(MAX_BLOCKED + 1).map(|item| {
        let jid = item.attr(xml_ncname!("jid")).ok_or_else(StanzaError::bad_request)?;
        let jid = Jid::new(jid).map_err(|_| StanzaError::jid_malformed())?;
        Ok((jid, Report::read(item)?))
    });
    let items = items.collect::<Result<Vec<_>, StanzaError>>()?;
    if items.len() > MAX_BLOCKED { Err(StanzaError::resource_constraint()) } else { Ok(items) }
}

#[cfg(test)]
mod tests;
