//! Leads conversations: a request in, a `<command/>` or an error out.

use super::{
    Answers, Ask, Command, CommandCall, CommandCaller, CommandSessions, CommandStep, Lang, NS_COMMANDS, Note, NoteKind, Then,
    bad, bad_payload,
    request::{Action, Request},
    sessions::{MAX_STEPS, Session},
};
use crate::{
    clock::{Clock, Entropy},
    disco::{DiscoPart, Identity, Item},
    error::{Condition, ErrorType, StanzaError},
    ns,
};
use jid::Jid;
use minidom::Element;
use rxml::{Namespace, xml_ncname};
use std::{ops::Deref, sync::Arc};

/// Serves commands at one place. `S` is where its conversations are kept, so that they outlive a reload:
/// `State<CommandSessions>`, or an `Arc`.
#[derive(Clone)]
pub struct CommandServer<S> {
    clock: Clock,
    entropy: Entropy,
    sessions: S,
}

/// A request of somebody.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Who asks.
    pub who: CommandCaller,
    /// `xml:lang` of the iq.
    pub lang: Option<String>,
    /// The `<command/>`.
    pub element: Element,
}

impl<S: Deref<Target = CommandSessions>> CommandServer<S> {
    /// With these conversations.
    pub fn new(clock: Clock, entropy: Entropy, sessions: S) -> Self {
        Self { clock, entropy, sessions }
    }

    /// Answers one request to whoever offers `offered`.
    ///
    /// # Errors
    /// The conditions of XEP-0050 section 4.4, and those of the command.
    pub async fn answer(&self, offered: &[Arc<dyn Command>], said: Conversation) -> Result<Element, StanzaError> {
        let request = Request::read(&said.element)?;
        let command = offered.iter().find(|command| command.node() == request.node).ok_or_else(StanzaError::item_not_found)?;
        let caller = said.who.jid().cloned().ok_or_else(StanzaError::forbidden)?;
        if !command.allowed(&said.who) {
            return Err(forbidden());
        }
        let (id, before) = match request.session.clone() {
            None => (self.entropy.id(), self.first(&request, (&caller, &said), command.node())?),
            Some(id) => {
                let session = self.sessions.take((&id, &request.node), &caller, self.clock.mono())?;
                (id, session)
            }
        };
        if request.action == Action::Cancel {
            self.sessions.ended(&id, &caller);
            return Ok(answer(&id, &before, "canceled").finish());
        }
        let next = match advanced(&before, &request) {
            Ok(next) => next,
            Err(error) => return self.stays(&request, (id, before), error),
        };
        let call = CommandCall { who: said.who, lang: next.lang, answers: next.answers.clone() };
        match command.step(&call).await {
            Ok(step) => self.stepped(id, next, step),
            Err(error) => self.stays(&request, (id, before), error),
        }
    }

    fn first(
        &self,
        request: &Request,
        (caller, said): (&Jid, &Conversation),
        node: &'static str,
    ) -> Result<Session, StanzaError> {
        if request.action != Action::Execute {
            return Err(bad("bad-sessionid"));
        }
        let lang = Lang::nearest(request.lang.as_deref().or(said.lang.as_deref()));
        let heard = self.clock.mono();
        Ok(Session { caller: caller.clone(), node, lang, answers: Vec::new(), then: Then::Next, heard })
    }

    /// After an error a conversation is where it was; one that was about to begin did not.
    fn stays(&self, request: &Request, (id, before): (String, Session), error: StanzaError) -> Result<Element, StanzaError> {
        if request.session.is_some() {
            let _ = self.sessions.wait(id, Session { heard: self.clock.mono(), ..before });
        }
        Err(error)
    }

    fn stepped(&self, id: String, session: Session, step: CommandStep) -> Result<Element, StanzaError> {
        match step {
            CommandStep::Form(ask) => {
                let answer = answer(&id, &session, "executing").asking(&ask, &session).finish();
                self.sessions.wait(id, Session { then: ask.then, heard: self.clock.mono(), ..session })?;
                Ok(answer)
            }
            CommandStep::Done(notes) => {
                self.sessions.ended(&id, &session.caller);
                Ok(answer(&id, &session, "completed").noting(&notes).finish())
            }
        }
    }
}

