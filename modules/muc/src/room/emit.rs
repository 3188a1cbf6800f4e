//! The room's single exit. What clients sent passes the room filters here, once, without anybody's address in sight; what
//! claims to be the room's is taken out; and only then the room adds what is its own. Each audience's stanza is
//! serialised once.

use super::{
    Env, NickKey, Occupant, Out, Room,
    model::{Affiliation, Role, SeenBy},
    moderate::{FASTEN, OLD_MODERATE},
    occupant::Sees,
};
use crate::xml;
use bocage_api::{Frozen, Kind, Payloads, RoomStanza, Stanza, StanzaError, Verdict, ns, stanza::PresenceType};
use jid::{BareJid, FullJid, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;

/// What `muc#user` says about an occupant.
#[derive(Clone, Default)]
pub(super) struct Notice {
    pub(super) statuses: Vec<u16>,
    pub(super) actor: Option<Actor>,
    pub(super) reason: Option<String>,
    /// The new nick (303).
    pub(super) nick: Option<String>,
    /// `<destroy/>`
    pub(super) destroy: Option<Element>,
    /// Gone: no role any more.
    pub(super) gone: bool,
}
impl Notice {
    pub(super) fn status(codes: &[u16]) -> Self {
        Self { statuses: codes.to_vec(), ..Self::default() }
    }
    pub(super) fn gone(codes: &[u16]) -> Self {
        Self { gone: true, ..Self::status(codes) }
    }
}

/// Who did it: by nick (H26), with the address for who sees addresses anyway.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) nick: String,
    pub(super) jid: Option<Jid>,
}

impl Room {
    /// Filters what a client sent. The strictest answer to what is wrong with it: nothing of it for presence, a bounce
    /// for messages.
    pub(super) fn emit(&self, env: &Env, what: RoomStanza, stanza: &mut Stanza) -> Result<(), StanzaError> {
        stanza.el.attrs_mut().clear();
        match env.rooms.emits(&self.view(), what, &mut Payloads::of(stanza)) {
            Verdict::Pass => {}
            Verdict::Drop if what != RoomStanza::Presence => return Err(StanzaError::policy_violation()),
            Verdict::Bounce(error) if what != RoomStanza::Presence => return Err(error),
            Verdict::Drop | Verdict::Bounce(_) => _ = stanza.el.take_nodes(),
        }
        let room = self.jid.domain().as_str();
        stanza.retain_payloads(|payload| !is_ours(payload, room));
        for retract in stanza.el.children_mut().filter(|payload| payload.has_ns(xml::RETRACT)) {
            for namespace in MODERATION {
                while retract.remove_child("moderated", namespace).is_some() {}
            }
        }
        Ok(())
    }

    /// Takes a presence in: what of it may be shown from now on.
    pub(super) fn shown_of(&self, env: &Env, mut stanza: Stanza) -> Vec<Element> {
        if self.emit(env, RoomStanza::Presence, &mut stanza).is_err() {
            return Vec::new();
        }
        stanza.el.children().cloned().collect()
    }

    pub(super) fn sees(&self, viewer: &Occupant) -> Sees {
        match self.config().whois {
            SeenBy::Anyone => Sees::Addresses,
            SeenBy::Moderators if viewer.is_moderator() => Sees::Addresses,
            SeenBy::Moderators | SeenBy::Nobody => Sees::Nicks,
        }
    }
    /// Is the presence of somebody with this role shown to others (`muc#roomconfig_presencebroadcast`)?
    pub(super) fn is_broadcast(&self, role: Role) -> bool {
        self.config().broadcast.contains(&role)
    }

    /// Shows an occupant to everybody, themselves last. `own` are status codes for themselves.
    pub(super) fn show(&mut self, env: &Env, key: &NickKey, own: &[u16]) {
        self.show_with(env, key, &Notice::default(), own);
    }

    /// The same, saying who or what is behind it.
    pub(super) fn show_with(&mut self, env: &Env, key: &NickKey, notice: &Notice, own: &[u16]) {
        self.show_to_others(env, key, notice);
        let Some(occupant) = self.occupants.get(key) else { return };
        let seats = occupant.seats.clone();
        let (sees, mut mine) = (self.sees(occupant), notice.clone());
        mine.statuses.extend_from_slice(own);
        mine.statuses.push(110);
        let stanza = env.outbox.freeze(self.presence(occupant, &mine, sees, Audience::Self_));
        self.out.extend(seats.into_iter().map(|seat| Out::Deliver(stanza.clone(), seat)));
    }

