//! Requests for membership, and what admins decide about them (XEP-0045 sections 7.10, 9.9): where an owner lets people ask.

use super::{
    Env, NickKey, Out, Room,
    affiliation::Because,
    form::{Form, Submitted},
    model::{Affiliation, SeenBy},
    register::NICK,
};
use crate::xml::{self, MUC_REGISTER};
use bocage_api::{Kind, Stanza, StanzaError, ns, stanza::MessageType};
use jid::{BareJid, Jid, ResourcePart};
use minidom::Element;
use rxml::xml_ncname;
use std::{sync::Arc, time::Duration};

/// Requests that wait in one room.
const MAX_REQUESTS: usize = 50;
/// How many one room takes at once, and how long until it takes one more.
const BURST: u32 = 10;
const PAUSE: Duration = Duration::from_secs(60);
/// Admins who are told of a request while they are not inside.
const MAX_TOLD: usize = 20;
const ALLOW: &str = "muc#register_allow";

impl Room {
    /// Somebody who is nothing here asks to become a member under this nick; a second request takes the place of the first.
    pub(super) fn ask_membership(&mut self, env: &Env, who: &BareJid, nick: &ResourcePart) -> Result<(), StanzaError> {
        let key = NickKey::of(nick.as_str());
        let mut others = self.state.requests.iter().filter(|(asking, _)| asking != who.as_str());
        if others.clone().any(|(_, wanted)| NickKey::of(wanted) == key) {
            return Err(StanzaError::conflict());
        }
        let full = others.by_ref().count() >= MAX_REQUESTS;
        if full || !self.requests.take_every(PAUSE, BURST, env.clock.mono()) {
            return Err(StanzaError::resource_constraint());
        }
        self.withdraw(who);
        self.state.requests.push((who.as_str().to_owned(), nick.as_str().to_owned()));
        self.store_room();
        self.show_request(env, who, nick.as_str());
        Ok(())
    }

    /// Nothing is asked any more.
    pub(super) fn withdraw(&mut self, who: &BareJid) {
        let before = self.state.requests.len();
        self.state.requests.retain(|(asking, _)| asking != who.as_str());
        if self.state.requests.len() != before {
            self.store_room();
        }
    }

    /// To all admins: where they sit, and else at home.
    fn show_request(&mut self, env: &Env, who: &BareJid, nick: &str) {
        let mut form = Form::new("form", MUC_REGISTER).title("Registration request").text(NICK, "Desired nickname", nick);
        if self.config().whois != SeenBy::Nobody {
            form = form.field("muc#jid", "jid-single", "Address", &[who.as_str()]);
        }
        let form = form.boolean(ALLOW, "Allow this person to register with the room?", false).build();
        let stanza = xml::stanza(Kind::Message(MessageType::Normal), self.me.clone(), [form]);
        let admins = self.occupants.values().filter(|occupant| occupant.affiliation >= Affiliation::Admin);
        let seats: Vec<Arc<_>> = admins.flat_map(|admin| admin.seats.iter().cloned()).collect();
        let inside = |admin: &&BareJid| seats.iter().any(|seat| seat.to_bare() == **admin);
        let away = self.grants.iter().filter(|(_, grant)| grant.affiliation >= Affiliation::Admin).map(|(admin, _)| admin);
        let away: Vec<Jid> = away.filter(|admin| !inside(admin)).take(MAX_TOLD).cloned().map(Jid::from).collect();
        self.tell(env, stanza.clone(), seats);
        for admin in away {
            self.out.push(Out::Mail(Box::new(Stanza { to: Some(admin), ..stanza.clone() })));
        }
    }

    /// An admin's form comes back.
    pub(super) fn decide_membership(&mut self, env: &Env, form: &Element, from: &Jid) -> Result<(), StanzaError> {
        let given = Submitted::of(form, MUC_REGISTER).ok_or_else(StanzaError::bad_request)?;
        if self.affiliation(&from.to_bare()) < Affiliation::Admin {
            return Err(StanzaError::forbidden());
        }
        if form.attr(xml_ncname!("type")) == Some("cancel") {
            return Ok(());
        }
        let nick = given.one(NICK).ok_or_else(StanzaError::bad_request)?;
        let allowed = given.boolean(ALLOW).ok_or_else(StanzaError::bad_request)?.map_err(|()| StanzaError::bad_request())?;
        let asked = self.state.requests.iter().find(|(_, wanted)| wanted == nick).ok_or_else(StanzaError::item_not_found)?;
        let who = BareJid::new(&asked.0).map_err(|_| StanzaError::item_not_found())?;
        // Somebody else decided meanwhile.
        if allowed && self.affiliation(&who) == Affiliation::None {
            let nick = ResourcePart::new(nick).map_err(|_| StanzaError::jid_malformed())?.into_owned();
            self.is_theirs(&who, &nick)?;
            self.has_room_for(&who)?;
            self.reserve_nick(env, &who, nick.as_str());
            self.set_affiliation(env, &who, Affiliation::Member, &Because { actor: self.actor(from), reason: None });
            self.tell_new_member(&who);
        }
        self.withdraw(&who);
        Ok(())
    }

    /// Section 18.1: who is not inside learns of it (101).
    fn tell_new_member(&mut self, who: &BareJid) {
        if self.is_inside(who) {
            return;
        }
        let mut item = Element::bare("item", ns::MUC_USER);
        xml::set(&mut item, xml_ncname!("affiliation"), Affiliation::Member.as_str());
        xml::set(&mut item, xml_ncname!("jid"), who.as_str());
        xml::set(&mut item, xml_ncname!("role"), "none");
        let user = Element::builder("x", ns::MUC_USER).append(item).append(xml::status(101)).build();
        let mut told = xml::stanza(Kind::Message(MessageType::Normal), self.me.clone(), [user]);
        told.to = Some(Jid::from(who.clone()));
        self.out.push(Out::Mail(Box::new(told)));
    }
}
