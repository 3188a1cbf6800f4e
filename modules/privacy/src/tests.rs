//! What people are told and what is done, in both languages.

use super::*;
use bocage_api::{
    commands::Answers,
    stanza::MessageType,
    store::{Append, Archive as _, ArchiveEntry, ArchivedMessage, Party, StanzaId},
    testing::{FakeHost, Installed, now},
};
use std::sync::Arc;

const ME: &str = "me@bocage.example";

fn owner() -> BareJid {
    ME.parse().unwrap()
}
fn step(at: &Installed, answers: &[Answers], lang: Lang) -> Result<CommandStep, StanzaError> {
    let who = CommandCaller::User(format!("{ME}/phone").parse().unwrap());
    now(at.at.commands[0].it.step(&CommandCall { who, lang, answers: answers.to_vec() }))
}
fn does(at: &Installed, action: &str, then: (&str, &str)) -> Result<String, StanzaError> {
    let answers = [Answers::of(&[("action", action)]), Answers::of(&[then])];
    assert!(matches!(step(at, &answers[..1], Lang::En), Ok(CommandStep::Form(_))), "{action} asks first");
    step(at, &answers, Lang::En).map(|step| match step {
        CommandStep::Done(notes) => notes[0].text.clone(),
        CommandStep::Form(_) => panic!("{action} ends"),
    })
}
/// A message with somebody, so many days before now.
fn keep(host: &FakeHost, with: &str, days_ago: i64) {
    let message = ArchivedMessage {
        from: with.into(),
        to: ME.into(),
        kind: MessageType::Chat,
        message_id: None,
        lang: None,
        payload: Vec::new().into(),
    };
    let stamp = host.wall.load(std::sync::atomic::Ordering::Relaxed) - days_ago * 86_400;
    let id = StanzaId(u128::from(host.archive.rows().len() as u64 + 1).to_be_bytes());
    let entry = ArchiveEntry {
        owner: owner(),
        id,
        stamp,
        party: Party::With(with.parse().unwrap()),
        message: Arc::new(message),
        kept: true,
        held: None,
        retracts: None,
    };
    now(host.archive.append(Append { entries: vec![entry], once: false })).unwrap();
}

#[test]
fn it_says_what_is_kept_in_the_language_of_who_asks() {
    let host = FakeHost::new();
    let at = host.install::<Privacy>();
    keep(&host, "a@x.example", 3);
    let lines = |lang| {
        let Ok(CommandStep::Form(ask)) = step(&at, &[], lang) else { panic!("a form") };
        let fixed = ask.form.fields.iter().filter(|field| field.var.is_none());
        fixed.map(|field| field.values[0].clone()).collect::<Vec<_>>()
    };
    let english = ["Messages are kept for: 7 days", "Archived: all messages", "The oldest message is of 2023-11-11"];
    assert_eq!(lines(Lang::En), english);
    assert_eq!(lines(Lang::Fr)[0], "Durée de conservation des messages : 7 jours");
    assert_eq!((at.at.commands[0].it.title(Lang::En), at.at.commands[0].it.title(Lang::Fr)), ("Privacy", "Confidentialité"));
}

#[test]
fn h01_periods_can_be_shortened_and_never_lengthened() {
    let host = FakeHost::new();
    let at = host.install::<Privacy>();
    assert!(does(&at, PERIOD, ("period", "2")).unwrap().starts_with("Your messages are now kept for 2 days."));
    assert_eq!(now(host.archive.settings(&owner())).unwrap().keeps, Some(Duration::from_secs(2 * 86_400)));
    for period in ["7", "31", "0", "x", ""] {
        assert_eq!(does(&at, PERIOD, ("period", period)), Err(bad_payload()), "{period}");
    }
    does(&at, PERIOD, ("period", "server")).unwrap();
    assert_eq!(now(host.archive.settings(&owner())).unwrap().keeps, None);
}

#[test]
fn what_is_archived_can_be_switched_off_and_lists_stay() {
    let host = FakeHost::new();
    let at = host.install::<Privacy>();
    let listed = vec!["a@x.example".parse().unwrap()];
    let before = Preferences { default: DefaultPolicy::Always, always: listed.clone(), never: Vec::new() };
    now(host.archive.set_preferences(&owner(), before)).unwrap();
    assert_eq!(does(&at, POLICY, ("policy", "never")), Ok("Archived from now on: none.".into()));
    let after = now(host.archive.settings(&owner())).unwrap().preferences.unwrap();
    assert_eq!((after.default, after.always), (DefaultPolicy::Never, listed));
    assert_eq!(does(&at, POLICY, ("policy", "sometimes")), Err(bad_payload()));
}

#[test]
fn h05_the_whole_archive_goes_only_when_one_is_sure() {
    let host = FakeHost::new();
    let at = host.install::<Privacy>();
    keep(&host, "a@x.example", 1);
    assert_eq!(does(&at, ALL, ("sure", "0")), Ok("Nothing was deleted.".into()));
    assert_eq!(host.archive.rows().len(), 1);
    assert!(does(&at, ALL, ("sure", "1")).unwrap().contains("old backups do not bring it back"));
    assert!(host.archive.rows().is_empty());
}

#[test]
fn h05_one_correspondent_goes_and_the_answer_says_what_old_backups_have() {
    let host = FakeHost::new();
    let at = host.install::<Privacy>();
    keep(&host, "a@x.example/phone", 1);
    keep(&host, "b@x.example", 1);
    let answer = does(&at, ONE, ("jid", "A@x.example/desk")).unwrap();
    assert!(answer.starts_with("Deleted: 1 messages. In old backups"), "{answer}");
    assert_eq!(host.archive.rows().len(), 1);
    assert_eq!(does(&at, ONE, ("jid", "@")), Err(bad_payload()));
    assert_eq!(does(&at, ONE, ("jid", "")), Err(bad_payload()));
}

#[test]
fn h05_everything_from_before_a_day_goes() {
    let host = FakeHost::new();
    let at = host.install::<Privacy>();
    keep(&host, "a@x.example", 3);
    keep(&host, "a@x.example", 0);
    assert!(does(&at, BEFORE, ("day", "2023-11-14")).unwrap().starts_with("Deleted: 1 messages."));
    assert_eq!(host.archive.rows().len(), 1);
    assert_eq!(does(&at, BEFORE, ("day", "yesterday")), Err(bad_payload()));
}

#[test]
fn only_the_people_of_this_server_have_it_and_nothing_else_can_be_asked() {
    let at = FakeHost::new().install::<Privacy>();
    let command = &at.at.commands[0].it;
    assert!(!command.allowed(&CommandCaller::Remote("a@elsewhere.example/r".parse().unwrap())));
    assert!(command.allowed(&CommandCaller::Admin("admin@bocage.example/r".parse().unwrap())));
    assert_eq!(step(&at, &[Answers::of(&[("action", "explode")])], Lang::En).unwrap_err(), bad_payload());
}
