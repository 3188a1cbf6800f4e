//! Addresses inside of what is allowed: those of the room stay, all others go.

use bocage_api::dep::rxml::{Namespace, NcName};
use jid::{BareJid, Jid};
use minidom::Element;

/// Attributes that hold addresses, by what they are called in XEP-0372, 0461, 0425, 0513, 0447.
const HOLDERS: [&str; 6] = ["to", "from", "jid", "uri", "by", "occupantid"];

/// Takes foreign addresses out; `false`: nothing of it may stay.
pub(crate) fn strip(room: &BareJid, payload: &mut Element) -> bool {
    let mut gone: Vec<NcName> = Vec::new();
    for ((namespace, name), value) in payload.attrs() {
        if *namespace != Namespace::NONE || !HOLDERS.contains(&name.as_str()) {
            continue;
        }
        match held(value) {
            Some(jid) if jid.to_bare() != *room => {
                // A reference to somebody by address alone refers to nobody without it.
                if name.as_str() == "uri" {
                    return false;
                }
                gone.push(name.clone());
            }
            _ => {}
        }
    }
    for name in gone {
        payload.attrs_mut().remove(&Namespace::NONE, &name);
    }
    payload.children_mut().all(|child| strip(room, child))
}

/// The address that a value names, if it names one.
fn held(value: &str) -> Option<Jid> {
    let value = value.trim();
    let bare = match value.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("xmpp") => rest.split('?').next().unwrap_or_default(),
        Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) && !scheme.contains('@') => return None,
        _ => value,
    };
    Jid::new(bare).ok().filter(|jid| jid.node().is_some())
}
