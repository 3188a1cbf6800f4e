//! The host of rooms (XEP-0045), before there are rooms: it exists, and answers `service-unavailable` to everything.
//!
//! Answers go through a bounded queue to a task of its own, because `accept` never waits; when the queue is full the
//! sender is told `resource-constraint` by core.
#![forbid(unsafe_code)]

use bocage_api::{
    Checkpoints, DiscoEntry, DiscoPart, DiscoTarget, DomainService, Frozen, Full, Host, InstallError, Kind, Module, Outbox,
    Stanza, StanzaError, Tasks, disco::Item, rt::sync::mpsc, stanza::PresenceType,
};
use jid::{DomainPart, Jid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answers that wait to be sent, at most.
const QUEUE: usize = 64;

/// The module.
pub struct Muc;

/// `[modules.muc]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Host of the rooms; "{domain}" stands for the domain of the accounts.
    pub host: String,
}
impl Default for Config {
    fn default() -> Self {
        Self { host: "salons.{domain}".into() }
    }
}

impl Module for Muc {
    const NAME: &'static str = "muc";
    type Config = Config;
    type Needs = (Host, Tasks, Outbox);

    fn install(config: Config, (host, tasks, outbox): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        let rooms = rooms_host(&config.host, &host.domain)?;
        let (answers, mut queue) = mpsc::channel::<Stanza>(QUEUE);
        tasks.spawn("answers", async move {
            while let Some(answer) = queue.recv().await {
                // Where it cannot go, nobody can be told: an answer is never answered.
                let _ = outbox.send(answer).await;
            }
        });
        at.domain_service(rooms.as_str().to_owned(), Closed(answers));
        at.disco_entry(Listed { item: Item { jid: Jid::from(rooms), name: None }, of: host.domain });
        Ok(())
    }
}

/// An empty setting means the default, so that a config can name it without repeating it.
fn rooms_host(setting: &str, domain: &DomainPart) -> Result<DomainPart, InstallError> {
    let default = Config::default().host;
    let setting = if setting.is_empty() { &default } else { setting };
    let name = setting.replace("{domain}", domain.as_str());
    let rooms =
        DomainPart::new(&name).map_err(|_| InstallError::new(format!("host is \"{setting}\", which is no domain name")))?;
    if *rooms == **domain {
        return Err(InstallError::new(format!(
            "host is \"{setting}\", but that is where the accounts are: rooms need a name of their own"
        )));
    }
    Ok(rooms.into_owned())
}

struct Closed(mpsc::Sender<Stanza>);
impl DomainService for Closed {
    fn accept(&self, stanza: Box<Frozen>) -> Result<(), Full<Box<Frozen>>> {
        let Some(answer) = refusal(&stanza) else { return Ok(()) };
        match self.0.try_reserve() {
            Ok(room) => {
                room.send(answer);
                Ok(())
            }
            Err(_) => Err(Full(stanza)),
        }
    }
}

/// Who leaves is not told that there was nothing to leave.
fn refusal(stanza: &Frozen) -> Option<Stanza> {
    if stanza.kind == Kind::Presence(PresenceType::Unavailable) {
        return None;
    }
    let mut head = Stanza::new(stanza.kind, stanza.from.clone(), stanza.to.clone());
    head.id.clone_from(&stanza.id);
    head.bounce(&StanzaError::service_unavailable())
}

