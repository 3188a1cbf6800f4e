//! XMPP Ping (XEP-0199 2.0.1): the server answers for itself and for the asker's own account.
//!
//! Pings to somebody else's bare JID find no service here: the router's answer is the same for accounts that exist and
//! for those that do not (H49).
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Entity, InstallError, IqKey, IqPayload, IqService, Module, Reply, StanzaError,
    config::NoSettings, disco::Features, ns,
};
use minidom::Element;

/// The module.
pub struct Ping;

impl Module for Ping {
    const NAME: &'static str = "ping";
    type Config = NoSettings;
    type Needs = ();

    fn install(_: NoSettings, (): (), at: &mut Checkpoints) -> Result<(), InstallError> {
        for entity in [Entity::Server, Entity::OwnAccount] {
            at.iq_service(IqKey { entity, action: Action::Get, name: "ping", namespace: ns::PING }, Pong);
        }
        at.disco_entry(Features { server: &[ns::PING], account: &[ns::PING] });
        Ok(())
    }
}

struct Pong;
impl IqService for Pong {
    fn answer(&self, _: Asker, _: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async { Ok(None) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{Relation, testing::FakeHost};

    const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

    #[test]
    fn server_and_own_account_answer_with_an_empty_result() {
        let ping = FakeHost::new().install::<Ping>();
        assert_eq!(ping.ask(&Entity::Server, Action::Get, PING), Ok(None));
        assert_eq!(ping.ask(&Entity::OwnAccount, Action::Get, PING), Ok(None));
    }

    #[test]
    fn another_account_is_never_answered_for() {
        let ping = FakeHost::new().install::<Ping>();
        let asker = ("them@bocage.example/x", Relation::Contact(bocage_api::store::Subscription::Both));
        assert!(ping.asked_by(asker, &Entity::OtherAccount, Action::Get, PING).is_none());
    }

    #[test]
    fn ping_is_discovered() {
        let host = FakeHost::new();
        let target = bocage_api::DiscoTarget::Server(host.host.domain.clone());
        assert!(host.install::<Ping>().disco(&target).features.contains("urn:xmpp:ping"));
    }
}
