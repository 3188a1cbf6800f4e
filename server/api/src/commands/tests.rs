//! How a conversation goes, and every error of XEP-0050 section 4.4.

use super::{sessions::*, *};
use crate::{
    Clock, Entropy,
    clock::{RandomSource, TimeSource, UnixSeconds},
    error::Condition,
    testing::{now, xml},
};
use rxml::xml_ncname;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Two steps: a name, then a colour; "black" is refused.
struct Paint;
impl Command for Paint {
    fn node(&self) -> &'static str {
        "paint"
    }
    fn title(&self, lang: Lang) -> &'static str {
        lang.pick("Paint", "Peindre")
    }
    fn allowed(&self, who: &CommandCaller) -> bool {
        !matches!(who, CommandCaller::Remote(jid) if jid.domain().as_str() == "evil.example")
    }
    fn step<'a>(&'a self, call: &'a CommandCall) -> BoxFuture<'a, Result<CommandStep, StanzaError>> {
        Box::pin(async {
            Ok(match call.answers.as_slice() {
                [] => CommandStep::more(form(self.title(call.lang), "", vec![text("what", "What", "")])),
                [_] => CommandStep::last(form(self.title(call.lang), "", vec![text("colour", "Colour", "")])),
                [what, colour, ..] => match (what.one("what"), colour.one("colour")) {
                    (Some(_), Some("black")) => return Err(bad_payload()),
                    (Some(what), Some(colour)) => CommandStep::done(format!("{what} is {colour}")),
                    _ => CommandStep::failed("nothing was painted"),
                },
            })
        })
    }
}

#[derive(Clone, Default)]
struct Time(Arc<AtomicU64>);
impl TimeSource for Time {
    fn wall(&self) -> UnixSeconds {
        0
    }
    fn mono(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}
#[derive(Default)]
struct Dice(AtomicU64);
impl RandomSource for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        bytes.iter_mut().zip(number.into_iter().cycle()).for_each(|(byte, n)| *byte = n);
    }
}

struct Talk {
    server: CommandServer<Arc<CommandSessions>>,
    sessions: Arc<CommandSessions>,
    time: Time,
}
impl Talk {
    fn new() -> Self {
        let (time, sessions) = (Time::default(), Arc::<CommandSessions>::default());
        let server = CommandServer::new(Clock::new(time.clone()), Entropy::new(Dice::default()), sessions.clone());
        Self { server, sessions, time }
    }
    fn say_as(&self, who: &str, attributes: &str, form: &str) -> Result<Element, StanzaError> {
        let who = CommandCaller::Remote(who.parse().unwrap());
        let element = xml(&format!("<command xmlns='{NS_COMMANDS}' {attributes}>{form}</command>"));
        let offered: [Arc<dyn Command>; 1] = [Arc::new(Paint)];
        now(self.server.answer(&offered, Conversation { who, lang: None, element }))
    }
    fn say(&self, attributes: &str, form: &str) -> Result<Element, StanzaError> {
        self.say_as("a@x.example/r", attributes, form)
    }
    /// Begins; the id of the conversation.
    fn begin(&self) -> String {
        id(&self.say("node='paint'", "").unwrap())
    }
    fn go_on(&self, id: &str, action: &str, form: &str) -> Result<Element, StanzaError> {
        self.say(&format!("node='paint' sessionid='{id}' {action}"), form)
    }
}

fn id(answer: &Element) -> String {
    answer.attr(xml_ncname!("sessionid")).unwrap().to_owned()
}
fn submit(var: &str, value: &str) -> String {
    format!("<x xmlns='jabber:x:data' type='submit'><field var='{var}'><value>{value}</value></field></x>")
}
fn status(answer: &Element) -> &str {
    answer.attr(xml_ncname!("status")).unwrap()
}
fn actions(answer: &Element) -> (String, Vec<&str>) {
    let actions = answer.get_child("actions", NS_COMMANDS).unwrap();
    (actions.attr(xml_ncname!("execute")).unwrap().to_owned(), actions.children().map(Element::name).collect())
}
fn application(error: StanzaError) -> (Condition, String) {
    (error.condition, error.application.map(|el| el.name().to_owned()).unwrap_or_default())
}

#[test]
fn two_steps_lead_to_the_end_and_each_says_what_can_follow() {
    let talk = Talk::new();
    let first = talk.say("node='paint' action='execute'", "").unwrap();
    assert_eq!((status(&first), actions(&first)), ("executing", ("next".into(), vec!["next"])));
    let second = talk.go_on(&id(&first), "action='next'", &submit("what", "wall")).unwrap();
    assert_eq!((id(&second), actions(&second)), (id(&first), ("complete".into(), vec!["prev", "complete"])));
    let done = talk.go_on(&id(&first), "", &submit("colour", "green")).unwrap();
    assert_eq!(status(&done), "completed");
    assert_eq!(done.get_child("note", NS_COMMANDS).unwrap().text(), "wall is green");
    assert_eq!(talk.sessions.open(), 0);
}

#[test]
fn going_back_asks_again_and_forgets_what_was_said() {
    let talk = Talk::new();
    let id = talk.begin();
    talk.go_on(&id, "", &submit("what", "wall")).unwrap();
    let back = talk.go_on(&id, "action='prev'", "").unwrap();
    assert_eq!(actions(&back), ("next".into(), vec!["next"]));
    assert_eq!(application(talk.go_on(&id, "action='prev'", "").unwrap_err()).1, "bad-action");
    talk.go_on(&id, "", &submit("what", "door")).unwrap();
    let done = talk.go_on(&id, "action='complete'", &submit("colour", "red")).unwrap();
    assert_eq!(done.get_child("note", NS_COMMANDS).unwrap().text(), "door is red");
}

