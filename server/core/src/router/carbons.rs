//! Message carbons (XEP-0280 1.0.1, with all of `urn:xmpp:carbons:rules:0`): what one device of an account sends or
//! gets, the others that asked for it get as copies. The bytes of the message are spliced, never read again.

use super::{Router, Session};
use crate::{mailbox::Address, wire};
use bocage_api::{
    Entity, Frozen, Stanza, Traits,
    archive::StanzaId,
    ns,
    stanza::{IqType, Kind, MessageType},
};
use jid::{BareJid, Jid};
use std::{
    collections::VecDeque,
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError},
};

/// Copies of sent messages that are remembered for an account, for errors that may answer them.
const REMEMBERED: usize = 128;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
}

/// Hashes of what was copied as sent: an error that comes back for it is copied, too (section 6.1).
#[derive(Default)]
pub(super) struct SentCopies(Mutex<VecDeque<u64>>);

impl SentCopies {
    fn remember(&self, hash: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.pop_front();
        }
        known.push_back(hash);
    }
    fn take(&self, hash: u64) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|known| *known == hash);
        at.is_some_and(|at| known.remove(at).is_some())
    }
}

/// The rules of section 6.1 but the one on errors, which depends on what was sent.
pub(crate) fn is_eligible(direction: Direction, kind: MessageType, (from, traits): (Option<&Jid>, Traits)) -> bool {
    if traits.is_private() || matches!(kind, MessageType::Groupchat | MessageType::Error) {
        return false;
    }
    // The room sends a private message to every device that has joined it.
    let by_an_occupant = traits.is_of_a_room() && !traits.invites() && from.is_some_and(Jid::is_full);
    if direction == Direction::Received && by_an_occupant {
        return false;
    }
    kind == MessageType::Chat || traits.is_im() || traits.invites() || (kind == MessageType::Normal && traits.has_body())
}

/// Copies of a message that an account sends, and who gets them.
pub(super) struct SentTo {
    session: Arc<Session>,
    others: Vec<Arc<Session>>,
    copy: Arc<Frozen>,
    /// Of what an error that answers it would name.
    hash: Option<u64>,
}

impl SentTo {
    /// Gives them.
    pub(super) fn give(self) {
        if let (Some(hash), Some(user)) = (self.hash, self.session.user()) {
            user.sent.remember(hash);
        }
        give(&self.others, &self.copy);
    }
}

impl Router {
    /// Does a client ask for copies, or for no more (sections 4 and 5)? The answer, if so. Asking twice is no mistake.
    pub(super) fn copies_asked(&self, entity: &Entity, stanza: &Stanza) -> Option<Stanza> {
        let payload = stanza.payload().filter(|payload| payload.has_ns(ns::CARBONS))?;
        let wants = match payload.name() {
            "enable" => true,
            "disable" => false,
            _ => return None,
        };
        let own = *entity == Entity::OwnAccount && stanza.kind == Kind::Iq(IqType::Set);
        let session = stanza.from.as_ref()?.try_as_full().ok().and_then(|from| self.users.session(from)).filter(|_| own)?;
        session.set_wants_copies(wants);
        Some(stanza.result(None))
    }

    /// A client sends a message: copies for the other devices of its account, unless they are made when it is recorded.
    pub(crate) fn copy_sent(&self, session: &Arc<Session>, stanza: &Stanza) {
        let Kind::Message(kind) = stanza.kind else { return };
        if !self.is_recorded(kind, stanza.to.as_ref()) {
            self.copy_unrecorded_of(session, kind, stanza);
        }
    }

    /// The same of a message that is recorded as a rule, and is not.
    pub(super) fn copy_unrecorded(&self, kind: MessageType, stanza: &Stanza) {
        if self.is_recorded(kind, stanza.to.as_ref())
            && let Some(session) = self.sender(stanza.from.as_ref())
        {
            self.copy_unrecorded_of(&session, kind, stanza);
        }
    }

    fn copy_unrecorded_of(&self, session: &Arc<Session>, kind: MessageType, stanza: &Stanza) {
        let Some(others) = self.copied_from(session, stanza.to.as_ref()) else { return };
        if is_eligible(Direction::Sent, kind, (stanza.from.as_ref(), Traits::of(&stanza.el))) {
            self.sent_copies(session, others, &wire::freeze_for_wire(stanza.clone())).give();
        }
    }

    /// Copies of what a client sends, to be given when it is recorded. They have its name in the archive of the account, for
    /// those devices alone (XEP-0313 section 5.1.3): by that they know it again.
    pub(super) fn copies_when_recorded(&self, kind: MessageType, message: &Frozen, id: Option<StanzaId>) -> Option<SentTo> {
        let session = self.sender(message.from.as_ref())?;
        let others = self.copied_from(&session, message.to.as_ref())?;
        if !is_eligible(Direction::Sent, kind, (message.from.as_ref(), message.traits)) {
            return None;
        }
        let Some(id) = id else { return Some(self.sent_copies(&session, others, message)) };
        let mut named = message.clone();
        wire::add_stanza_id(&mut named, session.jid.to_bare().as_str(), id);
        Some(self.sent_copies(&session, others, &named))
    }

    fn sent_copies(&self, session: &Arc<Session>, others: Vec<Arc<Session>>, message: &Frozen) -> SentTo {
        let hash = message.to.as_ref().zip(message.id.as_deref()).map(|(to, id)| self.sent_hash(to, id));
        SentTo { session: session.clone(), others, copy: copy(Direction::Sent, &session.jid.to_bare(), message), hash }
    }

    fn sender(&self, from: Option<&Jid>) -> Option<Arc<Session>> {
        self.users.session(from?.try_as_full().ok()?)
    }

