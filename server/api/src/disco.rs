//! Service discovery as modules contribute to it (XEP-0030, XEP-0128).

use crate::ns;
use jid::{DomainPart, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::collections::BTreeSet;

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
    /// The `disco#info` result.
    pub fn info(&self) -> Element {
        let mut query = Element::bare("query", ns::DISCO_INFO);
        for identity in &self.identities {
            let mut el = Element::builder("identity", ns::DISCO_INFO)
                .attr(xml_ncname!("category").to_owned(), identity.category)
                .attr(xml_ncname!("type").to_owned(), identity.kind);
            if let Some(name) = &identity.name {
                el = el.attr(xml_ncname!("name").to_owned(), name.as_str());
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
            if let Some(name) = &item.name {
                el = el.attr(xml_ncname!("name").to_owned(), name.as_str());
            }
            query.append_child(el.build());
        }
        query
    }
}
