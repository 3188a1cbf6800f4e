//! Entity Time (XEP-0202 2.0): the server's clock, in whole seconds and in UTC.
//!
//! The zone is always `Z`: where the machine stands is nobody's business, and fractions of a second would let a
//! stranger measure it (H27).
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Clock, Entity, InstallError, IqKey, IqPayload, IqService, Module, Reply, StanzaError,
    config::NoSettings, disco::Features, ns,
};
use minidom::Element;

/// The module.
pub struct Time;

impl Module for Time {
    const NAME: &'static str = "time";
    type Config = NoSettings;
    type Needs = (Clock,);

    fn install(_: NoSettings, (clock,): (Clock,), at: &mut Checkpoints) -> Result<(), InstallError> {
        at.iq_service(
            IqKey { entity: Entity::Server, action: Action::Get, name: "time", namespace: ns::TIME },
            ServerTime(clock),
        );
        at.disco_entry(Features { server: &[ns::TIME], account: &[] });
        Ok(())
    }
}

struct ServerTime(Clock);
impl IqService for ServerTime {
    fn answer(&self, _: Asker, _: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        let tzo = Element::builder("tzo", ns::TIME).append("Z");
        let utc = Element::builder("utc", ns::TIME).append(self.0.stamp());
        let time = Element::builder("time", ns::TIME).append(tzo.build()).append(utc.build()).build();
        Box::pin(async { Ok(Some(time)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::{FakeHost, xml};

    #[test]
    fn time_is_utc_in_whole_seconds() {
        let time = FakeHost::new().install::<Time>();
        let answer = time.ask(&Entity::Server, Action::Get, "<time xmlns='urn:xmpp:time'/>");
        let expected = "<time xmlns='urn:xmpp:time'><tzo>Z</tzo><utc>2023-11-14T22:13:20Z</utc></time>";
        assert_eq!(answer, Ok(Some(xml(expected))));
    }
}
