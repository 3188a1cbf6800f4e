//! What a room says about itself (XEP-0045 sections 6.4, 6.5, 7.1.2, 18; XEP-0157, 0486, 0500, 0504).

use super::{
    Env, Room,
    form::Form,
    model::{AllowPm, IdMode, SeenBy},
};
use crate::xml::{self, HATS, MODERATE, RETRACT, ROOM_INFO, SELF_PING, STABLE_ID, TRAFFIC};
use bocage_api::{DiscoPart, Reveal, StanzaError, disco::Identity, ns};
use jid::Jid;
use minidom::Element;
use rxml::xml_ncname;

const ROOM_NICK: &str = "x-roomuser-item";
const EXTENDED: &str = "urn:xmpp:mam:2#extended";

/// Namespaces that presences of rooms carry (H21), by what the room lets occupants show.
const SHOWN: [&str; 2] = [ns::MUC_USER, ns::OCCUPANT_ID];

impl Room {
    pub(super) fn disco_info(&mut self, env: &Env, query: &Element, from: &Jid) -> Result<Element, StanzaError> {
        match query.attr(xml_ncname!("node")) {
            None => Ok(self.info(env, from)),
            Some(ROOM_NICK) => Ok(self.reserved_nick(from)),
            Some(TRAFFIC) => Ok(self.traffic(env)),
            Some(_) => Err(StanzaError::item_not_found()),
        }
    }

    fn info(&self, env: &Env, from: &Jid) -> Element {
        let config = self.config();
        let name = (!config.name.is_empty()).then(|| config.name.clone());
        let identity = Identity { category: "conference", kind: "text", name };
        let mut part = DiscoPart { identities: vec![identity], ..DiscoPart::features(self.features(env)) };
        part.forms = vec![self.room_info(from), self.data_policy(env)];
        part.info()
    }

