//! What extensions see. Narrow on purpose: who does not need an address cannot leak one.

use crate::{archive::Preferences, error::StanzaError, stanza::Stanza, store::Subscription};
use jid::{BareJid, DomainPart, FullJid, Jid};
use minidom::{Element, Node};

/// What a filter decided. The default of a checkpoint whose filter panicked is the strictest that fits it.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Goes on, with the edits made.
    Pass,
    /// Ends here in silence (H65 says where that is allowed).
    Drop,
    /// Goes back to its sender with this error.
    Bounce(StanzaError),
}

/// Who somebody is to the owner of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The owner's own session or bare JID.
    Owner,
    /// In the roster with this subscription, not `none`.
    Contact(Subscription),
    /// Another account served here, no contact.
    Neighbour,
    /// Anybody else.
    Stranger,
}

impl Relation {
    /// May know that the account exists and what it publishes for contacts: the owner, and who gets the owner's presence (H49).
    pub fn may_see_presence(self) -> bool {
        matches!(self, Self::Owner) || matches!(self, Self::Contact(s) if s.from())
    }
    /// The error for what only the owner may do. A stranger gets the answer of an account that does not exist (H49).
    #[must_use]
    pub fn refusal(self) -> StanzaError {
        match self {
            Self::Stranger => StanzaError::service_unavailable(),
            _ => StanzaError::forbidden(),
        }
    }
}

/// A client session, as filters and watches see it.
#[derive(Clone, Copy, Debug)]
pub struct SessionView<'a> {
    /// Its address.
    pub jid: &'a FullJid,
}

/// A link to another server; it cannot be described without its proof having been checked.
#[derive(Clone, Debug)]
pub struct LinkView<'a> {
    /// Domain here.
    pub here: &'a DomainPart,
    /// Domain there, proven.
    pub there: &'a DomainPart,
    /// TLS 1.3 or better.
    pub modern_tls: ProtocolVersion,
}

/// Version of TLS on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The account that a stanza is about to reach.
#[derive(Clone, Copy, Debug)]
pub struct RecipientView<'a> {
    /// The account.
    pub owner: &'a BareJid,
    /// Who sends.
    pub sender: &'a Jid,
    /// What the sender is to the owner.
    pub relation: Relation,
    /// The sender is on the owner's block list (XEP-0191).
    pub blocked: bool,
}

/// Where a stanza goes that leaves an account of this server.
#[derive(Clone, Copy, Debug)]
pub struct EgressView {
    /// What the addressee is to the sender.
    pub relation: Relation,
    /// The addressee is on the sender's block list (XEP-0191).
    pub blocked: bool,
    /// The addressee is a room that the sender enters or is in (XEP-0045).
    pub room: bool,
}

/// An archive that could keep a message.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Whose.
    pub owner: &'a BareJid,
    /// The other side.
    pub party: &'a Jid,
    /// The other side is in the owner's roster.
    pub in_roster: bool,
    /// What the owner wants archived; `None` = never said.
    pub preferences: Option<&'a Preferences>,
}

/// What a [`RecipientRule`](crate::RecipientRule) decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// Goes on.
    Deliver,
    /// Kept apart for the owner's decision (H60).
    Hold,
    /// The sender gets this error.
    Reject(StanzaError),
    /// The sender hears nothing (H49).
    Silence,
}

/// A room, without anybody's real address.
#[derive(Clone, Copy, Debug)]
pub struct RoomView<'a> {
    /// The room.
    pub room: &'a BareJid,
    /// Who may see real JIDs.
    pub whois: Whois,
    /// Only members enter.
    pub members_only: bool,
    /// Not listed.
    pub hidden: bool,
    /// What its owner lets occupants show besides.
    pub shows: Shows,
}

/// What the owner of a members-only room with `whois=anyone` may let occupants show (H21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shows {
    /// Client capabilities (XEP-0115).
    pub caps: bool,
    /// Status texts.
    pub status: bool,
    /// Avatar hashes (XEP-0153).
    pub avatars: bool,
}

/// Who may see occupants' real JIDs (`muc#roomconfig_whois`, H20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whois {
    /// Nobody, not even moderators.
    Nobody,
    /// Moderators.
    Moderators,
    /// Every occupant; members-only and hidden rooms alone.
    Anyone,
}

/// What a room is about to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomStanza {
    /// An occupant's presence.
    Presence,
    /// A message to all.
    Message,
    /// A private message.
    Private,
}

/// The payloads of a stanza without its addresses.
#[derive(Debug)]
pub struct Payloads<'a>(&'a mut Element);

impl<'a> Payloads<'a> {
    /// The payloads of `stanza`.
    pub fn of(stanza: &'a mut Stanza) -> Self {
        Self(&mut stanza.el)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Element> {
        self.0.children()
    }
    /// Removes those for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&Element) -> bool) {
        for node in self.0.take_nodes() {
            match &node {
                Node::Element(el) if !keep(el) => {}
                _ => self.0.append_node(node),
            }
        }
    }
    /// Changes them; removes those for which `keep` is false.
    pub fn edit(&mut self, mut keep: impl FnMut(&mut Element) -> bool) {
        for mut node in self.0.take_nodes() {
            let keeps = match &mut node {
                Node::Element(el) => keep(el),
                Node::Text(_) => true,
            };
            if keeps {
                self.0.append_node(node);
            }
        }
    }
    /// Removes all.
    pub fn clear(&mut self) {
        self.0.take_nodes();
    }
}

/// How much an occupant-id says about an occupant; smaller says less (H25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reveal {
    /// No id.
    Nothing,
    /// Bound to the nick.
    Nick,
    /// Bound to the account.
    Stable,
}

/// The wish of a user about their occupant-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptOut {
    /// No wish.
    No,
    /// Wants to be somebody else under another nick.
    Yes,
}

/// Who asks by iq.
#[derive(Clone, Debug)]
pub struct Asker {
    /// From where.
    pub jid: Jid,
    /// What they are to the account asked; [`Relation::Stranger`] or [`Relation::Neighbour`] for hosts.
    pub relation: Relation,
}

/// Whom an iq asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    /// A host that serves accounts.
    Server,
    /// The asker's own account (no `to`, or the own bare JID).
    OwnAccount,
    /// Somebody's account.
    OtherAccount,
    /// A host of a service, by name.
    Host(String),
}

/// The request of an iq.
#[derive(Clone, Debug)]
pub struct IqPayload {
    /// Addressee as far as this server resolved it.
    pub to: Jid,
    /// `get` or `set`.
    pub action: Action,
    /// `xml:lang`, the stream's where the stanza has none.
    pub lang: Option<String>,
    /// The one payload.
    pub element: Element,
}

/// What an iq wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// To read.
    Get,
    /// To change.
    Set,
}
