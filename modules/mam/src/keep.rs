//! What an archive keeps (XEP-0313 section 6.1.1, XEP-0334, XEP-0441; H04), and what a message takes back (XEP-0424).

use crate::{Config, Plaintext};
use bocage_api::{
    Frozen, Kind, RecordView, Recorder,
    archive::{Preferences, Retraction, Target, worth},
    clock::{UnixSeconds, stamp},
    dep::rxml::xml_ncname,
    ns,
    stanza::MessageType,
};
use minidom::Element;

pub(crate) struct Keep {
    pub(crate) config: Config,
}

impl Recorder for Keep {
    fn wants(&self, view: &RecordView<'_>, message: &Frozen) -> bool {
        let wished = match view.preferences {
            Some(preferences) => preferences.keeps(view.party, view.in_roster),
            None => Preferences::new(self.config.default_policy).keeps(view.party, view.in_roster),
        };
        wished && self.is_worth_keeping(message)
    }

    fn retracts(&self, message: &Frozen, now: UnixSeconds) -> Option<Retraction> {
        let payloads = message.payloads()?;
        let retracted = retract(&payloads)?.attr(xml_ncname!("id"))?.to_owned();
        let (from, by) = (message.from.as_ref()?, message.id.as_deref()?);
        let tombstone = Element::builder("retracted", ns::RETRACT)
            .attr(xml_ncname!("id").to_owned(), by)
            .attr(xml_ncname!("stamp").to_owned(), stamp(now))
            .build();
        let target = Target::Ref { author: from.to_bare(), message_id: retracted };
        Some(Retraction { target, tombstone: String::from(&tombstone).into() })
    }
}

impl Keep {
    fn is_worth_keeping(&self, message: &Frozen) -> bool {
        let Kind::Message(MessageType::Normal | MessageType::Chat) = message.kind else { return false };
        let Some(payloads) = message.payloads() else { return false };
        if worth::hinted(&payloads, "no-store") || worth::hinted(&payloads, "no-permanent-store") {
            return false;
        }
        match self.config.plaintext {
            // A retraction says nothing but which message is to go.
            Plaintext::Drop => worth::is_encrypted(&payloads) || retract(&payloads).is_some(),
            Plaintext::Keep => worth::hinted(&payloads, "store") || worth::says_something(&payloads),
        }
    }
}

fn retract(payloads: &Element) -> Option<&Element> {
    payloads.get_child("retract", ns::RETRACT)
}
