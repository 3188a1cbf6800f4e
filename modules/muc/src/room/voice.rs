//! Requests for voice and their grant (XEP-0045 sections 7.13, 8.6): by nick and by what the room's moderators may see.

use super::{
    Env, NickKey, Room,
    affiliation::Because,
    form::{Form, Submitted},
    model::{Role, SeenBy},
};
use crate::xml::{self, REQUEST};
use bocage_api::{Kind, StanzaError, stanza::MessageType};
use jid::Jid;

const ROLE: &str = "muc#role";
const JID: &str = "muc#jid";
const NICK: &str = "muc#roomnick";
const ALLOW: &str = "muc#request_allow";

impl Room {
    pub(super) fn voice(&mut self, env: &Env, given: &Submitted, from: &Jid) -> Result<(), StanzaError> {
        let sender = self.occupant_at(from).ok_or_else(StanzaError::not_acceptable)?;
        if given.one(ALLOW).is_some() {
            return self.grant_voice(env, given, from);
        }
        let wanted = given.one(ROLE).and_then(Role::parse);
        if wanted != Some(Role::Participant) || sender.role != Role::Visitor {
            return Err(StanzaError::bad_request());
        }
        let nick = sender.nick.as_str().to_owned();
        let seat = sender.first_seat().map(|seat| seat.as_str().to_owned()).unwrap_or_default();
        let key = NickKey::of(&nick);
        let now = env.clock.mono();
        if let Some(occupant) = self.occupants.get_mut(&key)
            && !occupant.changes.take(1, now)
        {
            return Err(StanzaError::resource_constraint());
        }
        let mut form = Form::new("form", REQUEST)
            .title("Voice request")
            .list(ROLE, ("list-single", "Requested role"), &[("participant", "Participant")], &["participant"])
            .text(NICK, "Nickname", &nick);
        if self.config().whois != SeenBy::Nobody {
            form = form.field(JID, "jid-single", "User", &[&seat]);
        }
        let form = form.boolean(ALLOW, "Grant voice to this person?", false).build();
        let stanza = xml::stanza(Kind::Message(MessageType::Normal), self.me.clone(), [form]);
        let moderators = self.occupants.values().filter(|occupant| occupant.is_moderator());
        let seats = moderators.flat_map(|occupant| occupant.seats.iter().cloned()).collect();
        self.tell(env, stanza, seats);
        Ok(())
    }

    fn grant_voice(&mut self, env: &Env, given: &Submitted, from: &Jid) -> Result<(), StanzaError> {
        if !self.occupant_at(from).is_some_and(super::Occupant::is_moderator) {
            return Err(StanzaError::forbidden());
        }
        if given.boolean(ALLOW) != Some(Ok(true)) {
            return Ok(());
        }
        let nick = given.one(NICK).ok_or_else(StanzaError::bad_request)?;
        let occupant = self.by_nick(nick).ok_or_else(StanzaError::item_not_found)?;
        if occupant.role == Role::Visitor {
            let key = NickKey::of(nick);
            let because = Because { actor: self.actor(from), reason: None };
            self.set_role(env, &key, Role::Participant, &because);
        }
        Ok(())
    }
}
