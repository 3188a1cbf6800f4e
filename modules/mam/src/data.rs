//! The archive as data of its account (H05, H06, H10).

use bocage_api::{
    AccountData, Archives, BoxFuture, DataDescription,
    archive::{ArchiveQuery, MAX_PAGE, Part, ResultHead, Scope},
    store::{StoreError, Stored},
};
use jid::BareJid;
use minidom::Element;
use std::time::Duration;

/// Namespace of archives in XEP-0227.
const PIE_MAM: &str = "urn:xmpp:pie:0#mam";

pub(crate) struct Archived {
    pub(crate) archives: Archives,
    pub(crate) lifetime: Duration,
}

impl AccountData for Archived {
    fn delete(&self, owner: &BareJid) -> BoxFuture<'_, Stored<()>> {
        let owner = owner.clone();
        Box::pin(async move { self.archives.erase(&owner, Scope::Whole).await.map(drop) })
    }

    fn export(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Vec<Element>>> {
        let owner = owner.clone();
        Box::pin(async move {
            let head = ResultHead { archive: None, asker: owner.clone().into(), queryid: None };
            let (mut part, mut results) = (Part::First, Vec::new());
            loop {
                let query = ArchiveQuery { part, limit: MAX_PAGE, ..ArchiveQuery::default() };
                let Some(page) = self.archives.page(&owner, query).await? else { break };
                for row in &page.rows {
                    let result = row.result(&head);
                    let payloads = result.payloads().ok_or(StoreError::Corrupt("payload is no XML"))?;
                    results.extend(payloads.children().cloned());
                }
                match page.rows.last() {
                    Some(last) if !page.complete => part = Part::After(last.id),
                    _ => break,
                }
            }
            let all = Element::builder("archive", PIE_MAM).append_all(results).build();
            Ok(if all.children().next().is_some() { vec![all] } else { Vec::new() })
        })
    }

    fn describe(&self) -> Vec<DataDescription> {
        vec![DataDescription { what: "messages in the account's archive".into(), lifetime: Some(self.lifetime) }]
    }
}
