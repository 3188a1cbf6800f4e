//! Software Version (XEP-0092 1.1), by name only.
//!
//! `<version/>` is there because the schema wants it, and empty because it would tell which holes are still open;
//! there is no `<os/>`.
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Entity, InstallError, IqKey, IqPayload, IqService, Module, Reply, StanzaError,
    config::NoSettings, disco::Features, ns,
};
use minidom::Element;

/// The module.
pub struct Version;

impl Module for Version {
    const NAME: &'static str = "version";
    type Config = NoSettings;
    type Needs = ();

    fn install(_: NoSettings, (): (), at: &mut Checkpoints) -> Result<(), InstallError> {
        at.iq_service(IqKey { entity: Entity::Server, action: Action::Get, name: "query", namespace: ns::VERSION }, Name);
        at.disco_entry(Features { server: &[ns::VERSION], account: &[] });
        Ok(())
    }
}

struct Name;
impl IqService for Name {
    fn answer(&self, _: Asker, _: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        let name = Element::builder("name", ns::VERSION).append("Bocage").build();
        let version = Element::bare("version", ns::VERSION);
        let query = Element::builder("query", ns::VERSION).append(name).append(version).build();
        Box::pin(async { Ok(Some(query)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::{FakeHost, xml};

    #[test]
    fn only_the_name_is_told() {
        let version = FakeHost::new().install::<Version>();
        let answer = version.ask(&Entity::Server, Action::Get, "<query xmlns='jabber:iq:version'/>");
        let expected = "<query xmlns='jabber:iq:version'><name>Bocage</name><version/></query>";
        assert_eq!(answer, Ok(Some(xml(expected))));
    }
}
