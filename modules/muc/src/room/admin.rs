//! Lists and changes of affiliations and roles (`muc#admin`, XEP-0045 sections 8 to 10). Where servers of the field answer
//! `not-allowed` and the text says `forbidden`, the text holds.

use super::{
    Env, NickKey, Room,
    affiliation::Because,
    model::{Affiliation, Role, SeenBy},
    nick,
    occupant::Sees,
};
use crate::xml::{self, ADMIN};
use bocage_api::{StanzaError, ns};
use jid::{BareJid, Jid, ResourcePart};
use minidom::Element;
use rxml::xml_ncname;

/// Items of one request.
const MAX_ITEMS: usize = 200;

/// One change, checked.
enum Change {
    Role(NickKey, Role, Option<String>),
    Affiliation(BareJid, Affiliation, Option<String>, Reserves),
}

/// What becomes of a reserved nick.
enum Reserves {
    Nothing,
    This(ResourcePart),
    /// An empty one: none any more (section 9.5).
    None,
}

impl Room {
    pub(super) fn admin_get(&mut self, env: &Env, query: &Element, from: &Jid) -> Result<Element, StanzaError> {
        let item = query.get_child("item", ADMIN).ok_or_else(StanzaError::bad_request)?;
        let mut answer = Element::bare("query", ADMIN);
        if let Some(affiliation) = item.attr(xml_ncname!("affiliation")) {
            let affiliation = Affiliation::parse(affiliation).ok_or_else(StanzaError::bad_request)?;
            for who in self.affiliation_list(affiliation, from)? {
                answer.append_child(self.listed(env, &who, (ADMIN, self.config().whois != SeenBy::Nobody)));
            }
            return Ok(answer);
        }
        let role = item.attr(xml_ncname!("role")).and_then(Role::parse).ok_or_else(StanzaError::bad_request)?;
        let reader = self.occupant_at(from).filter(|reader| reader.is_moderator());
        let admin = self.affiliation(&from.to_bare()) >= Affiliation::Admin;
        let allowed = admin || (reader.is_some() && role != Role::Moderator);
        if !allowed {
            return Err(StanzaError::forbidden());
        }
        let addresses = match self.config().whois {
            SeenBy::Nobody => false,
            SeenBy::Moderators => admin || reader.is_some_and(|reader| self.sees(reader) == Sees::Addresses),
            SeenBy::Anyone => true,
        };
        for occupant in self.occupants.values().filter(|occupant| occupant.role == role) {
            let mut item = Element::bare("item", ADMIN);
            xml::set(&mut item, xml_ncname!("affiliation"), occupant.affiliation.as_str());
            xml::set(&mut item, xml_ncname!("role"), occupant.role.as_str());
            xml::set(&mut item, xml_ncname!("nick"), occupant.nick.as_str());
            if let (true, Some(seat)) = (addresses, occupant.first_seat()) {
                xml::set(&mut item, xml_ncname!("jid"), seat.as_str());
            }
            answer.append_child(item);
        }
        Ok(answer)
    }

    /// Who has this affiliation, for who may know (H26): admins and owners; and where real JIDs are open to all members,
    /// every member, except for who was banned and who has not been there since they are open.
    fn affiliation_list(&self, affiliation: Affiliation, from: &Jid) -> Result<Vec<BareJid>, StanzaError> {
        let reader = self.affiliation(&from.to_bare());
        let open = self.is_open() && self.config().members_only && affiliation >= Affiliation::Member;
        let admin = reader >= Affiliation::Admin;
        let reads = admin || (open && reader >= Affiliation::Member);
        if !reads {
            return Err(StanzaError::forbidden());
        }
        let promised = |open: bool| !self.is_open() || open;
        let listed = self.grants.iter().filter(|(_, grant)| grant.affiliation == affiliation && promised(grant.open || admin));
        Ok(listed.map(|(who, _)| who.clone()).collect())
    }

    /// All of it or nothing.
    pub(super) fn admin_set(&mut self, env: &Env, query: &Element, from: &Jid) -> Result<(), StanzaError> {
        let items: Vec<&Element> = query.children().filter(|el| el.is("item", ADMIN)).take(MAX_ITEMS).collect();
        if items.is_empty() {
            return Err(StanzaError::bad_request());
        }
        let changes = items.into_iter().map(|item| self.change(env, item, from)).collect::<Result<Vec<_>, _>>()?;
        self.keeps_an_owner(&changes)?;
        let actor = self.actor(from);
        for change in changes {
            match change {
                Change::Role(key, role, reason) => {
                    self.set_role(env, &key, role, &Because { actor: actor.clone(), reason });
                }
                Change::Affiliation(who, affiliation, reason, nick) => {
                    match nick {
                        Reserves::This(nick) if affiliation >= Affiliation::Member => self.reserve_nick(env, &who, nick.as_str()),
                        Reserves::None => self.free_nick(&who),
                        Reserves::This(_) | Reserves::Nothing => {}
                    }
                    self.set_affiliation(env, &who, affiliation, &Because { actor: actor.clone(), reason });
                }
            }
        }
        Ok(())
    }

