//! Changes of presence and nick, and probes of occupants (XEP-0045 sections 7.6, 7.7, 17.3).

use super::{
    Env, NickKey, Room,
    emit::{Audience, Notice},
    model::{Affiliation, Grant, Role, SeenBy},
    nick,
};
use crate::xml;
use bocage_api::{Kind, Stanza, StanzaError, ns, stanza::PresenceType};
use jid::{FullJid, Jid, ResourceRef};
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;

/// Changes of presence a second of one occupant.
const RATE: u32 = 2;

impl Room {
    /// An occupant shows something else.
    pub(super) fn update(&mut self, env: &Env, seat: &FullJid, stanza: Stanza) -> Result<(), StanzaError> {
        let Some(key) = self.seats.get(seat).cloned() else { return Ok(()) };
        let id = stanza.id.clone();
        let payloads = self.shown_of(env, stanza);
        let Some(occupant) = self.occupants.get_mut(&key) else { return Ok(()) };
        // What nobody would see the difference of is told to nobody but its sender (H27).
        let changed = occupant.payloads != payloads;
        if changed && !occupant.changes.take(RATE, env.clock.mono()) {
            return Err(StanzaError::resource_constraint());
        }
        if changed {
            occupant.payloads = payloads;
            occupant.forget_shown();
            self.show_to_others(env, &key, &Notice::default());
        }
        let seat = Arc::new(seat.clone());
        self.show_to_self(env, &seat, &key, (id, Vec::new()));
        Ok(())
    }

    /// Section 7.6. A nick that is taken is a conflict; the occupant stays who it was.
    pub(super) fn change_nick(
        &mut self,
        env: &Env,
        seat: &FullJid,
        nick: &ResourceRef,
        stanza: Stanza,
    ) -> Result<(), StanzaError> {
        let Some(old) = self.seats.get(seat).cloned() else { return Ok(()) };
        let nick = nick::accept(nick)?;
        let new = NickKey::of(nick.as_str());
        let Some(occupant) = self.occupants.get_mut(&old) else { return Ok(()) };
        if !occupant.changes.take(RATE, env.clock.mono()) {
            return Err(StanzaError::resource_constraint());
        }
        let who = occupant.bare.clone();
        if new != old {
            self.free(&who, &nick)?;
            // One occupant is one account and one nick: two that meet under it would merge.
            if self.occupants.contains_key(&new) {
                return Err(StanzaError::conflict());
            }
        }
        let notice = Notice { statuses: vec![303], nick: Some(nick.as_str().to_owned()), ..Notice::default() };
        self.show_with(env, &old, &notice, &[]);
        let payloads = self.shown_of(env, stanza);
        let Some(mut occupant) = self.occupants.remove(&old) else { return Ok(()) };
        self.remember(occupant.id.take(), &who);
        occupant.id = self.id_of(env, &occupant.author, nick.as_str(), env.opt_outs.wish(&self.jid, &who));
        occupant.jid = Jid::from(self.jid.with_resource(&nick));
        occupant.nick = nick;
        occupant.payloads = payloads;
        occupant.forget_shown();
        for seat in &occupant.seats {
            self.seats.insert((**seat).clone(), new.clone());
        }
        self.occupants.insert(new.clone(), occupant);
        self.show(env, &new, &[]);
        Ok(())
    }

    /// The presence of nobody: with whose nick it is, for who may read that in a list as well (H26).
    fn absent(&self, viewer: &super::Occupant, to: &Jid, nick: &str) -> Stanza {
        let reserved = self.grants.iter().find(|(_, grant)| grant.nick.as_deref() == Some(nick));
        let reads = |grant: &Grant| {
            let member = self.is_open() && grant.open && viewer.affiliation >= Affiliation::Member;
            viewer.affiliation >= Affiliation::Admin || (member && grant.affiliation >= Affiliation::Member)
        };
        let reserved = reserved.filter(|(_, grant)| reads(grant));
        let mut item = Element::bare("item", ns::MUC_USER);
        let affiliation = reserved.map_or(Affiliation::None, |(_, grant)| grant.affiliation);
        xml::set(&mut item, xml_ncname!("affiliation"), affiliation.as_str());
        xml::set(&mut item, xml_ncname!("role"), Role::None.as_str());
        if let Some((who, _)) = reserved {
            xml::set(&mut item, xml_ncname!("nick"), nick);
            if self.config().whois != SeenBy::Nobody {
                xml::set(&mut item, xml_ncname!("jid"), who.as_str());
            }
        }
        let user = Element::builder("x", ns::MUC_USER).append(item).build();
        xml::stanza(Kind::Presence(PresenceType::Unavailable), to.clone(), [user])
    }

    /// Section 17.3: occupants may ask for an occupant's presence, or for all.
    pub(super) fn probed(&mut self, env: &Env, from: &Jid, to: &Jid) -> Result<(), StanzaError> {
        let Some(viewer) = self.occupant_at(from) else { return Err(super::iq::outside()) };
        let (sees, own, Ok(seat)) = (self.sees(viewer), NickKey::of(viewer.nick.as_str()), from.clone().try_into_full()) else {
            return Ok(());
        };
        let seat = Arc::new(seat);
        let Some(nick) = to.resource() else {
            self.introduce(env, &seat, &own);
            return Ok(());
        };
        let shown =
            |asked: &&super::Occupant| viewer.is_moderator() || self.is_broadcast(asked.role) || asked.bare == viewer.bare;
        let Some(asked) = self.by_nick(nick.as_str()).filter(shown) else {
            let gone = self.absent(viewer, to, nick.as_str());
            self.tell(env, gone, vec![seat]);
            return Ok(());
        };
        let key = NickKey::of(asked.nick.as_str());
        if key == own {
            let stanza = self.presence(asked, &Notice::default(), sees, Audience::Self_);
            self.tell(env, stanza, vec![seat]);
        } else if let Some(stanza) = self.shown_to(env, &key, sees) {
            self.out.push(super::Out::Deliver(stanza, seat));
        }
        Ok(())
    }
}
