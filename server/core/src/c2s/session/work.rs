//! What a session waits for besides its sockets; it exists only while there is something.

use crate::{
    router::{Router, ServiceJob, Session, Step},
    sm::Entry,
    wire,
};
use bocage_api::{BoxFuture, Frozen, Reply, Stanza};
use futures_util::{
    FutureExt,
    stream::{FuturesOrdered, FuturesUnordered, StreamExt},
};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Commits that may be under way while the session reads on.
const WINDOW: usize = 128;
/// Bytes that may have come since nothing was being committed: large stanzas fill memory before they fill the window.
const WINDOW_BYTES: usize = 1024 * 1024;
/// Iqs of a session that may be under way or queued behind their namespace.
const IQS: usize = 8;
/// Stanzas that a service may stream ahead of its result.
const REPLY_BUFFER: usize = 64;

type Replies = (mpsc::Sender<Arc<Frozen>>, mpsc::Receiver<Arc<Frozen>>);

/// A step that follows from a stanza.
struct Later {
    entry: Entry,
    step: BoxFuture<'static, Step>,
}
impl Future for Later {
    type Output = (Entry, Step);
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let entry = self.entry;
        self.step.as_mut().poll(cx).map(|step| (entry, step))
    }
}

/// Work under way. Everything says whose end it is: what came in is acknowledged when it has come to its end.
pub(crate) struct Work {
    /// Iqs that may be under way or queued.
    most_iqs: usize,
    /// A fact is missing: nothing is read until it is there. Only answers of something older queue up here.
    waiting: VecDeque<Later>,
    commits: FuturesOrdered<Later>,
    /// What came while something was being committed.
    committing_bytes: usize,
    iqs: FuturesUnordered<BoxFuture<'static, (String, Entry, Stanza)>>,
    running: Vec<String>,
    answers: VecDeque<(Entry, Stanza)>,
    queued: VecDeque<(String, Entry, ServiceJob)>,
    replies: Option<Replies>,
    /// The session's senders-side brake: a slow recipient, or the rate.
    pause: Option<BoxFuture<'static, ()>>,
}

/// What became ready.
pub(crate) enum Ready {
    Step(Entry, Step),
    /// Of a commit, in its turn.
    Released(Entry, Step),
    Answer(Entry, Box<Stanza>),
    /// The sender's pause is over.
    Rested,
    Streamed(Arc<Frozen>),
}

/// What became of a stanza.
pub(super) enum Outcome {
    /// It is not at its end.
    Later,
    /// It is.
    Done,
    /// It is, and this session is slow.
    Pressure(Arc<Session>),
    /// It is, and this is the answer.
    Answer(Box<Stanza>),
}

