//! Retraction by who wrote a message (XEP-0424) and by moderators (XEP-0425 0.3): what was kept of it becomes a tombstone.

use super::{Archived, Env, Kept, Out, Record, Room, emit::occupant_id, history::stanza_id};
use crate::xml::{self, MODERATE, RETRACT};
use bocage_api::{
    Kind, StanzaError,
    archive::{Retraction, StanzaId, Target},
    dep::bytes::Bytes,
    ns,
    stanza::MessageType,
};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;

/// Bytes of a reason.
const MAX_REASON: usize = 1_024;

/// Version 0.2 of XEP-0425, which clients still speak.
pub(super) const OLD_MODERATE: &str = "urn:xmpp:message-moderate:0";
pub(super) const FASTEN: &str = "urn:xmpp:fasten:0";
const OLD_RETRACT: &str = "urn:xmpp:message-retract:0";

/// What a moderator asks for.
struct Wanted {
    reason: Option<String>,
}

impl Wanted {
    /// Only retraction is defined.
    fn of(payload: &Element) -> Result<Self, StanzaError> {
        let (moderate, namespace, retract) = if payload.is("apply-to", FASTEN) {
            let inner = payload.get_child("moderate", OLD_MODERATE).ok_or_else(StanzaError::feature_not_implemented)?;
            (inner, OLD_MODERATE, OLD_RETRACT)
        } else {
            (payload, MODERATE, RETRACT)
        };
        if !moderate.has_child("retract", retract) {
            return Err(StanzaError::feature_not_implemented());
        }
        let reason = xml::child_text(moderate, "reason", namespace).filter(|reason| reason.len() <= MAX_REASON);
        Ok(Self { reason })
    }
}

impl Room {
    pub(super) fn moderate(&mut self, env: &Env, payload: &Element, from: &Jid) -> Result<(), StanzaError> {
        let moderator = self.occupant_at(from).filter(|occupant| occupant.is_moderator());
        let Some(moderator) = moderator else { return Err(StanzaError::forbidden()) };
        let id = payload.attr(xml_ncname!("id")).ok_or_else(StanzaError::bad_request)?.to_owned();
        let wanted = Wanted::of(payload)?;
        let by = |namespace| {
            let mut by = Element::bare("moderated", namespace);
            xml::set(&mut by, xml_ncname!("by"), moderator.jid.as_str());
            if let Some(id) = &moderator.id {
                by.append_child(occupant_id(id));
            }
            by
        };
        let (by, old) = (by(MODERATE), by(OLD_MODERATE));
        let named = StanzaId::parse(&id).ok_or_else(StanzaError::item_not_found)?;
        if !self.is_archived(env) && !self.past.iter().any(|past| past.it.id == named) {
            return Err(StanzaError::item_not_found());
        }
        let reason = wanted.reason.map(|reason| xml::text("reason", RETRACT, &reason));
        let inside: Vec<Element> = [Some(by), reason].into_iter().flatten().collect();
        let tombstone = self.bury(env, named, inside.clone());
        self.out.push(Out::Keep(Kept::Retracted(Box::new(Retraction { target: Target::Id(named), tombstone }))));
        self.announce(env, &id, (inside, old));
        Ok(())
    }

    /// Everybody learns of it, and who was away reads it in the archive. Clients that know only version 0.2 read the
    /// second half.
    fn announce(&mut self, env: &Env, id: &str, (inside, mut old): (Vec<Element>, Element)) {
        let reason = inside.iter().find(|el| el.name() == "reason").map(Element::text);
        let mut retract = Element::builder("retract", RETRACT).append_all(inside).build();
        xml::set(&mut retract, xml_ncname!("id"), id);
        old.append_child(Element::bare("retract", OLD_RETRACT));
        if let Some(reason) = reason {
            old.append_child(xml::text("reason", OLD_MODERATE, &reason));
        }
        let mut fastened = Element::builder("apply-to", FASTEN).append(old).build();
        xml::set(&mut fastened, xml_ncname!("id"), id);
        let mut told = xml::stanza(Kind::Message(MessageType::Groupchat), self.me.clone(), [retract, fastened]);
        told.id = Some(env.entropy.id());
        let it = Archived {
            id: env.archives.name(),
            stamp: env.clock.wall(),
            from: self.me.clone(),
            // The room's own: nobody's occupant-id belongs to it.
            author: String::new(),
            message_id: told.id.clone(),
            lang: None,
            payloads: told.el.clone(),
        };
        let head = xml::head(&told);
        told.el.append_child(stanza_id(&it.id.to_string(), self.jid.as_str()));
        let entry = |room: &Self| Record { entry: Some(room.entry(env, &it, None, None)), id: it.id, head };
        let record = self.is_archived(env).then(|| entry(self));
        let said = super::Said { stanza: env.outbox.freeze(told), to: self.everybody(), record };
        self.out.push(Out::Say(Box::new(said)));
    }

    /// Does a message take an older one of the same author back? In the archive that happens with the same commit.
    pub(super) fn retracts(&mut self, env: &Env, it: &Archived, who: &BareJid) -> Option<Retraction> {
        let retract = it.payloads.get_child("retract", RETRACT)?;
        let id = StanzaId::parse(retract.attr(xml_ncname!("id"))?)?;
        let known = self.past.iter().find(|past| past.it.id == id);
        if known.is_some_and(|past| past.it.author != it.author) {
            return None;
        }
        let tombstone = self.bury(env, id, Vec::new());
        Some(Retraction { target: Target::OwnId { author: who.clone(), id }, tombstone })
    }

    /// In memory, in place: position and stamp stay. The tombstone's bytes.
    fn bury(&mut self, env: &Env, id: StanzaId, inside: Vec<Element>) -> Bytes {
        let mut retracted = Element::builder("retracted", RETRACT).append_all(inside).build();
        xml::set(&mut retracted, xml_ncname!("stamp"), &env.clock.stamp());
        let bytes = Bytes::from(String::from(&retracted));
        if let Some(past) = self.past.iter_mut().find(|past| past.it.id == id) {
            past.it.payloads = Element::builder("message", ns::CLIENT).append(retracted).build();
            past.forget_shown();
        }
        bytes
    }
}
