//! Service discovery as modules contribute to it (XEP-0030, XEP-0128).

use crate::{extend::DiscoEntry, ns, views::Asker};
use jid::{DomainPart, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::collections::{BTreeMap, BTreeSet};

/// The `node` of this server's own capabilities (XEP-0115 section 4). It says no version.
pub const CAPS_NODE: &str = "bocage";

/// What is being discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoTarget {
    /// A host that serves accounts.
    Server(DomainPart),
    /// An account, seen by somebody who may see it.
    Account,
    /// A host of a service.
    Host(DomainPart),
}

/// A node that somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct DiscoNode<'a> {
    /// Its name.
    pub node: &'a str,
    /// Who asks.
    pub asker: &'a Asker,
    /// At which address.
    pub at: &'a Jid,
    /// `xml:lang` of the question.
    pub lang: Option<&'a str>,
}

/// An identity (category and type of the registry).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Category.
    pub category: &'static str,
    /// Type.
    pub kind: &'static str,
    /// Name for people.
    pub name: Option<String>,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Address.
    pub jid: Jid,
    /// Node at that address.
    pub node: Option<String>,
    /// Name for people.
    pub name: Option<String>,
}

/// A contribution; parts of all entries are joined.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiscoPart {
    /// Identities.
    pub identities: Vec<Identity>,
    /// Features.
    pub features: BTreeSet<String>,
    /// Items.
    pub items: Vec<Item>,
    /// Extended information (XEP-0128): whole `<x xmlns='jabber:x:data' type='result'/>` forms.
    pub forms: Vec<Element>,
}

impl DiscoPart {
    /// Features alone.
    pub fn features<I: Into<String>>(features: impl IntoIterator<Item = I>) -> Self {
        Self { features: features.into_iter().map(Into::into).collect(), ..Self::default() }
    }
    /// Joins another part.
    pub fn join(&mut self, other: Self) {
        self.identities.extend(other.identities);
        self.features.extend(other.features);
        self.items.extend(other.items);
        self.forms.extend(other.forms);
    }
    /// One name for each category and type (XEP-0030 section 3.1 forbids two); the first one wins over none.
    fn named_identities(&self) -> BTreeMap<(&str, &str), Option<&str>> {
        let mut names = BTreeMap::new();
        for identity in &self.identities {
            let name = names.entry((identity.category, identity.kind)).or_insert(None);
            *name = name.or(identity.name.as_deref());
        }
        names
    }
    /// The `disco#info` result.
    pub fn info(&self) -> Element {
        let mut query = Element::bare("query", ns::DISCO_INFO);
        for ((category, kind), name) in self.named_identities() {
            let mut el = Element::builder("identity", ns::DISCO_INFO)
                .attr(xml_ncname!("category").to_owned(), category)
                .attr(xml_ncname!("type").to_owned(), kind);
            if let Some(name) = name {
                el = el.attr(xml_ncname!("name").to_owned(), name);
            }
            query.append_child(el.build());
        }
        for feature in &self.features {
            query.append_child(
                Element::builder("feature", ns::DISCO_INFO).attr(xml_ncname!("var").to_owned(), feature.as_str()).build(),
            );
        }
        for form in &self.forms {
            query.append_child(form.clone());
        }
        query
    }
    /// The `disco#items` result.
    pub fn items(&self) -> Element {
        let mut query = Element::bare("query", ns::DISCO_ITEMS);
        for item in &self.items {
            let mut el = Element::builder("item", ns::DISCO_ITEMS).attr(xml_ncname!("jid").to_owned(), item.jid.as_str());
            if let Some(node) = &item.node {
                el = el.attr(xml_ncname!("node").to_owned(), node.as_str());
            }
            if let Some(name) = &item.name {
                el = el.attr(xml_ncname!("name").to_owned(), name.as_str());
            }
            query.append_child(el.build());
        }
        query
    }
}

/// A [`DiscoEntry`] of features that never change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// Of hosts that serve accounts.
    pub server: &'static [&'static str],
    /// Of accounts.
    pub account: &'static [&'static str],
}
impl DiscoEntry for Features {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        match target {
            DiscoTarget::Server(_) => DiscoPart::features(self.server.iter().copied()),
            DiscoTarget::Account => DiscoPart::features(self.account.iter().copied()),
            DiscoTarget::Host(_) => DiscoPart::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_that_two_entries_name_appears_once_with_its_name() {
        let identity = |name: Option<&str>| Identity { category: "server", kind: "im", name: name.map(str::to_owned) };
        let part = DiscoPart { identities: vec![identity(None), identity(Some("Bocage"))], ..DiscoPart::features(["a"]) };
        let expected = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='server' type='im' name='Bocage'/><feature var='a'/></query>";
        assert_eq!(part.info(), expected.parse().unwrap());
    }
}
