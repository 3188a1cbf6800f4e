//! Messages to all (XEP-0045 section 7.4): filtered, stamped with the room's ids, archived, and only then sent.

use super::{
    Archived, Env, Out, Record, Room, Said,
    history::stanza_id,
    links,
    model::{Affiliation, Role},
    subject,
};
use crate::xml;
use bocage_api::{
    RoomStanza, Stanza, StanzaError,
    error::{Condition, ErrorType},
    ns,
};
use jid::Jid;
use minidom::Element;
use std::time::Duration;

impl Room {
    pub(super) fn speak(&mut self, env: &Env, stanza: Stanza, from: &Jid) -> Result<(), StanzaError> {
        let Some(occupant) = self.occupant_at(from) else {
            // Section 7.4: who is not inside is told so.
            return Err(StanzaError::not_acceptable());
        };
        if occupant.role < Role::Participant {
            return Err(StanzaError::forbidden());
        }
        if subject::is_change(&stanza) {
            return self.set_subject(env, &stanza, from);
        }
        self.may_speak_now(env, from)?;
        self.say(env, stanza, from)
    }

    /// The rate of one occupant, and the pause that the owner wants between messages.
    fn may_speak_now(&mut self, env: &Env, from: &Jid) -> Result<(), StanzaError> {
        let (now, slow) = (env.clock.mono(), Duration::from_secs(self.config().slow_mode.into()));
        let Some(key) = from.try_as_full().ok().and_then(|seat| self.seats.get(seat)) else { return Ok(()) };
        let Some(occupant) = self.occupants.get_mut(key) else { return Ok(()) };
        let free = occupant.is_moderator() || occupant.affiliation >= Affiliation::Admin;
        if !free && !slow.is_zero() && occupant.spoke.is_some_and(|spoke| now < spoke + slow) {
            // XEP-0500 section 5.
            let error = StanzaError::new(ErrorType::Wait, Condition::PolicyViolation);
            return Err(error.with_text("slow mode: wait before the next message"));
        }
        if !occupant.messages.take(env.settings.rate, now) {
            return Err(StanzaError::resource_constraint());
        }
        occupant.spoke = Some(now);
        Ok(())
    }

    fn say(&mut self, env: &Env, mut stanza: Stanza, from: &Jid) -> Result<(), StanzaError> {
        let head = xml::head(&stanza);
        self.emit(env, RoomStanza::Message, &mut stanza)?;
        if stanza.el.children().next().is_none() {
            return Err(StanzaError::bad_request());
        }
        if self.config().strip_upload_links && links::name_home(&stanza.el, from.domain().as_str()) {
            let text = "this room takes no links to one's own server: they say where one is at home";
            return Err(StanzaError::not_acceptable().with_text(text));
        }
        let Some(occupant) = self.occupant_at(from) else { return Err(StanzaError::not_acceptable()) };
        let (who, id) = (occupant.bare.clone(), occupant.id.clone());
        let it = Archived {
            id: env.archives.name(),
            stamp: env.clock.wall(),
            from: occupant.jid.clone(),
            author: occupant.author.clone(),
            message_id: stanza.id.clone(),
            lang: stanza.lang.clone(),
            payloads: stanza.el.clone(),
        };
        let keeps = is_worth_keeping(&stanza.el);
        let mut told = Stanza { from: Some(it.from.clone()), to: None, ..stanza };
        if let Some(id) = &id {
            told.el.append_child(super::emit::occupant_id(id));
        }
        if keeps {
            told.el.append_child(stanza_id(&it.id.to_string(), self.jid.as_str()));
        }
        let retracts = self.retracts(env, &it, &who);
        let record = (keeps && self.is_archived(env)).then(|| Record {
            entry: Some(self.entry(env, &it, Some(from), retracts)),
            id: it.id,
            head,
        });
        if keeps {
            self.remember_said(it, who);
        }
        let said = Said { stanza: env.outbox.freeze(told), to: self.everybody(), record };
        self.out.push(Out::Say(Box::new(said)));
        Ok(())
    }
}

/// XEP-0313 section 5.1.3, XEP-0334: what is worth keeping for who comes later.
fn is_worth_keeping(el: &Element) -> bool {
    let hint = |name| el.has_child(name, ns::HINTS);
    if hint("no-store") || hint("no-permanent-store") {
        return false;
    }
    let passing = |child: &Element| {
        child.has_ns(ns::CHAT_STATES)
            || child.has_ns(ns::HINTS)
            || child.has_ns(ns::RECEIPTS)
            || child.has_ns(ns::SID)
            || (child.has_ns(ns::CLIENT) && matches!(child.name(), "thread" | "subject"))
    };
    hint("store") || el.has_child("body", ns::CLIENT) || el.children().any(|child| !passing(child))
}
