//! Private messages (XEP-0045 section 7.5): to all sessions of an occupant, from occupant to occupant, archived by nobody
//! here (H28).

use super::{
    Env, NickKey, Out, Room,
    held::Waiting,
    model::{AllowPm, Role},
};
use bocage_api::{RoomStanza, Stanza, StanzaError, ns};
use jid::Jid;
use minidom::Element;

impl Room {
    pub(super) fn private(&mut self, env: &Env, mut stanza: Stanza, from: &Jid, nick: &str) -> Result<(), StanzaError> {
        let Some(sender) = self.occupant_at(from) else { return Err(StanzaError::not_acceptable()) };
        let (jid, id, role) = (sender.jid.clone(), sender.id.clone(), sender.role);
        let Some(target) = self.by_nick(nick) else { return Err(StanzaError::item_not_found()) };
        if !self.allows_private(role, target.role) {
            return Err(StanzaError::forbidden());
        }
        let (key, head) = (NickKey::of(nick), crate::xml::head(&stanza));
        self.private_rate(env, from)?;
        self.emit(env, RoomStanza::Private, &mut stanza)?;
        if stanza.el.children().next().is_none() {
            return Err(StanzaError::bad_request());
        }
        // Clients tell it from a direct message by this (section 7.5).
        stanza.el.append_child(Element::bare("x", ns::MUC_USER));
        if let Some(id) = &id {
            stanza.el.append_child(super::emit::occupant_id(id));
        }
        stanza.from = Some(jid);
        // Nobody reads earlier that they are gone than their leave says (H27).
        if self.is_held(&key) {
            return self.wait_for(env, &key, Waiting::new(head, stanza));
        }
        self.hand_over(env, stanza, &key);
        Ok(())
    }

    /// To all sessions of the occupant.
    pub(super) fn hand_over(&mut self, env: &Env, mut stanza: Stanza, key: &NickKey) {
        let Some(target) = self.occupants.get(key) else { return };
        for seat in target.seats.clone() {
            stanza.to = Some(Jid::from((*seat).clone()));
            self.out.push(Out::Deliver(env.outbox.freeze(stanza.clone()), seat));
        }
    }

    fn allows_private(&self, from: Role, to: Role) -> bool {
        match self.config().allow_pm {
            AllowPm::Anyone => true,
            AllowPm::Participants => from >= Role::Participant || to == Role::Moderator,
            AllowPm::Moderators => from == Role::Moderator,
            AllowPm::None => false,
        }
    }

    pub(super) fn private_rate(&mut self, env: &Env, from: &Jid) -> Result<(), StanzaError> {
        let now = env.clock.mono();
        let Some(key) = from.try_as_full().ok().and_then(|seat| self.seats.get(seat)) else { return Ok(()) };
        let Some(occupant) = self.occupants.get_mut(key) else { return Ok(()) };
        if occupant.messages.take(env.settings.rate, now) { Ok(()) } else { Err(StanzaError::resource_constraint()) }
    }
}
