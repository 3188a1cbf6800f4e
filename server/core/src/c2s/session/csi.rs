//! A client that nobody looks at (XEP-0352): what can wait does, and goes out, in order, before anything that cannot.
//!
//! Waiting: presences (the latest of each sender), chat states, receipts and markers alone, notifications, and what is
//! said in a room without the name that its reader has there. Never: iqs, errors, words of people, calls, invitations.

use super::{Live, acks::send};
use crate::{mailbox::Mail, router::Session};
use bocage_api::{
    Frozen, Kind,
    archive::StanzaId,
    stanza::{MessageType, PresenceType},
};
use jid::Jid;
use minidom::Element;
use std::collections::VecDeque;

/// Namespace of its elements.
pub(crate) const CSI: &str = "urn:xmpp:csi:0";
/// More stanzas than this do not wait …
const STANZAS: usize = 256;
/// … nor more bytes.
const BYTES: usize = 128 * 1024;

/// What waits for somebody to look.
#[derive(Default)]
pub(crate) struct Inactive {
    waiting: VecDeque<Mail>,
    bytes: usize,
}

/// Whether a stanza waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It goes out, behind all that waits.
    Now,
    /// It waits.
    Later,
}

impl Inactive {
    /// Takes what may wait; says whether it does.
    pub(super) fn sort(&mut self, mail: &Mail, session: &Session) -> Urgency {
        if urgency(&mail.stanza, session) == Urgency::Now {
            return Urgency::Now;
        }
        let cost = mail.stanza.cost();
        let older = |waiting: &Mail| is_state(&waiting.stanza) && waiting.stanza.from == mail.stanza.from;
        if is_state(&mail.stanza)
            && let Some(at) = self.waiting.iter().position(older)
            && let Some(older) = self.waiting.remove(at)
        {
            self.bytes -= older.stanza.cost();
        }
        if self.waiting.len() >= STANZAS || self.bytes + cost > BYTES {
            return Urgency::Now;
        }
        self.bytes += cost;
        self.waiting.push_back(mail.clone());
        Urgency::Later
    }
    /// Is a message with this row among it?
    pub(super) fn has_row(&self, id: StanzaId) -> bool {
        self.waiting.iter().any(|mail| mail.is_row(id))
    }
    /// All of it, oldest first.
    pub(super) fn take(&mut self) -> VecDeque<Mail> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

/// Only the latest of its sender is of interest.
fn is_state(stanza: &Frozen) -> bool {
    matches!(stanza.kind, Kind::Presence(PresenceType::Available | PresenceType::Unavailable))
}

fn urgency(stanza: &Frozen, session: &Session) -> Urgency {
    let traits = stanza.traits;
    let waits = match stanza.kind {
        Kind::Presence(_) => is_state(stanza),
        Kind::Iq(_) | Kind::Message(MessageType::Error) => false,
        Kind::Message(MessageType::Groupchat) => !traits.invites() && (traits.is_passing() || is_small_talk(stanza, session)),
        Kind::Message(MessageType::Headline) => !traits.has_body() && !traits.invites() && !traits.is_a_call(),
        Kind::Message(_) => traits.is_passing(),
    };
    if waits { Urgency::Later } else { Urgency::Now }
}

/// Words in a room that do not concern this one: its name there is not among them. Encrypted ones might.
fn is_small_talk(stanza: &Frozen, session: &Session) -> bool {
    if !stanza.traits.has_body() {
        return false;
    }
    let Some(nick) = stanza.from.as_ref().and_then(|from| nick(session, from)) else { return false };
    let payload = stanza.payload_bytes();
    !contains(payload, b"<encrypted")
        && !contains(payload, &nick)
        && !contains(payload, session.jid.to_bare().as_str().as_bytes())
}

/// The name under which a session is in the room that speaks.
fn nick(session: &Session, room: &Jid) -> Option<Vec<u8>> {
    let room = room.to_bare();
    let state = session.state();
    let here = state.directed.iter().map(|shown| &shown.to).find(|shown| shown.is_full() && shown.to_bare() == room)?;
    // As it stands in the bytes.
    let mut escaped = Vec::new();
    bocage_stream::write::text(&mut escaped, here.resource()?.as_str());
    Some(escaped)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

impl Live {
    /// `<active/>` or `<inactive/>`; nothing is answered.
    pub(super) fn attended(&mut self, element: &Element) {
        match element.name() {
            "active" => {
                self.flush_inactive();
                self.inactive = None;
            }
            "inactive" => drop(self.inactive.get_or_insert_default()),
            _ => {}
        }
    }

    /// What waited goes out.
    pub(super) fn flush_inactive(&mut self) {
        let Some(inactive) = &mut self.inactive else { return };
        for mail in inactive.take() {
            send(&mut self.output, &mut self.acks, &mail, mail.address.instead(&self.bare, &self.session));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mailbox::{Address, Budget},
        router::Directed,
        wire,
    };
    use bocage_api::Stanza;
    use std::sync::Arc;

    fn mail(xml: &str) -> Mail {
        let stanza = Stanza::parse(xml.replacen(' ', " xmlns='jabber:client' ", 1).parse().unwrap()).unwrap().unwrap();
        Mail { stanza: Arc::new(wire::freeze_for_wire(stanza)), address: Address::Own }
    }
    fn session() -> Session {
        let session = Session::new("me@x.example/phone".parse().unwrap(), Arc::new(Budget::new(usize::MAX)));
        session.state().directed.push(Directed { to: "room@c.example/Nick".parse().unwrap(), room: true });
        session
    }

    #[test]
    fn what_can_wait_waits_and_what_cannot_does_not() {
        use Urgency::{Later, Now};
        let (session, mut inactive) = (session(), Inactive::default());
        for (xml, wanted) in [
            ("<presence from='a@x/r'/>", Later),
            ("<presence type='subscribe' from='a@x'/>", Now),
            ("<presence type='error' from='a@x'/>", Now),
            ("<message type='chat' from='a@x/r'><body>b</body></message>", Now),
            ("<message type='chat' from='a@x/r'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>", Later),
            ("<message type='chat' from='a@x/r'><propose xmlns='urn:xmpp:jingle-message:0' id='c'/></message>", Now),
            ("<message from='a@x/r'><received xmlns='urn:xmpp:receipts' id='1'/></message>", Later),
            ("<message type='headline' from='a@x'><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>", Later),
            ("<message type='groupchat' from='room@c.example/x'><body>good morning</body></message>", Later),
            ("<message type='groupchat' from='room@c.example/x'><body>nick, good morning</body></message>", Now),
            ("<message type='groupchat' from='other@c.example/x'><body>who knows</body></message>", Now),
            ("<message type='groupchat' from='room@c.example'><subject>s</subject></message>", Now),
            (
                "<message type='groupchat' from='room@c.example/x'><body>b</body><encrypted xmlns='urn:xmpp:omemo:2'/></message>",
                Now,
            ),
            ("<message type='error' from='a@x'/>", Now),
            ("<iq type='get' id='1' from='a@x/r'><ping xmlns='urn:xmpp:ping'/></iq>", Now),
        ] {
            assert_eq!(inactive.sort(&mail(xml), &session), wanted, "{xml}");
        }
    }

    #[test]
    fn of_presences_the_latest_is_kept_in_its_place() {
        let (session, mut inactive) = (session(), Inactive::default());
        for xml in [
            "<presence from='a@x/r' id='1'/>",
            "<presence from='b@x/r' id='2'/>",
            "<presence type='unavailable' from='a@x/r' id='3'/>",
        ] {
            assert_eq!(inactive.sort(&mail(xml), &session), Urgency::Later);
        }
        let left: Vec<_> = inactive.take().into_iter().filter_map(|mail| mail.stanza.id.clone()).collect();
        assert_eq!(left, ["2", "3"]);
        assert_eq!(inactive.bytes, 0);
    }

    #[test]
    fn h64_the_bounds_hold() {
        let (session, mut inactive) = (session(), Inactive::default());
        let sort = |inactive: &mut Inactive, n: usize| inactive.sort(&mail(&format!("<presence from='a@x/{n}'/>")), &session);
        let waiting = (0..STANZAS * 2).take_while(|n| sort(&mut inactive, *n) == Urgency::Later).count();
        assert!(waiting <= STANZAS && inactive.bytes <= BYTES);
    }
}