/// What a stanza led to, so far. `turn`: all that was sent before it is done, and what comes behind that may be done now.
pub(super) fn follow(
    work: &mut Option<Box<Work>>,
    router: &Arc<Router>,
    (entry, mut step): (Entry, Step),
    mut turn: bool,
) -> Outcome {
    loop {
        match step {
            Step::Then(then) if turn || work.as_ref().is_none_or(|work| !work.is_committing()) => {
                step = then(router);
                turn = true;
            }
            Step::Then(then) => {
                work.get_or_insert_default().commit(entry, Box::pin(std::future::ready(Step::Then(then))));
                return Outcome::Later;
            }
            Step::Wait(later) => {
                work.get_or_insert_default().wait(entry, later);
                return Outcome::Later;
            }
            Step::Commit(later) => {
                work.get_or_insert_default().commit(entry, later);
                return Outcome::Later;
            }
            Step::Done => return Outcome::Done,
            Step::Pressure(slow) => return Outcome::Pressure(slow),
            Step::Answer(answer) => return Outcome::Answer(answer),
        }
    }
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
            waiting: VecDeque::new(),
            commits: FuturesOrdered::new(),
            committing_bytes: 0,
            iqs: FuturesUnordered::new(),
            running: Vec::new(),
            answers: VecDeque::new(),
            queued: VecDeque::new(),
            replies: None,
            pause: None,
        }
    }
    pub(crate) fn wait(&mut self, entry: Entry, later: BoxFuture<'static, Step>) {
        self.waiting.push_back(Later { entry, step: later });
    }
    pub(crate) fn commit(&mut self, entry: Entry, later: BoxFuture<'static, Step>) {
        self.commits.push_back(Later { entry, step: later });
    }
    pub(crate) fn pause(&mut self, until: BoxFuture<'static, ()>) {
        self.pause = Some(until);
    }
    /// So many bytes came in.
    pub(crate) fn heard(&mut self, bytes: usize) {
        if self.is_committing() {
            self.committing_bytes = self.committing_bytes.saturating_add(bytes);
        }
    }
    /// May the session read on?
    pub(crate) fn admits(&self) -> bool {
        self.waiting.is_empty()
            && self.pause.is_none()
            && self.commits.len() < WINDOW
            && self.committing_bytes < WINDOW_BYTES
            && self.running.len() + self.queued.len() < self.most_iqs
    }
    /// Is something being committed?
    pub(crate) fn is_committing(&self) -> bool {
        !self.commits.is_empty()
    }
    /// Nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
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
    pub(crate) fn iq(&mut self, namespace: String, entry: Entry, job: ServiceJob) {
        if self.running.contains(&namespace) {
            self.queued.push_back((namespace, entry, job));
        } else {
            self.start(namespace, entry, job);
        }
    }
    fn start(&mut self, namespace: String, entry: Entry, job: ServiceJob) {
        self.running.push(namespace.clone());
        let (buffer, _) = self.replies.get_or_insert_with(|| mpsc::channel(REPLY_BUFFER));
        let reply = Reply::new(buffer.clone(), wire::freeze_for_wire);
        self.iqs.push(Box::pin(async move { (namespace, entry, job.answer(reply).await) }));
    }
    fn ended(&mut self, namespace: &str) {
        self.running.retain(|running| running != namespace);
        if let Some(at) = self.queued.iter().position(|(queued, ..)| queued == namespace)
            && let Some((namespace, entry, job)) = self.queued.remove(at)
        {
            self.start(namespace, entry, job);
        }
    }

    /// What is ready. Streamed stanzas come before the result that they belong to.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ready> {
        if let Poll::Ready(ready) = self.poll_steps(cx) {
            return Poll::Ready(ready);
        }
        if let Some(ready) = self.poll_iqs(cx) {
            return Poll::Ready(ready);
        }
        if self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_ready()) {
            self.pause = None;
            return Poll::Ready(Ready::Rested);
        }
        Poll::Pending
    }

    /// Facts and commits alone: they hold what others wait for, and are driven whether or not there is room for answers.
    pub(crate) fn poll_steps(&mut self, cx: &mut Context<'_>) -> Poll<Ready> {
        // Commits that are new are queued by their first poll: before anything that waits behind them goes on.
        if let Poll::Ready(Some((entry, step))) = self.commits.poll_next_unpin(cx) {
            if self.commits.is_empty() {
                self.committing_bytes = 0;
            }
            return Poll::Ready(Ready::Released(entry, step));
        }
        if let Some(waiting) = self.waiting.front_mut()
            && let Poll::Ready((entry, step)) = waiting.poll_unpin(cx)
        {
            self.waiting.pop_front();
            return Poll::Ready(Ready::Step(entry, step));
        }
        Poll::Pending
    }

    /// Answers wait until all that was streamed ahead of them is out.
    fn poll_iqs(&mut self, cx: &mut Context<'_>) -> Option<Ready> {
        while let Poll::Ready(Some((namespace, entry, answer))) = self.iqs.poll_next_unpin(cx) {
            self.ended(&namespace);
            self.answers.push_back((entry, answer));
        }
        if let Some((_, buffer)) = &mut self.replies {
            if let Poll::Ready(Some(stanza)) = buffer.poll_recv(cx) {
                return Some(Ready::Streamed(stanza));
            }
            // Tokio lets a task that had its share wait, whatever is there: it is woken at once.
            if !buffer.is_empty() {
                return None;
            }
        }
        self.answers.pop_front().map(|(entry, answer)| Ready::Answer(entry, Box::new(answer)))
    }

    /// Drives everything that was accepted to its end: nobody reads the answers any more, but what was to be stored is.
    pub(crate) async fn settle(mut self, router: &Arc<Router>) {
        loop {
            while let Some((_, step)) = self.commits.next().await {
                router.finish(step).await;
            }
            let Some(waiting) = self.waiting.pop_front() else { break };
            router.finish(waiting.step.await).await;
        }
        self.replies = None;
        while let Some((namespace, ..)) = self.iqs.next().await {
            self.ended(&namespace);
            self.replies = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::stanza::{IqType, Kind, MessageType};
    use futures_util::future::{pending, poll_fn, ready};
    use tokio::task::coop::poll_proceed;

    #[tokio::test]
    async fn an_answer_does_not_overtake_what_was_streamed_ahead_of_it() {
        let mut work = Work::default();
        let (sender, _) = work.replies.insert(mpsc::channel(REPLY_BUFFER));
        let streamed = Stanza::new(Kind::Message(MessageType::Normal), None, None);
        sender.try_send(Arc::new(wire::freeze_for_wire(streamed))).unwrap();
        work.answers.push_back((Entry::NONE, Stanza::new(Kind::Iq(IqType::Result), None, None)));
        let in_this_turn = poll_fn(|cx| {
            // The task has had its share of this turn: now no channel gives it anything.
            while let Poll::Ready(share) = poll_proceed(cx) {
                share.made_progress();
            }
            Poll::Ready(work.poll(cx))
        });
        assert!(in_this_turn.await.is_pending());
        tokio::task::yield_now().await;
        assert!(matches!(poll_fn(|cx| work.poll(cx)).await, Ready::Streamed(_)));
        assert!(matches!(poll_fn(|cx| work.poll(cx)).await, Ready::Answer(..)));
    }

    #[test]
    fn h64_what_is_being_committed_is_bounded_in_stanzas_and_in_bytes() {
        let mut work = Work::default();
        work.heard(WINDOW_BYTES);
        assert!(work.admits(), "nothing is being committed");
        work.commit(Entry::NONE, Box::pin(ready(Step::Done)));
        work.heard(WINDOW_BYTES - 1);
        assert!(work.admits());
        work.heard(1);
        assert!(!work.admits());
        let released = std::future::poll_fn(|cx| work.poll_steps(cx)).now_or_never();
        assert!(matches!(released, Some(Ready::Released(..))));
        assert!(work.admits());
        (0..WINDOW).for_each(|_| work.commit(Entry::NONE, Box::pin(pending())));
        assert!(!work.admits());
    }
}
