//! The wish to be somebody else under another nick (H25), as a command of the rooms' host: for people of this server and
//! of others. It holds at once, for what is said from now on and for what history gives out.

use super::{Input, Service, store::WISH_ROWS};
use bocage_api::{
    BoxFuture, OptOut, StanzaError,
    commands::{Answers, Command, CommandCall, CommandCaller, CommandStep, Lang, bad_payload, fixed, form, hidden, text, yes_no},
};
use jid::BareJid;
use std::sync::Arc;

/// Its node.
pub(crate) const NODE: &str = "urn:bocage:room-privacy:0";
/// Wishes of one person.
const MOST: usize = 100;
const ROOM: &str = "room";
const WISH: &str = "another_under_another_nick";

/// The command.
pub(crate) struct Privacy(pub(crate) Arc<Service>);

impl Command for Privacy {
    fn node(&self) -> &'static str {
        NODE
    }
    fn title(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => "Room privacy",
            Lang::Fr => "Confidentialité des salons",
        }
    }
    fn allowed(&self, who: &CommandCaller) -> bool {
        who.jid().is_some_and(|jid| jid.node().is_some())
    }
    fn step<'a>(&'a self, call: &'a CommandCall) -> BoxFuture<'a, Result<CommandStep, StanzaError>> {
        Box::pin(async move {
            let who = call.who.jid().map(|jid| jid.to_bare()).ok_or_else(StanzaError::forbidden)?;
            match call.answers.last() {
                None => Ok(CommandStep::last(self.asking(call.lang, &who))),
                Some(answers) => self.wished(call.lang, &who, answers).await,
            }
        })
    }
}

impl Privacy {
    fn asking(&self, lang: Lang, who: &BareJid) -> bocage_api::dep::xmpp_parsers::data_forms::DataForm {
        let instructions = lang.pick(
            "Rooms give you an id, so that others know who corrects or reacts. You can have another id under another nick: \
             then nobody can tell that both are you. A change of nick while you are inside links the two.",
            "Les salons vous donnent un identifiant, pour que l'on sache qui corrige ou réagit. Vous pouvez en avoir un autre \
             sous un autre pseudo : personne ne saura alors que les deux sont vous. Changer de pseudo dans le salon les relie.",
        );
        let scopes = self.0.env.opt_outs.of(who);
        let everywhere = lang.pick("all rooms", "tous les salons");
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_ref().map_or(everywhere, |room| room.as_str())).collect();
        let mut fields = vec![hidden("FORM_TYPE", NODE)];
        if !names.is_empty() {
            fields.push(fixed(&format!("{} {}", lang.pick("Now:", "Actuellement :"), names.join(", "))));
        }
        let all = scopes.contains(&None);
        fields.push(text(ROOM, lang.pick("Address of a room; empty for all", "Adresse d'un salon ; vide pour tous"), ""));
        fields.push(yes_no(WISH, lang.pick("Another id under another nick", "Un autre identifiant sous un autre pseudo"), !all));
        form(self.title(lang), instructions, fields)
    }

    async fn wished(&self, lang: Lang, who: &BareJid, answers: &Answers) -> Result<CommandStep, StanzaError> {
        let service = &self.0;
        let room = answers.one(ROOM).map(BareJid::new).transpose().map_err(|_| bad_payload())?;
        if room.as_ref().is_some_and(|room| *room.domain() != *service.store.host || room.node().is_none()) {
            return Err(bad_payload());
        }
        let wish = if answers.is_set(WISH) { OptOut::Yes } else { OptOut::No };
        let (all, theirs) = service.env.opt_outs.count(who);
        if wish == OptOut::Yes && (all >= WISH_ROWS || theirs >= MOST) {
            return Err(StanzaError::resource_constraint());
        }
        service.store.wish(who, room.as_ref(), wish).await?;
        service.env.opt_outs.set(who, room, wish);
        service.tell_all(|| Input::Refresh);
        Ok(CommandStep::done(match wish {
            OptOut::Yes => {
                lang.pick("From now on your id changes with your nick.", "Désormais votre identifiant change avec votre pseudo.")
            }
            OptOut::No => {
                lang.pick("From now on your id stays under every nick.", "Désormais votre identifiant reste sous chaque pseudo.")
            }
        }))
    }
}
