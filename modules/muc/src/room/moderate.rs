//! Retraction by who wrote a message (XEP-0424) and by moderators (XEP-0425 0.3): what was kept of it becomes a tombstone.

use super::{Archived, Env, Kept, Out, Room, emit::occupant_id, history::stanza_id};
use crate::xml::{self, MODERATE, RETRACT};
use bocage_api::{Kind, StanzaError, ns, stanza::MessageType};
use jid::Jid;
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
        if !self.past.iter().any(|past| past.it.id == id) {
            return Err(StanzaError::item_not_found());
        }
        let reason = wanted.reason.map(|reason| xml::text("reason", RETRACT, &reason));
        let inside: Vec<Element> = [Some(by), reason].into_iter().flatten().collect();
        self.bury(env, &id, inside.clone());
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
            id: env.entropy.id(),
            stamp: env.clock.wall(),
            from: self.me.clone(),
            // The room's own: nobody's occupant-id belongs to it.
            author: String::new(),
            sealed: None,
            message_id: told.id.clone(),
            lang: None,
            payloads: told.el.clone(),
        };
        let head = xml::head(&told);
        told.el.append_child(stanza_id(&it.id, self.jid.as_str()));
        let record = self.is_archived(env).then_some((it, head));
        let said = super::Said { stanza: env.outbox.freeze(told), to: self.everybody(), record };
        self.out.push(Out::Say(Box::new(said)));
    }

    /// Does a message take an older one of the same author back?
    pub(super) fn retracts(&mut self, env: &Env, it: &Archived) {
        let Some(retract) = it.payloads.get_child("retract", RETRACT) else { return };
        let Some(id) = retract.attr(xml_ncname!("id")).map(str::to_owned) else { return };
        let own = self.past.iter().any(|past| past.it.id == id && past.it.author == it.author);
        if own {
            self.bury(env, &id, Vec::new());
        }
    }

    /// In place: position and stamp stay.
    fn bury(&mut self, env: &Env, id: &str, inside: Vec<Element>) {
        let mut retracted = Element::builder("retracted", RETRACT).append_all(inside).build();
        xml::set(&mut retracted, xml_ncname!("stamp"), &env.clock.stamp());
        let Some(past) = self.past.iter_mut().find(|past| past.it.id == id) else { return };
        past.it.payloads = Element::builder("message", ns::CLIENT).append(retracted).build();
        past.forget_shown();
        let it = past.it.clone();
        self.out.push(Out::Keep(Kept::Replaced(id.to_owned(), Box::new(it))));
    }
}
