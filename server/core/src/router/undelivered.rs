//! What a session that ended had not read: messages find another way, requests are answered by an error, all else is
//! lost with the session.

use super::{Router, Session, Step};
use bocage_api::{
    Frozen, Kind, StanzaError,
    stanza::{IqType, MessageType},
};
use futures_util::stream::{FuturesOrdered, StreamExt};
use std::sync::Arc;

/// So many are handed on at a time: each may be a commit, and they are stored in the order in which they were begun.
const AT_ONCE: usize = 128;

/// Newer messages of the account wait until this is dropped.
struct Handing<'a>(&'a Router, &'a Session);
impl Drop for Handing<'_> {
    fn drop(&mut self) {
        self.0.users.leaving.end(&self.1.jid.to_bare());
    }
}

impl Router {
    /// Hands on what is `left` of a session that [`super::Users::unbind`] has removed; resolves when all of it is safe.
    pub async fn undelivered(self: &Arc<Self>, session: &Session, left: Vec<Arc<Frozen>>) {
        let _handing = Handing(self, session);
        let mut under_way = FuturesOrdered::new();
        for frozen in left {
            let mut step = self.hand_on(session, frozen);
            loop {
                step = match step {
                    Step::Wait(later) => later.await,
                    Step::Then(then) => then(self),
                    other => break under_way.push_back(self.finish(other)),
                };
            }
            if under_way.len() >= AT_ONCE {
                under_way.next().await;
            }
        }
        while under_way.next().await.is_some() {}
    }

    fn hand_on(self: &Arc<Self>, session: &Session, frozen: Arc<Frozen>) -> Step {
        // What has a row is handed out from there.
        if frozen.traits.is_copy() || frozen.waits.is_some() {
            return Step::Done;
        }
        match frozen.kind {
            Kind::Message(kind @ (MessageType::Chat | MessageType::Normal)) => {
                let to = frozen.to.clone().unwrap_or_else(|| session.jid.to_bare().into());
                if session.is_copied(&frozen) {
                    return Step::Done;
                }
                self.place_message(kind, &to, frozen)
            }
            // The server's own pushes have no sender to tell.
            Kind::Message(MessageType::Groupchat) | Kind::Iq(IqType::Get | IqType::Set) if frozen.from.is_some() => {
                let to = frozen.to.clone().unwrap_or_else(|| session.jid.clone().into());
                Step::bounce_from(&frozen, &to, &StanzaError::service_unavailable())
            }
            _ => Step::Done,
        }
    }
}
