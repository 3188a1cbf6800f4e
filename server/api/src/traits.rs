//! What routing has to know of a message's payloads when they are bytes already: it is looked up once, at the freeze.

use crate::ns;
use minidom::Element;

/// Payloads of a stanza, as far as it matters who gets it and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(u8);

impl Traits {
    /// A `<body/>`, or the encrypted payload that stands for one.
    const BODY: u8 = 1;
    /// What instant messaging alone uses: receipts, chat states, markers (XEP-0184, XEP-0085, XEP-0333).
    const IM: u8 = 1 << 1;
    /// Its sender wants no copies (XEP-0280 section 8, XEP-0334 section 4.3).
    const PRIVATE: u8 = 1 << 2;
    /// A room's mark: with it a message to or from a full JID is a private one of an occupant.
    const ROOM: u8 = 1 << 3;
    /// An invitation to a room, by it or by somebody else (XEP-0045 section 7.8, XEP-0249).
    const INVITATION: u8 = 1 << 4;
    /// A call rings or ends (XEP-0353).
    const CALL: u8 = 1 << 5;
    /// Something that is none of these.
    const OTHER: u8 = 1 << 6;
    /// A copy for another device (XEP-0280): whoever cannot have it needs none.
    const COPY: u8 = 1 << 7;

    /// Of what is about to be frozen.
    #[must_use]
    pub fn of(stanza: &Element) -> Self {
        Self(stanza.children().fold(0, |all, payload| all | trait_of(payload)))
    }
    /// Of a message that somebody wants to read, whatever is in it: one that was worth storing.
    #[must_use]
    pub const fn readable() -> Self {
        Self(Self::BODY)
    }
    const fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }
    /// It has words, or encrypted ones.
    #[must_use]
    pub const fn has_body(self) -> bool {
        self.has(Self::BODY)
    }
    /// It has what instant messaging alone uses.
    #[must_use]
    pub const fn is_im(self) -> bool {
        self.has(Self::IM)
    }
    /// Its sender wants no copies.
    #[must_use]
    pub const fn is_private(self) -> bool {
        self.has(Self::PRIVATE)
    }
    /// It has a room's mark.
    #[must_use]
    pub const fn is_of_a_room(self) -> bool {
        self.has(Self::ROOM)
    }
    /// It invites.
    #[must_use]
    pub const fn invites(self) -> bool {
        self.has(Self::INVITATION)
    }
    /// It is about a call.
    #[must_use]
    pub const fn is_a_call(self) -> bool {
        self.has(Self::CALL)
    }
    /// There is nothing in it but what was true for a moment, or says how to treat it.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        !self.has(Self::BODY | Self::INVITATION | Self::CALL | Self::OTHER)
    }
    /// Of a copy of what these are of: as important as that.
    #[must_use]
    pub const fn copied(self) -> Self {
        Self(self.0 | Self::COPY)
    }
    /// It is a copy for another device.
    #[must_use]
    pub const fn is_copy(self) -> bool {
        self.has(Self::COPY)
    }
}

fn trait_of(payload: &Element) -> u8 {
    match (payload.ns().as_str(), payload.name()) {
        (ns::CLIENT, "body") | (ns::OMEMO_LEGACY | ns::OMEMO, "encrypted") | ("urn:xmpp:openpgp:0", "openpgp") => Traits::BODY,
        ("jabber:x:encrypted", "x") => Traits::BODY,
        (ns::CLIENT, "thread") | (ns::SID | ns::DELAY, _) => 0,
        (ns::CHAT_STATES | ns::RECEIPTS | ns::MARKERS, _) => Traits::IM,
        (ns::CARBONS, "private") | (ns::HINTS, "no-copy") => Traits::PRIVATE,
        (ns::HINTS, _) => 0,
        (ns::MUC_USER, "x") if payload.has_child("invite", ns::MUC_USER) => Traits::ROOM | Traits::INVITATION,
        (ns::MUC_USER, "x") => Traits::ROOM,
        (ns::CONFERENCE, "x") => Traits::INVITATION,
        (ns::JINGLE_MESSAGE, _) => Traits::CALL,
        _ => Traits::OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(payloads: &str) -> Traits {
        Traits::of(&format!("<message xmlns='jabber:client'>{payloads}</message>").parse().unwrap())
    }

    #[test]
    fn words_are_words_encrypted_or_not() {
        for body in
            ["<body>b</body>", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", "<encrypted xmlns='urn:xmpp:omemo:2'/>"]
        {
            assert!(of(body).has_body() && !of(body).is_passing(), "{body}");
        }
    }

    #[test]
    fn an_invitation_is_more_than_a_rooms_mark() {
        let mark = of("<x xmlns='http://jabber.org/protocol/muc#user'/>");
        assert!(mark.is_of_a_room() && !mark.invites());
        assert!(of("<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>").invites());
        assert!(of("<x xmlns='jabber:x:conference' jid='r@c'/>").invites());
    }

    #[test]
    fn what_was_true_for_a_moment_passes() {
        let state =
            of("<composing xmlns='http://jabber.org/protocol/chatstates'/><no-store xmlns='urn:xmpp:hints'/><thread>t</thread>");
        assert!(state.is_im() && state.is_passing() && !state.is_private());
        assert!(of("<no-copy xmlns='urn:xmpp:hints'/>").is_private());
        assert!(of("<private xmlns='urn:xmpp:carbons:2'/>").is_private());
        assert!(!of("<propose xmlns='urn:xmpp:jingle-message:0' id='c'/>").is_passing());
        assert!(!of("<unknown xmlns='urn:x'/>").is_passing());
    }
}
