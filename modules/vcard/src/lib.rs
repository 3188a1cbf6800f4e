//! vcard-temp (XEP-0054 1.3.0): one vCard per account, shown to contacts and to nobody else.
//!
//! The XEP calls vCards world-readable; here only those who get the owner's presence read them (H49). An account without
//! a vCard, an account that does not show it and no account at all answer alike. The hash of the photo is never put
//! into anybody's presence by this server (H24).
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Declared, ElementRecord, Entity, InstallError, IqKey, IqPayload, IqService, Module,
    Records, Relation, Reply, StanzaError, config::NoSettings, disco::Features, ns,
};
use minidom::Element;
use serde::{Deserialize, Serialize};

/// Bytes of a vCard as it is stored, at most: somewhat less than a stanza of the default size can carry.
const MAX_VCARD: usize = 240 * 1024;
/// There is one per account.
const KEY: &str = "vcard";

/// The module.
pub struct Vcard;

/// A vCard as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredVcard(ElementRecord);
impl Declared for StoredVcard {
    const COLLECTION: &'static str = "vcards";
    const ROWS_PER_OWNER: usize = 1;
    const VALUE_BYTES: usize = MAX_VCARD;
}

impl Module for Vcard {
    const NAME: &'static str = "vcard";
    type Config = NoSettings;
    type Needs = (Records<StoredVcard>,);

    fn install(_: NoSettings, (records,): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        for entity in [Entity::OwnAccount, Entity::OtherAccount] {
            for action in [Action::Get, Action::Set] {
                let key = IqKey { entity: entity.clone(), action, name: "vCard", namespace: ns::VCARD };
                at.iq_service(key, Service(records.clone()));
            }
        }
        at.disco_entry(Features { server: &[ns::VCARD], account: &[ns::VCARD] });
        Ok(())
    }
}

struct Service(Records<StoredVcard>);
impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            match (iq.action, asker.relation) {
                (Action::Set, Relation::Owner) => self.set(&asker, &iq.element).await.map(|()| None),
                (Action::Set, other) => Err(other.refusal()),
                (Action::Get, Relation::Owner) => self.get(&asker.jid, StanzaError::item_not_found()).await,
                (Action::Get, other) if other.may_see_presence() => self.get(&iq.to, StanzaError::service_unavailable()).await,
                (Action::Get, _) => Err(StanzaError::service_unavailable()),
            }
        })
    }
}

impl Service {
    async fn get(&self, of: &jid::Jid, absent: StanzaError) -> Result<Option<Element>, StanzaError> {
        match self.0.get(of.to_bare().as_str(), KEY).await? {
            Some(stored) => Ok(Some(stored.value.0.element()?)),
            None => Err(absent),
        }
    }

    /// An empty vCard is kept as such: who emptied theirs shows an empty one, not none.
    async fn set(&self, asker: &Asker, vcard: &Element) -> Result<(), StanzaError> {
        let record = ElementRecord::of(vcard)?;
        if record.stored_len() > MAX_VCARD {
            return Err(StanzaError::policy_violation().with_text("the vCard is too large"));
        }
        Ok(self.0.put(asker.jid.to_bare().as_str(), KEY, &StoredVcard(record)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        store::{StoreError, Subscription},
        testing::{FakeHost, Installed, xml},
    };

    const GET: &str = "<vCard xmlns='vcard-temp'/>";
    const MINE: &str = "<vCard xmlns='vcard-temp' version='3.0'><FN>Me</FN><N><GIVEN>Me</GIVEN><MIDDLE/></N></vCard>";

    fn own(at: &Installed, action: Action, vcard: &str) -> Result<Option<Element>, StanzaError> {
        at.ask(&Entity::OwnAccount, action, vcard)
    }

    #[test]
    fn the_owner_reads_what_was_set() {
        let at = FakeHost::new().install::<Vcard>();
        assert_eq!(own(&at, Action::Get, GET), Err(StanzaError::item_not_found()));
        assert_eq!(own(&at, Action::Set, MINE), Ok(None));
        assert_eq!(own(&at, Action::Get, GET), Ok(Some(xml(MINE))));
        assert_eq!(own(&at, Action::Set, GET), Ok(None));
        assert_eq!(own(&at, Action::Get, GET), Ok(Some(xml(GET))));
    }

    #[test]
    fn h49_only_who_gets_presence_sees_it_and_its_absence_looks_like_no_account() {
        let at = FakeHost::new().install::<Vcard>();
        let hidden = Err(StanzaError::service_unavailable());
        let contact = |s| Relation::Contact(s);
        assert_eq!(at.ask_other(contact(Subscription::From), Action::Get, GET), hidden);
        own(&at, Action::Set, MINE).unwrap();
        for relation in [contact(Subscription::From), contact(Subscription::Both)] {
            assert_eq!(at.ask_other(relation, Action::Get, GET), Ok(Some(xml(MINE))));
        }
        for relation in [contact(Subscription::To), Relation::Neighbour, Relation::Stranger] {
            assert_eq!(at.ask_other(relation, Action::Get, GET), hidden);
        }
    }

    #[test]
    fn nobody_sets_the_vcard_of_another() {
        let at = FakeHost::new().install::<Vcard>();
        own(&at, Action::Set, MINE).unwrap();
        let stolen = "<vCard xmlns='vcard-temp'><FN>stolen</FN></vCard>";
        for (relation, error) in [
            (Relation::Contact(Subscription::Both), StanzaError::forbidden()),
            (Relation::Neighbour, StanzaError::forbidden()),
            (Relation::Stranger, StanzaError::service_unavailable()),
        ] {
            assert_eq!(at.ask_other(relation, Action::Set, stolen), Err(error));
        }
        assert_eq!(own(&at, Action::Get, GET), Ok(Some(xml(MINE))));
    }

    #[test]
    fn a_vcard_that_is_too_large_or_was_not_stored_is_refused() {
        let host = FakeHost::new();
        let at = host.install::<Vcard>();
        let photo = |bytes| format!("<vCard xmlns='vcard-temp'><PHOTO><BINVAL>{}</BINVAL></PHOTO></vCard>", "A".repeat(bytes));
        let refused = own(&at, Action::Set, &photo(MAX_VCARD)).unwrap_err();
        assert_eq!(refused.condition, StanzaError::policy_violation().condition);
        assert_eq!(own(&at, Action::Set, &photo(MAX_VCARD - 200)), Ok(None));
        host.records.fail_with(Some(StoreError::Busy));
        assert_eq!(own(&at, Action::Set, MINE), Err(StanzaError::resource_constraint()));
    }
}
