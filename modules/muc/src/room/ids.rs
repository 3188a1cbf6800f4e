//! Names that say nothing without the room's secrets (H25): `author` in stored rows, occupant-ids on the wire.

use super::{
    Env, MAX_REMEMBERED, Room,
    model::{IdMode, SeenBy},
};
use bocage_api::{OptOut, Reveal};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jid::BareJid;
use sha2::Sha256;

/// 16 bytes of HMAC-SHA256 over the parts, separated, in hexadecimal digits.
pub(super) fn keyed(key: &[u8; 32], parts: &[&str]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part.as_bytes());
    }
    HEXLOWER.encode(&mac.finalize().into_bytes()).chars().take(32).collect()
}

impl Room {
    /// Who wrote something, for rows: the same for all of an account's time in this room.
    pub(super) fn author(&self, who: &BareJid) -> String {
        keyed(&self.state.keys.author, &[who.as_str()])
    }

    /// How much the id of `who` reveals: the room's mode, the policies, and their own wish.
    pub(super) fn reveal(&self, env: &Env, wish: OptOut) -> Reveal {
        let mode = match self.config().occupant_id {
            IdMode::Stable => Reveal::Stable,
            IdMode::Nick => Reveal::Nick,
            IdMode::Off => Reveal::Nothing,
        };
        let wished = if wish == OptOut::Yes { Reveal::Nick } else { Reveal::Stable };
        mode.min(wished).min(env.rooms.reveal(&self.view(), wish))
    }

    /// The occupant-id of an author under a nick.
    pub(super) fn id_of(&self, env: &Env, author: &str, nick: &str, wish: OptOut) -> Option<String> {
        let key = &self.state.keys.id;
        match self.reveal(env, wish) {
            Reveal::Nothing => None,
            Reveal::Nick => Some(keyed(key, &[author, nick])),
            Reveal::Stable => Some(keyed(key, &[author])),
        }
    }

    /// A wish or a policy changed: from now on everybody goes by what holds.
    pub(crate) fn refresh_ids(&mut self, env: &Env) {
        self.opted = env.opt_outs.in_room(&self.jid).iter().map(|who| self.author(who)).collect();
        let keys: Vec<_> = self.occupants.keys().cloned().collect();
        for key in keys {
            let Some(occupant) = self.occupants.get(&key) else { continue };
            let wish = env.opt_outs.wish(&self.jid, &occupant.bare);
            let (author, nick) = (occupant.author.clone(), occupant.nick.as_str().to_owned());
            let (before, id) = (occupant.id.clone(), self.id_of(env, &author, &nick, wish));
            if before == id {
                continue;
            }
            if let Some(occupant) = self.occupants.get_mut(&key) {
                occupant.id = id;
                occupant.forget_shown();
            }
            self.show(env, &key, &[]);
        }
        self.past.iter_mut().for_each(super::Past::forget_shown);
    }

    /// Who is meant by an occupant-id: somebody inside, somebody who left lately, or somebody with an affiliation.
    pub(super) fn by_id(&self, env: &Env, id: &str) -> Option<BareJid> {
        let inside = self.occupants.values().find(|occupant| occupant.id.as_deref() == Some(id));
        let left = || self.remembered.iter().find(|(known, _)| known == id).map(|(_, who)| who.clone());
        let granted = || {
            self.grants.iter().find_map(|(who, grant)| {
                let author = self.author(who);
                let nick = grant.nick.as_deref().unwrap_or_default();
                (self.id_of(env, &author, nick, env.opt_outs.wish(&self.jid, who)).as_deref() == Some(id)).then(|| who.clone())
            })
        };
        inside.map(|occupant| occupant.bare.clone()).or_else(left).or_else(granted)
    }

    pub(super) fn remember(&mut self, id: Option<String>, who: &BareJid) {
        let Some(id) = id else { return };
        self.remembered.retain(|(known, _)| *known != id);
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back((id, who.clone()));
    }

    /// May everybody inside see real JIDs?
    pub(super) fn is_open(&self) -> bool {
        self.config().whois == SeenBy::Anyone
    }
}
