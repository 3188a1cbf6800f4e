//! Where a stanza for a room leads.

use super::{Env, Room, form::Submitted};
use crate::xml::{self, REQUEST};
use bocage_api::{
    Kind, Stanza, StanzaError, ns,
    stanza::{IqType, MessageType, PresenceType},
};
use jid::{FullJid, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;

/// Whether a leave was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// By its occupant.
    Meant,
    /// A connection was lost, or somebody went offline everywhere.
    SessionOver,
}

impl Room {
    /// Takes a stanza for the room or one of its occupants.
    pub(crate) fn handle(&mut self, env: &Env, stanza: Stanza, cause: Cause) {
        let (Some(from), Some(to)) = (stanza.from.clone(), stanza.to.clone()) else { return };
        let head = xml::head(&stanza);
        let done = match stanza.kind {
            Kind::Presence(kind) => self.presence_in(env, (kind, cause), stanza, (from, to)),
            Kind::Message(kind) => self.message_in(env, kind, stanza, (from, to)),
            Kind::Iq(kind @ (IqType::Get | IqType::Set)) => self.iq_in(env, kind, stanza, (from, to)),
            Kind::Iq(_) => {
                self.answered(env, &stanza);
                Ok(())
            }
        };
        if let Err(error) = done {
            self.refuse(env, &head, &error);
        }
    }

    fn presence_in(
        &mut self,
        env: &Env,
        (kind, cause): (PresenceType, Cause),
        stanza: Stanza,
        (from, to): (Jid, Jid),
    ) -> Result<(), StanzaError> {
        let Ok(seat) = from.clone().try_into_full() else { return Ok(()) };
        match kind {
            PresenceType::Available => self.available(env, stanza, seat, &to),
            PresenceType::Unavailable => {
                self.unavailable(env, &seat, &stanza, cause);
                Ok(())
            }
            // What was shown to it came back: it is not there any more.
            PresenceType::Error => {
                self.dead(env, &seat, &stanza);
                Ok(())
            }
            PresenceType::Probe => self.probed(env, &from, &to),
            _ => Ok(()),
        }
    }

    fn available(&mut self, env: &Env, stanza: Stanza, seat: FullJid, to: &Jid) -> Result<(), StanzaError> {
        let joins = stanza.has("x", ns::MUC);
        let inside = self.seats.contains_key(&seat);
        let Some(nick) = to.resource() else {
            // Who is inside has an address of their own for presence.
            return if inside && !joins { Ok(()) } else { Err(StanzaError::jid_malformed()) };
        };
        match (inside, joins) {
            (true, _) if !self.is_seat_of(&seat, nick.as_str()) => self.change_nick(env, &seat, nick, stanza),
            (true, true) => {
                self.sync(env, &seat, stanza);
                Ok(())
            }
            (true, false) => self.update(env, &seat, stanza),
            (false, true) => self.enter(env, seat, nick, stanza),
            (false, false) => {
                self.is_out(env, seat, to);
                Ok(())
            }
        }
    }

    /// Somebody believes to be inside: they read that they are not, so that their client enters again (section 7.2.18).
    fn is_out(&mut self, env: &Env, seat: FullJid, to: &Jid) {
        let mut item = Element::bare("item", ns::MUC_USER);
        xml::set(&mut item, xml_ncname!("affiliation"), "none");
        xml::set(&mut item, xml_ncname!("role"), "none");
        item.append_child(xml::text("reason", ns::MUC_USER, "You are not in the room."));
        let codes = [110, 307, 333].map(xml::status);
        let user = Element::builder("x", ns::MUC_USER).append(item).append_all(codes).build();
        let told = xml::stanza(Kind::Presence(PresenceType::Unavailable), to.clone(), [user]);
        self.tell(env, told, vec![Arc::new(seat)]);
    }

    fn is_seat_of(&self, seat: &FullJid, nick: &str) -> bool {
        self.seats.get(seat).and_then(|key| self.occupants.get(key)).is_some_and(|occupant| occupant.nick.as_str() == nick)
    }

    fn message_in(&mut self, env: &Env, kind: MessageType, stanza: Stanza, (from, to): (Jid, Jid)) -> Result<(), StanzaError> {
        match (kind, to.resource()) {
            (MessageType::Error, _) => {
                if let Ok(seat) = from.try_into_full() {
                    self.dead(env, &seat, &stanza);
                }
                Ok(())
            }
            _ if !self.exists || self.locked && self.occupant_at(&from).is_none() => Err(StanzaError::item_not_found()),
            (MessageType::Groupchat, None) => self.speak(env, stanza, &from),
            // Section 7.5: private messages are not of type groupchat.
            (MessageType::Groupchat, Some(_)) => Err(StanzaError::bad_request()),
            (_, Some(nick)) => self.private(env, stanza, &from, nick.as_str()),
            (_, None) => self.for_room(env, stanza, &from),
        }
    }

    /// A message that is for the room itself: an invitation, its refusal, a request or a grant of voice or membership.
    fn for_room(&mut self, env: &Env, stanza: Stanza, from: &Jid) -> Result<(), StanzaError> {
        if let Some(user) = stanza.el.get_child("x", ns::MUC_USER) {
            if user.has_child("invite", ns::MUC_USER) {
                return self.invite(env, &stanza, user, from);
            }
            if let Some(decline) = user.get_child("decline", ns::MUC_USER) {
                return self.decline(env, &stanza, decline, from);
            }
        }
        if let Some(form) = stanza.el.get_child("x", ns::DATA_FORMS) {
            return match Submitted::of(form, REQUEST) {
                Some(given) => self.voice(env, &given, from),
                None => self.decide_membership(env, form, from),
            };
        }
        // Section 7.4: only groupchat is for all.
        Err(if self.occupant_at(from).is_some() { StanzaError::bad_request() } else { StanzaError::service_unavailable() })
    }
}
