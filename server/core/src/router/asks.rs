//! Requests of the server's own to others, and their answers.

use super::{Router, Step};
use bocage_api::{Kind, Stanza, StanzaError, stanza::IqType};
use jid::Jid;
use minidom::Element;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Answers that are waited for at the same time.
const MAX_ASKS: usize = 4_096;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is waited for, by id.
#[derive(Default)]
pub(super) struct Asks(Mutex<HashMap<String, Asked>>);

struct Asked {
    whom: Jid,
    answer: oneshot::Sender<Stanza>,
}

impl Asks {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not waited for any more when it is dropped.
struct Waiting<'a>(&'a Router, String);
impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.asks.open().remove(&self.1);
    }
}

impl Router {
    /// Sends a request in the name of a host that serves accounts; resolves to the payload of its result.
    ///
    /// # Errors
    /// The error that came back, `remote-server-timeout` when nothing did, `resource-constraint` when too much is asked.
    pub async fn inquire(self: &Arc<Self>, request: Stanza) -> Result<Option<Element>, StanzaError> {
        let whom = request.to.clone().ok_or_else(StanzaError::bad_request)?;
        let id = self.entropy.id();
        let (answer, answered) = oneshot::channel();
        {
            let mut asks = self.asks.open();
            if asks.len() >= MAX_ASKS {
                return Err(StanzaError::resource_constraint());
            }
            asks.insert(id.clone(), Asked { whom, answer });
        }
        let _waiting = Waiting(self, id.clone());
        let answer = async {
            match self.first_answer(request.with_id(id)).await {
                Some(answer) => Some(answer),
                None => answered.await.ok(),
            }
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Some(answer)) => outcome(answer),
            Ok(None) | Err(_) => Err(StanzaError::remote_server_timeout()),
        }
    }

    /// What is answered on this server comes at once.
    async fn first_answer(self: &Arc<Self>, request: Stanza) -> Option<Stanza> {
        let mut step = self.route(request);
        loop {
            step = match step {
                Step::Done | Step::Pressure(_) => return None,
                Step::Answer(answer) => return Some(*answer),
                Step::Wait(later) | Step::Commit(later) => later.await,
                Step::Then(then) => then(self),
            }
        }
    }

    /// A result or an error came for a host: whoever asked for it gets it, if it comes from whom was asked.
    pub(super) fn answered(&self, stanza: Stanza) {
        let mut asks = self.asks.open();
        let Some(id) = stanza.id.clone() else { return };
        if asks.get(&id).is_some_and(|asked| stanza.from.as_ref() == Some(&asked.whom))
            && let Some(asked) = asks.remove(&id)
        {
            // Who asked may have given up.
            let _ = asked.answer.send(stanza);
        }
    }
}

fn outcome(mut answer: Stanza) -> Result<Option<Element>, StanzaError> {
    if answer.kind == Kind::Iq(IqType::Error) {
        let error = answer.el.get_child("error", bocage_api::ns::CLIENT);
        return Err(error.map_or_else(StanzaError::service_unavailable, StanzaError::read));
    }
    Ok(answer.el.take_nodes().into_iter().find_map(minidom::Node::into_element))
}
