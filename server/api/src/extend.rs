//! The kinds of extension. A policy before a rule, a rule before a service.
//!
//! Policies combine by the strictest answer, so absence and panic are the strictest too; filters judge a narrow view
//! at a named checkpoint; a service owns a key; watches are told; entries contribute.

use crate::{
    archive::Retraction,
    clock::UnixSeconds,
    disco::{DiscoNode, DiscoPart, DiscoTarget},
    error::StanzaError,
    handles::Reply,
    stanza::{Frozen, Stanza},
    store::Stored,
    views::*,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use jid::{BareJid, FullJid};
use minidom::Element;
use std::{sync::Arc, time::Duration};

// ---- policies (sync; the strictest answer wins)

/// May this link exist?
pub trait LinkPolicy: Send + Sync {
    /// `Err` = refused, with the condition that our users get.
    fn admit(&self, link: &LinkView<'_>) -> Result<(), StanzaError>;
}
/// How long is something kept? The shortest answer wins; no policy at all = keep nothing.
pub trait RetentionPolicy: Send + Sync {
    /// Longest time to keep what `owner` archives.
    fn keep(&self, owner: &BareJid) -> Duration;
}
/// How much does an occupant-id reveal? The least wins; no policy = no id.
pub trait OccupantIdPolicy: Send + Sync {
    /// The answer for an occupant of `room` with this `wish`.
    fn reveal(&self, room: &RoomView<'_>, wish: OptOut) -> Reveal;
}
/// Defaults and limits of rooms; the strictest wins, no policy = pseudonymous.
pub trait RoomDefaults: Send + Sync {
    /// Who sees real JIDs in a new room.
    fn whois(&self) -> Whois {
        Whois::Moderators
    }
    /// Leaves caused by a lost connection are held back by a random delay up to this (H27). The longest wins.
    fn leave_jitter(&self) -> Duration {
        Duration::ZERO
    }
    /// May `who` enter `room`? For lists of people whom nobody wants.
    ///
    /// # Errors
    /// What they are told.
    fn admit(&self, room: &BareJid, who: &BareJid) -> Result<(), StanzaError> {
        let _ = (room, who);
        Ok(())
    }
}
/// May an account be registered?
pub trait RegistrationPolicy: Send + Sync {
    /// `Err` = refused.
    fn admit(&self, account: &BareJid) -> Result<(), StanzaError>;
}

// ---- rules and filters (sync)

/// When a filter runs among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Features first.
    Feature,
    /// Enforcement last: nothing is added behind it.
    Enforce,
}

/// Judges what a client of this server sends.
pub trait ClientFilter: Send + Sync {
    /// Panics count as a bounce with `internal-server-error`.
    fn client_sends(&self, session: SessionView<'_>, stanza: &mut Stanza) -> Verdict;
}
/// Judges what a server sends.
pub trait LinkFilter: Send + Sync {
    /// Panics count as a bounce with `internal-server-error`.
    fn link_sends(&self, link: &LinkView<'_>, stanza: &mut Stanza) -> Verdict;
}
/// Judges what is about to reach an account: messages, iqs, requests about subscriptions; of presence, what comes from
/// the block list, with its head alone.
pub trait RecipientRule: Send + Sync {
    /// Panics count as a rejection with `internal-server-error`.
    fn judge(&self, recipient: RecipientView<'_>, stanza: &mut Stanza) -> Delivery;
}
/// Judges what leaves an account of this server for somebody else: messages, iqs, presence that is not broadcast to
/// contacts (H24). Of a broadcast it is asked about those on the block list, with the head of the presence alone.
pub trait EgressFilter: Send + Sync {
    /// Panics count as a bounce with `internal-server-error`.
    fn leaves(&self, to: EgressView, stanza: &mut Stanza) -> Verdict;
}
/// Judges what a room emits, before the room adds what is its own.
pub trait RoomFilter: Send + Sync {
    /// For presence every verdict but `Pass`, and a panic, leave the bare skeleton; for messages they bounce.
    fn room_emits(&self, room: &RoomView<'_>, what: RoomStanza, payloads: &mut Payloads<'_>) -> Verdict;
}

// ---- services (async; one per key)

/// Answers iqs of one [`IqKey`].
pub trait IqService: Send + Sync {
    /// The result's payload, or the error. A panic = `internal-server-error`; the asker's connection lives.
    fn answer(&self, asker: Asker, iq: IqPayload, reply: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>>;
}
/// Which iqs a service answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IqKey {
    /// Addressee.
    pub entity: Entity,
    /// `get` or `set`.
    pub action: Action,
    /// Name of the payload.
    pub name: &'static str,
    /// Namespace of the payload.
    pub namespace: &'static str,
}
/// The service had no room for a stanza and gives it back.
#[derive(Debug)]
pub struct Full<T>(pub T);
/// Owns a whole domain (rooms, gateways).
pub trait DomainService: Send + Sync {
    /// Posts the stanza, tree included, to the service's own task; never waits.
    ///
    /// # Errors
    /// [`Full`] gives the stanza back: the sender gets `resource-constraint`.
    fn accept(&self, stanza: Box<Frozen>) -> Result<(), Full<Box<Frozen>>>;
    /// The same for the `unavailable` of a session that went offline everywhere, or was lost: nobody left on purpose.
    ///
    /// # Errors
    /// Those of [`DomainService::accept`].
    fn session_over(&self, stanza: Box<Frozen>) -> Result<(), Full<Box<Frozen>>> {
        self.accept(stanza)
    }
    /// What is said to a client that wrote an address here whose resource cannot be one.
    fn about_resources(&self) -> Option<&'static str> {
        None
    }
    /// The server stops: what is to be said before the sessions end is said now. Bounded in time by core.
    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
/// Decides what archives of accounts keep. Core stores it: both archives in one transaction, before anybody gets it.
pub trait Recorder: Send + Sync {
    /// Does the archive of `view.owner` keep this message? The first recorder that says so is enough. A panic is an error
    /// to the sender, and nothing is acknowledged.
    fn wants(&self, view: &RecordView<'_>, message: &Frozen) -> bool;
    /// What the message takes back from both archives, if it does (XEP-0424).
    fn retracts(&self, message: &Frozen, stamp: UnixSeconds) -> Option<Retraction> {
        let _ = (message, stamp);
        None
    }
}
/// What an [`Undeliverable`] did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It takes care of it; the message counts as accepted.
    Stored,
    /// Not for this one.
    Declined,
}
/// Is asked about messages that nobody is there to read (offline messages, push).
pub trait Undeliverable: Send + Sync {
    /// May it wait in the owner's archive for the next session, and how many rows may? The first answer holds; core
    /// stores and hands out.
    fn holds(&self, owner: &BareJid, message: &Frozen) -> Option<usize> {
        let _ = (owner, message);
        None
    }
    /// Nobody is there. Comes after the commit of what an archive keeps or holds, and instead of it when none does: then
    /// [`Taken::Stored`] accepts the message.
    fn take(&self, owner: &BareJid, stanza: Arc<Frozen>) -> BoxFuture<'_, Result<Taken, StanzaError>> {
        let _ = (owner, stanza);
        Box::pin(async { Ok(Taken::Declined) })
    }
}
/// Serves a path prefix over HTTPS.
pub trait HttpService: Send + Sync {
    /// Answers one request; bodies are bounded by the listener.
    fn serve(&self, request: http::Request<Bytes>) -> BoxFuture<'_, http::Response<Bytes>>;
}
/// A feature of client streams: what is advertised, nonzas, and what may be asked inline (SASL2, Bind 2).
pub trait StreamFeature: Send + Sync {
    /// Namespace of its elements.
    fn namespace(&self) -> &'static str;
    /// Its line in the features after login.
    fn advert(&self) -> Option<Element>;
    /// Its line among Bind 2's inline features.
    fn inline(&self) -> Option<Element> {
        None
    }
    /// An element of its namespace that is no stanza; the answer is sent as it is.
    fn nonza(&self, session: SessionView<'_>, element: &Element) -> Option<Element>;
    /// Was asked inline at bind; the answer goes into `<bound/>`.
    fn bound(&self, session: SessionView<'_>, element: &Element) -> Option<Element> {
        let _ = (session, element);
        None
    }
}

// ---- watches and entries

/// Is told about sessions. Calls are short and never wait.
pub trait SessionWatch: Send + Sync {
    /// What happened to it.
    fn session(&self, session: SessionView<'_>, event: SessionEvent);
}
/// Is told what waits for a session whose client does not listen at the moment. Calls are short and never wait.
pub trait SleepWatch: Send + Sync {
    /// `message` waits for `session`, which is hibernated.
    fn waits(&self, session: &FullJid, message: &Frozen);
}
/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum SessionEvent {
    Bound,
    Available,
    Unavailable,
    Hibernated,
    Resumed,
    Ended,
}
/// Is told about roster changes after they were committed.
pub trait RosterWatch: Send + Sync {
    /// The row of `contact` in the roster of `owner` changed.
    fn changed(&self, owner: &BareJid, contact: &BareJid);
}
/// Contributes to service discovery (XEP-0030).
pub trait DiscoEntry: Send + Sync {
    /// Its part for `target`.
    fn disco(&self, target: &DiscoTarget) -> DiscoPart;
    /// A node of `target`, as the asker may see it (XEP-0030 section 3.2); `None` = there is none of that name.
    fn node(&self, target: &DiscoTarget, asked: &DiscoNode<'_>) -> Option<DiscoPart> {
        let _ = (target, asked);
        None
    }
}
/// Contributes rows to `bocage check` and `bocage audit`.
pub trait Diagnose: Send + Sync {
    /// Findings about the running configuration.
    fn findings(&self) -> Vec<Finding>;
}
/// One row of `check` or `audit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Row of `docs/hardening.md`, where there is one.
    pub row: Option<&'static str>,
    /// In words.
    pub text: String,
}
/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Good,
    /// Weaker than the default, by the operator's choice.
    Relaxed,
    /// Will hurt.
    Warning,
    /// Does not work.
    Error,
}
/// What a module that stores owes (H06, H10). Who stores through [`Records`](crate::Records) alone has it for free.
pub trait AccountData: Send + Sync {
    /// Deletes all that is kept for `owner`.
    fn delete(&self, owner: &BareJid) -> BoxFuture<'_, Stored<()>>;
    /// All that is kept for `owner`, in the form of XEP-0227 where that has one.
    fn export(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Vec<Element>>>;
    /// What is kept, in words, with its lifetime.
    fn describe(&self) -> Vec<DataDescription>;
}
/// One kind of stored data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDescription {
    /// What.
    pub what: String,
    /// For how long at most; `None` = until the account goes.
    pub lifetime: Option<Duration>,
}