    fn change(&self, env: &Env, item: &Element, from: &Jid) -> Result<Change, StanzaError> {
        let reason = xml::child_text(item, "reason", ADMIN);
        match (item.attr(xml_ncname!("affiliation")), item.attr(xml_ncname!("role"))) {
            (Some(affiliation), None) => {
                let affiliation = Affiliation::parse(affiliation).ok_or_else(StanzaError::bad_request)?;
                let (who, nick) = self.meant(env, item)?;
                self.may_set_affiliation(from, &who, affiliation)?;
                self.has_room_for(&who)?;
                if let Reserves::This(nick) = &nick {
                    self.nick_is_free_for(&who, nick)?;
                }
                Ok(Change::Affiliation(who, affiliation, reason, nick))
            }
            (None, Some(role)) => {
                let role = Role::parse(role).ok_or_else(StanzaError::bad_request)?;
                let nick = item.attr(xml_ncname!("nick"));
                let by_id = item.get_child("occupant-id", ns::OCCUPANT_ID).and_then(|el| el.attr(xml_ncname!("id")));
                let target = match (nick, by_id) {
                    (Some(nick), _) => self.by_nick(nick),
                    (None, Some(id)) => self.occupants.values().find(|occupant| occupant.id.as_deref() == Some(id)),
                    (None, None) => return Err(StanzaError::bad_request()),
                };
                let key = NickKey::of(target.ok_or_else(StanzaError::item_not_found)?.nick.as_str());
                self.may_set_role(from, &key, role)?;
                Ok(Change::Role(key, role, reason))
            }
            _ => Err(StanzaError::bad_request()),
        }
    }

    /// Whom an item means: by address, by occupant-id, by the nick of somebody inside. With an address, a nick is one to
    /// reserve.
    fn meant(&self, env: &Env, item: &Element) -> Result<(BareJid, Reserves), StanzaError> {
        let nick = item.attr(xml_ncname!("nick"));
        if let Some(jid) = item.attr(xml_ncname!("jid")) {
            let who = Jid::new(jid).map_err(|_| StanzaError::jid_malformed())?.to_bare();
            let reserves = match nick {
                None => Reserves::Nothing,
                Some("") => Reserves::None,
                Some(nick) => {
                    let nick = ResourcePart::new(nick).map_err(|_| StanzaError::jid_malformed())?;
                    Reserves::This(nick::accept(&nick)?)
                }
            };
            return Ok((who, reserves));
        }
        if let Some(id) = item.get_child("occupant-id", ns::OCCUPANT_ID).and_then(|el| el.attr(xml_ncname!("id"))) {
            return self.by_id(env, id).map(|who| (who, Reserves::Nothing)).ok_or_else(StanzaError::item_not_found);
        }
        let nick = nick.ok_or_else(StanzaError::bad_request)?;
        let reserved = || self.grants.iter().find(|(_, grant)| grant.nick.as_deref() == Some(nick)).map(|(who, _)| who.clone());
        let who = self.by_nick(nick).map(|occupant| occupant.bare.clone()).or_else(reserved);
        who.map(|who| (who, Reserves::Nothing)).ok_or_else(StanzaError::item_not_found)
    }

    fn nick_is_free_for(&self, who: &BareJid, nick: &ResourcePart) -> Result<(), StanzaError> {
        let key = NickKey::of(nick.as_str());
        let taken = |nick: &Option<String>| nick.as_deref().is_some_and(|nick| NickKey::of(nick) == key);
        let others = self.grants.iter().any(|(owner, grant)| owner != who && taken(&grant.nick));
        if others { Err(StanzaError::conflict()) } else { Ok(()) }
    }

    /// Sections 9.1 to 10.7: admins care for outcasts and members, owners for admins and owners; nobody touches who stands
    /// higher; nobody bans themselves.
    fn may_set_affiliation(&self, from: &Jid, who: &BareJid, wanted: Affiliation) -> Result<(), StanzaError> {
        let (me, actor, target) = (from.to_bare(), self.affiliation(&from.to_bare()), self.affiliation(who));
        if actor < Affiliation::Admin {
            return Err(StanzaError::forbidden());
        }
        if me == *who && wanted == Affiliation::Outcast {
            return Err(StanzaError::conflict());
        }
        let above = wanted >= Affiliation::Admin || target >= Affiliation::Admin;
        match (actor, above) {
            (Affiliation::Owner, _) | (_, false) => Ok(()),
            (_, true) if target > actor || wanted < Affiliation::Admin => Err(StanzaError::not_allowed()),
            (_, true) => Err(StanzaError::forbidden()),
        }
    }

    /// Section 10.6: the last owner stays one.
    fn keeps_an_owner(&self, changes: &[Change]) -> Result<(), StanzaError> {
        let change = |change: &Change| match change {
            Change::Affiliation(who, affiliation, ..) => {
                let (was, is) = (self.affiliation(who) == Affiliation::Owner, *affiliation == Affiliation::Owner);
                isize::from(is) - isize::from(was)
            }
            Change::Role(..) => 0,
        };
        let owners = isize::try_from(self.owners()).unwrap_or(isize::MAX);
        let left = owners.saturating_add(changes.iter().map(change).sum());
        if left < 1 && owners > 0 { Err(StanzaError::conflict()) } else { Ok(()) }
    }

    /// Sections 8.2 to 8.4, 9.6, 9.7.
    fn may_set_role(&self, from: &Jid, key: &NickKey, wanted: Role) -> Result<(), StanzaError> {
        let actor = self.occupant_at(from).filter(|actor| actor.is_moderator()).ok_or_else(StanzaError::forbidden)?;
        let target = self.occupants.get(key).ok_or_else(StanzaError::item_not_found)?;
        // A kick is refused to who stands below, and to nobody else; what admins and owners are, nobody takes from them.
        let keeps = target.affiliation >= Affiliation::Admin && wanted < Role::Moderator && wanted != Role::None;
        if target.affiliation > actor.affiliation || keeps {
            return Err(StanzaError::not_allowed());
        }
        // Who makes and unmakes moderators: admins.
        let moderates = wanted == Role::Moderator || (target.is_moderator() && wanted != Role::None);
        if moderates && actor.affiliation < Affiliation::Admin {
            return Err(StanzaError::forbidden());
        }
        Ok(())
    }
}
