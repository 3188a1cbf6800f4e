//! The room's archive (XEP-0313): who may read it, how rows are written and how they are read (H28). A row names nobody: it
//! has its author's tag, and the real address only when everybody saw that when it was written; ids are derived when it
//! is read, so that a wish of today holds for what was said before.

use super::{Archived, Env, Room, ids, model::Affiliation};
use bocage_api::{
    OptOut, Reveal, StanzaError,
    archive::{ArchiveEntry, ArchiveQuery, ArchiveRow, ArchivedMessage, Party, Retraction},
    clock::UnixSeconds,
    ns,
    stanza::MessageType,
};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::{collections::BTreeSet, sync::Arc};

/// What a reader needs of a room, without the room.
pub(crate) struct Reader {
    room: BareJid,
    key: [u8; 32],
    /// Ids of who has no wish, and of who has one.
    reveals: (Reveal, Reveal),
    opted: BTreeSet<String>,
    open: bool,
    from: UnixSeconds,
}

/// Author and real address of a row, as its sealed `to` holds them.
pub(super) fn written_by(to: &str) -> (&str, Option<&str>) {
    match to.split_once(' ') {
        Some((author, real)) => (author, Some(real)),
        None => (to, None),
    }
}

impl Room {
    /// Members, and who is inside of a room that is not for members only (XEP-0313 section 6.2, H26).
    pub(crate) fn reader(&self, env: &Env, from: &Jid) -> Result<Reader, StanzaError> {
        if !self.exists || self.locked {
            return Err(StanzaError::item_not_found());
        }
        let affiliation = self.affiliation(&from.to_bare());
        let reads = affiliation >= Affiliation::Member || self.is_inside(&from.to_bare());
        if !reads || affiliation == Affiliation::Outcast {
            return Err(StanzaError::forbidden());
        }
        Ok(Reader {
            room: self.jid.clone(),
            key: self.state.keys.id,
            reveals: (self.reveal(env, OptOut::No), self.reveal(env, OptOut::Yes)),
            opted: self.opted.clone(),
            open: self.is_open(),
            from: self.oldest_kept(env),
        })
    }

    /// A message for the archive. `real`: where it came from.
    pub(super) fn entry(&self, env: &Env, it: &Archived, real: Option<&Jid>, retracts: Option<Retraction>) -> ArchiveEntry {
        let to = match real.filter(|_| self.is_open()) {
            Some(real) => format!("{} {real}", it.author),
            None => it.author.clone(),
        };
        let mut plain = super::Stanza::new(bocage_api::Kind::Message(MessageType::Groupchat), Some(it.from.clone()), None);
        plain.el = it.payloads.clone();
        let message = ArchivedMessage {
            from: it.from.as_str().to_owned(),
            to,
            kind: MessageType::Groupchat,
            message_id: it.message_id.clone(),
            lang: it.lang.clone(),
            payload: env.outbox.freeze(plain).payload_bytes().to_vec().into(),
        };
        let account = real.map_or_else(|| self.jid.clone(), Jid::to_bare);
        ArchiveEntry {
            owner: self.jid.clone(),
            id: it.id,
            stamp: it.stamp,
            party: Party::Author { account, occupant: it.from.clone() },
            message: Arc::new(message),
            kept: true,
            held: None,
            retracts,
        }
    }
}

impl Reader {
    pub(crate) fn room(&self) -> &BareJid {
        &self.room
    }
    /// Nobody finds anybody by a real address, moderators included; `false`: nothing can be found.
    pub(crate) fn narrow(&self, query: &mut ArchiveQuery) -> bool {
        query.start = Some(query.start.map_or(self.from, |start| start.max(self.from)));
        query.with.as_ref().is_none_or(|with| with.to_bare() == self.room && with.resource().is_some())
    }

    /// A row as it is given out.
    pub(crate) fn dress(&self, row: &mut ArchiveRow) {
        let to = std::mem::take(&mut row.message.to);
        let (author, real) = written_by(&to);
        let nick = row.message.from.split_once('/').map(|(_, nick)| nick).unwrap_or_default();
        let reveal = if self.opted.contains(author) { self.reveals.1 } else { self.reveals.0 };
        let id = match reveal {
            _ if author.is_empty() => None,
            Reveal::Nothing => None,
            Reveal::Nick => Some(ids::keyed(&self.key, &[author, nick])),
            Reveal::Stable => Some(ids::keyed(&self.key, &[author])),
        };
        let mut payload = row.message.payload.to_vec();
        if let Some(id) = id {
            payload.extend_from_slice(String::from(&super::emit::occupant_id(&id)).as_bytes());
        }
        if let Some(real) = real.filter(|_| self.open) {
            let item = Element::builder("item", ns::MUC_USER).attr(xml_ncname!("jid").to_owned(), real).build();
            let user = Element::builder("x", ns::MUC_USER).append(item).build();
            payload.extend_from_slice(String::from(&user).as_bytes());
        }
        row.message.payload = payload.into();
    }
}
