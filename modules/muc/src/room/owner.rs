//! What owners do (XEP-0045 section 10): set up, destroy.

use super::{
    Env, Kept, NickKey, Out, Room, config,
    emit::Notice,
    form::Submitted,
    model::{Affiliation, RoomConfig, SeenBy},
};
use crate::xml::{self, OWNER, ROOM_CONFIG};
use bocage_api::{Kind, StanzaError, ns, stanza::MessageType};
use jid::Jid;
use minidom::Element;
use rxml::xml_ncname;
use std::time::Duration;

impl Room {
    pub(super) fn owner_get(&mut self, env: &Env, from: &Jid) -> Result<Element, StanzaError> {
        self.must_own(from)?;
        Ok(Element::builder("query", OWNER).append(config::form(env, self.config())).build())
    }

    fn must_own(&self, from: &Jid) -> Result<(), StanzaError> {
        if self.affiliation(&from.to_bare()) == Affiliation::Owner { Ok(()) } else { Err(StanzaError::forbidden()) }
    }

    pub(super) fn owner_set(&mut self, env: &Env, query: &Element, from: &Jid) -> Result<(), StanzaError> {
        self.must_own(from)?;
        if let Some(destroy) = query.get_child("destroy", OWNER) {
            self.destroy(env, destroy);
            return Ok(());
        }
        let form = query.get_child("x", ns::DATA_FORMS).ok_or_else(StanzaError::bad_request)?;
        match form.attr(xml_ncname!("type")) {
            // Section 10.1.3: who cancels the first form does not want the room.
            Some("cancel") if self.locked => {
                self.remove_all(env, &Notice::gone(&[]));
                self.end();
                Ok(())
            }
            Some("cancel") => Ok(()),
            Some("submit") => {
                let given = Submitted::of(form, ROOM_CONFIG).ok_or_else(StanzaError::bad_request)?;
                let config = config::apply(env, self.config(), &given)?;
                self.reconfigure(env, config, from);
                Ok(())
            }
            _ => Err(StanzaError::bad_request()),
        }
    }

    /// Section 10.9.
    fn destroy(&mut self, env: &Env, destroy: &Element) {
        let venue = destroy.attr(xml_ncname!("jid")).and_then(|jid| Jid::new(jid).ok()).map(|jid| jid.to_bare());
        let text = |name| xml::child_text(destroy, name, OWNER);
        let element =
            Self::destroy_element(venue.as_ref().map(|jid| jid.as_str()), text("password").as_deref(), text("reason").as_deref());
        self.remove_all(env, &Notice { destroy: Some(element), gone: true, ..Notice::default() });
        self.end();
    }

    fn reconfigure(&mut self, env: &Env, config: RoomConfig, from: &Jid) {
        let was_locked = std::mem::replace(&mut self.locked, false);
        let was_logged = self.is_publicly_logged(env);
        let before = std::mem::replace(&mut self.state.config, config);
        if before == self.state.config && !was_locked {
            return;
        }
        self.opens(env, &before, was_locked, from);
        self.store_room();
        if was_locked && self.config().persistent {
            let grants: Vec<_> = self.grants.keys().cloned().collect();
            grants.iter().for_each(|who| self.store_grant(who));
        }
        if before.persistent && !self.config().persistent && !was_locked {
            self.out.push(Out::Keep(Kept::Destroyed));
        }
        if !before.persistent && self.config().persistent {
            let grants: Vec<_> = self.grants.keys().cloned().collect();
            grants.iter().for_each(|who| self.store_grant(who));
        }
        if before.retention != self.config().retention {
            let own = self.config().retention;
            self.out.push(Out::Keep(Kept::Keeps((own > 0).then(|| Duration::from_secs(own)))));
        }
        self.expel_strangers(env);
        // Who made the room knows what they set; but who sees whom is said always.
        if !was_locked || before.whois != self.config().whois {
            self.tell_changes(env, (&before, was_logged));
        }
        self.forget_all_shown(env, (&before, was_locked));
    }

