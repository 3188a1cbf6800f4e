//! Mediated invitations and their refusal (XEP-0045 sections 7.8, 7.9). The inviter is named by real JID where everybody
//! sees it anyway, else by nick (H26).

use super::{
    Env, Out, Room,
    affiliation::Because,
    model::{Affiliation, Role, SeenBy},
};
use crate::xml::{self, CONFERENCE};
use bocage_api::{Kind, Stanza, StanzaError, ns, stanza::MessageType};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;

/// People whom one message may invite.
const MAX_INVITED: usize = 20;
/// Bytes of a reason.
const MAX_REASON: usize = 1_024;

impl Room {
    pub(super) fn invite(&mut self, env: &Env, stanza: &Stanza, user: &Element, from: &Jid) -> Result<(), StanzaError> {
        let inviter = self.occupant_at(from).ok_or_else(StanzaError::not_acceptable)?;
        let (admin, by) = (inviter.affiliation >= Affiliation::Admin, inviter.bare.clone());
        let adds = admin || (self.config().allow_invites && inviter.affiliation >= Affiliation::Member);
        let allowed = admin || inviter.is_moderator() || (self.config().allow_invites && inviter.role >= Role::Participant);
        if !allowed {
            return Err(StanzaError::forbidden());
        }
        let name = if self.is_open() { Jid::from(inviter.bare.clone()) } else { inviter.jid.clone() };
        let invites: Vec<(BareJid, Option<String>)> = user
            .children()
            .filter(|el| el.is("invite", ns::MUC_USER))
            .take(MAX_INVITED)
            .map(|el| {
                let to = el.attr(xml_ncname!("to")).ok_or_else(StanzaError::bad_request)?;
                let to = Jid::new(to).map_err(|_| StanzaError::jid_malformed())?.to_bare();
                Ok((to, reason(el)))
            })
            .collect::<Result<_, StanzaError>>()?;
        for (who, reason) in invites {
            self.let_in(env, &who, adds)?;
            let password = self.config().password.clone();
            let message = self.invitation(stanza.id.clone(), (&name, &who), reason.as_deref(), password.as_deref());
            self.remember_invited(&who, &by);
            self.out.push(Out::Mail(Box::new(message)));
        }
        Ok(())
    }

    /// Sections 7.8.2, 9.5: who invites into a members-only room makes a member of them. Admins may, and members where the
    /// owner lets people invite.
    fn let_in(&mut self, env: &Env, who: &BareJid, adds: bool) -> Result<(), StanzaError> {
        if self.affiliation(who) == Affiliation::Outcast {
            return Err(StanzaError::forbidden());
        }
        if !self.config().members_only || self.affiliation(who) >= Affiliation::Member {
            return Ok(());
        }
        if !adds {
            return Err(StanzaError::forbidden());
        }
        self.has_room_for(who)?;
        self.set_affiliation(env, who, Affiliation::Member, &Because::default());
        Ok(())
    }

    fn remember_invited(&mut self, who: &BareJid, by: &BareJid) {
        let tag = format!("invited/{}/{}", self.author(who), self.author(by));
        self.remember(Some(tag), who);
    }
    /// By this person, or by anybody at all.
    fn was_invited(&self, who: &BareJid, by: Option<&BareJid>) -> bool {
        let tag = format!("invited/{}/{}", self.author(who), by.map(|by| self.author(by)).unwrap_or_default());
        self.remembered.iter().any(|(known, _)| known.starts_with(&tag))
    }

    fn invitation(
        &self,
        id: Option<String>,
        (inviter, who): (&Jid, &BareJid),
        reason: Option<&str>,
        password: Option<&str>,
    ) -> Stanza {
        let mut invite = Element::bare("invite", ns::MUC_USER);
        xml::set(&mut invite, xml_ncname!("from"), inviter.as_str());
        invite.append_child(xml::text("reason", ns::MUC_USER, reason.unwrap_or_default()));
        let mut user = Element::builder("x", ns::MUC_USER).append(invite).build();
        let mut direct = Element::bare("x", CONFERENCE);
        xml::set(&mut direct, xml_ncname!("jid"), self.jid.as_str());
        for (name, value) in [(xml_ncname!("reason"), reason), (xml_ncname!("password"), password)] {
            if let Some(value) = value {
                xml::set(&mut direct, name, value);
            }
        }
        if let Some(password) = password {
            user.append_child(xml::text("password", ns::MUC_USER, password));
        }
        let mut text = format!("{inviter} invited you to the room {}", self.jid);
        if let Some(reason) = reason {
            text.push_str(&format!(" ({reason})"));
        }
        let body = xml::text("body", ns::CLIENT, &text);
        let mut message = xml::stanza(Kind::Message(MessageType::Normal), self.me.clone(), [user, body, direct]);
        message.to = Some(Jid::from(who.clone()));
        message.id = id;
        message
    }

    /// Goes to the inviter, who knows whom they invited, and to nobody else.
    pub(super) fn decline(&mut self, env: &Env, stanza: &Stanza, decline: &Element, from: &Jid) -> Result<(), StanzaError> {
        let who = from.to_bare();
        if !self.was_invited(&who, None) {
            return Err(StanzaError::forbidden());
        }
        let to = decline.attr(xml_ncname!("to")).and_then(|to| Jid::new(to).ok()).ok_or_else(StanzaError::bad_request)?;
        let inviter = match to.resource() {
            Some(nick) if to.to_bare() == self.jid => self.by_nick(nick.as_str()),
            _ => self.occupants.values().find(|occupant| occupant.bare == to.to_bare()),
        };
        let inviter = inviter.filter(|inviter| self.was_invited(&who, Some(&inviter.bare)));
        let seats = inviter.ok_or_else(StanzaError::item_not_found)?.seats.clone();
        let mut told = Element::bare("decline", ns::MUC_USER);
        // Where nobody sees addresses, the room names none either.
        let name = if self.config().whois == SeenBy::Nobody { &self.jid } else { &who };
        xml::set(&mut told, xml_ncname!("from"), name.as_str());
        if let Some(reason) = reason(decline) {
            told.append_child(xml::text("reason", ns::MUC_USER, &reason));
        }
        let user = Element::builder("x", ns::MUC_USER).append(told).build();
        let mut message = xml::stanza(Kind::Message(MessageType::Normal), self.me.clone(), [user]);
        message.id.clone_from(&stanza.id);
        self.tell(env, message, seats);
        Ok(())
    }
}

fn reason(el: &Element) -> Option<String> {
    xml::child_text(el, "reason", ns::MUC_USER).filter(|reason| reason.len() <= MAX_REASON)
}
