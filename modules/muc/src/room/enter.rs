//! Entering (XEP-0045 section 7.2). What a newcomer gets, in this order: everybody else, themselves, history, subject.

use super::{
    Env, MAX_SEATS, NickKey, Occupant, Out, Room,
    model::{Affiliation, Grant, Role},
    nick,
};
use crate::xml;
use bocage_api::{
    Stanza, StanzaError,
    error::{Condition, ErrorType},
    ns,
};
use jid::{BareJid, FullJid, Jid, ResourcePart, ResourceRef};
use minidom::Element;
use std::sync::Arc;

/// Admins and owners get in beyond the limit, up to so many (section 7.2.9).
const EXTRA: usize = 10;
/// Rooms of one host whose occupants all joined are bounded by the service; sessions of one room by this.
const MAX_HISTORY_CHARS: usize = 1024 * 1024;

impl Room {
    pub(super) fn enter(&mut self, env: &Env, seat: FullJid, nick: &ResourceRef, stanza: Stanza) -> Result<(), StanzaError> {
        let who = seat.to_bare();
        let join = stanza.el.get_child("x", ns::MUC).cloned().unwrap_or_else(|| Element::bare("x", ns::MUC));
        let nick = nick::accept(nick)?;
        let created = self.create_for(env, &who)?;
        if let Err(error) = self.admit(env, &who, &join).and_then(|()| self.free(&who, &nick)) {
            if created {
                self.exists = false;
                self.grants.clear();
            }
            return Err(error);
        }
        let key = NickKey::of(nick.as_str());
        let returns = self.is_held(&key);
        let (codes, changed) = self.sit_down(env, (seat.clone(), who), (key.clone(), nick), stanza.clone());
        let seat = Arc::new(seat);
        self.introduce(env, &seat, &key);
        // One more session of somebody who is seen already is nothing to see.
        if changed {
            self.show_to_others(env, &key, &super::emit::Notice::default());
        } else if returns {
            self.show_address(env, &key);
        }
        self.welcome(env, &seat, &key, (stanza.id, codes, created));
        self.send_history(env, &seat, &join);
        self.send_subject(env, &seat);
        self.came_back(env, &key);
        Ok(())
    }

    /// Makes the room if nobody has: it is locked until its owner set it up (section 10.1).
    fn create_for(&mut self, env: &Env, who: &BareJid) -> Result<bool, StanzaError> {
        if self.exists {
            return Ok(false);
        }
        if !env.may_create(who) {
            return Err(StanzaError::not_allowed());
        }
        if !env.makers.take(who, env.clock.mono()) {
            return Err(StanzaError::resource_constraint());
        }
        // Nothing of a room that was here before comes back.
        self.state = Self::new(self.jid.clone(), env).state;
        self.exists = true;
        self.locked = true;
        self.grants.insert(who.clone(), Grant { affiliation: Affiliation::Owner, open: true, ..Grant::default() });
        Ok(true)
    }

    /// May they come in?
    fn admit(&mut self, env: &Env, who: &BareJid, join: &Element) -> Result<(), StanzaError> {
        let affiliation = self.affiliation(who);
        let auth = |condition| StanzaError::new(ErrorType::Auth, condition);
        if affiliation == Affiliation::Outcast {
            return Err(StanzaError::forbidden());
        }
        if self.locked && affiliation != Affiliation::Owner {
            return Err(StanzaError::item_not_found());
        }
        env.rooms.admit(&self.jid, who)?;
        if self.config().members_only && affiliation < Affiliation::Member {
            return Err(auth(Condition::RegistrationRequired));
        }
        if let Some(password) = &self.config().password
            && xml::child_text(join, "password", ns::MUC).as_ref() != Some(password)
        {
            return Err(auth(Condition::NotAuthorized));
        }
        let most = self.most_occupants(env) + if affiliation >= Affiliation::Admin { EXTRA } else { 0 };
        if !self.is_inside(who) && self.occupants.len() >= most {
            return Err(StanzaError::new(ErrorType::Wait, Condition::ServiceUnavailable));
        }
        let now = env.clock.mono();
        if affiliation < Affiliation::Admin && !self.joins.take(env.settings.join_rate, now) {
            return Err(StanzaError::resource_constraint());
        }
        Ok(())
    }
    pub(super) fn most_occupants(&self, env: &Env) -> usize {
        let service = env.settings.max_occupants;
        let own = self.config().max_users;
        usize::try_from(if own == 0 { service } else { own.min(service) }).unwrap_or(usize::MAX)
    }

    /// Is the nick theirs to take? One that looks like another's is not.
    pub(super) fn free(&self, who: &BareJid, nick: &ResourcePart) -> Result<(), StanzaError> {
        let key = NickKey::of(nick.as_str());
        if let Some(taken) = self.occupants.get(&key) {
            let theirs = taken.bare == *who && taken.nick == *nick;
            return if theirs && taken.seats.len() < MAX_SEATS { Ok(()) } else { Err(StanzaError::conflict()) };
        }
        let reserved = |grant: &Grant| grant.nick.as_deref().is_some_and(|reserved| NickKey::of(reserved) == key);
        let others = self.grants.iter().any(|(owner, grant)| owner != who && reserved(grant));
        if others { Err(StanzaError::conflict()) } else { Ok(()) }
    }

    /// The role that an affiliation begins with (section 5.1.2).
    pub(super) fn initial_role(&self, affiliation: Affiliation) -> Role {
        match affiliation {
            Affiliation::Owner | Affiliation::Admin => Role::Moderator,
            Affiliation::Member => Role::Participant,
            Affiliation::None if self.config().moderated => Role::Visitor,
            Affiliation::None => Role::Participant,
            Affiliation::Outcast => Role::None,
        }
    }

