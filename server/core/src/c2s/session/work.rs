//! What a session waits for besides its sockets; it exists only while there is something.

use crate::{
    router::{Router, ServiceJob, Step},
    wire,
};
use bocage_api::{BoxFuture, Frozen, Reply, Stanza};
use futures_util::stream::{FuturesOrdered, FuturesUnordered, StreamExt};
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Commits that may be under way while the session reads on.
const WINDOW: usize = 128;
/// Iqs of a session that may be under way or queued behind their namespace.
const IQS: usize = 8;
/// Stanzas that a service may stream ahead of its result.
const REPLY_BUFFER: usize = 64;

type Replies = (mpsc::Sender<Arc<Frozen>>, mpsc::Receiver<Arc<Frozen>>);

/// Work under way.
pub(crate) struct Work {
    /// Iqs that may be under way or queued.
    most_iqs: usize,
    /// A fact is missing: nothing is read until it is there.
    waiting: Option<BoxFuture<'static, Step>>,
    commits: FuturesOrdered<BoxFuture<'static, Step>>,
    iqs: FuturesUnordered<BoxFuture<'static, (String, Stanza)>>,
    running: Vec<String>,
    answers: VecDeque<Stanza>,
    queued: VecDeque<(String, ServiceJob)>,
    replies: Option<Replies>,
    /// The session's senders-side brake: a slow recipient, or the rate.
    pause: Option<BoxFuture<'static, ()>>,
}

/// What became ready.
pub(crate) enum Ready {
    Step(Step),
    Answer(Box<Stanza>),
    Streamed(Arc<Frozen>),
}

impl Default for Work {
    fn default() -> Self {
        Self::with_iqs(IQS)
    }
}

impl Work {
    /// With a bound of its own on iqs.
    pub(crate) fn with_iqs(most_iqs: usize) -> Self {
        Self {
            most_iqs,
            waiting: None,
            commits: FuturesOrdered::new(),
            iqs: FuturesUnordered::new(),
            running: Vec::new(),
            answers: VecDeque::new(),
            queued: VecDeque::new(),
            replies: None,
            pause: None,
        }
    }
    pub(crate) fn wait(&mut self, later: BoxFuture<'static, Step>) {
        match self.waiting.take() {
            // Only an answer of something older can get here: behind it.
            Some(first) => self.commits.push_back(Box::pin(async move { settle(first.await, later).await })),
            None => self.waiting = Some(later),
        }
    }
    pub(crate) fn commit(&mut self, later: BoxFuture<'static, Step>) {
        self.commits.push_back(later);
    }
    pub(crate) fn pause(&mut self, until: BoxFuture<'static, ()>) {
        self.pause = Some(until);
    }
    /// May the session read on?
    pub(crate) fn admits(&self) -> bool {
        self.waiting.is_none()
            && self.pause.is_none()
            && self.commits.len() < WINDOW
            && self.running.len() + self.queued.len() < self.most_iqs
    }
    /// Nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_none()
            && self.pause.is_none()
            && self.commits.is_empty()
            && self.iqs.is_empty()
            && self.answers.is_empty()
            && self.replies_are_empty()
    }
    fn replies_are_empty(&self) -> bool {
        self.replies.as_ref().is_none_or(|(_, buffer)| buffer.is_empty())
    }

    /// Starts an iq, or queues it behind those of its namespace.
    pub(crate) fn iq(&mut self, namespace: String, job: ServiceJob) {
        if self.running.contains(&namespace) {
            self.queued.push_back((namespace, job));
        } else {
            self.start(namespace, job);
        }
    }
    fn start(&mut self, namespace: String, job: ServiceJob) {
        self.running.push(namespace.clone());
        let (buffer, _) = self.replies.get_or_insert_with(|| mpsc::channel(REPLY_BUFFER));
        let reply = Reply::new(buffer.clone(), wire::freeze_for_wire);
        self.iqs.push(Box::pin(async move { (namespace, job.answer(reply).await) }));
    }
    fn ended(&mut self, namespace: &str) {
        self.running.retain(|running| running != namespace);
        if let Some(at) = self.queued.iter().position(|(queued, _)| queued == namespace)
            && let Some((namespace, job)) = self.queued.remove(at)
        {
            self.start(namespace, job);
        }
    }

    /// What is ready. Streamed stanzas come before the result that they belong to.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ready> {
        if let Some(waiting) = &mut self.waiting
            && let Poll::Ready(step) = waiting.as_mut().poll(cx)
        {
            self.waiting = None;
            return Poll::Ready(Ready::Step(step));
        }
        if let Poll::Ready(Some(step)) = self.commits.poll_next_unpin(cx) {
            return Poll::Ready(Ready::Step(step));
        }
        if let Some(ready) = self.poll_iqs(cx) {
            return Poll::Ready(ready);
        }
        if self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_ready()) {
            self.pause = None;
            return Poll::Ready(Ready::Step(Step::Done));
        }
        Poll::Pending
    }

    /// Answers wait until all that was streamed ahead of them is out.
    fn poll_iqs(&mut self, cx: &mut Context<'_>) -> Option<Ready> {
        while let Poll::Ready(Some((namespace, answer))) = self.iqs.poll_next_unpin(cx) {
            self.ended(&namespace);
            self.answers.push_back(answer);
        }
        match self.replies.as_mut().map(|(_, buffer)| buffer.poll_recv(cx)) {
            Some(Poll::Ready(Some(stanza))) => Some(Ready::Streamed(stanza)),
            _ => self.answers.pop_front().map(|answer| Ready::Answer(Box::new(answer))),
        }
    }

    /// Drives everything that was accepted to its end: nobody reads the answers any more, but what was to be stored is.
    pub(crate) async fn settle(mut self, router: &Arc<Router>) {
        if let Some(waiting) = self.waiting.take() {
            router.finish(Step::Wait(waiting)).await;
        }
        while let Some(step) = self.commits.next().await {
            router.finish(step).await;
        }
        self.replies = None;
        while let Some((namespace, _)) = self.iqs.next().await {
            self.ended(&namespace);
            self.replies = None;
        }
    }
}

async fn settle(mut step: Step, last: BoxFuture<'static, Step>) -> Step {
    while let Step::Wait(later) | Step::Commit(later) = step {
        step = later.await;
    }
    last.await
}
