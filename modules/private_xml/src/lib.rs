//! Private XML Storage (XEP-0049 1.2): small settings that a client keeps for its owner.
//!
//! One record per element name and namespace. A set may carry several elements; they are written one after the other, so
//! that one that fails leaves those before it written, which repeating the set repairs.
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Declared, ElementRecord, Entity, InstallError, IqKey, IqPayload, IqService, Module,
    Records, Relation, Reply, StanzaError, config::NoSettings, ns,
};
use minidom::Element;
use serde::{Deserialize, Serialize};

/// Bytes of one element as it is stored, at most.
const MAX_VALUE: usize = 64 * 1024;
/// Elements of one account at most.
const MAX_ELEMENTS: usize = 100;
/// Elements in one set at most.
const MAX_IN_SET: usize = 16;
/// Bytes of name and namespace together at most.
const MAX_KEY: usize = 512;

/// The module.
pub struct PrivateXml;

/// An element as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateElement(ElementRecord);
impl Declared for PrivateElement {
    const COLLECTION: &'static str = "elements";
    const ROWS_PER_OWNER: usize = MAX_ELEMENTS;
    const VALUE_BYTES: usize = MAX_VALUE;
}

impl Module for PrivateXml {
    const NAME: &'static str = "private_xml";
    type Config = NoSettings;
    type Needs = (Records<PrivateElement>,);

    fn install(_: NoSettings, (records,): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        for entity in [Entity::OwnAccount, Entity::OtherAccount] {
            for action in [Action::Get, Action::Set] {
                let key = IqKey { entity: entity.clone(), action, name: "query", namespace: ns::PRIVATE };
                at.iq_service(key, Service(records.clone()));
            }
        }
        at.disco_entry(bocage_api::disco::Features { server: &[ns::PRIVATE], account: &[] });
        Ok(())
    }
}

struct Service(Records<PrivateElement>);
impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if asker.relation != Relation::Owner {
                return Err(asker.relation.refusal());
            }
            let owner = asker.jid.to_bare();
            match iq.action {
                Action::Get => self.get(owner.as_str(), &iq.element).await.map(Some),
                Action::Set => self.set(owner.as_str(), &iq.element).await.map(|()| None),
            }
        })
    }
}

impl Service {
    /// What was never stored is answered by what was asked: an empty element (XEP-0049 example 2's first use).
    async fn get(&self, owner: &str, query: &Element) -> Result<Element, StanzaError> {
        let mut children = query.children();
        let (Some(asked), None) = (children.next(), children.next()) else { return Err(StanzaError::bad_request()) };
        let found = match self.0.get(owner, &key(asked)?).await? {
            Some(stored) => stored.value.0.element()?,
            None => Element::bare(asked.name(), asked.ns()),
        };
        Ok(Element::builder("query", ns::PRIVATE).append(found).build())
    }

    async fn set(&self, owner: &str, query: &Element) -> Result<(), StanzaError> {
        let values = query.children().take(MAX_IN_SET + 1).map(value).collect::<Result<Vec<_>, _>>()?;
        if values.is_empty() || values.len() > MAX_IN_SET {
            return Err(StanzaError::not_acceptable());
        }
        for (key, stored) in &values {
            self.0.put(owner, key, stored).await?;
        }
        Ok(())
    }
}

fn value(element: &Element) -> Result<(String, PrivateElement), StanzaError> {
    let (key, record) = (key(element)?, ElementRecord::of(element)?);
    if record.stored_len() > MAX_VALUE {
        return Err(StanzaError::policy_violation().with_text("the element is too large"));
    }
    Ok((key, PrivateElement(record)))
}

