//! Units of writing: a typed operation, and the promise to its caller that it resolves after the commit.

use crate::{engine::Connection, fault::Refusal, seal::Day};
use bocage_api::store::{StoreError, Stored};
use futures_util::future::BoxFuture;
use jid::BareJid;
use tokio::sync::oneshot;

/// Something to do inside the writer's transaction. It may run more than once: a failed batch is replayed.
pub(crate) trait Operation: Send + Sync + 'static {
    type Output: Send + Sync + 'static;
    fn run<'a>(&'a self, tx: &'a mut Connection) -> BoxFuture<'a, Result<Self::Output, Refusal>>;
}

/// An operation or several as the writer sees them.
pub(crate) trait Unit: Send + Sync {
    /// Runs in a savepoint; what comes of it is kept until it is settled.
    fn run<'a>(&'a mut self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>>;
    /// Keeps `error` as the result.
    fn refuse(&mut self, error: StoreError);
    /// Hands out the result: the transaction is over.
    fn settle(self: Box<Self>);
    /// The smallest units that it consists of.
    fn split(self: Box<Self>) -> Vec<Box<dyn Unit>>;
    /// Is it more than one?
    fn divisible(&self) -> bool {
        false
    }
    /// Epoch keys that must be durable before it runs.
    fn keys(&self) -> Vec<(Day, &BareJid)> {
        Vec::new()
    }
}

/// One operation with its caller.
pub(crate) struct Job<O: Operation> {
    operation: O,
    outcome: Option<Stored<O::Output>>,
    caller: oneshot::Sender<Stored<O::Output>>,
}

impl<O: Operation> Job<O> {
    pub(crate) fn new(operation: O) -> (Box<Self>, oneshot::Receiver<Stored<O::Output>>) {
        let (caller, ticket) = oneshot::channel();
        (Box::new(Self { operation, outcome: None, caller }), ticket)
    }
}

impl<O: Operation> Unit for Job<O> {
    fn run<'a>(&'a mut self, tx: &'a mut Connection) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            self.outcome = Some(Ok(self.operation.run(tx).await?));
            Ok(())
        })
    }
    fn refuse(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }
    fn settle(self: Box<Self>) {
        let _ = self.caller.send(self.outcome.unwrap_or_else(|| Err(never_ran())));
    }
    fn split(self: Box<Self>) -> Vec<Box<dyn Unit>> {
        vec![self]
    }
}

/// For what was settled without an outcome.
pub(crate) fn never_ran() -> StoreError {
    StoreError::Unavailable("it was not run".to_owned())
}
