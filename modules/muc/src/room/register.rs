//! Registering with a room: a member reserves a nick, or gives the membership back (XEP-0045 section 7.10).

use super::{
    Env, NickKey, Room,
    affiliation::Because,
    form::{Form, Submitted},
    model::Affiliation,
    nick,
};
use crate::xml::{MUC_REGISTER, REGISTER};
use bocage_api::{
    StanzaError,
    error::{Condition, ErrorType},
    ns,
};
use jid::{BareJid, Jid, ResourcePart};
use minidom::Element;

pub(super) const NICK: &str = "muc#register_roomnick";

impl Room {
    pub(super) fn register_get(&mut self, from: &Jid) -> Result<Element, StanzaError> {
        let (who, _) = self.may_register(from)?;
        let mut query = Element::bare("query", REGISTER);
        if let Some(nick) = self.grants.get(&who).and_then(|grant| grant.nick.as_deref()) {
            query.append_child(Element::bare("registered", REGISTER));
            query.append_child(crate::xml::text("username", REGISTER, nick));
            return Ok(query);
        }
        query.append_child(Form::new("form", MUC_REGISTER).required(NICK, "Nickname").build());
        Ok(query)
    }

    /// Membership is given by admins: who has none cannot take it, but ask for it where the owner lets them.
    fn may_register(&self, from: &Jid) -> Result<(BareJid, Affiliation), StanzaError> {
        let who = from.to_bare();
        match self.affiliation(&who) {
            Affiliation::Outcast => Err(StanzaError::forbidden()),
            Affiliation::None if !self.config().membership_requests => {
                Err(StanzaError::new(ErrorType::Auth, Condition::RegistrationRequired))
            }
            affiliation => Ok((who, affiliation)),
        }
    }

    pub(super) fn register_set(&mut self, env: &Env, query: &Element, from: &Jid) -> Result<(), StanzaError> {
        let (who, affiliation) = self.may_register(from)?;
        if query.has_child("remove", REGISTER) {
            self.withdraw(&who);
            self.deregister(env, &who);
            return Ok(());
        }
        let form = query.get_child("x", ns::DATA_FORMS).ok_or_else(StanzaError::bad_request)?;
        let given = Submitted::of(form, MUC_REGISTER).ok_or_else(StanzaError::bad_request)?;
        let nick = given.one(NICK).filter(|nick| !nick.is_empty()).ok_or_else(StanzaError::not_acceptable)?;
        let nick = ResourcePart::new(nick).map_err(|_| StanzaError::jid_malformed())?;
        let nick = nick::accept(&nick)?;
        self.is_theirs(&who, &nick)?;
        if affiliation == Affiliation::None {
            return self.ask_membership(env, &who, &nick);
        }
        self.reserve_nick(env, &who, nick.as_str());
        let key = NickKey::of(nick.as_str());
        if self.occupants.contains_key(&key) {
            self.show(env, &key, &[]);
        }
        Ok(())
    }

    pub(super) fn is_theirs(&self, who: &BareJid, nick: &ResourcePart) -> Result<(), StanzaError> {
        let key = NickKey::of(nick.as_str());
        let reserved = |(owner, nick): (&BareJid, &Option<String>)| {
            owner != who && nick.as_deref().is_some_and(|nick| NickKey::of(nick) == key)
        };
        let taken = self.grants.iter().any(|(owner, grant)| reserved((owner, &grant.nick)));
        let used = self.occupants.get(&key).is_some_and(|occupant| occupant.bare != *who);
        if taken || used { Err(StanzaError::conflict()) } else { Ok(()) }
    }

    /// Members give their membership back; who runs the room gives back the nick.
    fn deregister(&mut self, env: &Env, who: &BareJid) {
        let affiliation = self.affiliation(who);
        if affiliation == Affiliation::Member {
            return self.set_affiliation(env, who, Affiliation::None, &Because::default());
        }
        self.free_nick(who);
    }
}