    pub(super) fn show_to_others(&mut self, env: &Env, key: &NickKey, notice: &Notice) {
        let Some(occupant) = self.occupants.get(key) else { return };
        let plain = notice.statuses.is_empty() && notice.actor.is_none() && !notice.gone;
        let shown = self.is_broadcast(occupant.role);
        let mut made: [Option<Arc<Frozen>>; 2] = [None, None];
        let mut deliveries = Vec::with_capacity(self.seats.len());
        for viewer in self.occupants.values().filter(|viewer| shown || viewer.is_moderator()) {
            if viewer.nick == occupant.nick {
                continue;
            }
            let sees = self.sees(viewer);
            let slot = match sees {
                Sees::Nicks => &mut made[0],
                Sees::Addresses => &mut made[1],
            };
            let cached = if plain { occupant.shown(sees) } else { None };
            let stanza = slot.get_or_insert_with(|| {
                cached.unwrap_or_else(|| env.outbox.freeze(self.presence(occupant, notice, sees, Audience::Others)))
            });
            deliveries.extend(viewer.seats.iter().map(|seat| Out::Deliver(stanza.clone(), seat.clone())));
        }
        self.out.extend(deliveries);
        if plain && let Some(occupant) = self.occupants.get_mut(key) {
            for (sees, made) in [Sees::Nicks, Sees::Addresses].into_iter().zip(made) {
                if let Some(made) = made {
                    occupant.set_shown(sees, &made);
                }
            }
        }
    }

    /// What follows when a role changed: who is not shown any more is gone for all but moderators, and a new moderator
    /// sees everybody as moderators do, where that is a difference.
    pub(super) fn role_changed(&mut self, env: &Env, key: &NickKey, before: Role) {
        let Some(occupant) = self.occupants.get(key) else { return };
        let (role, seats) = (occupant.role, occupant.seats.clone());
        if self.is_broadcast(before) && !self.is_broadcast(role) {
            self.hide(env, key);
        }
        let hides = self.config().whois == SeenBy::Moderators || self.config().broadcast.len() < 3;
        if hides && role == Role::Moderator && before != Role::Moderator {
            for seat in seats {
                self.introduce(env, &seat, key);
            }
        }
    }

    /// An occupant is still there, but shown to moderators alone.
    pub(super) fn hide(&mut self, env: &Env, key: &NickKey) {
        let Some(occupant) = self.occupants.get(key) else { return };
        let others = self.occupants.values().filter(|viewer| !viewer.is_moderator() && viewer.nick != occupant.nick);
        let seats: Vec<_> = others.flat_map(|viewer| viewer.seats.iter().cloned()).collect();
        let gone = self.presence(occupant, &Notice::gone(&[]), Sees::Nicks, Audience::Others);
        self.tell(env, gone, seats);
    }

    /// Who sees addresses learns that it is another one now; for all others nothing happened (H27).
    pub(super) fn show_address(&mut self, env: &Env, key: &NickKey) {
        let Some(occupant) = self.occupants.get(key) else { return };
        let shown = self.is_broadcast(occupant.role);
        let viewers = self.occupants.values().filter(|viewer| self.sees(viewer) == Sees::Addresses);
        let viewers = viewers.filter(|viewer| viewer.nick != occupant.nick && (shown || viewer.is_moderator()));
        let seats: Vec<_> = viewers.flat_map(|viewer| viewer.seats.iter().cloned()).collect();
        let stanza = self.presence(occupant, &Notice::default(), Sees::Addresses, Audience::Others);
        self.tell(env, stanza, seats);
    }

    /// Everybody else as they are now, to one session: pointers where others were shown the same before.
    pub(super) fn introduce(&mut self, env: &Env, seat: &Arc<FullJid>, key: &NickKey) {
        let Some(viewer) = self.occupants.get(key) else { return };
        let (sees, moderator) = (self.sees(viewer), viewer.is_moderator());
        let others: Vec<NickKey> = self
            .occupants
            .iter()
            .filter(|(other, occupant)| *other != key && (moderator || self.is_broadcast(occupant.role)))
            .map(|(other, _)| other.clone())
            .collect();
        for other in others {
            if let Some(stanza) = self.shown_to(env, &other, sees) {
                self.out.push(Out::Deliver(stanza, seat.clone()));
            }
        }
    }
    /// An occupant's presence for one audience, made once.
    pub(super) fn shown_to(&mut self, env: &Env, key: &NickKey, sees: Sees) -> Option<Arc<Frozen>> {
        let occupant = self.occupants.get(key)?;
        if let Some(shown) = occupant.shown(sees) {
            return Some(shown);
        }
        let stanza = env.outbox.freeze(self.presence(occupant, &Notice::default(), sees, Audience::Others));
        self.occupants.get_mut(key)?.set_shown(sees, &stanza);
        Some(stanza)
    }

    /// The presence of an occupant: what may be shown of the client's, and what the room says.
    pub(super) fn presence(&self, occupant: &Occupant, notice: &Notice, sees: Sees, audience: Audience) -> Stanza {
        let kind = if notice.gone || notice.nick.is_some() { PresenceType::Unavailable } else { PresenceType::Available };
        let mut stanza = Stanza::new(Kind::Presence(kind), Some(occupant.jid.clone()), None);
        if kind == PresenceType::Available {
            stanza = occupant.payloads.iter().cloned().fold(stanza, Stanza::with);
        }
        stanza = stanza.with(self.user(occupant, notice, sees, audience));
        if let Some(id) = &occupant.id {
            stanza = stanza.with(occupant_id(id));
        }
        if kind == PresenceType::Available && !occupant.hats.is_empty() {
            stanza = stanza.with(super::hats::element(&occupant.hats));
        }
        stanza
    }