    fn features(&self, env: &Env) -> Vec<String> {
        let config = self.config();
        let either = |yes: bool, this: &'static str, that: &'static str| if yes { this } else { that };
        let mut features = vec![
            ns::DISCO_INFO,
            ns::DISCO_ITEMS,
            ns::MUC,
            ns::PING,
            ns::VCARD,
            ns::SID,
            ns::DATA_POLICY,
            HATS,
            STABLE_ID,
            SELF_PING,
            xml::REGISTER,
            xml::REQUEST,
            RETRACT,
            MODERATE,
            super::moderate::OLD_MODERATE,
            either(config.public, "muc_public", "muc_hidden"),
            either(config.members_only, "muc_membersonly", "muc_open"),
            either(config.moderated, "muc_moderated", "muc_unmoderated"),
            either(config.whois == SeenBy::Anyone, "muc_nonanonymous", "muc_semianonymous"),
            either(config.persistent, "muc_persistent", "muc_temporary"),
            either(config.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
        ];
        if self.is_archived(env) {
            features.extend([ns::MAM, EXTENDED, ns::TOMBSTONE]);
        }
        if config.occupant_id != IdMode::Off && self.reveal(env, bocage_api::OptOut::No) != Reveal::Nothing {
            features.push(ns::OCCUPANT_ID);
        }
        features.into_iter().map(str::to_owned).collect()
    }

    fn room_info(&self, from: &Jid) -> Element {
        let config = self.config();
        let yes = |yes: bool| if yes { "1" } else { "0" };
        let mut form = Form::new("result", ROOM_INFO)
            .text("muc#roominfo_description", "Description", &config.description)
            .text("muc#roominfo_lang", "Language", &config.lang)
            .field("muc#roominfo_changesubject", "boolean", "Participants may change the subject", &[yes(config.change_subject)])
            .field(
                "muc#roomconfig_changesubject",
                "boolean",
                "Participants may change the subject",
                &[yes(config.change_subject)],
            )
            .text("muc#maxhistoryfetch", "Messages for newcomers", &config.history.to_string())
            .field("muc#roomconfig_allowinvites", "boolean", "Participants may invite", &[yes(config.allow_invites)])
            .text("muc#roomconfig_allowpm", "Who may send private messages", pm(config.allow_pm));
        // How many are inside, and about what: for who is inside, and where everybody may look (H26).
        if config.public || self.occupant_at(from).is_some() {
            let subject = self.state.subject.as_ref().and_then(|subject| subject.texts.first());
            form = form.text("muc#roominfo_occupants", "Number of occupants", &self.occupants.len().to_string()).text(
                "muc#roominfo_subject",
                "Subject",
                subject.map(|(_, text)| text.as_str()).unwrap_or_default(),
            );
        }
        if config.slow_mode > 0 {
            form = form.text("muc#roominfo_slow_mode_duration", "Slow mode", &config.slow_mode.to_string());
        }
        if let Some((hash, _)) = &self.state.avatar {
            form = form.field("muc#roominfo_avatarhash", "text-multi", "Avatar hash", &[hash]);
        }
        let contacts: Vec<&str> = config.contacts.iter().map(String::as_str).collect();
        if !contacts.is_empty() {
            form = form.field("muc#roominfo_contactjid", "jid-multi", "Addresses to ask about the room", &contacts);
        }
        form.build()
    }

    /// XEP-0504: what is kept, from what really holds.
    fn data_policy(&self, env: &Env) -> Element {
        let kept = if self.is_archived(env) { env.clock.wall().saturating_sub(self.oldest_by_period(env)) } else { 0 };
        Form::new("result", ns::DATA_POLICY)
            .text("data_transmission", "", "encrypted")
            .text("data_retention", "", &(kept / 3_600).to_string())
            .field("data_deletion", "boolean", "", &["1"])
            .build()
    }

    /// Section 7.1.2.
    fn reserved_nick(&self, from: &Jid) -> Element {
        let mut query = Element::bare("query", ns::DISCO_INFO);
        xml::set(&mut query, xml_ncname!("node"), ROOM_NICK);
        if let Some(nick) = self.grants.get(&from.to_bare()).and_then(|grant| grant.nick.as_deref()) {
            let mut identity = Element::bare("identity", ns::DISCO_INFO);
            xml::set(&mut identity, xml_ncname!("category"), "conference");
            xml::set(&mut identity, xml_ncname!("name"), nick);
            xml::set(&mut identity, xml_ncname!("type"), "text");
            query.append_child(identity);
        }
        query
    }

    /// Section 18.1.1 ("Allowable Traffic"): what passes, found out by asking the filters themselves.
    fn traffic(&self, env: &Env) -> Element {
        let mut query = DiscoPart::features(self.passing(env)).info();
        xml::set(&mut query, xml_ncname!("node"), TRAFFIC);
        query
    }
    fn passing(&self, env: &Env) -> Vec<String> {
        let probe = |what, namespace: &str| {
            let kind = match what {
                bocage_api::RoomStanza::Presence => bocage_api::Kind::Presence(bocage_api::stanza::PresenceType::Available),
                _ => bocage_api::Kind::Message(bocage_api::stanza::MessageType::Groupchat),
            };
            let mut stanza = xml::stanza(kind, self.me.clone(), [Element::bare("x", namespace)]);
            self.emit(env, what, &mut stanza).is_ok() && stanza.el.children().next().is_some()
        };
        let passes = |namespace: &&str| {
            probe(bocage_api::RoomStanza::Presence, namespace) || probe(bocage_api::RoomStanza::Message, namespace)
        };
        let shown = SHOWN.iter().copied().chain([HATS, ns::SID]);
        KNOWN.iter().copied().filter(passes).chain(shown).map(str::to_owned).collect()
    }

    /// Occupants for occupants; nothing for all others, as if it were empty (H26).
    pub(super) fn disco_items(&self, query: &Element, from: &Jid) -> Result<Element, StanzaError> {
        if query.attr(xml_ncname!("node")).is_some() {
            return Err(StanzaError::item_not_found());
        }
        let inside = self.occupant_at(from).is_some();
        let mut answer = Element::bare("query", ns::DISCO_ITEMS);
        for occupant in self.occupants.values().filter(|_| inside) {
            let mut item = Element::bare("item", ns::DISCO_ITEMS);
            xml::set(&mut item, xml_ncname!("jid"), occupant.jid.as_str());
            answer.append_child(item);
        }
        Ok(answer)
    }
}

fn pm(allow: AllowPm) -> &'static str {
    match allow {
        AllowPm::Anyone => "anyone",
        AllowPm::Participants => "participants",
        AllowPm::Moderators => "moderators",
        AllowPm::None => "none",
    }
}

/// Namespaces that clients are known to send through rooms: what the answer about traffic is asked for.
const KNOWN: [&str; 37] = [
    ns::CAPS,
    ns::CHAT_STATES,
    ns::HINTS,
    ns::MARKERS,
    ns::RECEIPTS,
    ns::VCARD_UPDATE,
    "eu.siacs.conversations.axolotl",
    "http://jabber.org/protocol/address",
    "http://jabber.org/protocol/nick",
    "http://jabber.org/protocol/url-data",
    "http://jabber.org/protocol/xhtml-im",
    "jabber:iq:last",
    "jabber:x:conference",
    "jabber:x:encrypted",
    "jabber:x:oob",
    "jabber:x:signed",
    "urn:xmpp:attention:0",
    "urn:xmpp:eme:0",
    "urn:xmpp:fallback:0",
    "urn:xmpp:file:metadata:0",
    "urn:xmpp:idle:1",
    "urn:xmpp:jingle-message:0",
    "urn:xmpp:jingle:muji:0",
    "urn:xmpp:markup:0",
    "urn:xmpp:mentions:0",
    "urn:xmpp:message-correct:0",
    "urn:xmpp:message-retract:1",
    "urn:xmpp:omemo:2",
    "urn:xmpp:openpgp:0",
    "urn:xmpp:reactions:0",
    "urn:xmpp:reference:0",
    "urn:xmpp:reply:0",
    "urn:xmpp:sfs:0",
    "urn:xmpp:sims:1",
    "urn:xmpp:spoiler:0",
    "urn:xmpp:sticker:0",
    "urn:xmpp:styling:0",
];
