//! The subject (XEP-0045 section 8.1): a message with a subject, and neither body nor thread.

use super::{
    Env, Room,
    history::stanza_id,
    model::{Role, Subject},
};
use crate::xml;
use bocage_api::{Kind, Stanza, StanzaError, ns, stanza::MessageType};
use jid::{FullJid, Jid};
use minidom::Element;
use rxml::{Namespace, xml_ncname};
use std::sync::Arc;

/// Languages and bytes of a subject.
const MAX_TEXTS: usize = 10;
const MAX_BYTES: usize = 4 * 1024;
/// Changes a second of one room.
const RATE: u32 = 2;

/// Does it set the subject?
pub(super) fn is_change(stanza: &Stanza) -> bool {
    let has = |name| stanza.el.has_child(name, ns::CLIENT);
    has("subject") && !has("body") && !has("thread")
}

impl Room {
    pub(super) fn set_subject(&mut self, env: &Env, stanza: &Stanza, from: &Jid) -> Result<(), StanzaError> {
        let Some(occupant) = self.occupant_at(from) else { return Err(StanzaError::not_acceptable()) };
        let allowed = occupant.is_moderator() || (self.config().change_subject && occupant.role >= Role::Participant);
        if !allowed {
            return Err(StanzaError::forbidden());
        }
        let (from, id) = (occupant.jid.clone(), occupant.id.clone());
        let nick = Some(occupant.nick.as_str().to_owned());
        let texts: Vec<_> = stanza
            .el
            .children()
            .filter(|el| el.is("subject", ns::CLIENT))
            .map(|el| (el.attrs().get(&Namespace::XML, xml_ncname!("lang")).cloned(), el.text()))
            .collect();
        if texts.len() > MAX_TEXTS || texts.iter().map(|(_, text)| text.len()).sum::<usize>() > MAX_BYTES {
            return Err(StanzaError::not_acceptable());
        }
        if !self.subjects.take(RATE, env.clock.mono()) {
            return Err(StanzaError::resource_constraint());
        }
        let subject = Subject { texts, nick, stamp: env.clock.wall() };
        let mut told = message(from, &subject);
        told.id.clone_from(&stanza.id);
        if let Some(id) = &id {
            told.el.append_child(super::emit::occupant_id(id));
        }
        told.el.append_child(stanza_id(&env.entropy.id(), self.jid.as_str()));
        self.state.subject = Some(subject);
        self.store_room();
        let everybody = self.everybody();
        self.tell(env, told, everybody);
        Ok(())
    }

    /// The subject as it is, an empty one included (section 7.2.15).
    pub(super) fn send_subject(&mut self, env: &Env, seat: &Arc<FullJid>) {
        let stanza = match &self.state.subject {
            None => message(self.me.clone(), &Subject { texts: Vec::new(), nick: None, stamp: 0 }),
            Some(subject) => {
                let nick = subject.nick.as_deref().and_then(|nick| self.jid.with_resource_str(nick).ok());
                let mut stanza = message(nick.map_or_else(|| self.me.clone(), Jid::from), subject);
                stanza.el.append_child(xml::delay(self.jid.as_str(), subject.stamp));
                stanza
            }
        };
        self.tell(env, stanza, vec![seat.clone()]);
    }
}

fn message(from: Jid, subject: &Subject) -> Stanza {
    let text = |(lang, text): &(Option<String>, String)| {
        let mut el = xml::text("subject", ns::CLIENT, text);
        if let Some(lang) = lang {
            el.set_attr(Namespace::XML, xml_ncname!("lang").to_owned(), lang.as_str());
        }
        el
    };
    let none = || vec![Element::bare("subject", ns::CLIENT)];
    let texts: Vec<_> = subject.texts.iter().map(text).collect();
    xml::stanza(Kind::Message(MessageType::Groupchat), from, if texts.is_empty() { none() } else { texts })
}