/// Under what an element is stored. A namespace of its own that the protocols do not reserve (XEP-0049 sections 2 and 5).
fn key(element: &Element) -> Result<String, StanzaError> {
    let namespace = element.ns();
    let reserved = ["jabber:", "http://jabber.org/"].iter().any(|prefix| namespace.starts_with(prefix));
    let key = format!("{namespace} {}", element.name());
    if reserved || namespace.is_empty() || namespace == ns::VCARD || key.len() > MAX_KEY {
        return Err(StanzaError::not_acceptable());
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        store::{StoreError, Subscription},
        testing::{FakeHost, Installed, xml},
    };

    fn query(children: &str) -> String {
        format!("<query xmlns='jabber:iq:private'>{children}</query>")
    }
    fn set(at: &Installed, children: &str) -> Result<Option<Element>, StanzaError> {
        at.ask(&Entity::OwnAccount, Action::Set, &query(children))
    }
    fn get(at: &Installed, children: &str) -> Result<Option<Element>, StanzaError> {
        at.ask(&Entity::OwnAccount, Action::Get, &query(children))
    }
    fn holds(children: &str) -> Result<Option<Element>, StanzaError> {
        Ok(Some(xml(&query(children))))
    }

    #[test]
    fn what_was_stored_is_given_back_and_the_last_word_counts() {
        let at = FakeHost::new().install::<PrivateXml>();
        set(&at, "<s xmlns='p' a='1'>one<t/></s>").unwrap();
        assert_eq!(get(&at, "<s xmlns='p'/>"), holds("<s xmlns='p' a='1'>one<t/></s>"));
        set(&at, "<s xmlns='p'/>").unwrap();
        assert_eq!(get(&at, "<s xmlns='p'/>"), holds("<s xmlns='p'/>"));
    }

    #[test]
    fn what_was_never_stored_is_an_empty_element() {
        let at = FakeHost::new().install::<PrivateXml>();
        assert_eq!(get(&at, "<s xmlns='p' a='1'>x</s>"), holds("<s xmlns='p'/>"));
    }

    #[test]
    fn name_and_namespace_are_the_key() {
        let at = FakeHost::new().install::<PrivateXml>();
        set(&at, "<s xmlns='p'>1</s><s xmlns='q'>2</s><t xmlns='p'>3</t>").unwrap();
        for element in ["<s xmlns='p'>1</s>", "<s xmlns='q'>2</s>", "<t xmlns='p'>3</t>"] {
            assert_eq!(get(&at, element), holds(element));
        }
    }

    #[test]
    fn a_get_asks_for_exactly_one_element_and_a_set_brings_at_least_one() {
        let at = FakeHost::new().install::<PrivateXml>();
        assert_eq!(get(&at, ""), Err(StanzaError::bad_request()));
        assert_eq!(get(&at, "<s xmlns='p'/><s xmlns='q'/>"), Err(StanzaError::bad_request()));
        assert_eq!(set(&at, ""), Err(StanzaError::not_acceptable()));
        assert_eq!(set(&at, &"<s xmlns='p'/>".repeat(MAX_IN_SET + 1)), Err(StanzaError::not_acceptable()));
    }

    #[test]
    fn reserved_namespaces_are_not_acceptable() {
        let at = FakeHost::new().install::<PrivateXml>();
        let long = format!("<s xmlns='{}'/>", "p".repeat(MAX_KEY));
        for element in [
            "<s/>",
            "<s xmlns=''/>",
            "<s xmlns='jabber:iq:roster'/>",
            "<s xmlns='http://jabber.org/protocol/muc'/>",
            "<vCard xmlns='vcard-temp'/>",
            &long,
        ] {
            assert_eq!(set(&at, element), Err(StanzaError::not_acceptable()), "{element}");
            assert_eq!(get(&at, element), Err(StanzaError::not_acceptable()), "{element}");
        }
    }

    #[test]
    fn size_depth_and_number_are_bounded() {
        let host = FakeHost::new();
        let at = host.install::<PrivateXml>();
        let policy = |answer: Result<_, StanzaError>| answer.unwrap_err().condition == StanzaError::policy_violation().condition;
        assert!(policy(set(&at, &format!("<s xmlns='p'>{}</s>", "x".repeat(MAX_VALUE)))));
        assert!(policy(set(&at, &format!("<s xmlns='p'>{}{}</s>", "<t>".repeat(40), "</t>".repeat(40)))));
        for n in 0..MAX_ELEMENTS {
            set(&at, &format!("<s xmlns='p{n}'/>")).unwrap();
        }
        assert_eq!(set(&at, "<s xmlns='p'/>"), Err(StanzaError::resource_constraint()));
        assert_eq!(set(&at, "<s xmlns='p0'>again</s>"), Ok(None));
    }

    #[test]
    fn nothing_is_read_or_written_for_anybody_else() {
        let host = FakeHost::new();
        let at = host.install::<PrivateXml>();
        set(&at, "<s xmlns='p'>mine</s>").unwrap();
        for (relation, error) in [
            (Relation::Contact(Subscription::Both), StanzaError::forbidden()),
            (Relation::Neighbour, StanzaError::forbidden()),
            (Relation::Stranger, StanzaError::service_unavailable()),
        ] {
            assert_eq!(at.ask_other(relation, Action::Get, &query("<s xmlns='p'/>")), Err(error.clone()));
            assert_eq!(at.ask_other(relation, Action::Set, &query("<s xmlns='p'>stolen</s>")), Err(error));
        }
        assert_eq!(get(&at, "<s xmlns='p'/>"), holds("<s xmlns='p'>mine</s>"));
        assert_eq!(host.records.keys(), [("private_xml/elements".into(), "me@bocage.example".into(), "p s".into())]);
    }

    #[test]
    fn what_is_not_stored_is_not_acknowledged() {
        let host = FakeHost::new();
        let at = host.install::<PrivateXml>();
        host.records.fail_with(Some(StoreError::Unavailable("disk full".into())));
        assert_eq!(set(&at, "<s xmlns='p'/>"), Err(StanzaError::try_later()));
        host.records.fail_with(None);
        assert_eq!(set(&at, "<s xmlns='p'/>"), Ok(None));
    }
}