    /// The devices that get copies of what `session` sends to `to`, if there are any.
    fn copied_from(&self, session: &Arc<Session>, to: Option<&Jid>) -> Option<Vec<Arc<Session>>> {
        // What one says to oneself reaches all devices as it is.
        to.filter(|to| to.to_bare() != session.jid.to_bare())?;
        Some(self.copied_sessions(session)).filter(|others| !others.is_empty())
    }

    /// An error of this server's own for what `session` sent.
    pub(crate) fn copy_own_error(&self, session: &Arc<Session>, error: &Stanza) {
        if error.kind != Kind::Message(MessageType::Error) {
            return;
        }
        let others = self.copied_sessions(session);
        if others.is_empty() || !self.answers_a_copy(session, error.from.as_ref(), error.id.as_deref()) {
            return;
        }
        let frozen = wire::freeze_for_wire(error.clone());
        give(&others, &copy(Direction::Received, &session.jid.to_bare(), &frozen));
    }

    /// A message reached the sessions in `got`, or none: copies for the other devices of `owner` that asked for them.
    /// They count as having it.
    pub(super) fn copy_received(&self, owner: &BareJid, frozen: &Arc<Frozen>, got: &[Arc<Session>]) {
        let Kind::Message(kind) = frozen.kind else { return };
        let mut others = self.users.sessions(owner);
        let mine = |session: &Session| frozen.from.as_ref().is_some_and(|from| from.as_str() == session.jid.as_str());
        let had = |session: &Arc<Session>| got.iter().any(|had| Arc::ptr_eq(had, session)) || session.has(frozen);
        others.retain(|session| session.wants_copies() && !mine(session) && !had(session));
        let Some(first) = others.first() else { return };
        let eligible = match kind {
            MessageType::Error => self.answers_a_copy(first, frozen.from.as_ref(), frozen.id.as_deref()),
            _ => is_eligible(Direction::Received, kind, (frozen.from.as_ref(), frozen.traits)),
        };
        if !eligible {
            return;
        }
        let taken = give(&others, &copy(Direction::Received, owner, frozen));
        if let Some(user) = first.user() {
            user.copies.also_taken_by(frozen, taken.iter().chain(got));
        }
    }

    /// The other sessions of the account that asked for copies.
    fn copied_sessions(&self, session: &Arc<Session>) -> Vec<Arc<Session>> {
        let Some(user) = session.user() else { return Vec::new() };
        let mut others = user.sessions();
        others.retain(|other| other.wants_copies() && !Arc::ptr_eq(other, session));
        others
    }

    fn answers_a_copy(&self, session: &Session, from: Option<&Jid>, id: Option<&str>) -> bool {
        let (Some(from), Some(id), Some(user)) = (from, id, session.user()) else { return false };
        user.sent.take(self.sent_hash(from, id))
    }
    fn sent_hash(&self, to: &Jid, id: &str) -> u64 {
        self.users.hasher.hash_one((to.as_str(), id))
    }
}

/// A copy finds room or is lost: an error of it goes nowhere (section 9.3).
fn give(sessions: &[Arc<Session>], copy: &Arc<Frozen>) -> Vec<Arc<Session>> {
    let took = |session: &&Arc<Session>| session.post(copy, Address::Full).is_ok();
    sessions.iter().filter(took).cloned().collect()
}

fn copy(direction: Direction, owner: &BareJid, message: &Frozen) -> Arc<Frozen> {
    let name = match direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    Arc::new(wire::carbon((name, owner.clone()), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eligible(direction: Direction, kind: MessageType, from: &str, payloads: &str) -> bool {
        let el = format!("<message xmlns='jabber:client'>{payloads}</message>").parse().unwrap();
        is_eligible(direction, kind, (Some(&from.parse().unwrap()), Traits::of(&el)))
    }

    #[test]
    fn instant_messages_are_copied_and_nothing_else() {
        use Direction::{Received, Sent};
        use MessageType::{Chat, Error, Groupchat, Headline, Normal};
        const MARK: &str = "<x xmlns='http://jabber.org/protocol/muc#user'/>";
        const INVITE: &str = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>";
        for (kind, payloads, wanted) in [
            (Chat, "", true),
            (Chat, "<private xmlns='urn:xmpp:carbons:2'/><body>b</body>", false),
            (Chat, "<no-copy xmlns='urn:xmpp:hints'/><body>b</body>", false),
            (Normal, "<body>b</body>", true),
            (Normal, "<subject>s</subject>", false),
            (Normal, "<received xmlns='urn:xmpp:receipts' id='1'/>", true),
            (Normal, "<x xmlns='jabber:x:conference' jid='r@c'/>", true),
            (Normal, INVITE, true),
            (Headline, "<body>news</body>", false),
            (Groupchat, "<body>b</body>", false),
            (Error, "<body>b</body>", false),
        ] {
            for direction in [Sent, Received] {
                assert_eq!(eligible(direction, kind, "a@x/r", payloads), wanted, "{kind:?} {payloads}");
            }
        }
        let pm = format!("<body>b</body>{MARK}");
        assert!(eligible(Sent, Chat, "a@x/r", &pm));
        assert!(!eligible(Received, Chat, "room@c/nick", &pm), "the room sends it to each device that is there");
        assert!(eligible(Received, Normal, "room@c", INVITE));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_answers_once() {
        let sent = SentCopies::default();
        (0..=REMEMBERED as u64).for_each(|hash| sent.remember(hash));
        assert!(!sent.take(0) && sent.take(1) && !sent.take(1));
        assert_eq!(sent.0.lock().unwrap().len(), REMEMBERED - 1);
    }
}
