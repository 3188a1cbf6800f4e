//! The one place that spawns. A task that panics is logged by name; the server goes on without it.

use bocage_api::TaskPort;
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    panic::AssertUnwindSafe,
    sync::{Mutex, PoisonError},
};
use tokio::task::{AbortHandle, JoinSet};

/// Spawns and supervises.
#[derive(Default)]
pub struct Supervisor {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Tasks asked for during wiring wait for [`Supervisor::go_live`].
    waiting: Vec<(&'static str, &'static str, BoxFuture<'static, ()>)>,
    live: bool,
    running: JoinSet<()>,
}

impl Supervisor {
    /// Starts what was asked for during wiring; from now on tasks start at once.
    pub fn go_live(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.live = true;
        for (module, name, task) in std::mem::take(&mut state.waiting) {
            state.running.spawn(supervised(module, name, task));
        }
    }
    /// Starts a task of core's own.
    pub fn spawn_core(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.running.try_join_next().is_some() {}
        state.running.spawn(supervised("core", name, Box::pin(task)))
    }
    /// Ends all tasks.
    pub fn abort_all(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).running.abort_all();
    }
}

impl TaskPort for Supervisor {
    fn spawn(&self, module: &'static str, name: &'static str, task: BoxFuture<'static, ()>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.live {
            while state.running.try_join_next().is_some() {}
            state.running.spawn(supervised(module, name, task));
        } else {
            state.waiting.push((module, name, task));
        }
    }
    #[allow(clippy::disallowed_methods, reason = "this is where tasks come from")]
    fn blocking(&self, module: &'static str, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(move || {
            if std::panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!(module, "blocking work panicked");
            }
        });
    }
}

async fn supervised(module: &'static str, name: &'static str, task: BoxFuture<'static, ()>) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        tracing::error!(module, name, "task panicked");
    }
}

/// Spawns a connection's own task. It needs no supervision beyond the runtime's: a panic ends that connection alone.
#[allow(clippy::disallowed_methods, reason = "this is where tasks come from")]
pub fn spawn_connection(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
