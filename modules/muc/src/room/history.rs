//! What was said lately, for newcomers (XEP-0045 section 7.2.13).
//!
//! Ids are not kept with the messages but derived when they are shown: who opts out is somebody else in old messages, too.

use super::{Env, Room};
use crate::xml;
use bocage_api::{
    Frozen, Kind, OptOut, Stanza,
    archive::{ArchiveRow, StanzaId, payload_tree},
    clock::UnixSeconds,
    ns,
    stanza::MessageType,
};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;

/// Messages in memory per room, at most.
pub(crate) const MAX_PAST: usize = 100;

/// A message as it is remembered: no address of anybody, but an `author` tag that says nothing outside of this room.
#[derive(Clone, Debug)]
pub(crate) struct Archived {
    pub(crate) id: StanzaId,
    pub(crate) stamp: UnixSeconds,
    /// `room@service/nick`, or the room itself.
    pub(crate) from: Jid,
    pub(crate) author: String,
    pub(crate) message_id: Option<String>,
    pub(crate) lang: Option<String>,
    /// Filtered, without anything of the room's.
    pub(crate) payloads: Element,
}

/// A message in memory.
pub(crate) struct Past {
    pub(crate) it: Archived,
    who: Option<BareJid>,
    shown: Option<Arc<Frozen>>,
}

impl Past {
    pub(crate) fn new(it: Archived, who: Option<BareJid>) -> Self {
        Self { it, who, shown: None }
    }
    /// As it was archived; `None` for what cannot be read.
    pub(crate) fn of(row: &ArchiveRow) -> Option<Self> {
        let (author, _) = super::reader::written_by(&row.message.to);
        let it = Archived {
            id: row.id,
            stamp: row.stamp,
            from: Jid::new(&row.message.from).ok()?,
            author: author.to_owned(),
            message_id: row.message.message_id.clone(),
            lang: row.message.lang.clone(),
            payloads: payload_tree(&row.message.payload)?,
        };
        Some(Self::new(it, None))
    }
    pub(crate) fn forget_shown(&mut self) {
        self.shown = None;
    }
}

/// What a newcomer wants to hear.
pub(super) struct Wanted {
    pub(super) chars: usize,
    pub(super) stanzas: usize,
    pub(super) since: UnixSeconds,
}

impl Wanted {
    /// Numbers that cannot be read count as not given; negative ones as none.
    pub(super) fn of(history: Option<&Element>, most: u32, now: UnixSeconds) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(MAX_PAST);
        let mut wanted = Self { chars: usize::MAX, stanzas: most, since: UnixSeconds::MIN };
        let Some(history) = history else { return wanted };
        let number = |name| history.attr(name).and_then(|text| text.trim().parse::<i64>().ok()).map(|n| n.max(0));
        let count = |name| number(name).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        wanted.chars = count(xml_ncname!("maxchars")).unwrap_or(usize::MAX);
        wanted.stanzas = most.min(count(xml_ncname!("maxstanzas")).unwrap_or(usize::MAX));
        if let Some(seconds) = number(xml_ncname!("seconds")) {
            wanted.since = now.saturating_sub(seconds);
        }
        let since = history.attr(xml_ncname!("since")).and_then(|text| text.parse::<xmpp_time::DateTime>().ok());
        if let Some(since) = since {
            wanted.since = wanted.since.max(since.0.timestamp());
        }
        wanted
    }
}

/// XEP-0082 as xmpp-parsers reads it.
mod xmpp_time {
    pub(super) use bocage_api::dep::xmpp_parsers::date::DateTime;
}

impl Room {
    /// Remembers what was said.
    pub(super) fn remember_said(&mut self, it: Archived, who: BareJid) {
        let most = usize::try_from(self.config().history).unwrap_or(usize::MAX).clamp(20, MAX_PAST);
        self.past.push_back(Past::new(it, Some(who)));
        while self.past.len() > most {
            self.past.pop_front();
        }
    }
    /// It could not be kept: nobody heard it.
    pub(crate) fn unsay(&mut self, id: StanzaId) {
        self.past.retain(|past| past.it.id != id);
    }

    /// The message at `at` as newcomers get it; `None` when it is older than `since` or the retention.
    pub(super) fn past_for_newcomers(&mut self, env: &Env, at: usize, since: UnixSeconds) -> Option<Arc<Frozen>> {
        // Where nothing is kept, not even this second's.
        if env.rooms.keep(&self.jid).is_zero() {
            return None;
        }
        let oldest = self.oldest_kept(env).max(since);
        let past = self.past.get(at).filter(|past| past.it.stamp >= oldest)?;
        if let Some(shown) = &past.shown {
            return Some(shown.clone());
        }
        let mut stanza = self.again(env, &past.it, past.who.as_ref());
        stanza.el.append_child(xml::delay(self.jid.as_str(), past.it.stamp));
        let frozen = env.outbox.freeze(stanza);
        self.past.get_mut(at)?.shown = Some(frozen.clone());
        Some(frozen)
    }
    /// Messages written before it are not given out any more.
    pub(super) fn oldest_kept(&self, env: &Env) -> UnixSeconds {
        self.oldest_by_period(env).max(self.state.archive_from)
    }
    /// The operator's period, or the room's own where that is shorter (H01).
    pub(super) fn oldest_by_period(&self, env: &Env) -> UnixSeconds {
        let kept = i64::try_from(env.rooms.keep(&self.jid).as_secs()).unwrap_or(i64::MAX);
        let own = i64::try_from(self.config().retention).unwrap_or(i64::MAX);
        let kept = if own == 0 { kept } else { kept.min(own) };
        env.clock.wall().saturating_sub(kept)
    }

    /// An archived message as occupants get it: its id and occupant-id by what holds now.
    pub(crate) fn again(&self, env: &Env, it: &Archived, who: Option<&BareJid>) -> Stanza {
        let mut stanza = Stanza::new(Kind::Message(MessageType::Groupchat), Some(it.from.clone()), None);
        stanza.id.clone_from(&it.message_id);
        stanza.lang.clone_from(&it.lang);
        stanza.el = it.payloads.clone();
        let opted = || if self.opted.contains(&it.author) { OptOut::Yes } else { OptOut::No };
        let wish = who.map_or_else(opted, |who| env.opt_outs.wish(&self.jid, who));
        let nick = it.from.resource().map(|nick| nick.as_str()).unwrap_or_default();
        if !it.author.is_empty()
            && let Some(id) = self.id_of(env, &it.author, nick, wish)
        {
            stanza.el.append_child(super::emit::occupant_id(&id));
        }
        stanza.el.append_child(stanza_id(&it.id.to_string(), self.jid.as_str()));
        stanza
    }
}

/// `<stanza-id/>` (XEP-0359), random (H27).
pub(super) fn stanza_id(id: &str, by: &str) -> Element {
    Element::builder("stanza-id", ns::SID).attr(xml_ncname!("id").to_owned(), id).attr(xml_ncname!("by").to_owned(), by).build()
}
