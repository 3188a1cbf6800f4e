//! Service discovery (XEP-0030 2.5.0) for the server and its accounts: gives what all modules contribute.
//!
//! An account answers its owner and those who get its presence, nobody else: for them it is as if it did not exist, for
//! `disco#items` too, where the XEP would have an empty list (section 8; H49).
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Disco as Handle, DiscoEntry, DiscoNode, DiscoPart, DiscoTarget, Entity, Host,
    InstallError, IqKey, IqPayload, IqService, Module, Reply, StanzaError,
    config::NoSettings,
    dep::rxml::{Namespace, xml_ncname},
    disco::{CAPS_NODE, Identity},
    ns,
};
use minidom::Element;

/// The module.
pub struct Disco;

impl Module for Disco {
    const NAME: &'static str = "disco";
    type Config = NoSettings;
    type Needs = (Host, Handle);

    fn install(_: NoSettings, (host, disco): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        let server = DiscoTarget::Server(host.domain);
        let entities =
            [(Entity::Server, server), (Entity::OwnAccount, DiscoTarget::Account), (Entity::OtherAccount, DiscoTarget::Account)];
        for (entity, target) in entities {
            for namespace in [ns::DISCO_INFO, ns::DISCO_ITEMS] {
                let key = IqKey { entity: entity.clone(), action: Action::Get, name: "query", namespace };
                let (disco, target) = (disco.clone(), target.clone());
                at.iq_service(key, Service { disco, target, entity: entity.clone() });
            }
        }
        at.disco_entry(Itself);
        Ok(())
    }
}

struct Service {
    disco: Handle,
    target: DiscoTarget,
    entity: Entity,
}

impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        let answer = self.part(&asker, &iq).map(|part| Some(self.query(&part, &iq.element)));
        Box::pin(async { answer })
    }
}

impl Service {
    fn part(&self, asker: &Asker, iq: &IqPayload) -> Result<DiscoPart, StanzaError> {
        if self.entity == Entity::OtherAccount && !asker.relation.may_see_presence() {
            return Err(StanzaError::service_unavailable());
        }
        let part = self.disco.disco(&self.target);
        match iq.element.attr(xml_ncname!("node")) {
            Some(node) if !self.is_caps_node(node, &iq.element, &part) => {
                let asked = DiscoNode { node, asker, at: &iq.to, lang: iq.lang.as_deref() };
                self.disco.node(&self.target, &asked).ok_or_else(StanzaError::item_not_found)
            }
            _ => Ok(part),
        }
    }

    /// `CAPS_NODE#ver` (XEP-0115 section 6.2). Whatever the `ver`, the answer is today's, and who verifies it will see.
    fn is_caps_node(&self, node: &str, query: &Element, part: &DiscoPart) -> bool {
        let ours = node.strip_prefix(CAPS_NODE).is_some_and(|rest| rest.starts_with('#'));
        ours && self.entity == Entity::Server && query.has_ns(ns::DISCO_INFO) && part.features.contains(ns::CAPS)
    }

    fn query(&self, part: &DiscoPart, asked: &Element) -> Element {
        let mut query = if asked.has_ns(ns::DISCO_INFO) { part.info() } else { part.items() };
        if let Some(node) = asked.attr(xml_ncname!("node")) {
            query.set_attr(Namespace::NONE, xml_ncname!("node").to_owned(), node);
        }
        query
    }
}

