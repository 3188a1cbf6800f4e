//! Ad-hoc commands (XEP-0050 1.3.0) of the server and of accounts. What commands there are, other modules say; how a
//! conversation goes is `bocage_api::commands`, which services with a domain of their own use as well.
#![forbid(unsafe_code)]

use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Clock, DiscoEntry, DiscoNode, DiscoPart, DiscoTarget, Entity, Entropy, Host,
    InstallError, IqKey, IqPayload, IqService, Module, Offered, Relation, Reply, StanzaError, State,
    commands::{CommandCaller, CommandPlace, CommandServer, CommandSessions, Conversation, Lang, NS_COMMANDS, described, listed},
    config::NoSettings,
};
use minidom::Element;

/// The module.
pub struct Commands;

impl Module for Commands {
    const NAME: &'static str = "commands";
    type Config = NoSettings;
    type Needs = (Clock, Entropy, Host, State<CommandSessions>, Offered);

    fn install(
        _: NoSettings,
        (clock, entropy, host, sessions, offered): Self::Needs,
        at: &mut Checkpoints,
    ) -> Result<(), InstallError> {
        let server = CommandServer::new(clock, entropy, sessions);
        for (entity, place) in [
            (Entity::Server, CommandPlace::Server),
            (Entity::OwnAccount, CommandPlace::Account),
            (Entity::OtherAccount, CommandPlace::Account),
        ] {
            let key = IqKey { entity, action: Action::Set, name: "command", namespace: NS_COMMANDS };
            at.iq_service(key, Service { server: server.clone(), host: host.clone(), offered: offered.clone(), place });
        }
        at.disco_entry(Listed { host, offered });
        Ok(())
    }
}

struct Service {
    server: CommandServer<State<CommandSessions>>,
    host: Host,
    offered: Offered,
    place: CommandPlace,
}

impl IqService for Service {
    fn answer(&self, asker: Asker, iq: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if self.place == CommandPlace::Account && asker.relation != Relation::Owner {
                return Err(asker.relation.refusal());
            }
            let said = Conversation { who: CommandCaller::of(&asker, &self.host), lang: iq.lang, element: iq.element };
            self.server.answer(&self.offered.offered(self.place), said).await.map(Some)
        })
    }
}

struct Listed {
    host: Host,
    offered: Offered,
}

impl DiscoEntry for Listed {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        match place(target) {
            Some(_) => DiscoPart::features([NS_COMMANDS]),
            None => DiscoPart::default(),
        }
    }

    fn node(&self, target: &DiscoTarget, asked: &DiscoNode<'_>) -> Option<DiscoPart> {
        let place = place(target)?;
        let who = CommandCaller::of(asked.asker, &self.host);
        let lang = Lang::nearest(asked.lang);
        // What an account offers is its owner's; contacts see an empty list.
        let mine = place == CommandPlace::Server || asked.asker.relation == Relation::Owner;
        let offered = if mine { self.offered.offered(place) } else { Vec::new() };
        match asked.node {
            NS_COMMANDS => Some(listed(&offered, &who, (asked.at, lang))),
            node => described(&offered, node, (&who, lang)),
        }
    }
}

fn place(target: &DiscoTarget) -> Option<CommandPlace> {
    match target {
        DiscoTarget::Server(_) => Some(CommandPlace::Server),
        DiscoTarget::Account => Some(CommandPlace::Account),
        DiscoTarget::Host(_) => None,
    }
}

#[cfg(test)]
mod tests;
