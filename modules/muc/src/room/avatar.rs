//! The room's own avatar (XEP-0486), set by its owners.

use super::{Env, Room, model::Affiliation};
use crate::xml;
use bocage_api::{ElementRecord, Kind, StanzaError, ns, stanza::MessageType};
use data_encoding::HEXLOWER;
use jid::Jid;
use minidom::Element;

/// Bytes of a vCard as it is stored.
const MAX_BYTES: usize = 128 * 1024;

impl Room {
    pub(super) fn avatar_get(&self) -> Result<Element, StanzaError> {
        match &self.state.avatar {
            Some((_, record)) => Ok(record.element()?),
            None => Ok(Element::bare("vCard", ns::VCARD)),
        }
    }

    pub(super) fn avatar_set(&mut self, env: &Env, vcard: &Element, from: &Jid) -> Result<(), StanzaError> {
        if self.affiliation(&from.to_bare()) < Affiliation::Owner {
            return Err(StanzaError::forbidden());
        }
        // Only the picture: a room has no birthday.
        let photo = vcard.get_child("PHOTO", ns::VCARD);
        let bytes = photo.and_then(|photo| photo.get_child("BINVAL", ns::VCARD)).map(Element::text);
        self.state.avatar = match (photo, bytes) {
            (Some(photo), Some(bytes)) => {
                let hash = sha1_of(&bytes).ok_or_else(StanzaError::not_acceptable)?;
                let record = ElementRecord::of(&Element::builder("vCard", ns::VCARD).append(photo.clone()).build())?;
                if record.stored_len() > MAX_BYTES {
                    return Err(StanzaError::policy_violation().with_text("the picture is too large"));
                }
                Some((hash, record))
            }
            _ => None,
        };
        self.store_room();
        let user = Element::builder("x", ns::MUC_USER).append(xml::status(104)).build();
        let stanza = xml::stanza(Kind::Message(MessageType::Groupchat), self.me.clone(), [user]);
        let everybody = self.everybody();
        self.tell(env, stanza, everybody);
        Ok(())
    }
}

/// The hash that XEP-0153 asks for: SHA-1 of the decoded bytes, in hex.
fn sha1_of(base64: &str) -> Option<String> {
    use base64::Engine as _;
    use sha1::{Digest, Sha1};
    let clean: String = base64.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(clean).ok()?;
    Some(HEXLOWER.encode(&Sha1::digest(bytes)))
}
