//! What a roster set may say (RFC 6121 sections 2.1.5, 2.3.3 and 2.5.3). `subscription` is ignored unless it is
//! `remove`, and so are `ask` and `approved`: they are the server's.

use bocage_api::{ContactEdit, StanzaError, dep::rxml::xml_ncname, ns};
use jid::{BareJid, Jid};
use minidom::Element;

/// Bytes of a name or of a group's name at most.
pub(crate) const MAX_NAME: usize = 1023;
/// Groups of a contact at most.
pub(crate) const MAX_GROUPS: usize = 64;

/// A valid roster set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Adds or changes a contact.
    Set(ContactEdit),
    /// Removes one.
    Remove(BareJid),
}

/// Reads the `<query/>` of a roster set by `owner`.
pub(crate) fn read(query: &Element, owner: &BareJid) -> Result<Edit, StanzaError> {
    let mut items = query.children().filter(|child| child.is("item", ns::ROSTER));
    let (Some(item), None) = (items.next(), items.next()) else { return Err(StanzaError::bad_request()) };
    let jid = contact(item)?;
    if item.attr(xml_ncname!("subscription")) == Some("remove") {
        return Ok(Edit::Remove(jid));
    }
    if jid == *owner {
        return Err(StanzaError::not_allowed());
    }
    Ok(Edit::Set(ContactEdit { jid, name: name(item)?, groups: groups(item)? }))
}

fn contact(item: &Element) -> Result<BareJid, StanzaError> {
    let text = item.attr(xml_ncname!("jid")).ok_or_else(StanzaError::bad_request)?;
    let jid = Jid::new(text).map_err(|_| StanzaError::jid_malformed())?;
    // A contact is a person or a service, not one of their devices.
    jid.try_into_full().map_or_else(Ok, |_| Err(StanzaError::bad_request()))
}

fn name(item: &Element) -> Result<Option<String>, StanzaError> {
    match item.attr(xml_ncname!("name")) {
        Some(name) if name.len() > MAX_NAME => Err(StanzaError::not_acceptable()),
        name => Ok(name.filter(|name| !name.is_empty()).map(str::to_owned)),
    }
}

fn groups(item: &Element) -> Result<Vec<String>, StanzaError> {
    let named = item.children().filter(|child| child.is("group", ns::ROSTER));
    let mut groups: Vec<String> = named.take(MAX_GROUPS + 1).map(Element::text).collect();
    let fits = |group: &String| !group.is_empty() && group.len() <= MAX_NAME;
    if groups.len() > MAX_GROUPS || !groups.iter().all(fits) {
        return Err(StanzaError::not_acceptable());
    }
    let given = groups.len();
    groups.sort_unstable();
    groups.dedup();
    if groups.len() < given { Err(StanzaError::bad_request()) } else { Ok(groups) }
}
