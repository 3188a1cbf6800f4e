//! Password change and deletion of the own account (XEP-0077 sections 3.2 and 3.3); registration is not here.
//!
//! What follows from either (keys, sessions, contacts, data of all modules) is core's, behind the handle `OwnAccounts`.
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Entity, Host, InstallError, IqKey, IqPayload, IqService, Module, OwnAccounts,
    Relation, Reply, StanzaError, disco::Features,
};
use jid::{FullJid, NodePart};
use minidom::Element;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

const NS_REGISTER: &str = "jabber:iq:register";

/// The module.
pub struct Account;

/// `[modules.account]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// People may change their password.
    pub password_change: bool,
    /// People may delete their account.
    pub deletion: bool,
}
impl Default for Config {
    fn default() -> Self {
        Self { password_change: true, deletion: true }
    }
}

impl Module for Account {
    const NAME: &'static str = "account";
    type Config = Config;
    type Needs = (Host, OwnAccounts);

    fn install(config: Config, (host, accounts): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        for entity in [Entity::Server, Entity::OwnAccount] {
            for action in [Action::Get, Action::Set] {
                let key = IqKey { entity: entity.clone(), action, name: "query", namespace: NS_REGISTER };
                at.iq_service(key, Service { config: config.clone(), host: host.clone(), accounts: accounts.clone() });
            }
        }
        at.disco_entry(Features { server: &[NS_REGISTER], account: &[] });
        Ok(())
    }
}

struct Service {
    config: Config,
    host: Host,
    accounts: OwnAccounts,
}

/// What a set wants.
enum Change {
    Password(SecretString),
    Deletion,
}

impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            let session = self.session(&asker)?;
            match iq.action {
                Action::Get => Ok(Some(registered(session))),
                Action::Set => self.change(session, &iq.element).await.map(|()| None),
            }
        })
    }
}

impl Service {
    /// Accounts of this host alone; to everybody else there is no such service.
    fn session<'a>(&self, asker: &'a Asker) -> Result<&'a FullJid, StanzaError> {
        let own = matches!(asker.relation, Relation::Owner | Relation::Neighbour) && *asker.jid.domain() == *self.host.domain;
        match asker.jid.try_as_full() {
            Ok(session) if own && session.node().is_some() => Ok(session),
            _ => Err(StanzaError::service_unavailable()),
        }
    }

    async fn change(&self, session: &FullJid, query: &Element) -> Result<(), StanzaError> {
        match read(session, query)? {
            Change::Password(_) if !self.config.password_change => Err(StanzaError::not_allowed()),
            Change::Deletion if !self.config.deletion => Err(StanzaError::not_allowed()),
            Change::Password(password) => self.accounts.set_password(session, password).await,
            Change::Deletion => self.accounts.delete(session).await,
        }
    }
}

/// XEP-0077 section 3.1: what a registered entity is told; never the password.
fn registered(session: &FullJid) -> Element {
    let username = session.node().map(|node| node.as_str().to_owned()).unwrap_or_default();
    Element::builder("query", NS_REGISTER)
        .append(Element::bare("registered", NS_REGISTER))
        .append(Element::builder("username", NS_REGISTER).append(username).build())
        .append(Element::bare("password", NS_REGISTER))
        .build()
}

fn read(session: &FullJid, query: &Element) -> Result<Change, StanzaError> {
    let child = |name: &str| query.get_child(name, NS_REGISTER);
    if child("remove").is_some() {
        return if query.children().count() == 1 { Ok(Change::Deletion) } else { Err(StanzaError::bad_request()) };
    }
    let username = child("username").map(Element::text).ok_or_else(StanzaError::bad_request)?;
    let same = NodePart::new(&username).is_ok_and(|name| session.node() == Some(&*name));
    // An empty password changes nothing (section 3.3).
    let password = child("password").map(Element::text).filter(|password| !password.is_empty());
    match password {
        Some(password) if same => Ok(Change::Password(SecretString::from(password))),
        _ => Err(StanzaError::bad_request()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::{FakeHost, Installed, xml};

    fn query(inner: &str) -> String {
        format!("<query xmlns='jabber:iq:register'>{inner}</query>")
    }
    fn set(at: &Installed, inner: &str) -> Result<Option<Element>, StanzaError> {
        at.ask(&Entity::OwnAccount, Action::Set, &query(inner))
    }

    #[test]
    fn a_password_is_changed_for_the_own_account_by_either_address() {
        let host = FakeHost::new();
        let at = host.install::<Account>();
        let change = query("<username>Me</username><password>new</password>");
        assert_eq!(at.ask(&Entity::OwnAccount, Action::Set, &change), Ok(None));
        let neighbour = ("me@bocage.example/phone", Relation::Neighbour);
        assert_eq!(at.asked_by(neighbour, &Entity::Server, Action::Set, &change), Some(Ok(None)));
        assert_eq!(host.accounts.asked(), ["me@bocage.example/phone has the password new"; 2]);
    }

    #[test]
    fn what_is_incomplete_or_for_somebody_else_changes_nothing() {
        let host = FakeHost::new();
        let at = host.install::<Account>();
        for inner in [
            "<password>new</password>",
            "<username>me</username>",
            "<username>me</username><password/>",
            "<username>you</username><password>new</password>",
            "<username>me</username><remove/>",
            "",
        ] {
            assert_eq!(set(&at, inner), Err(StanzaError::bad_request()), "{inner}");
        }
        assert!(host.accounts.asked().is_empty());
    }

    #[test]
    fn h06_an_account_is_deleted_by_its_owner_alone() {
        let host = FakeHost::new();
        let at = host.install::<Account>();
        let remove = query("<remove/>");
        for asker in [
            ("them@elsewhere.example/x", Relation::Stranger),
            ("them@second.example/x", Relation::Neighbour),
            ("bocage.example/x", Relation::Neighbour),
        ] {
            let refused = at.asked_by(asker, &Entity::Server, Action::Set, &remove).unwrap();
            assert_eq!(refused, Err(StanzaError::service_unavailable()));
        }
        assert_eq!(set(&at, "<remove/>"), Ok(None));
        assert_eq!(host.accounts.asked(), ["me@bocage.example/phone is deleted"]);
    }

    #[test]
    fn the_operator_may_keep_either_to_themselves() {
        let host = FakeHost::new();
        let at = host.try_install::<Account>(Config { password_change: false, deletion: false }).unwrap();
        assert_eq!(set(&at, "<remove/>"), Err(StanzaError::not_allowed()));
        assert_eq!(set(&at, "<username>me</username><password>n</password>"), Err(StanzaError::not_allowed()));
        assert!(host.accounts.asked().is_empty());
    }

    #[test]
    fn who_asks_is_told_that_they_are_registered_and_no_password() {
        let at = FakeHost::new().install::<Account>();
        let expected = query("<registered/><username>me</username><password/>");
        assert_eq!(at.ask(&Entity::OwnAccount, Action::Get, &query("")), Ok(Some(xml(&expected))));
    }
}
