//! Iqs to a room and to its occupants (H23): the room answers, and what it has no answer for is `service-unavailable`,
//! whoever is asked. Only where everybody sees real addresses does one reach an occupant (`forward.rs`).

use super::{Env, NickKey, Room};
use crate::xml::{ADMIN, MODERATE, OWNER, REGISTER};
use bocage_api::{
    Kind, Stanza, StanzaError,
    error::{Condition, ErrorType},
    ns,
    stanza::IqType,
};
use jid::Jid;
use minidom::Element;

/// Who asks is not inside (XEP-0410).
pub(super) fn outside() -> StanzaError {
    StanzaError::new(ErrorType::Cancel, Condition::NotAcceptable)
}

impl Room {
    pub(super) fn iq_in(&mut self, env: &Env, kind: IqType, stanza: Stanza, (from, to): (Jid, Jid)) -> Result<(), StanzaError> {
        let payload = stanza.payload().cloned().ok_or_else(StanzaError::bad_request)?;
        if !self.exists || (self.locked && self.affiliation(&from.to_bare()) < super::Affiliation::Owner) {
            return Err(StanzaError::item_not_found());
        }
        if let Some(nick) = to.resource() {
            return self.iq_to_occupant(env, stanza, &from, nick.as_str());
        }
        let (before, sets) = (self.out.len(), payload.has_ns(OWNER) || payload.has_ns(ADMIN));
        let result = self.iq_to_room(env, (kind, payload), &from)?;
        let answer = stanza.result(result);
        self.answer(env, answer);
        // Who set the room up, or put somebody out, reads so first, and then what everybody reads (section 8.2).
        if sets && let Some(out) = self.out.get_mut(before..) {
            out.rotate_right(1);
        }
        Ok(())
    }

    /// Pings of oneself say whether one is inside (XEP-0410, `#self-ping-optimization`); those of others are answered
    /// for them. Who is not inside reads the same about every nick (H26).
    fn iq_to_occupant(&mut self, env: &Env, stanza: Stanza, from: &Jid, nick: &str) -> Result<(), StanzaError> {
        if self.occupant_at(from).is_none() {
            let disco = stanza.payload().is_some_and(|el| el.has_ns(ns::DISCO_INFO) || el.has_ns(ns::DISCO_ITEMS));
            // Section 6.6.
            return Err(if disco { StanzaError::bad_request() } else { outside() });
        }
        if self.by_nick(nick).is_none() {
            return Err(StanzaError::item_not_found());
        }
        if stanza.kind == Kind::Iq(IqType::Get) && stanza.has("ping", ns::PING) {
            let answer = stanza.result(None);
            self.answer(env, answer);
            return Ok(());
        }
        self.forward(env, stanza, (from, &NickKey::of(nick)))
    }

    fn iq_to_room(&mut self, env: &Env, (kind, payload): (IqType, Element), from: &Jid) -> Result<Option<Element>, StanzaError> {
        let namespace = payload.ns();
        match (kind, namespace.as_str()) {
            (IqType::Get, ns::DISCO_INFO) => self.disco_info(env, &payload, from).map(Some),
            (IqType::Get, ns::DISCO_ITEMS) => self.disco_items(&payload, from).map(Some),
            (IqType::Get, ns::PING) => Ok(None),
            (IqType::Get, ADMIN) => self.admin_get(env, &payload, from).map(Some),
            (IqType::Set, ADMIN) => self.admin_set(env, &payload, from).map(|()| None),
            (IqType::Get, OWNER) => self.owner_get(env, from).map(Some),
            (IqType::Set, OWNER) => self.owner_set(env, &payload, from).map(|()| None),
            (IqType::Get, REGISTER) => self.register_get(from).map(Some),
            (IqType::Set, REGISTER) => self.register_set(env, &payload, from).map(|()| None),
            (IqType::Set, MODERATE | super::moderate::FASTEN) => self.moderate(env, &payload, from).map(|()| None),
            (IqType::Get, ns::VCARD) => self.avatar_get().map(Some),
            (IqType::Set, ns::VCARD) => self.avatar_set(env, &payload, from).map(|()| None),
            _ => Err(StanzaError::service_unavailable()),
        }
    }
}
