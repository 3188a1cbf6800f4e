//! The one task that writes. First in, first out; what waits becomes one transaction; no timer holds anything back.
//!
//! A caller waits at most for the transaction that runs and its own, [`TRANSACTION`] each: when the database turns out to
//! be locked or away, everything that waits is refused at once instead of trying one after the other.

use crate::{
    append::{Appends, Call, Surroundings},
    batch::{TRANSACTION, Transactions},
    engine::{Connection, Readers, Target},
    fault::store_error,
    keyfile::KeyFile,
    outbound::{Change, Changes},
    unit::{Job, Operation, Unit},
    vault::Doomed,
};
use bocage_api::{
    archive::Appended,
    store::{StoreError, Stored},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::{Notify, mpsc, oneshot};

/// Units that wait at most; beyond it callers get [`StoreError::Busy`].
pub(crate) const QUEUE: usize = 4096;
/// Sweeps that wait at most.
const SWEEPS: usize = 64;
/// Units in a transaction at most.
pub(crate) const BATCH: usize = 256;

/// What the writer is asked for.
pub(crate) enum Work {
    Append(Box<Call>),
    Outbound(Change),
    Unit(Box<dyn Unit>),
    /// Runs between transactions.
    Apart(Apart, oneshot::Sender<Stored<()>>),
}

/// Things that are no transaction.
pub(crate) enum Apart {
    DestroyKeys(Doomed),
    /// Gives freed pages back and truncates the WAL.
    Tidy,
}

impl Work {
    fn refuse(self, error: StoreError) {
        match self {
            Self::Append(append) => append.refuse(error),
            Self::Outbound(change) => change.refuse(error),
            Self::Unit(mut unit) => {
                unit.refuse(error);
                unit.settle();
            }
            Self::Apart(_, caller) => drop(caller.send(Err(error))),
        }
    }
}

/// The callers' side.
#[derive(Clone)]
pub(crate) struct Queue {
    work: mpsc::Sender<Work>,
    sweeps: mpsc::Sender<Work>,
    stop: Arc<Notify>,
    writable: Arc<AtomicBool>,
}

/// The result of a unit, after the commit.
pub(crate) type Ticket<T> = BoxFuture<'static, Stored<T>>;

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

fn ticket<T: Send + 'static>(receiver: oneshot::Receiver<Stored<T>>) -> Ticket<T> {
    Box::pin(receiver.map(|result| result.unwrap_or_else(|_| Err(closed()))))
}

impl Queue {
    /// Queues at once, not when the ticket is polled: order is the order of calls.
    fn push<T: Send + 'static>(&self, work: Work, receiver: oneshot::Receiver<Stored<T>>) -> Ticket<T> {
        match self.work.try_send(work) {
            Ok(()) => ticket(receiver),
            Err(mpsc::error::TrySendError::Full(_)) => Box::pin(std::future::ready(Err(StoreError::Busy))),
            Err(mpsc::error::TrySendError::Closed(_)) => Box::pin(std::future::ready(Err(closed()))),
        }
    }
    pub(crate) fn write<O: Operation>(&self, operation: O) -> Ticket<O::Output> {
        let (job, receiver) = Job::new(operation);
        self.push(Work::Unit(job), receiver)
    }
    pub(crate) fn append(&self, append: (Call, oneshot::Receiver<Stored<Appended>>)) -> Ticket<Appended> {
        self.push(Work::Append(Box::new(append.0)), append.1)
    }
    pub(crate) fn outbound(&self, change: (Change, oneshot::Receiver<Stored<()>>)) -> Ticket<()> {
        self.push(Work::Outbound(change.0), change.1)
    }
    pub(crate) fn destroy_keys(&self, doomed: Doomed) -> Ticket<()> {
        let (caller, receiver) = oneshot::channel();
        self.push(Work::Apart(Apart::DestroyKeys(doomed), caller), receiver)
    }
    /// Runs when nothing else waits.
    pub(crate) async fn sweep<O: Operation>(&self, operation: O) -> Stored<O::Output> {
        let (job, receiver) = Job::new(operation);
        self.sweeps.send(Work::Unit(job)).await.map_err(|_| closed())?;
        ticket(receiver).await
    }
    /// See [`Apart::Tidy`]; when nothing else waits.
    pub(crate) async fn tidy(&self) -> Stored<()> {
        let (caller, receiver) = oneshot::channel();
        self.sweeps.send(Work::Apart(Apart::Tidy, caller)).await.map_err(|_| closed())?;
        ticket(receiver).await
    }
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }
    pub(crate) fn writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed) && !self.work.is_closed()
    }
    /// Resolves when the writer is no more.
    pub(crate) async fn ended(&self) {
        self.work.closed().await;
    }
    /// Units that wait.
    pub(crate) fn depth(&self) -> usize {
        self.work.max_capacity() - self.work.capacity()
    }
}