struct Listed {
    item: Item,
    of: DomainPart,
}
impl DiscoEntry for Listed {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        let items = if *target == DiscoTarget::Server(self.of.clone()) { vec![self.item.clone()] } else { Vec::new() };
        DiscoPart { items, ..DiscoPart::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::{FakeHost, Installed, for_service, xml};

    fn post(at: &Installed, stanza: &str) -> Result<(), Full<Box<Frozen>>> {
        at.at.domain_services[0].1.it.accept(Box::new(for_service(stanza)))
    }
    fn named(host: &str) -> Result<String, String> {
        let installed = FakeHost::new().try_install::<Muc>(Config { host: host.into() });
        installed.map(|at| at.at.domain_services[0].0.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_request_is_answered_service_unavailable_by_the_address_it_was_sent_to() {
        let host = FakeHost::new();
        let at = host.install::<Muc>();
        let head = "xmlns='jabber:client' from='a@b.example/c' to='room@salons.bocage.example/nick' id='7'";
        post(&at, &format!("<iq {head} type='get'><q xmlns='x'/></iq>")).unwrap();
        post(&at, &format!("<message {head} type='groupchat'><body>hi</body></message>")).unwrap();
        post(&at, &format!("<presence {head}><x xmlns='http://jabber.org/protocol/muc'/></presence>")).unwrap();
        host.tasks.poll();
        let sent = host.outbox.take();
        let error = StanzaError::service_unavailable().element();
        assert_eq!(sent.iter().map(|s| s.kind.name()).collect::<Vec<_>>(), ["iq", "message", "presence"]);
        for answer in sent {
            assert!(answer.kind.is_error());
            assert_eq!(answer.from.as_ref().map(Jid::as_str), Some("room@salons.bocage.example/nick"));
            assert_eq!(answer.to.as_ref().map(Jid::as_str), Some("a@b.example/c"));
            assert_eq!((answer.id.as_deref(), answer.el.children().next()), (Some("7"), Some(&error)));
        }
    }

    #[test]
    fn errors_results_and_leaves_are_never_answered() {
        let host = FakeHost::new();
        let at = host.install::<Muc>();
        let head = "xmlns='jabber:client' from='a@b.example/c' to='salons.bocage.example' id='7'";
        for stanza in [
            "iq {} type='result'",
            "iq {} type='error'",
            "message {} type='error'",
            "presence {} type='error'",
            "presence {} type='unavailable'",
        ] {
            post(&at, &format!("<{}/>", stanza.replace("{}", head))).unwrap();
        }
        host.tasks.poll();
        assert!(host.outbox.take().is_empty());
    }

    #[test]
    fn a_flood_is_given_back_and_service_returns() {
        let host = FakeHost::new();
        let at = host.install::<Muc>();
        let message = "<message xmlns='jabber:client' from='a@b.example/c' to='salons.bocage.example'/>";
        for _ in 0..QUEUE {
            post(&at, message).unwrap();
        }
        let Full(back) = post(&at, message).unwrap_err();
        assert_eq!(back.thaw().unwrap().el, xml("<message xmlns='jabber:client'/>"));
        host.tasks.poll();
        post(&at, message).unwrap();
        host.tasks.poll();
        assert_eq!(host.outbox.take().len(), QUEUE + 1);
    }

    #[test]
    fn its_task_ends_with_the_plan_it_belongs_to() {
        let host = FakeHost::new();
        let at = host.install::<Muc>();
        host.tasks.poll();
        assert_eq!(host.tasks.running(), ["answers"]);
        drop(at);
        host.tasks.poll();
        assert!(host.tasks.running().is_empty());
    }

    #[test]
    fn the_host_is_named_after_the_domain_and_never_the_domain_itself() {
        assert_eq!(named(&Config::default().host).unwrap(), "salons.bocage.example");
        assert_eq!(named("").unwrap(), "salons.bocage.example");
        assert_eq!(named("rooms.other.example").unwrap(), "rooms.other.example");
        assert!(named("{domain}").unwrap_err().contains("a name of their own"));
        assert_eq!(named("no domain").unwrap_err(), "host is \"no domain\", which is no domain name");
    }

    #[test]
    fn the_server_lists_it() {
        let host = FakeHost::new();
        let at = host.install::<Muc>();
        let items = at.disco(&DiscoTarget::Server(host.host.domain.clone())).items();
        let expected = "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='salons.bocage.example'/></query>";
        assert_eq!(items, xml(expected));
        assert_eq!(at.disco(&DiscoTarget::Account), DiscoPart::default());
    }
}
