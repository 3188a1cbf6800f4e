//! What waits for an account, as data of that account (H06, H10).

use crate::PAGE;
use bocage_api::{
    AccountData, Archives, BoxFuture, DataDescription,
    archive::{ArchiveRow, payload_tree},
    clock::stamp,
    dep::rxml::{Namespace, NcNameStr, xml_ncname},
    ns,
    store::{StoreError, Stored},
};
use jid::BareJid;
use minidom::Element;
use std::time::Duration;

/// Namespace of XEP-0227 (Portable Import/Export Format).
const PIE: &str = "urn:xmpp:pie:0";

pub(crate) struct Held {
    pub(crate) archives: Archives,
    pub(crate) lifetime: Duration,
}

impl AccountData for Held {
    fn delete(&self, owner: &BareJid) -> BoxFuture<'_, Stored<()>> {
        let owner = owner.clone();
        Box::pin(async move {
            let mut after = 0;
            loop {
                let page = self.archives.held(&owner, after, PAGE).await?;
                let Some(last) = page.last() else { return Ok(()) };
                after = last.position;
                self.archives.release(&owner, page.iter().map(|row| row.position).collect()).await?;
            }
        })
    }

    fn export(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Vec<Element>>> {
        let owner = owner.clone();
        Box::pin(async move {
            let (mut after, mut messages) = (0, Vec::new());
            loop {
                let page = self.archives.held(&owner, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.position;
                for row in &page {
                    messages.push(message(row, &owner)?);
                }
            }
            let all = Element::builder("offline-messages", PIE).append_all(messages).build();
            Ok(if all.children().next().is_some() { vec![all] } else { Vec::new() })
        })
    }

    fn describe(&self) -> Vec<DataDescription> {
        vec![DataDescription { what: "messages that wait for the account's next session".into(), lifetime: Some(self.lifetime) }]
    }
}

/// The message as it was, with when it came.
fn message(row: &ArchiveRow, owner: &BareJid) -> Stored<Element> {
    let stored = &row.message;
    let mut message = payload_tree(&stored.payload).ok_or(StoreError::Corrupt("payload is no XML"))?;
    let mut set = |name: &NcNameStr, value: Option<&str>| {
        if let Some(value) = value {
            message.set_attr(Namespace::NONE, name.to_owned(), value);
        }
    };
    set(xml_ncname!("from"), Some(&stored.from));
    set(xml_ncname!("to"), Some(&stored.to));
    set(xml_ncname!("type"), stored.kind.attribute());
    set(xml_ncname!("id"), stored.message_id.as_deref());
    if let Some(lang) = &stored.lang {
        message.set_attr(Namespace::XML, xml_ncname!("lang").to_owned(), lang.as_str());
    }
    let by = xml_ncname!("from").to_owned();
    let delay = Element::builder("delay", ns::DELAY).attr(by, owner.domain().as_str());
    message.append_child(delay.attr(xml_ncname!("stamp").to_owned(), stamp(row.stamp)).build());
    Ok(message)
}
