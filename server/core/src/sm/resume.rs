//! Where a new connection finds the session of an old one. The session's own task decides: it stops what it was doing,
//! and takes the new connection in the place of the old.

use super::TooHigh;
use crate::c2s::Link;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

/// What makes a session resumable: part of it from `<enabled resume='true'/>` on.
pub(crate) struct Resumable {
    /// 128 random bits; whoever asks has authenticated as the account besides.
    id: String,
    /// How long the session outlives its connection.
    pub(crate) timeout: Duration,
    asked: Mutex<Asked>,
}

#[derive(Default)]
enum Asked {
    #[default]
    Nothing,
    Request(Request),
    /// The session is over.
    Closed,
}

/// A new connection wants to take over.
pub(crate) struct Request {
    /// What the client has of what it was sent.
    pub(crate) h: u32,
    /// The session's answer; dropped = there is no such session any more.
    pub(crate) reply: oneshot::Sender<Result<Claim, TooHigh>>,
}

/// The session waits for this connection.
pub(crate) struct Claim {
    /// What the session has handled of what the client sent.
    pub(crate) h: u32,
    /// Takes the connection.
    pub(crate) take: oneshot::Sender<Box<Link>>,
}

/// Why a session is not resumed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is none, or no more.
    Gone,
    /// The client acknowledges what it was never sent.
    TooHigh(TooHigh),
}

impl Resumable {
    pub(crate) fn new(id: String, timeout: Duration) -> Self {
        Self { id, timeout, asked: Mutex::default() }
    }
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
    /// Is this its id? Takes as long for every answer.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.id.as_bytes().ct_eq(id.as_bytes()).into()
    }
    /// Leaves a request for the session's task; one that was not looked at yet is refused. The caller wakes the task.
    pub(crate) fn ask(&self, request: Request) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*asked, Asked::Closed) {
            *asked = Asked::Request(request);
        }
    }
    /// The request, if there is one.
    pub(crate) fn take(&self) -> Option<Request> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *asked) {
            Asked::Request(request) => Some(request),
            state => {
                *asked = state;
                None
            }
        }
    }
    /// From now on every request is refused.
    pub(crate) fn close(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Asked::Closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_over_refuses_what_comes_and_what_came() {
        let resumable = Resumable::new("id".into(), Duration::ZERO);
        let request = || {
            let (reply, answer) = oneshot::channel();
            (Request { h: 0, reply }, answer)
        };
        let (first, mut refused) = request();
        resumable.ask(first);
        let (second, mut waiting) = request();
        resumable.ask(second);
        assert!(refused.try_recv().is_err(), "a later connection takes the place of an earlier one");
        assert!(resumable.take().is_some() && resumable.take().is_none());
        assert!(waiting.try_recv().is_err());
        let (third, mut answer) = request();
        resumable.ask(third);
        resumable.close();
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        let (fourth, mut answer) = request();
        resumable.ask(fourth);
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    }
}
