//! What follows when an affiliation or a role changes (XEP-0045 sections 8.2 to 10.8).

use super::{
    Env, Kept, MAX_GRANTS, NickKey, Occupant, Out, Room,
    emit::{Actor, Notice, occupant_id},
    model::{Affiliation, Role},
    occupant::Sees,
};
use crate::xml;
use bocage_api::{Kind, StanzaError, ns, stanza::MessageType};
use jid::BareJid;
use minidom::Element;
use rxml::xml_ncname;

/// Who changed it, and why.
#[derive(Clone, Default)]
pub(super) struct Because {
    pub(super) actor: Option<Actor>,
    pub(super) reason: Option<String>,
}

impl Room {
    /// Stores the row of an account, or takes it away.
    pub(super) fn store_grant(&mut self, who: &BareJid) {
        if !self.exists || self.locked || !self.config().persistent {
            return;
        }
        let grant = self.grants.get(who).cloned().map(Box::new);
        self.out.push(Out::Keep(Kept::Grant(who.clone(), grant)));
    }

    pub(super) fn owners(&self) -> usize {
        self.grants.values().filter(|grant| grant.affiliation == Affiliation::Owner).count()
    }

    /// Is there room for one more row?
    pub(super) fn has_room_for(&self, who: &BareJid) -> Result<(), StanzaError> {
        if self.grants.len() < MAX_GRANTS || self.grants.contains_key(who) {
            Ok(())
        } else {
            Err(StanzaError::resource_constraint())
        }
    }

    /// Sets an affiliation, whoever may; everybody whom it concerns learns of it.
    pub(super) fn set_affiliation(&mut self, env: &Env, who: &BareJid, affiliation: Affiliation, because: &Because) {
        let (open, known) = (self.is_open(), self.grants.contains_key(who));
        let grant = self.grants.entry(who.clone()).or_default();
        let before = std::mem::replace(&mut grant.affiliation, affiliation);
        // Who was promised a pseudonym is named to all when they come back, not before (H20).
        grant.open |= open && !known;
        let named = !open || grant.open;
        grant.reason = because.reason.clone().filter(|_| affiliation == Affiliation::Outcast);
        if affiliation < Affiliation::Member {
            grant.nick = None;
        }
        if grant.is_void() {
            self.grants.remove(who);
        }
        self.store_grant(who);
        let seated: Vec<NickKey> = self
            .occupants
            .iter()
            .filter(|(_, occupant)| self.is_meant(who, &occupant.bare))
            .map(|(key, _)| key.clone())
            .collect();
        if seated.is_empty() {
            return self.tell_of_absent(env, who, (affiliation, named), because);
        }
        for key in seated {
            self.changed_inside(env, &key, (before, affiliation), because);
        }
    }

    /// Does what is said of `who` concern `occupant`? Of a domain: bans, for who is nothing else (section 9.2).
    fn is_meant(&self, who: &BareJid, occupant: &BareJid) -> bool {
        let of_domain = || who.node().is_none() && who.domain() == occupant.domain();
        who == occupant || (of_domain() && self.affiliation(occupant) == Affiliation::Outcast)
    }

    fn changed_inside(&mut self, env: &Env, key: &NickKey, (before, now): (Affiliation, Affiliation), because: &Because) {
        let (role, was) = (self.initial_role(now), self.occupants.get(key).map(|occupant| occupant.role));
        let Some(occupant) = self.occupants.get_mut(key) else { return };
        occupant.affiliation = now;
        occupant.forget_shown();
        let notice = Notice { actor: because.actor.clone(), reason: because.reason.clone(), ..Notice::default() };
        if now == Affiliation::Outcast {
            return self.remove(env, key, &Notice { statuses: vec![301], gone: true, ..notice });
        }
        if now < Affiliation::Member && self.config().members_only {
            return self.remove(env, key, &Notice { statuses: vec![321], gone: true, ..notice });
        }
        if before != now
            && let Some(occupant) = self.occupants.get_mut(key)
        {
            occupant.role = role;
        }
        self.show_with(env, key, &notice, &[]);
        if let Some(was) = was {
            self.role_changed(env, key, was);
        }
    }

    /// Those who see addresses learn of changes to people who are not inside; of people who may not be `named` to all,
    /// those who run the room.
    fn tell_of_absent(&mut self, env: &Env, who: &BareJid, (affiliation, named): (Affiliation, bool), because: &Because) {
        let mut item = Element::bare("item", ns::MUC_USER);
        xml::set(&mut item, xml_ncname!("affiliation"), affiliation.as_str());
        xml::set(&mut item, xml_ncname!("jid"), who.as_str());
        if let Some(reason) = &because.reason {
            item.append_child(xml::text("reason", ns::MUC_USER, reason));
        }
        let mut user = Element::builder("x", ns::MUC_USER).append(item).build();
        if affiliation == Affiliation::Outcast {
            user.append_child(xml::status(301));
        }
        let stanza = xml::stanza(Kind::Message(MessageType::Normal), self.me.clone(), [user]);
        let may_know = |viewer: &&Occupant| named || viewer.affiliation >= Affiliation::Admin;
        let seers = self.occupants.values().filter(|viewer| self.sees(viewer) == Sees::Addresses).filter(may_know);
        let seats = seers.flat_map(|viewer| viewer.seats.iter().cloned()).collect();
        self.tell(env, stanza, seats);
    }

