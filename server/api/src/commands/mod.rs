//! Ad-hoc commands (XEP-0050): what a command is, and the engine that leads a conversation through it.
//!
//! A command is asked with all that was submitted so far and says what comes next, so that going back is nothing but
//! asking again with less. The engine serves the server and accounts by the module `commands`, and whoever owns a
//! domain by itself: a service keeps a [`CommandServer`] and gives it the commands that it offers.

mod form;
mod request;
mod server;
mod sessions;

#[cfg(test)]
mod tests;

pub use form::{Answers, fixed, form, hidden, list, options, text, yes_no};
pub use server::{CommandServer, Conversation, described, listed};
pub use sessions::CommandSessions;

use crate::{
    error::StanzaError,
    handles::Host,
    views::{Asker, Relation},
};
use futures_util::future::BoxFuture;
use jid::{BareJid, Jid};
use minidom::Element;
use xmpp_parsers::data_forms::DataForm;

/// Namespace of commands, and the node under which they are listed (XEP-0050 section 2.2).
pub const NS_COMMANDS: &str = "http://jabber.org/protocol/commands";

/// Languages of the texts that the server itself writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Lang {
    /// What comes nearest to a language tag (RFC 5646); English where nothing does.
    #[must_use]
    pub fn nearest(tag: Option<&str>) -> Self {
        let primary = tag.and_then(|tag| tag.split('-').next()).unwrap_or_default();
        if primary.eq_ignore_ascii_case("fr") { Self::Fr } else { Self::En }
    }
    /// Its tag.
    #[must_use]
    pub fn tag(self) -> &'static str {
        self.pick("en", "fr")
    }
    /// One of two texts.
    #[must_use]
    pub fn pick<'a>(self, en: &'a str, fr: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Fr => fr,
        }
    }
}

/// A command: one definition for ad-hoc (XEP-0050), service administration (XEP-0133) and the command line.
pub trait Command: Send + Sync {
    /// Node of the ad-hoc command.
    fn node(&self) -> &'static str;
    /// Title.
    fn title(&self, lang: Lang) -> &'static str;
    /// Where it is offered; what a service offers at its own domain is that service's to say.
    fn places(&self) -> &'static [CommandPlace] {
        &[CommandPlace::Server, CommandPlace::Account]
    }
    /// May this one use it? Who may not does not see it listed.
    fn allowed(&self, who: &CommandCaller) -> bool;
    /// The next step after all that was submitted so far. An error leaves the conversation where it was.
    ///
    /// # Errors
    /// [`bad_payload`] for what was submitted last, or whatever made it fail.
    fn step<'a>(&'a self, call: &'a CommandCall) -> BoxFuture<'a, Result<CommandStep, StanzaError>>;
}

/// Where a command is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandPlace {
    /// At a host that serves accounts.
    Server,
    /// At an account, to its owner.
    Account,
}

/// Who runs a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandCaller {
    /// At the machine.
    Operator,
    /// An account listed in `admins`.
    Admin(Jid),
    /// A user of this server.
    User(Jid),
    /// Somebody else's user.
    Remote(Jid),
}

impl CommandCaller {
    /// Who asks `host` by iq.
    #[must_use]
    pub fn of(asker: &Asker, host: &Host) -> Self {
        let jid = asker.jid.clone();
        let bare = jid.to_bare();
        let ours = bare.node().is_some() && bare.domain() == &*host.domain;
        match asker.relation {
            Relation::Owner | Relation::Contact(_) | Relation::Neighbour if ours && host.admins.contains(&bare) => {
                Self::Admin(jid)
            }
            Relation::Owner | Relation::Contact(_) | Relation::Neighbour if ours => Self::User(jid),
            _ => Self::Remote(jid),
        }
    }
    /// Their account of this server.
    #[must_use]
    pub fn account(&self) -> Option<BareJid> {
        match self {
            Self::Admin(jid) | Self::User(jid) => Some(jid.to_bare()),
            Self::Operator | Self::Remote(_) => None,
        }
    }
    /// Their address.
    #[must_use]
    pub fn jid(&self) -> Option<&Jid> {
        match self {
            Self::Admin(jid) | Self::User(jid) | Self::Remote(jid) => Some(jid),
            Self::Operator => None,
        }
    }
}

/// A command being run.
#[derive(Clone, Debug)]
pub struct CommandCall {
    /// By whom.
    pub who: CommandCaller,
    /// In which language: the one of the first request.
    pub lang: Lang,
    /// What was submitted so far, a form for each step; the last is new.
    pub answers: Vec<Answers>,
}

/// What a step of a command leads to.
#[derive(Clone, Debug)]
pub enum CommandStep {
    /// Asks with this form.
    Form(Box<Ask>),
    /// The end.
    Done(Vec<Note>),
}

impl CommandStep {
    /// Asks, and what is submitted ends the command.
    #[must_use]
    pub fn last(form: DataForm) -> Self {
        Self::Form(Box::new(Ask { form, then: Then::Complete, notes: Vec::new() }))
    }
    /// Asks, and more follows.
    #[must_use]
    pub fn more(form: DataForm) -> Self {
        Self::Form(Box::new(Ask { form, then: Then::Next, notes: Vec::new() }))
    }
    /// Done, with a word about it.
    #[must_use]
    pub fn done(text: impl Into<String>) -> Self {
        Self::Done(vec![Note::info(text)])
    }
    /// Ended without what was asked for (XEP-0050 section 3.6: an `error` note is required).
    #[must_use]
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Done(vec![Note { kind: NoteKind::Error, text: text.into() }])
    }
}

/// A form that is asked with.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The form, of type `form`.
    pub form: DataForm,
    /// What submitting it does.
    pub then: Then,
    /// Words beside it.
    pub notes: Vec<Note>,
}

/// What submitting a form does (XEP-0050's `<actions/>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Leads to another step.
    Next,
    /// Completes the command.
    Complete,
}

/// A note (XEP-0050 section 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How serious.
    pub kind: NoteKind,
    /// For people.
    pub text: String,
}
impl Note {
    /// That informs.
    #[must_use]
    pub fn info(text: impl Into<String>) -> Self {
        Self { kind: NoteKind::Info, text: text.into() }
    }
}

/// How serious a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the XEP's")]
pub enum NoteKind {
    Info,
    Warn,
    Error,
}

/// `bad-request` with a condition of XEP-0050 section 4.4.
fn bad(condition: &'static str) -> StanzaError {
    StanzaError::bad_request().with_application(Element::bare(condition, NS_COMMANDS))
}
/// What was submitted cannot be accepted (XEP-0050 section 4.4).
#[must_use]
pub fn bad_payload() -> StanzaError {
    bad("bad-payload")
}
