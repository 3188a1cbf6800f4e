//! Last activity (XEP-0012 2.0): that somebody is here, to those who see it anyway. When somebody was here last is not
//! known to this server (H08).
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Clock, Entity, InstallError, IqKey, IqPayload, IqService, Module, OwnAccounts,
    Relation, Reply, StanzaError, State, config::NoSettings, dep::rxml::xml_ncname, disco::Features,
};
use minidom::Element;
use std::{sync::OnceLock, time::Duration};

const NS_LAST: &str = "jabber:iq:last";

/// The module.
pub struct Last;

/// When the server was started, as far as this module knows: it survives reloads.
#[derive(Default)]
pub struct Started(OnceLock<Duration>);

impl Module for Last {
    const NAME: &'static str = "last";
    type Config = NoSettings;
    type Needs = (Clock, OwnAccounts, State<Started>);

    fn install(_: NoSettings, (clock, accounts, started): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        started.0.get_or_init(|| clock.mono());
        for entity in [Entity::Server, Entity::OwnAccount, Entity::OtherAccount] {
            let key = IqKey { entity: entity.clone(), action: Action::Get, name: "query", namespace: NS_LAST };
            at.iq_service(key, Service { entity, clock: clock.clone(), accounts: accounts.clone(), started: started.clone() });
        }
        at.disco_entry(Features { server: &[NS_LAST], account: &[NS_LAST] });
        Ok(())
    }
}

struct Service {
    entity: Entity,
    clock: Clock,
    accounts: OwnAccounts,
    started: State<Started>,
}

impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        let seconds = match self.entity {
            Entity::Server => self.uptime(asker.relation),
            _ => self.account(asker.relation, &iq),
        };
        Box::pin(async move { seconds.map(|seconds| Some(answer(seconds))) })
    }
}

impl Service {
    fn uptime(&self, relation: Relation) -> Result<u64, StanzaError> {
        match relation {
            Relation::Neighbour | Relation::Owner => {
                let started = self.started.0.get().copied().unwrap_or_default();
                Ok(self.clock.mono().saturating_sub(started).as_secs())
            }
            Relation::Contact(_) | Relation::Stranger => Err(StanzaError::service_unavailable()),
        }
    }

    /// Section 4: 0 while a resource is available.
    fn account(&self, relation: Relation, iq: &IqPayload) -> Result<u64, StanzaError> {
        match relation {
            relation if relation.may_see_presence() => {}
            // The XEP's answer, for who knows that there is such an account; for all others there may be none (H49).
            Relation::Contact(_) => return Err(StanzaError::forbidden()),
            _ => return Err(StanzaError::service_unavailable()),
        }
        if self.accounts.is_available(&iq.to.to_bare()) { Ok(0) } else { Err(StanzaError::service_unavailable()) }
    }
}

fn answer(seconds: u64) -> Element {
    Element::builder("query", NS_LAST).attr(xml_ncname!("seconds").to_owned(), seconds).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        store::Subscription,
        testing::{FakeHost, xml},
    };
    use std::sync::atomic::Ordering;

    const GET: &str = "<query xmlns='jabber:iq:last'/>";

    fn says(seconds: u64) -> Result<Option<Element>, StanzaError> {
        Ok(Some(xml(&format!("<query xmlns='jabber:iq:last' seconds='{seconds}'/>"))))
    }

    #[test]
    fn h08_only_who_sees_the_presence_learns_that_somebody_is_here() {
        let host = FakeHost::new();
        let at = host.install::<Last>();
        host.accounts.come("me@bocage.example");
        for (relation, answer) in [
            (Relation::Contact(Subscription::Both), says(0)),
            (Relation::Contact(Subscription::From), says(0)),
            (Relation::Contact(Subscription::To), Err(StanzaError::forbidden())),
            (Relation::Neighbour, Err(StanzaError::service_unavailable())),
            (Relation::Stranger, Err(StanzaError::service_unavailable())),
        ] {
            assert_eq!(at.ask_other(relation, Action::Get, GET), answer, "{relation:?}");
        }
        assert_eq!(at.ask(&Entity::OwnAccount, Action::Get, GET), says(0));
    }

    #[test]
    fn h08_nobody_learns_when_somebody_was_here_last() {
        let at = FakeHost::new().install::<Last>();
        let nothing = Err(StanzaError::service_unavailable());
        assert_eq!(at.ask_other(Relation::Contact(Subscription::Both), Action::Get, GET), nothing);
        assert_eq!(at.ask(&Entity::OwnAccount, Action::Get, GET), nothing);
    }

    #[test]
    fn the_people_of_the_server_learn_how_long_it_runs_also_after_a_reload() {
        let host = FakeHost::new();
        host.install::<Last>();
        host.wall.fetch_add(60, Ordering::Relaxed);
        let at = host.install::<Last>();
        let ask = |relation| at.asked_by(("a@x.example/r", relation), &Entity::Server, Action::Get, GET).unwrap();
        assert_eq!(ask(Relation::Neighbour), says(60));
        assert_eq!(ask(Relation::Stranger), Err(StanzaError::service_unavailable()));
    }
}