    fn user(&self, occupant: &Occupant, notice: &Notice, sees: Sees, audience: Audience) -> Element {
        let mut item = Element::bare("item", ns::MUC_USER);
        let role = if notice.gone { Role::None } else { occupant.role };
        // With the room go the ties to it (section 10.9).
        let affiliation = if notice.destroy.is_some() { Affiliation::None } else { occupant.affiliation };
        xml::set(&mut item, xml_ncname!("affiliation"), affiliation.as_str());
        xml::set(&mut item, xml_ncname!("role"), role.as_str());
        if (sees == Sees::Addresses || audience == Audience::Self_)
            && let Some(seat) = occupant.first_seat()
        {
            xml::set(&mut item, xml_ncname!("jid"), seat.as_str());
        }
        if let Some(nick) = &notice.nick {
            xml::set(&mut item, xml_ncname!("nick"), nick);
        }
        if let Some(actor) = &notice.actor {
            item.append_child(actor.element(sees));
        }
        if let Some(reason) = &notice.reason {
            item.append_child(xml::text("reason", ns::MUC_USER, reason));
        }
        let mut user = Element::builder("x", ns::MUC_USER).append(item).build();
        if let Some(destroy) = &notice.destroy {
            user.append_child(destroy.clone());
        }
        for code in &notice.statuses {
            user.append_child(xml::status(*code));
        }
        user
    }

    /// Who an actor is to the occupants.
    pub(super) fn actor(&self, who: &Jid) -> Option<Actor> {
        let occupant = self.occupant_at(who)?;
        Some(Actor { nick: occupant.nick.as_str().to_owned(), jid: Some(who.clone()) })
    }

    /// All sessions inside.
    pub(super) fn everybody(&self) -> Vec<Arc<FullJid>> {
        self.occupants.values().flat_map(|occupant| occupant.seats.iter().cloned()).collect()
    }
    /// Something that the room itself says to these sessions.
    pub(super) fn tell(&mut self, env: &Env, stanza: Stanza, to: Vec<Arc<FullJid>>) {
        if to.is_empty() {
            return;
        }
        let frozen = env.outbox.freeze(stanza);
        self.out.extend(to.into_iter().map(|seat| Out::Deliver(frozen.clone(), seat)));
    }
    /// Does `who` sit inside?
    pub(super) fn is_inside(&self, who: &BareJid) -> bool {
        self.occupants.values().any(|occupant| occupant.bare == *who)
    }
}

/// Whom a presence is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Others,
    /// The occupant: their own address is no secret to them.
    Self_,
}

impl Actor {
    fn element(&self, sees: Sees) -> Element {
        let mut actor = Element::bare("actor", ns::MUC_USER);
        xml::set(&mut actor, xml_ncname!("nick"), &self.nick);
        if let (Sees::Addresses, Some(jid)) = (sees, &self.jid) {
            xml::set(&mut actor, xml_ncname!("jid"), jid.as_str());
        }
        actor
    }
}

/// `<occupant-id/>` (XEP-0421).
pub(super) fn occupant_id(id: &str) -> Element {
    Element::builder("occupant-id", ns::OCCUPANT_ID).attr(xml_ncname!("id").to_owned(), id).build()
}

/// Moderation, as it was and as it is.
const MODERATION: [&str; 2] = [xml::MODERATE, OLD_MODERATE];

/// What only the room says, whoever claims it: the floor under all filters (H22).
fn is_ours(payload: &Element, service: &str) -> bool {
    let by_us = |name| payload.attr(name).and_then(|by| Jid::new(by).ok()).is_some_and(|by| by.domain().as_str() == service);
    match payload.ns().as_str() {
        ns::MUC | ns::MUC_USER | ns::OCCUPANT_ID | ns::DELAY | "jabber:x:delay" | "jabber:x:signed" => true,
        "http://jabber.org/protocol/nick" => true,
        // One that says not whose it is could be the room's.
        ns::SID => payload.name() == "stanza-id" && (payload.attr(xml_ncname!("by")).is_none() || by_us(xml_ncname!("by"))),
        ns::FORWARD | ns::MAM | xml::MODERATE | OLD_MODERATE => true,
        xml::RETRACT => payload.name() == "retracted",
        FASTEN => payload.children().any(|inner| MODERATION.iter().any(|namespace| inner.has_ns(*namespace))),
        namespace => namespace.starts_with("urn:xmpp:hats:") || namespace.starts_with("http://jabber.org/protocol/muc#"),
    }
}