struct Itself;
impl DiscoEntry for Itself {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let identity = match target {
            DiscoTarget::Server(_) => Identity { category: "server", kind: "im", name: Some("Bocage".into()) },
            DiscoTarget::Account => Identity { category: "account", kind: "registered", name: None },
            DiscoTarget::Host(_) => return DiscoPart::default(),
        };
        DiscoPart { identities: vec![identity], ..DiscoPart::features([ns::DISCO_INFO, ns::DISCO_ITEMS]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        Relation,
        disco::Item,
        store::Subscription,
        testing::{FakeHost, Installed, xml},
    };

    const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

    /// A host whose modules are this one and `more`.
    fn installed(more: DiscoPart) -> Installed {
        let host = FakeHost::new();
        let at = host.install::<Disco>();
        for target in [DiscoTarget::Server(host.host.domain.clone()), DiscoTarget::Account] {
            let mut part = at.disco(&target);
            part.join(more.clone());
            host.disco.lock().unwrap().push((target, part));
        }
        at
    }
    fn with_node(query: &str, node: &str) -> String {
        query.replace("/>", &format!(" node='{node}'/>"))
    }

    #[test]
    fn the_server_says_who_it_is_and_what_modules_add() {
        let answer = installed(DiscoPart::features(["urn:xmpp:ping"])).ask(&Entity::Server, Action::Get, INFO);
        let expected = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='server' type='im' name='Bocage'/>\
            <feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/>\
            <feature var='urn:xmpp:ping'/></query>";
        assert_eq!(answer, Ok(Some(xml(expected))));
    }

    #[test]
    fn an_account_is_a_registered_one() {
        let answer = installed(DiscoPart::default()).ask(&Entity::OwnAccount, Action::Get, INFO);
        let expected = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='account' type='registered'/>\
            <feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/></query>";
        assert_eq!(answer, Ok(Some(xml(expected))));
    }

    #[test]
    fn accounts_answer_only_who_gets_their_presence() {
        let at = installed(DiscoPart::default());
        for query in [INFO, ITEMS] {
            for relation in [Relation::Contact(Subscription::From), Relation::Contact(Subscription::Both)] {
                assert!(at.ask_other(relation, Action::Get, query).is_ok());
            }
            for relation in [Relation::Contact(Subscription::To), Relation::Neighbour, Relation::Stranger] {
                assert_eq!(at.ask_other(relation, Action::Get, query), Err(StanzaError::service_unavailable()));
                assert_eq!(at.ask_other(relation, Action::Get, &with_node(query, "x")), Err(StanzaError::service_unavailable()));
            }
        }
    }

    #[test]
    fn items_are_listed_and_none_is_an_empty_list() {
        let item = Item { jid: "salons.bocage.example".parse().unwrap(), node: None, name: Some("Rooms".into()) };
        let at = installed(DiscoPart { items: vec![item], ..DiscoPart::default() });
        let expected =
            "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='salons.bocage.example' name='Rooms'/></query>";
        assert_eq!(at.ask(&Entity::Server, Action::Get, ITEMS), Ok(Some(xml(expected))));
        assert_eq!(installed(DiscoPart::default()).ask(&Entity::OwnAccount, Action::Get, ITEMS), Ok(Some(xml(ITEMS))));
    }

    #[test]
    fn unknown_nodes_are_not_found() {
        let at = installed(DiscoPart::features([ns::CAPS]));
        for (entity, query, node) in [
            (Entity::Server, INFO, "x"),
            (Entity::Server, INFO, "bocage"),
            (Entity::Server, ITEMS, "bocage#abc"),
            (Entity::OwnAccount, INFO, "bocage#abc"),
            (Entity::Server, INFO, ""),
        ] {
            assert_eq!(at.ask(&entity, Action::Get, &with_node(query, node)), Err(StanzaError::item_not_found()), "{node}");
        }
    }

    #[test]
    fn the_node_of_the_servers_caps_is_echoed_while_it_has_caps() {
        let asked = with_node(INFO, "bocage#abc=");
        let answer = installed(DiscoPart::features([ns::CAPS])).ask(&Entity::Server, Action::Get, &asked).unwrap().unwrap();
        assert_eq!(answer.attr(xml_ncname!("node")), Some("bocage#abc="));
        let without = installed(DiscoPart::default()).ask(&Entity::Server, Action::Get, &asked);
        assert_eq!(without, Err(StanzaError::item_not_found()));
    }
}
