//! Leaving, on purpose or not (XEP-0045 sections 7.14, 8.2, 18.1.2; H27).

use super::{Env, NickKey, Out, Room, emit::Notice, input::Cause};
use crate::xml;
use bocage_api::{Stanza, error::NS_STANZAS, ns};
use jid::FullJid;
use std::sync::Arc;

/// Leaves that are held back in one room; more are shown at once.
const MAX_HELD: usize = 1_000;

/// Errors that say: whoever the stanza was for is not there (any more).
const DEAD: [&str; 8] = [
    "gone",
    "item-not-found",
    "recipient-unavailable",
    "redirect",
    "remote-server-not-found",
    "remote-server-timeout",
    "service-unavailable",
    "jid-malformed",
];

impl Room {
    /// Others see it at once when it was meant, and after a random while when a connection was lost: who watches several
    /// rooms would see the same person vanish from all of them in one instant. For itself the session is out at once.
    pub(super) fn unavailable(&mut self, env: &Env, seat: &FullJid, stanza: &Stanza, cause: Cause) {
        let jitter = env.rooms.leave_jitter();
        let holds = cause == Cause::SessionOver && !jitter.is_zero() && self.held.len() < MAX_HELD;
        if !holds {
            return self.stand_up(env, seat, (&Notice::gone(&[]), stanza.id.clone()));
        }
        let Some(key) = self.seats.get(seat).cloned() else { return };
        self.goodbye(env, seat, &key, (&Notice::gone(&[]), stanza.id.clone()));
        self.seats.remove(seat);
        let Some(occupant) = self.occupants.get_mut(&key) else { return };
        let at = occupant.seats.iter().position(|other| **other == *seat);
        occupant.left = at.map(|at| occupant.seats.remove(at));
        if occupant.seats.is_empty() {
            self.hold_back(key, env.clock.mono() + env.entropy.duration_up_to(jitter));
        } else {
            occupant.forget_shown();
        }
    }

    /// An error came back from an occupant's session.
    pub(super) fn dead(&mut self, env: &Env, seat: &FullJid, stanza: &Stanza) {
        let condition = stanza.el.get_child("error", ns::CLIENT).and_then(|error| {
            error.children().find(|el| el.has_ns(NS_STANZAS) && el.name() != "text").map(|el| el.name().to_owned())
        });
        if condition.is_none_or(|condition| DEAD.contains(&condition.as_str())) {
            self.lost(env, seat);
        }
    }

    /// A session cannot be reached: its occupant is out for a technical reason (333; section 11.1 advises against 307
    /// beside it).
    pub(crate) fn lost(&mut self, env: &Env, seat: &FullJid) {
        self.stand_up(env, seat, (&Notice::gone(&[333]), None));
    }

    /// Takes a session from its seat; with the last one the occupant is gone.
    fn stand_up(&mut self, env: &Env, seat: &FullJid, (notice, id): (&Notice, Option<String>)) {
        let Some(key) = self.seats.get(seat).cloned() else { return };
        let Some(occupant) = self.occupants.get(&key) else { return };
        let last = occupant.seats.len() <= 1;
        if last {
            self.show_to_others(env, &key, notice);
        }
        self.goodbye(env, seat, &key, (notice, id));
        self.seats.remove(seat);
        if last {
            self.occupant_gone(env, &key);
        } else if let Some(occupant) = self.occupants.get_mut(&key) {
            occupant.seats.retain(|other| **other != *seat);
            occupant.forget_shown();
        }
        self.maybe_end();
    }

    /// A session reads that it is out.
    fn goodbye(&mut self, env: &Env, seat: &FullJid, key: &NickKey, (notice, id): (&Notice, Option<String>)) {
        let Some(occupant) = self.occupants.get(key) else { return };
        let mut own = notice.clone();
        own.statuses.push(110);
        let mut stanza = self.presence(occupant, &own, self.sees(occupant), super::emit::Audience::Self_);
        stanza.id = id;
        self.tell(env, stanza, vec![Arc::new(seat.clone())]);
    }

    /// All sessions of an occupant are out: kicked, banned, not a member any more.
    pub(super) fn remove(&mut self, env: &Env, key: &NickKey, notice: &Notice) {
        let Some(occupant) = self.occupants.get(key) else { return };
        let seats = occupant.seats.clone();
        self.show_to_others(env, key, notice);
        for seat in &seats {
            self.goodbye(env, seat, key, (notice, None));
            self.seats.remove(&**seat);
        }
        self.occupant_gone(env, key);
        self.maybe_end();
    }

    /// Everybody is out (destroyed, the service stops, the promise about real JIDs changes).
    pub(super) fn remove_all(&mut self, env: &Env, notice: &Notice) {
        // Each is told of themselves alone: all the others are going as well.
        let occupants = std::mem::take(&mut self.occupants);
        self.seats.clear();
        self.held.clear();
        self.asked.clear();
        for occupant in occupants.into_values() {
            let mut own = notice.clone();
            own.statuses.push(110);
            let stanza = self.presence(&occupant, &own, self.sees(&occupant), super::emit::Audience::Self_);
            let frozen = env.outbox.freeze(stanza);
            self.out.extend(occupant.seats.iter().map(|seat| Out::Deliver(frozen.clone(), seat.clone())));
        }
    }

    /// The service stops (332).
    pub(crate) fn shutdown(&mut self, env: &Env) {
        self.remove_all(env, &Notice::gone(&[332]));
    }

    /// A room that nobody set up or that does not last ends with its last occupant.
    pub(super) fn maybe_end(&mut self) {
        if self.occupants.is_empty() && self.exists && (self.locked || !self.config().persistent) {
            self.end();
        }
    }
    /// Nothing is left of it.
    pub(super) fn end(&mut self) {
        self.exists = false;
        self.locked = false;
        self.grants.clear();
        self.past.clear();
        self.remembered.clear();
        self.state.subject = None;
        self.out.push(Out::Keep(super::Kept::Destroyed));
    }
    /// `<destroy/>` as occupants read it (section 10.9).
    pub(super) fn destroy_element(venue: Option<&str>, password: Option<&str>, reason: Option<&str>) -> minidom::Element {
        let mut destroy = minidom::Element::bare("destroy", ns::MUC_USER);
        if let Some(venue) = venue {
            xml::set(&mut destroy, rxml::xml_ncname!("jid"), venue);
        }
        for (name, text) in [("password", password), ("reason", reason)] {
            if let Some(text) = text {
                destroy.append_child(xml::text(name, ns::MUC_USER, text));
            }
        }
        destroy
    }
}