/// The task's side.
pub(crate) struct Writer {
    work: mpsc::Receiver<Work>,
    sweeps: mpsc::Receiver<Work>,
    stop: Arc<Notify>,
    stopping: bool,
    writable: Arc<AtomicBool>,
    /// Taken from the queue, but not for this batch.
    next: Option<Work>,
    transactions: Transactions,
    at: Arc<Surroundings>,
    keys: KeyFile,
    readers: Readers,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        target: Target,
        readers: Readers,
        (keys, at): (KeyFile, Arc<Surroundings>),
    ) -> (Queue, Self) {
        let (work, work_receiver) = mpsc::channel(QUEUE);
        let (sweeps, sweep_receiver) = mpsc::channel(SWEEPS);
        let queue = Queue { work, sweeps, stop: Arc::default(), writable: Arc::new(AtomicBool::new(true)) };
        let writer = Self {
            work: work_receiver,
            sweeps: sweep_receiver,
            stop: queue.stop.clone(),
            stopping: false,
            writable: queue.writable.clone(),
            next: None,
            transactions: Transactions::new(connection, target),
            at,
            keys,
            readers,
        };
        (queue, writer)
    }

    /// Works until the store is closed; what was queued before is written.
    pub(crate) async fn run(mut self) {
        while let Some(work) = self.take().await {
            match work {
                Work::Apart(what, caller) => {
                    let result = self.apart(what).await;
                    let _ = caller.send(result);
                }
                work => {
                    // Whoever is about to queue something does so first: fewer commits, each of more.
                    tokio::task::yield_now().await;
                    let batch = self.collect(work);
                    self.write(batch).await;
                }
            }
        }
        self.readers.close().await;
        self.transactions.close().await;
    }

    async fn take(&mut self) -> Option<Work> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        loop {
            tokio::select! {
                biased;
                () = self.stop.notified(), if !self.stopping => {
                    self.stopping = true;
                    self.work.close();
                }
                work = self.work.recv() => return work,
                Some(sweep) = self.sweeps.recv() => return Some(sweep),
            }
        }
    }

    /// Everything that waits, up to [`BATCH`].
    fn collect(&mut self, first: Work) -> Vec<Box<dyn Unit>> {
        let mut batch = Batch::new(self.at.clone());
        let mut work = Some(first);
        for _ in 0..BATCH {
            let Some(next) = work.take().or_else(|| self.work.try_recv().ok()) else { break };
            if let Some(apart) = batch.add(next) {
                self.next = Some(apart);
                break;
            }
        }
        batch.close()
    }

    async fn write(&mut self, units: Vec<Box<dyn Unit>>) {
        self.ensure_keys(&units).await;
        let trouble = self.transactions.run(units).await;
        self.note(trouble.as_ref());
        if let Some(error) = trouble {
            let waiting = self.work.len();
            let refused = self.next.take().into_iter().chain(std::iter::from_fn(|| self.work.try_recv().ok())).take(waiting + 1);
            refused.for_each(|work| work.refuse(error.clone()));
        }
    }

    async fn ensure_keys(&mut self, units: &[Box<dyn Unit>]) {
        let wanted: Vec<_> = units.iter().flat_map(|unit| unit.keys()).collect();
        if let Err(error) = self.at.vault.ensure(&mut self.keys, &wanted).await {
            tracing::error!(%error, "the key store cannot be written; messages that need a new key are refused");
        }
    }

    fn note(&self, trouble: Option<&StoreError>) {
        let before = self.writable.swap(trouble.is_none(), Ordering::Relaxed);
        match trouble {
            Some(error) if before => tracing::error!(%error, "the database cannot be written"),
            None if !before => tracing::info!("the database can be written again"),
            _ => {}
        }
    }

    async fn apart(&mut self, what: Apart) -> Stored<()> {
        match what {
            Apart::DestroyKeys(doomed) => self.at.vault.destroy(&mut self.keys, &doomed).await.map_err(|error| {
                tracing::error!(%error, "the key store cannot be written; keys that should be destroyed may be in it still");
                StoreError::Unavailable("the key store cannot be written".to_owned())
            }),
            Apart::Tidy => match tokio::time::timeout(TRANSACTION, self.transactions.tidy()).await {
                Ok(result) => result.map_err(|error| store_error(&error)),
                Err(_) => Err(self.transactions.give_up()),
            },
        }
    }
}

/// Units in their order; appends and outbound changes that no unit parts become one each. They touch different tables.
struct Batch {
    units: Vec<Box<dyn Unit>>,
    appends: Option<Appends>,
    outbound: Option<Changes>,
    at: Arc<Surroundings>,
}

impl Batch {
    fn new(at: Arc<Surroundings>) -> Self {
        Self { units: Vec::new(), appends: None, outbound: None, at }
    }
    /// Gives back what is no part of a transaction.
    fn add(&mut self, work: Work) -> Option<Work> {
        match work {
            Work::Append(append) => match &mut self.appends {
                Some(appends) => appends.push(*append),
                none => *none = Some(Appends::new(*append, self.at.clone())),
            },
            Work::Outbound(change) => match &mut self.outbound {
                Some(changes) => changes.push(change),
                none => *none = Some(Changes::new(change, self.at.vault.clone())),
            },
            Work::Unit(unit) => {
                self.part();
                self.units.push(unit);
            }
            apart @ Work::Apart(..) => return Some(apart),
        }
        None
    }
    fn part(&mut self) {
        self.units.extend(self.appends.take().map(|appends| Box::new(appends) as Box<dyn Unit>));
        self.units.extend(self.outbound.take().map(|changes| Box::new(changes) as Box<dyn Unit>));
    }
    fn close(mut self) -> Vec<Box<dyn Unit>> {
        self.part();
        self.units
    }
}
