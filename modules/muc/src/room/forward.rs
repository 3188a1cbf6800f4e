//! Iqs between occupants where everybody sees real addresses anyway (XEP-0045 section 17.4, H23): calls, devices, pictures.
//! Each side reads the other's address in the room. Elsewhere no iq reaches an occupant.

use super::{Env, NickKey, Out, Room, held::Waiting};
use crate::xml;
use bocage_api::{Kind, Stanza, StanzaError, ns, stanza::IqType};
use jid::Jid;
use std::time::Duration;

/// Requests of one room that wait for an answer, those of one asker, and for how long.
const MAX_ASKED: usize = 200;
const MAX_OF_ONE: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// What an account answers, and not one of its clients.
const ACCOUNTS: [&str; 3] = [ns::VCARD, "urn:ietf:params:xml:ns:vcard-4.0", "http://jabber.org/protocol/pubsub"];
/// What only servers say to their own clients.
const PUSHED: [&str; 2] = [ns::ROSTER, ns::BLOCKING];

/// A request that was handed on.
pub(super) struct Asked {
    /// Random: what the one asked reads is not the asker's own.
    id: String,
    /// Where the answer has to come from.
    of: Jid,
    /// As it came: who asks, whom, under which id.
    head: Stanza,
    pub(super) until: Duration,
}

impl Room {
    /// Hands a request on to the occupant `key`.
    pub(super) fn forward(&mut self, env: &Env, stanza: Stanza, (from, key): (&Jid, &NickKey)) -> Result<(), StanzaError> {
        let pushed = stanza.payload().is_none_or(|payload| PUSHED.contains(&payload.ns().as_str()));
        let (true, Some(asker)) = (self.is_open() && !pushed, self.occupant_at(from)) else {
            return Err(StanzaError::service_unavailable());
        };
        let name = asker.jid.clone();
        let theirs = self.asked.iter().filter(|asked| asked.head.from.as_ref() == Some(from)).count();
        if theirs >= MAX_OF_ONE || self.asked.len() >= MAX_ASKED {
            return Err(StanzaError::resource_constraint());
        }
        self.private_rate(env, from)?;
        let head = xml::head(&stanza);
        let mut ready = Stanza { from: Some(name), ..stanza };
        ready.el.attrs_mut().clear();
        if self.is_held(key) {
            return self.wait_for(env, key, Waiting::new(head, ready));
        }
        self.hand_on(env, head, ready, key);
        Ok(())
    }

    /// To the session that spoke last, or to its account.
    pub(super) fn hand_on(&mut self, env: &Env, head: Stanza, mut ready: Stanza, key: &NickKey) {
        let Some((bare, seat)) =
            self.occupants.get(key).and_then(|asked| Some((asked.bare.clone(), asked.seats.last()?.clone())))
        else {
            return self.refuse(env, &head, &StanzaError::item_not_found());
        };
        let accounts = ready.payload().is_some_and(|payload| ACCOUNTS.contains(&payload.ns().as_str()));
        let of = if accounts { Jid::from(bare) } else { Jid::from((*seat).clone()) };
        let (id, until) = (env.entropy.id(), env.clock.mono() + PATIENCE);
        (ready.id, ready.to) = (Some(id.clone()), Some(of.clone()));
        self.asked.push(Asked { id, of, head, until });
        self.out.push(if accounts { Out::Mail(Box::new(ready)) } else { Out::Deliver(env.outbox.freeze(ready), seat) });
    }

    /// What came back from whom something was asked; of errors the condition alone.
    pub(super) fn answered(&mut self, env: &Env, stanza: &Stanza) {
        let meant = |asked: &Asked| stanza.id.as_deref() == Some(&asked.id) && stanza.from.as_ref() == Some(&asked.of);
        let Some(at) = self.asked.iter().position(meant) else { return };
        let Asked { head, .. } = self.asked.swap_remove(at);
        let inside = head.from.as_ref().is_some_and(|from| self.occupant_at(from).is_some());
        if !inside {
            return;
        }
        if !self.is_open() {
            return self.refuse(env, &head, &StanzaError::service_unavailable());
        }
        if stanza.kind == Kind::Iq(IqType::Result) {
            let mut answer = head.result(None);
            stanza.el.children().for_each(|payload| _ = answer.el.append_child(payload.clone()));
            return self.answer(env, answer);
        }
        let error = stanza.el.get_child("error", ns::CLIENT).map_or_else(StanzaError::service_unavailable, StanzaError::read);
        self.refuse(env, &head, &error);
    }

    /// Who does not answer is not waited for.
    pub(super) fn give_up_waiting(&mut self, env: &Env, now: Duration) {
        let (late, asked) = std::mem::take(&mut self.asked).into_iter().partition(|asked| asked.until <= now);
        self.asked = asked;
        let late: Vec<Asked> = late;
        for Asked { head, .. } in late {
            self.refuse(env, &head, &StanzaError::remote_server_timeout());
        }
    }
}