#[test]
fn what_is_refused_can_be_said_better() {
    let talk = Talk::new();
    let id = talk.begin();
    talk.go_on(&id, "", &submit("what", "wall")).unwrap();
    assert_eq!(
        application(talk.go_on(&id, "", &submit("colour", "black")).unwrap_err()),
        (Condition::BadRequest, "bad-payload".into())
    );
    assert_eq!(application(talk.go_on(&id, "", "").unwrap_err()).1, "bad-payload", "there is no form");
    assert_eq!(application(talk.go_on(&id, "action='next'", &submit("colour", "red")).unwrap_err()).1, "bad-action");
    assert_eq!(status(&talk.go_on(&id, "", &submit("colour", "red")).unwrap()), "completed");
}

#[test]
fn a_failure_is_said_by_a_note_of_type_error() {
    let talk = Talk::new();
    let id = talk.begin();
    talk.go_on(&id, "", &submit("what", "wall")).unwrap();
    let failed = talk.go_on(&id, "", &submit("other", "x")).unwrap();
    let note = failed.get_child("note", NS_COMMANDS).unwrap();
    assert_eq!((status(&failed), note.attr(xml_ncname!("type"))), ("completed", Some("error")));
}

#[test]
fn cancelling_ends_and_who_comes_back_is_told() {
    let talk = Talk::new();
    let id = talk.begin();
    assert_eq!(status(&talk.go_on(&id, "action='cancel'", "").unwrap()), "canceled");
    assert_eq!(
        application(talk.go_on(&id, "", &submit("what", "x")).unwrap_err()),
        (Condition::NotAllowed, "session-expired".into())
    );
}

#[test]
fn silence_ends_a_conversation() {
    let talk = Talk::new();
    let id = talk.begin();
    talk.time.0.store(LIFETIME.as_secs() - 1, Ordering::Relaxed);
    talk.go_on(&id, "", &submit("what", "wall")).unwrap();
    talk.time.0.store(2 * LIFETIME.as_secs() - 1, Ordering::Relaxed);
    assert_eq!(application(talk.go_on(&id, "", &submit("colour", "red")).unwrap_err()).1, "session-expired");
    assert_eq!(talk.sessions.open(), 0);
}

#[test]
fn a_conversation_is_its_requesters_alone() {
    let talk = Talk::new();
    let id = talk.begin();
    for thief in ["b@x.example/r", "a@x.example/other"] {
        let error = talk.say_as(thief, &format!("node='paint' sessionid='{id}' action='cancel'"), "").unwrap_err();
        assert_eq!(application(error).1, "bad-sessionid");
    }
    assert_eq!(application(talk.go_on("guessed", "action='cancel'", "").unwrap_err()).1, "bad-sessionid");
    assert_eq!(application(talk.go_on("", "", "").unwrap_err()).1, "bad-sessionid");
    assert!(talk.go_on(&id, "", &submit("what", "wall")).is_ok());
}

#[test]
fn requests_that_make_no_sense_are_named() {
    let talk = Talk::new();
    assert_eq!(
        application(talk.say("node='paint' action='dance'", "").unwrap_err()),
        (Condition::BadRequest, "malformed-action".into())
    );
    for action in ["next", "prev", "complete", "cancel"] {
        assert_eq!(application(talk.say(&format!("node='paint' action='{action}'"), "").unwrap_err()).1, "bad-sessionid");
    }
    assert_eq!(talk.say("node='other'", "").unwrap_err(), StanzaError::item_not_found());
    assert_eq!(talk.say("", "").unwrap_err(), StanzaError::bad_request());
    let refused = talk.say_as("e@evil.example/x", "node='paint'", "").unwrap_err();
    assert_eq!((refused.condition, refused.kind), (Condition::Forbidden, crate::error::ErrorType::Cancel));
    let wide = submit("what", &"x".repeat(17 * 1024));
    assert_eq!(application(talk.say("node='paint'", &wide).unwrap_err()).1, "bad-payload");
}

#[test]
fn conversations_are_bounded_and_nobody_takes_anothers_place() {
    let talk = Talk::new();
    let first = talk.begin();
    for _ in 0..MAX_PER_CALLER {
        talk.time.0.fetch_add(1, Ordering::Relaxed);
        talk.begin();
    }
    assert_eq!(talk.sessions.open(), MAX_PER_CALLER);
    assert_eq!(application(talk.go_on(&first, "", &submit("what", "x")).unwrap_err()).1, "session-expired");
    for n in 0..MAX_SESSIONS {
        let _ = talk.say_as(&format!("p{n}@x.example/r"), "node='paint'", "");
    }
    assert_eq!(talk.sessions.open(), MAX_SESSIONS);
    let late = talk.say_as("late@x.example/r", "node='paint'", "").unwrap_err();
    assert_eq!(late, StanzaError::resource_constraint());
}

#[test]
fn the_language_of_the_first_request_holds() {
    let talk = Talk::new();
    let first = talk.say("node='paint' xml:lang='fr-CA'", "").unwrap();
    let title = |answer: &Element| {
        answer.get_child("x", crate::ns::DATA_FORMS).unwrap().get_child("title", crate::ns::DATA_FORMS).unwrap().text()
    };
    assert_eq!(title(&first), "Peindre");
    let second = talk.go_on(&id(&first), "xml:lang='en'", &submit("what", "mur")).unwrap();
    assert_eq!(title(&second), "Peindre");
    assert_eq!(Lang::nearest(Some("de")), Lang::En);
    assert_eq!(Lang::nearest(Some("FR")), Lang::Fr);
}
