//! What is asked of rooms by iq and takes more than an answer: commands of rooms, and their archives (XEP-0313). Of an
//! archive the room says who may read and how; the page is streamed to the asker from here, so that neither the room nor a
//! mailbox has to hold it.

use super::{Input, Queue, Service};
use crate::room::Reader;
use bocage_api::{
    Action, Asker, BoxFuture, IqPayload, IqService, Kind, Reply, StanzaError,
    archive::{ArchivePage, MamQuery, ResultHead, fin, metadata, query_form},
    rt::sync::oneshot,
    stanza::IqType,
};
use jid::{BareJid, Jid};
use minidom::Element;
use std::sync::Arc;

/// Answers for all rooms.
pub(crate) struct Mam(pub(crate) Arc<Service>);

impl IqService for Mam {
    fn answer(&self, asker: Asker, iq: IqPayload, reply: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            if iq.to.node().is_none() || iq.to.resource().is_some() {
                return Err(StanzaError::service_unavailable());
            }
            let reader = self.0.reader(iq.to.to_bare(), asker.jid.clone()).await?;
            match (iq.action, iq.element.name()) {
                (Action::Get, "query") => Ok(Some(query_form())),
                (Action::Get, "metadata") => Ok(Some(metadata(self.0.store.archives.bounds(reader.room()).await?))),
                (Action::Set, "query") => self.page(&reader, asker.jid, (iq.element, &reply)).await.map(Some),
                _ => Err(StanzaError::service_unavailable()),
            }
        })
    }
}

impl Mam {
    async fn page(&self, reader: &Reader, asker: Jid, (query, reply): (Element, &Reply)) -> Result<Element, StanzaError> {
        let MamQuery { mut query, queryid, flipped } = MamQuery::parse(query)?;
        let page = if reader.narrow(&mut query) {
            self.0.store.archives.page(reader.room(), query).await?.ok_or_else(StanzaError::item_not_found)?
        } else {
            ArchivePage { complete: true, ..ArchivePage::default() }
        };
        let end = fin(&page);
        let head = ResultHead { archive: Some(reader.room().clone().into()), asker, queryid };
        let mut rows = page.rows;
        if flipped {
            rows.reverse();
        }
        for mut row in rows {
            reader.dress(&mut row);
            if !reply.send_frozen(Arc::new(row.result(&head))).await {
                break;
            }
        }
        Ok(end)
    }
}

impl Service {
    /// Has the room run a command.
    pub(crate) async fn command(self: &Arc<Self>, room: BareJid, who: Jid, command: Element) -> Result<Element, StanzaError> {
        let (answer, said) = oneshot::channel();
        match self.queue(&room, Kind::Iq(IqType::Set)) {
            Queue::Place(place) => _ = place.send(Input::Command(who, Box::new(command), answer)),
            Queue::Full => return Err(StanzaError::resource_constraint()),
            Queue::NoRoom => return Err(StanzaError::item_not_found()),
        }
        said.await.unwrap_or_else(|_| Err(StanzaError::internal_server_error()))
    }

    /// Asks the room what `who` may read.
    async fn reader(self: &Arc<Self>, room: BareJid, who: Jid) -> Result<Reader, StanzaError> {
        let (answer, said) = oneshot::channel();
        match self.queue(&room, Kind::Iq(IqType::Set)) {
            Queue::Place(place) => _ = place.send(Input::Read(who, answer)),
            Queue::Full => return Err(StanzaError::resource_constraint()),
            Queue::NoRoom => return Err(StanzaError::item_not_found()),
        }
        said.await.unwrap_or_else(|_| Err(StanzaError::internal_server_error()))
    }
}