    /// From `moderators` to `anyone` (H20): who is inside was promised something else. They are out, with a text, and what
    /// was written under the old promise goes.
    fn opens(&mut self, env: &Env, before: &RoomConfig, was_locked: bool, from: &Jid) {
        if self.config().whois != SeenBy::Anyone || before.whois == SeenBy::Anyone {
            return;
        }
        let owner = from.to_bare();
        self.grants.iter_mut().for_each(|(who, grant)| grant.open = *who == owner);
        self.past.clear();
        self.remembered.clear();
        self.state.archive_from = env.clock.wall();
        if was_locked {
            return;
        }
        self.out.push(Out::Keep(Kept::Forgotten));
        let grants: Vec<_> = self.grants.keys().cloned().collect();
        grants.iter().for_each(|who| self.store_grant(who));
        let reason = "From now on everybody in this room sees real addresses: come back if you agree.".to_owned();
        // The codes say it to those who read no English: removed (307), not anonymous any more (172).
        let notice = Notice { reason: Some(reason), ..Notice::gone(&[172, 307]) };
        self.remove_all(env, &notice);
    }

    /// Section 10.2: a room that becomes members-only removes who is none (322).
    fn expel_strangers(&mut self, env: &Env) {
        if !self.config().members_only {
            return;
        }
        let strangers = self.occupants.iter().filter(|(_, occupant)| occupant.affiliation < Affiliation::Member);
        let strangers: Vec<_> = strangers.map(|(key, _)| key.clone()).collect();
        for key in strangers {
            self.remove(env, &key, &Notice::gone(&[322]));
        }
    }

    /// Section 10.2.1.
    fn tell_changes(&mut self, env: &Env, (before, was_logged): (&RoomConfig, bool)) {
        let (now, is_logged) = (self.config(), self.is_publicly_logged(env));
        let (mut codes, mut explained) = (Vec::new(), before.clone());
        if was_logged != is_logged {
            codes.push(if is_logged { 170 } else { 171 });
            (explained.public, explained.members_only, explained.archive) = (now.public, now.members_only, now.archive);
            explained.password.clone_from(&now.password);
        }
        match (before.whois == SeenBy::Anyone, now.whois == SeenBy::Anyone) {
            (false, true) => codes.push(172),
            (true, false) => codes.push(173),
            _ => {}
        }
        if !codes.is_empty() {
            explained.whois = now.whois;
        }
        // "For any other configuration change".
        if explained != *now {
            codes.push(104);
        }
        if codes.is_empty() {
            return;
        }
        let user = Element::builder("x", ns::MUC_USER).append_all(codes.into_iter().map(xml::status)).build();
        let stanza = xml::stanza(Kind::Message(MessageType::Groupchat), self.me.clone(), [user]);
        let everybody = self.everybody();
        self.tell(env, stanza, everybody);
    }

    /// What was shown under another configuration is not shown again as it was.
    fn forget_all_shown(&mut self, env: &Env, (before, was_locked): (&RoomConfig, bool)) {
        let keys: Vec<_> = self.occupants.keys().cloned().collect();
        for key in &keys {
            if let Some(occupant) = self.occupants.get_mut(key) {
                let payloads = std::mem::take(&mut occupant.payloads);
                let stanza =
                    xml::stanza(Kind::Presence(bocage_api::stanza::PresenceType::Available), occupant.jid.clone(), payloads);
                let payloads = self.shown_of(env, stanza);
                if let Some(occupant) = self.occupants.get_mut(key) {
                    occupant.payloads = payloads;
                    occupant.forget_shown();
                }
            }
        }
        if before.occupant_id != self.config().occupant_id {
            self.refresh_ids(env);
        }
        if before.whois != self.config().whois && !was_locked {
            keys.iter().for_each(|key| self.show(env, key, &[]));
        }
        let shown =
            |config: &RoomConfig, key: &NickKey| self.occupants.get(key).is_some_and(|o| config.broadcast.contains(&o.role));
        let changed = |key: &&NickKey| shown(before, key) != shown(self.config(), key);
        let changed: Vec<NickKey> = keys.iter().filter(changed).cloned().collect();
        for key in changed {
            if self.occupants.get(&key).is_some_and(|occupant| self.is_broadcast(occupant.role)) {
                self.show_to_others(env, &key, &Notice::default());
            } else {
                self.hide(env, &key);
            }
        }
    }
}
