//! A session between two connections (XEP-0198 section 5): its mailbox fills, what it had under way comes to its end,
//! and either a new connection takes it over or it dies, with all that it holds going where unread messages go.

use super::{
    Established, Live,
    acks::{Acks, send},
    held::Held,
    tell,
    work::{Outcome, Ready, Work, follow},
};
use crate::{
    c2s::errors,
    mailbox::{Address, Mail, More, Wanted},
    router::{Router, Session, Step},
    sm::{Claim, Entry, Request, Row},
    stream::linger,
    tasks, wire,
};
use bocage_api::{BoxFuture, Frozen, SessionEvent, Stanza};
use futures_util::{FutureExt, StreamExt, stream::FuturesOrdered};
use std::{sync::Arc, task::Poll, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep},
};

/// A new connection waits at most so long for what the old one had sent to be handled.
const PATIENCE: Duration = Duration::from_secs(5);

/// What stays of a session whose connection is gone.
pub(super) struct Asleep {
    router: Arc<Router>,
    session: Arc<Session>,
    acks: Box<Acks>,
    work: Option<Box<Work>>,
    held: Held,
    /// Written before stream management was enabled, and perhaps never sent.
    early: Vec<Arc<Frozen>>,
    deadline: Instant,
    request: Option<Request>,
    /// What the client may never get, on its way into the store: a server that dies takes the rest with it.
    sheltering: FuturesOrdered<Sheltering>,
}

/// A message, and the same with its row.
type Sheltering = BoxFuture<'static, (Arc<Frozen>, Option<Arc<Frozen>>)>;

/// What it stirs for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Somebody who calls.
    Call,
    /// All that the old connection had brought being handled.
    Complete,
}

/// What happens while it sleeps.
enum Stirred {
    Ready(Ready),
    /// This one has a row now.
    Sheltered(Arc<Frozen>, Option<Arc<Frozen>>),
    /// Somebody calls: it was cut, or a new connection is there.
    Called,
    /// Its time is over.
    Late,
}

impl Live {
    /// The connection is gone.
    pub(super) fn lost(self: Box<Self>) -> Box<Asleep> {
        let mut asleep = self.fall_asleep().0;
        asleep.shelter();
        tell(&asleep.router, &asleep.session, SessionEvent::Hibernated);
        asleep
    }

    /// Another connection is there: this one is told, and ended.
    pub(super) fn replaced(self: Box<Self>, request: Request) -> Box<Asleep> {
        let (mut asleep, mut io, mut output) = self.fall_asleep();
        asleep.request = Some(request);
        tasks::spawn_connection(async move {
            let error = errors::resumed_elsewhere();
            let goodbye = output.goodbye(&mut io, Some(&error));
            if tokio::time::timeout(super::GOODBYE, goodbye).await.is_ok_and(|said| said.is_ok()) {
                linger(io.get_ref()).await;
            }
        });
        asleep
    }

    fn fall_asleep(mut self: Box<Self>) -> (Box<Asleep>, super::Secured<super::TcpStream>, super::Output) {
        // Where the next connection finds it; it begins with somebody looking (XEP-0352 section 5.2).
        self.flush_inactive();
        let timeout = self.session.resumable().map_or(Duration::ZERO, |resumable| resumable.timeout);
        let early = self.output.unsent();
        let Self { router, session, io, output, work, acks, held, .. } = *self;
        let (claimed, held) = (held.claims(), held.sleep());
        if claimed {
            // Whoever found it taken is not called again otherwise.
            router.wanting(&session.jid.to_bare()).iter().for_each(|other| other.mailbox.flush_held());
        }
        let mut acks = acks.unwrap_or_else(|| Acks::new(router.budget.clone()));
        acks.unacked.forget_question();
        let deadline = Instant::now() + timeout;
        let sheltering = FuturesOrdered::new();
        let asleep = Asleep { router, session, acks, work, held, early, deadline, request: None, sheltering };
        (Box::new(asleep), io, output)
    }
}

impl Asleep {
    /// Falls asleep: what comes from now on is stored. What came before, and was not acknowledged, is so first.
    fn shelter(&mut self) {
        let sent: Vec<_> = self.acks.unacked.without_row().cloned().collect();
        let before = self.session.mailbox.waiting();
        sent.iter().chain(&before).for_each(|stanza| self.shelter_one(stanza));
        self.queue_shelters();
        self.session.sleep();
        let meanwhile = self.session.mailbox.waiting();
        meanwhile.iter().skip(before.len()).for_each(|stanza| self.shelter_one(stanza));
        // At once, for senders that see it asleep store what comes now.
        self.queue_shelters();
    }
    /// In the store's queue, in order, by their first poll.
    fn queue_shelters(&mut self) {
        if let Some(Some((old, new))) = self.sheltering.next().now_or_never() {
            self.sheltered(&old, new);
        }
    }
    fn shelter_one(&mut self, stanza: &Arc<Frozen>) {
        if let Some(stored) = self.router.shelter(&self.session, stanza) {
            let stanza = stanza.clone();
            self.sheltering.push_back(Box::pin(async move { (stanza, stored.await) }));
        }
    }
    fn sheltered(&mut self, old: &Arc<Frozen>, new: Option<Arc<Frozen>>) {
        if let Some(new) = new {
            self.acks.unacked.exchange(old, &new);
            self.session.mailbox.exchange(old, &new);
        }
    }

