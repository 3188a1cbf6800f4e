//! What commands promise to clients; the conversation itself is tested in `bocage_api::commands`.

use super::*;
use bocage_api::{
    Command,
    commands::{CommandCall, CommandStep, form, text},
    store::Subscription,
    testing::{FakeHost, Installed, xml},
};
use std::sync::Arc;

/// Asks for a word and repeats it.
struct Echo(&'static str, fn(&CommandCaller) -> bool);
impl Command for Echo {
    fn node(&self) -> &'static str {
        self.0
    }
    fn title(&self, lang: Lang) -> &'static str {
        lang.pick("Echo", "Écho")
    }
    fn allowed(&self, who: &CommandCaller) -> bool {
        (self.1)(who)
    }
    fn step<'a>(&'a self, call: &'a CommandCall) -> BoxFuture<'a, Result<CommandStep, StanzaError>> {
        Box::pin(async {
            Ok(match call.answers.last() {
                None => CommandStep::last(form("Echo", "", vec![text("word", "Word", "")])),
                Some(answers) => CommandStep::done(answers.one("word").unwrap_or_default()),
            })
        })
    }
}

fn installed() -> Installed {
    let host = FakeHost::new();
    let users = Echo("users", |who| matches!(who, CommandCaller::User(_)));
    let admins = Echo("admins", |who| matches!(who, CommandCaller::Admin(_)));
    host.commands.lock().unwrap().extend([Arc::new(users) as Arc<dyn Command>, Arc::new(admins)]);
    host.install::<Commands>()
}
fn run(node: &str) -> String {
    format!("<command xmlns='{NS_COMMANDS}' node='{node}'/>")
}
fn nodes(part: &DiscoPart) -> Vec<&str> {
    part.items.iter().filter_map(|item| item.node.as_deref()).collect()
}

#[test]
fn a_user_runs_a_command_at_the_server_and_at_the_own_account() {
    let at = installed();
    for entity in [Entity::Server, Entity::OwnAccount] {
        let relation = if entity == Entity::Server { Relation::Neighbour } else { Relation::Owner };
        let me = ("me@bocage.example/phone", relation);
        let asked = at.asked_by(me, &entity, Action::Set, &run("users")).unwrap().unwrap().unwrap();
        let id = asked.attr(bocage_api::dep::rxml::xml_ncname!("sessionid")).unwrap();
        let submit = format!(
            "<command xmlns='{NS_COMMANDS}' node='users' sessionid='{id}'><x xmlns='jabber:x:data' type='submit'>\
             <field var='word'><value>hello</value></field></x></command>"
        );
        let done = at.asked_by(me, &entity, Action::Set, &submit).unwrap().unwrap().unwrap();
        let expected = format!(
            "<command xmlns='{NS_COMMANDS}' node='users' sessionid='{id}' status='completed' xml:lang='en'>\
             <note type='info'>hello</note></command>"
        );
        assert_eq!(done, xml(&expected));
    }
}

#[test]
fn the_list_shows_what_the_asker_may_run_and_nothing_else() {
    let at = installed();
    let server = DiscoTarget::Server("bocage.example".parse().unwrap());
    let listed = at.disco_node(&server, (NS_COMMANDS, Relation::Neighbour)).unwrap();
    assert_eq!(nodes(&listed), ["users"]);
    assert_eq!(listed.identities[0].kind, "command-list");
    assert_eq!(nodes(&at.disco_node(&server, (NS_COMMANDS, Relation::Stranger)).unwrap()), [""; 0]);
    assert!(at.disco_node(&server, ("admins", Relation::Neighbour)).is_none());
    let described = at.disco_node(&server, ("users", Relation::Neighbour)).unwrap();
    assert_eq!((described.identities[0].kind, described.identities[0].name.as_deref()), ("command-node", Some("Echo")));
    assert!(described.features.contains("jabber:x:data") && described.features.contains(NS_COMMANDS));
    assert!(at.disco_node(&DiscoTarget::Host("x.example".parse().unwrap()), (NS_COMMANDS, Relation::Owner)).is_none());
}

#[test]
fn titles_are_in_the_askers_language() {
    let mut at = installed();
    at.lang = Some("fr-CA".into());
    let listed = at.disco_node(&DiscoTarget::Account, (NS_COMMANDS, Relation::Owner)).unwrap();
    assert_eq!(listed.items[0].name.as_deref(), Some("Écho"));
    assert_eq!(listed.items[0].jid.as_str(), "me@bocage.example");
}

#[test]
fn an_administrator_is_one_by_the_configuration_alone() {
    let at = installed();
    let ask = |who: &str, relation| at.asked_by((who, relation), &Entity::Server, Action::Set, &run("admins")).unwrap();
    assert!(ask("admin@bocage.example/desk", Relation::Neighbour).is_ok());
    for (who, relation) in [("me@bocage.example/phone", Relation::Neighbour), ("admin@elsewhere.example/x", Relation::Stranger)] {
        let error = ask(who, relation).unwrap_err();
        assert_eq!(error.condition, StanzaError::forbidden().condition);
    }
}

#[test]
fn nobody_else_reaches_the_commands_of_an_account() {
    let at = installed();
    for (relation, error) in [
        (Relation::Contact(Subscription::Both), StanzaError::forbidden()),
        (Relation::Neighbour, StanzaError::forbidden()),
        (Relation::Stranger, StanzaError::service_unavailable()),
    ] {
        assert_eq!(at.ask_other(relation, Action::Set, &run("users")), Err(error));
    }
    let seen = at.disco_node(&DiscoTarget::Account, (NS_COMMANDS, Relation::Contact(Subscription::Both))).unwrap();
    assert_eq!(nodes(&seen), [""; 0]);
}