    /// Sets the role of an occupant; none is a kick (307).
    pub(super) fn set_role(&mut self, env: &Env, key: &NickKey, role: Role, because: &Because) {
        let notice = Notice { actor: because.actor.clone(), reason: because.reason.clone(), ..Notice::default() };
        if role == Role::None {
            return self.remove(env, key, &Notice { statuses: vec![307], gone: true, ..notice });
        }
        let Some(occupant) = self.occupants.get_mut(key) else { return };
        let was = std::mem::replace(&mut occupant.role, role);
        occupant.forget_shown();
        self.show_with(env, key, &notice, &[]);
        self.role_changed(env, key, was);
    }

    /// Reserves a nick; whoever sits under it without being its owner is out.
    pub(super) fn reserve_nick(&mut self, env: &Env, who: &BareJid, nick: &str) {
        let named = self.is_open() && !self.grants.contains_key(who);
        let grant = self.grants.entry(who.clone()).or_default();
        grant.nick = Some(nick.to_owned());
        // Who is new here was promised no pseudonym (H20).
        grant.open |= named;
        self.store_grant(who);
        let key = NickKey::of(nick);
        if self.occupants.get(&key).is_some_and(|occupant| occupant.bare != *who) {
            let reason = Some("This nickname is reserved".to_owned());
            self.remove(env, &key, &Notice { reason, ..Notice::gone(&[307]) });
        }
    }

    /// No nick is reserved for this account any more.
    pub(super) fn free_nick(&mut self, who: &BareJid) {
        if let Some(grant) = self.grants.get_mut(who) {
            grant.nick = None;
            if grant.is_void() {
                self.grants.remove(who);
            }
            self.store_grant(who);
        }
    }

    /// An account is gone from its server: nothing of it stays here (H06). Says whether there was anything.
    pub(crate) fn forget_account(&mut self, env: &Env, who: &BareJid) -> bool {
        let known = self.grants.contains_key(who);
        if known {
            let bans = self.affiliation(who) == Affiliation::Outcast;
            self.set_affiliation(env, who, Affiliation::None, &Because::default());
            if let Some(grant) = self.grants.get_mut(who) {
                grant.hats.clear();
                if grant.is_void() && !bans {
                    self.grants.remove(who);
                    self.store_grant(who);
                }
            }
        }
        self.remembered.retain(|(_, left)| left != who);
        self.withdraw(who);
        known
    }

    /// An entry of a list, as its reader may see it.
    pub(super) fn listed(&self, env: &Env, who: &BareJid, (namespace, addresses): (&str, bool)) -> Element {
        let grant = self.grants.get(who);
        let affiliation = grant.map_or(Affiliation::None, |grant| grant.affiliation);
        let mut item = Element::bare("item", namespace);
        xml::set(&mut item, xml_ncname!("affiliation"), affiliation.as_str());
        let inside = self.occupants.values().find(|occupant| occupant.bare == *who);
        let reserved = grant.and_then(|grant| grant.nick.as_deref());
        if addresses {
            xml::set(&mut item, xml_ncname!("jid"), who.as_str());
        } else {
            let nick = inside.map(|occupant| occupant.nick.as_str()).or(reserved).unwrap_or_default();
            let wish = env.opt_outs.wish(&self.jid, who);
            let id = inside.and_then(|o| o.id.clone()).or_else(|| self.id_of(env, &self.author(who), nick, wish));
            item.append_children(id.as_deref().map(occupant_id));
            if let Some(occupant) = inside {
                xml::set(&mut item, xml_ncname!("nick"), occupant.nick.as_str());
            }
        }
        if let (Some(nick), None) = (reserved, item.attr(xml_ncname!("nick"))) {
            xml::set(&mut item, xml_ncname!("nick"), nick);
        }
        if let Some(reason) = grant.and_then(|grant| grant.reason.as_deref()) {
            item.append_child(xml::text("reason", namespace, reason));
        }
        item
    }
}

/// minidom appends one child at a time.
trait Append {
    fn append_children(&mut self, children: impl IntoIterator<Item = Element>);
}
impl Append for Element {
    fn append_children(&mut self, children: impl IntoIterator<Item = Element>) {
        for child in children {
            self.append_child(child);
        }
    }
}