    /// Puts a session on its seat. Status codes that it is to read, and whether others see a difference.
    fn sit_down(
        &mut self,
        env: &Env,
        (seat, who): (FullJid, BareJid),
        (key, nick): (NickKey, ResourcePart),
        stanza: Stanza,
    ) -> (Vec<u16>, bool) {
        let payloads = self.shown_of(env, stanza);
        let affiliation = self.affiliation(&who);
        let mut changed = !self.occupants.contains_key(&key);
        if changed {
            let jid = self.jid.with_resource(&nick);
            let author = self.author(&who);
            let id = self.id_of(env, &author, nick.as_str(), env.opt_outs.wish(&self.jid, &who));
            let role = self.initial_role(affiliation);
            let mut occupant = Occupant::new((nick, Jid::from(jid)), (who.clone(), affiliation, role), author);
            occupant.id = id;
            occupant.hats = self.grants.get(&who).map(|grant| grant.hats.clone()).unwrap_or_default();
            self.occupants.insert(key.clone(), occupant);
        }
        if let Some(occupant) = self.occupants.get_mut(&key) {
            changed |= occupant.payloads != payloads;
            occupant.payloads = payloads;
            occupant.forget_shown();
            occupant.seats.push(Arc::new(seat.clone()));
        }
        self.seats.insert(seat, key);
        if self.is_open() {
            self.seen_open(&who);
        }
        let mut codes = Vec::new();
        if self.is_open() {
            codes.push(100);
        }
        if self.is_publicly_logged(env) {
            codes.push(170);
        }
        (codes, changed)
    }

    /// They entered while real JIDs are open: members may read theirs (H20).
    fn seen_open(&mut self, who: &BareJid) {
        if let Some(grant) = self.grants.get_mut(who)
            && !grant.open
        {
            grant.open = true;
            self.store_grant(who);
        }
    }

    /// A newcomer sees themselves.
    fn welcome(&mut self, env: &Env, seat: &Arc<FullJid>, key: &NickKey, (id, codes, created): (Option<String>, Vec<u16>, bool)) {
        let mut own = codes;
        if created {
            own.push(201);
        }
        self.show_to_self(env, seat, key, (id, own));
    }

    /// Self-presence for one session, with the id that it sent; other sessions of the occupant get theirs without.
    pub(super) fn show_to_self(
        &mut self,
        env: &Env,
        seat: &Arc<FullJid>,
        key: &NickKey,
        (id, mut codes): (Option<String>, Vec<u16>),
    ) {
        let Some(occupant) = self.occupants.get(key) else { return };
        codes.push(110);
        let (notice, sees) = (super::emit::Notice::status(&codes), self.sees(occupant));
        let mut stanza = self.presence(occupant, &notice, sees, super::emit::Audience::Self_);
        let others: Vec<_> = occupant.seats.iter().filter(|other| *other != seat).cloned().collect();
        let plain = self.presence(occupant, &super::emit::Notice::status(&[110]), sees, super::emit::Audience::Self_);
        self.tell(env, plain, others);
        stanza.id = id;
        self.tell(env, stanza, vec![seat.clone()]);
    }

    /// Somebody who is inside already joins again: they lost track, and get everything once more (section 7.2.1).
    pub(super) fn sync(&mut self, env: &Env, seat: &FullJid, stanza: Stanza) {
        let Some(key) = self.seats.get(seat).cloned() else { return };
        let join = stanza.el.get_child("x", ns::MUC).cloned().unwrap_or_else(|| Element::bare("x", ns::MUC));
        let id = stanza.id.clone();
        let payloads = self.shown_of(env, stanza);
        let mut changed = false;
        if let Some(occupant) = self.occupants.get_mut(&key)
            && occupant.payloads != payloads
        {
            occupant.payloads = payloads;
            occupant.forget_shown();
            changed = true;
        }
        if changed {
            self.show_to_others(env, &key, &super::emit::Notice::default());
        }
        let seat = Arc::new(seat.clone());
        self.introduce(env, &seat, &key);
        let Some(occupant) = self.occupants.get(&key) else { return };
        let mut codes = if self.is_open() { vec![100] } else { Vec::new() };
        if self.is_publicly_logged(env) {
            codes.push(170);
        }
        codes.push(110);
        let (notice, sees) = (super::emit::Notice::status(&codes), self.sees(occupant));
        let mut own = self.presence(occupant, &notice, sees, super::emit::Audience::Self_);
        own.id = id;
        self.tell(env, own, vec![seat.clone()]);
        self.send_history(env, &seat, &join);
        self.send_subject(env, &seat);
    }

    fn send_history(&mut self, env: &Env, seat: &Arc<FullJid>, join: &Element) {
        let wanted = super::history::Wanted::of(join.get_child("history", ns::MUC), self.config().history, env.clock.wall());
        let mut left = wanted.chars.min(MAX_HISTORY_CHARS);
        let mut sent = Vec::new();
        for at in (0..self.past.len()).rev() {
            let Some(frozen) = self.past_for_newcomers(env, at, wanted.since) else { break };
            if sent.len() >= wanted.stanzas || frozen.tail.len() > left {
                break;
            }
            left -= frozen.tail.len();
            sent.push(frozen);
        }
        self.out.extend(sent.into_iter().rev().map(|stanza| Out::Deliver(stanza, seat.clone())));
    }
}
