//! What rooms keep about an account (H06, H10).

use super::{Input, Queue, Service};
use crate::room::model::RoomRecord;
use bocage_api::{
    AccountData, BoxFuture, DataDescription, Kind, OptOut,
    rt::sync::oneshot,
    stanza::IqType,
    store::{StoreError, Stored},
};
use jid::BareJid;
use minidom::Element;
use std::sync::Arc;

/// The rooms' part of an account.
pub(crate) struct RoomData(pub(crate) Arc<Service>);

impl AccountData for RoomData {
    fn delete(&self, owner: &BareJid) -> BoxFuture<'_, Stored<()>> {
        let owner = owner.clone();
        Box::pin(async move {
            for scope in self.0.env.opt_outs.of(&owner) {
                self.0.store.wish(&owner, scope.as_ref(), OptOut::No).await?;
                self.0.env.opt_outs.set(&owner, scope, OptOut::No);
            }
            // Rooms that sleep are changed in the store, those awake by their own tasks.
            for room in self.0.index.all() {
                self.0.forget_account(&room, &owner).await?;
            }
            Ok(())
        })
    }
    /// XEP-0227 has no place for rooms.
    fn export(&self, _: &BareJid) -> BoxFuture<'_, Stored<Vec<Element>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn describe(&self) -> Vec<DataDescription> {
        let kept = |what: &str| DataDescription { what: what.to_owned(), lifetime: None };
        vec![
            kept("affiliations, reserved nicks and hats in rooms, and requests for membership"),
            kept("the wish to be somebody else under another nick, by room"),
        ]
    }
}

impl Service {
    async fn forget_account(self: &Arc<Self>, room: &BareJid, owner: &BareJid) -> Stored<()> {
        // A room that has more of them than a row of their own is woken for it.
        let asked = |record: &RoomRecord| record.requests.iter().any(|(who, _)| who == owner.as_str());
        let awake = self.awake().contains_key(room);
        if !awake && !self.store.room(room).await?.as_ref().is_some_and(asked) {
            return self.store.grants.delete(room.as_str(), owner.as_str()).await.map(drop);
        }
        let (done, told) = oneshot::channel();
        match self.queue(room, Kind::Iq(IqType::Set)) {
            Queue::Place(place) => _ = place.send(Input::Forget(owner.clone(), done)),
            Queue::Full => return Err(StoreError::Busy),
            Queue::NoRoom => return Ok(()),
        }
        if told.await.is_ok() {
            return Ok(());
        }
        self.store.grants.delete(room.as_str(), owner.as_str()).await.map(drop)
    }
}
