//! What the host answers itself, without any room (XEP-0045 section 6): who it is, which rooms are listed.

use super::{Privacy, Service};
use crate::xml::{self, SELF_PING, STABLE_ID};
use bocage_api::{
    Asker, DiscoPart, DiscoTarget, Frozen, Full, Kind, Relation, Stanza, StanzaError,
    commands::{Command, CommandCaller, Lang, NS_COMMANDS, described, listed},
    disco::{Identity, Item},
    ns,
    stanza::IqType,
};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;

const RSM: &str = "http://jabber.org/protocol/rsm";
/// Rooms of one page.
const PAGE: usize = 100;

impl Service {
    /// A stanza for the host itself.
    pub(super) fn at_the_door(self: &Arc<Self>, stanza: Box<Frozen>) -> Result<(), Full<Box<Frozen>>> {
        match stanza.kind {
            Kind::Iq(kind @ (IqType::Get | IqType::Set)) => {
                let Some(asked) = stanza.thaw() else { return Ok(()) };
                let answer = match asked.payload().map(|payload| self.answer(kind, payload, &asked)) {
                    Some(Ok(result)) => Some(asked.result(result)),
                    Some(Err(error)) => asked.bounce(&error),
                    None => None,
                };
                if let Some(answer) = answer {
                    self.post(Box::new(answer));
                }
                Ok(())
            }
            // Nobody can be present at the door.
            Kind::Presence(_) => Ok(()),
            _ => self.refuse(&stanza, &StanzaError::service_unavailable()),
        }
    }

    fn answer(self: &Arc<Self>, kind: IqType, payload: &Element, asked: &Stanza) -> Result<Option<Element>, StanzaError> {
        let node = payload.attr(xml_ncname!("node"));
        match (kind, payload.ns().as_str()) {
            (IqType::Get, ns::DISCO_INFO | ns::DISCO_ITEMS) if node.is_some() => self.commands(payload, asked).map(Some),
            (IqType::Get, ns::DISCO_INFO) => Ok(Some(self.info())),
            (IqType::Get, ns::DISCO_ITEMS) => self.listing(payload).map(Some),
            (IqType::Get, ns::PING) => Ok(None),
            _ => Err(StanzaError::service_unavailable()),
        }
    }

    /// The host's commands, as they are discovered (XEP-0050 section 2).
    fn commands(self: &Arc<Self>, payload: &Element, asked: &Stanza) -> Result<Element, StanzaError> {
        let (Some(from), Some(at), Some(node)) = (&asked.from, &asked.to, payload.attr(xml_ncname!("node"))) else {
            return Err(StanzaError::item_not_found());
        };
        let ours = *from.domain() == *self.env.accounts;
        let relation = if ours { Relation::Neighbour } else { Relation::Stranger };
        let who = CommandCaller::of(&Asker { jid: from.clone(), relation }, &self.host);
        let (lang, offered) = (Lang::nearest(asked.lang.as_deref()), [Arc::new(Privacy(self.clone())) as Arc<dyn Command>]);
        let part = match node {
            NS_COMMANDS => Some(listed(&offered, &who, (at, lang))),
            node => described(&offered, node, (&who, lang)),
        };
        let part = part.ok_or_else(StanzaError::item_not_found)?;
        let mut query = if payload.has_ns(ns::DISCO_INFO) { part.info() } else { part.items() };
        xml::set(&mut query, xml_ncname!("node"), node);
        Ok(query)
    }

    fn info(&self) -> Element {
        let identity = Identity { category: "conference", kind: "text", name: Some("Rooms".to_owned()) };
        let features = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::MUC, ns::PING, STABLE_ID, SELF_PING, RSM, NS_COMMANDS];
        let mut part = DiscoPart { identities: vec![identity], ..DiscoPart::features(features) };
        // What other modules say of every host: the data policy.
        part.join(self.disco.disco(&DiscoTarget::Host(self.store.host.clone())));
        part.info()
    }

    /// Listed rooms alone (H26), in pages (XEP-0059).
    fn listing(&self, query: &Element) -> Result<Element, StanzaError> {
        let set = query.get_child("set", RSM);
        let max = set.and_then(|set| xml::child_text(set, "max", RSM)).and_then(|max| max.parse().ok());
        let after = set.and_then(|set| xml::child_text(set, "after", RSM));
        let after = after.map(|after| BareJid::new(&after).map_err(|_| StanzaError::item_not_found())).transpose()?;
        let rooms = self.index.listed(after.as_ref(), max.unwrap_or(PAGE).min(PAGE));
        let items = rooms.iter().map(|(room, name)| Item {
            jid: Jid::from(room.clone()),
            node: None,
            name: (!name.is_empty()).then(|| name.clone()),
        });
        let mut answer = DiscoPart { items: items.collect(), ..DiscoPart::default() }.items();
        if set.is_some() {
            let mut page = Element::bare("set", RSM);
            if let (Some((first, _)), Some((last, _))) = (rooms.first(), rooms.last()) {
                page.append_child(xml::text("first", RSM, first.as_str()));
                page.append_child(xml::text("last", RSM, last.as_str()));
            }
            answer.append_child(page);
        }
        Ok(answer)
    }
}