/// The conversation after what was just said (XEP-0050 section 3.4).
fn advanced(session: &Session, request: &Request) -> Result<Session, StanzaError> {
    let mut next = session.clone();
    if request.session.is_none() {
        return Ok(next);
    }
    match (request.action, session.then) {
        (Action::Prev, _) => next.answers.pop().map(drop).ok_or_else(|| bad("bad-action"))?,
        (Action::Execute, _) | (Action::Next, Then::Next) | (Action::Complete, Then::Complete) => {
            let answers: Answers = request.answers.clone().ok_or_else(bad_payload)?;
            if next.answers.len() >= MAX_STEPS {
                return Err(bad("bad-action"));
            }
            next.answers.push(answers);
        }
        _ => return Err(bad("bad-action")),
    }
    Ok(next)
}

/// XEP-0050 section 4.4: `forbidden` of type `cancel`.
fn forbidden() -> StanzaError {
    StanzaError::new(ErrorType::Cancel, Condition::Forbidden)
}

struct Answer(Element);

fn answer(id: &str, session: &Session, status: &str) -> Answer {
    let mut element = Element::builder("command", NS_COMMANDS)
        .attr(xml_ncname!("node").to_owned(), session.node)
        .attr(xml_ncname!("sessionid").to_owned(), id)
        .attr(xml_ncname!("status").to_owned(), status)
        .build();
    element.set_attr(Namespace::XML.clone(), xml_ncname!("lang").to_owned(), session.lang.tag());
    Answer(element)
}

impl Answer {
    fn asking(mut self, ask: &Ask, session: &Session) -> Self {
        let then = match ask.then {
            Then::Next => "next",
            Then::Complete => "complete",
        };
        let mut actions = Element::builder("actions", NS_COMMANDS).attr(xml_ncname!("execute").to_owned(), then).build();
        if !session.answers.is_empty() {
            actions.append_child(Element::bare("prev", NS_COMMANDS));
        }
        actions.append_child(Element::bare(then, NS_COMMANDS));
        self.0.append_child(actions);
        let mut this = self.noting(&ask.notes);
        this.0.append_child(ask.form.clone().into());
        this
    }
    fn noting(mut self, notes: &[Note]) -> Self {
        for note in notes {
            let kind = match note.kind {
                NoteKind::Info => "info",
                NoteKind::Warn => "warn",
                NoteKind::Error => "error",
            };
            let element = Element::builder("note", NS_COMMANDS).attr(xml_ncname!("type").to_owned(), kind);
            self.0.append_child(element.append(note.text.as_str()).build());
        }
        self
    }
    fn finish(self) -> Element {
        self.0
    }
}

/// The list of commands that `who` may run, at the node [`NS_COMMANDS`] of `at` (XEP-0050 section 2.2).
#[must_use]
pub fn listed(offered: &[Arc<dyn Command>], who: &CommandCaller, (at, lang): (&Jid, Lang)) -> DiscoPart {
    let item = |command: &Arc<dyn Command>| Item {
        jid: at.clone(),
        node: Some(command.node().to_owned()),
        name: Some(command.title(lang).to_owned()),
    };
    let identity = Identity { category: "automation", kind: "command-list", name: None };
    DiscoPart {
        identities: vec![identity],
        items: offered.iter().filter(|command| command.allowed(who)).map(item).collect(),
        ..DiscoPart::features([NS_COMMANDS])
    }
}

/// What a command's own node says (XEP-0050 section 2.2); `None` when there is no such command for `who`.
#[must_use]
pub fn described(offered: &[Arc<dyn Command>], node: &str, (who, lang): (&CommandCaller, Lang)) -> Option<DiscoPart> {
    let command = offered.iter().find(|command| command.node() == node).filter(|command| command.allowed(who))?;
    let name = Some(command.title(lang).to_owned());
    let identity = Identity { category: "automation", kind: "command-node", name };
    Some(DiscoPart { identities: vec![identity], ..DiscoPart::features([NS_COMMANDS, ns::DATA_FORMS]) })
}