    /// Sleeps until a new connection has taken the session over.
    ///
    /// # Errors
    /// When the session is over instead: what was not read.
    pub(super) async fn until_resumed(mut self: Box<Self>) -> Result<Box<Live>, Vec<Arc<Frozen>>> {
        loop {
            if self.session.is_cut() {
                return Err(self.die().await);
            }
            let request = match self.request.take().or_else(|| self.session.resumable().and_then(|it| it.take())) {
                Some(request) => request,
                None => {
                    // Another connection wanted it, and then did not.
                    if !self.session.is_asleep() {
                        self.shelter();
                    }
                    if !self.stir(self.deadline, Goal::Call).await {
                        return Err(self.die().await);
                    }
                    continue;
                }
            };
            if let Some(link) = self.offer(request).await {
                return Ok(self.wake(*link));
            }
        }
    }

    /// Goes on with what is under way; `false`: the time is over, or more is held than may be.
    async fn stir(&mut self, until: Instant, goal: Goal) -> bool {
        let mut timer = Box::pin(tokio::time::sleep_until(until));
        loop {
            match std::future::poll_fn(|cx| self.poll(&mut timer, cx)).await {
                Stirred::Called => return true,
                Stirred::Late => return false,
                Stirred::Ready(ready) => self.take(ready),
                Stirred::Sheltered(old, new) => self.sheltered(&old, new),
            }
            if self.acks.unacked.is_over() {
                return false;
            }
            if goal == Goal::Complete && self.is_complete() {
                return true;
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.acks.ledger.is_complete() && self.sheltering.is_empty()
    }

    fn poll(&mut self, timer: &mut std::pin::Pin<Box<Sleep>>, cx: &mut std::task::Context<'_>) -> Poll<Stirred> {
        if let Some(work) = &mut self.work {
            match work.poll(cx) {
                Poll::Ready(ready) => return Poll::Ready(Stirred::Ready(ready)),
                Poll::Pending if work.is_idle() => self.work = None,
                Poll::Pending => {}
            }
        }
        if let Poll::Ready(Some((old, new))) = self.sheltering.poll_next_unpin(cx) {
            return Poll::Ready(Stirred::Sheltered(old, new));
        }
        if self.session.mailbox.poll_filled(cx, Wanted::Calls).is_ready() {
            // Held messages are looked for when there is somebody to hand them to.
            self.session.mailbox.take_flush_held();
            return Poll::Ready(Stirred::Called);
        }
        timer.as_mut().poll(cx).map(|()| Stirred::Late)
    }

    fn take(&mut self, ready: Ready) {
        match ready {
            Ready::Step(entry, step) => self.follow((entry, step), false),
            Ready::Released(entry, step) => self.follow((entry, step), true),
            Ready::Answer(entry, answer) => {
                self.keep(*answer);
                self.acks.ledger.done(entry);
            }
            Ready::Streamed(stanza) => self.acks.unacked.push(stanza, Address::Own, Row::No),
            Ready::Rested => {}
        }
    }

    /// What a stanza that the old connection brought led to.
    fn follow(&mut self, (entry, step): (Entry, Step), turn: bool) {
        match follow(&mut self.work, &self.router, (entry, step), turn) {
            Outcome::Later => return,
            Outcome::Done | Outcome::Pressure(_) => {}
            Outcome::Answer(answer) => self.keep(*answer),
        }
        self.acks.ledger.done(entry);
    }

    /// An answer, for when the client is back.
    fn keep(&mut self, answer: Stanza) {
        self.acks.unacked.push(Arc::new(wire::freeze_for_wire(answer)), Address::Own, Row::No);
    }

    /// Offers itself to a new connection; `None`: it went away, or asked for what cannot be.
    async fn offer(&mut self, request: Request) -> Option<Box<super::Link>> {
        let until = Instant::now() + PATIENCE;
        while !self.is_complete() && self.stir(until, Goal::Complete).await {}
        if let Err(fault) = self.acks.unacked.acknowledge(request.h) {
            let _ = request.reply.send(Err(fault));
            return None;
        }
        // What is still under way now is so in any case: sent a second time, it would be done twice.
        self.acks.ledger.complete();
        let (take, taken) = oneshot::channel();
        request.reply.send(Ok(Claim { h: self.acks.ledger.handled(), take })).ok()?;
        taken.await.ok()
    }

    /// On this connection what the client does not have is sent again, and all goes on.
    fn wake(self, link: super::Link) -> Box<Live> {
        let Self { router, session, acks, work, held, .. } = self;
        session.wake();
        let established = Established { link, session: session.clone(), acks: None, inactive: None };
        let mut live = Box::new(Live::new(router, established));
        let again: Vec<Mail> = acks.unacked.iter().map(|(stanza, address)| Mail { stanza: stanza.clone(), address }).collect();
        for Mail { stanza, address } in again {
            live.output.untracked(&stanza, address.instead(&live.bare, &session));
        }
        live.acks = Some(acks);
        live.work = work;
        live.held = held;
        // Ahead of what is held: that leaves out what the client is sent here. No more than a mailbox has.
        session.mailbox.drain(|mail| {
            send(&mut live.output, &mut live.acks, mail, mail.address.instead(&live.bare, &session));
            More::Yes
        });
        tell(&live.router, &session, SessionEvent::Resumed);
        // What waited meanwhile.
        session.mailbox.flush_held();
        live
    }

    /// Nobody came.
    async fn die(mut self) -> Vec<Arc<Frozen>> {
        let owner = self.session.jid.to_bare();
        while let Ok(Some((old, new))) = tokio::time::timeout(super::SETTLE, self.sheltering.next()).await {
            self.sheltered(&old, new);
        }
        let Self { router, session, mut acks, work, held, early, .. } = self;
        if let Some(work) = work {
            let _ = tokio::time::timeout(super::SETTLE, work.settle(&router)).await;
        }
        held.settle(&router, &owner, |page| page.reached(false, Some(&acks))).await;
        acks.free(&router, &owner).await;
        acks.remember(&router, &session);
        let mut left = early;
        left.extend(acks.unacked.take());
        left
    }
}
