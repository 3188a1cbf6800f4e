//! A bound client session: one task that reads, routes and writes, and never waits for anybody else's capacity.
//!
//! Everything that could wait is an arm of [`Live::poll_next`]: output, a pending fact, commits in order, iqs, held
//! messages, the mailbox, input, a pause, the keepalive.

mod acks;
mod csi;
mod held;
pub(crate) mod output;
mod poll;
mod receive;
mod sleep;
pub(crate) mod work;

use super::errors;
use crate::{
    mailbox::{Address, Mail},
    presence,
    router::{Router, Session},
    sm::Request,
    stream::{bucket::Bucket, linger},
};
pub(crate) use acks::{Acks, enable};
use bocage_api::{Frozen, SessionEvent, SessionView};
use bocage_stream::{Limits, Reader, StreamError};
use bocage_tls::Secured;
pub(crate) use csi::{CSI, Inactive};
use held::Held;
use output::Output;
use poll::Happened;
use receive::Pressed;
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep},
};
use work::Work;

/// After so many stanzas a session lets others run.
const TURN_STANZAS: usize = 64;
/// How long what was accepted may take to be stored when the session ends.
const SETTLE: Duration = Duration::from_secs(15);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// A stream that has authenticated.
pub struct Link {
    /// The connection.
    pub io: Secured<TcpStream>,
    /// Its reader, limits still those before login.
    pub reader: Reader,
    /// What is still to be written (the answer to bind).
    pub out: Vec<u8>,
    /// Default language of its stanzas.
    pub lang: Option<String>,
}

/// What a session starts from: a stream that has authenticated and bound.
pub struct Established {
    /// Its stream.
    pub link: Link,
    /// The session, known to the router.
    pub session: Arc<Session>,
    /// Stream management, if it was enabled together with the login.
    pub(crate) acks: Option<Box<Acks>>,
    /// It begins with nobody looking (XEP-0352).
    pub(crate) inactive: Option<Box<Inactive>>,
}

/// How a session ends.
enum End {
    /// The client closed the stream.
    Closed,
    /// With this error to the client.
    Error(StreamError),
    /// The connection broke.
    Lost,
    /// Another connection wants the session.
    Replaced(Request),
}

/// Whether the client was told of the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Goodbye,
    Nothing,
}

/// A session that runs.
struct Live {
    router: Arc<Router>,
    session: Arc<Session>,
    io: Secured<TcpStream>,
    reader: Reader,
    output: Output,
    work: Option<Box<Work>>,
    acks: Option<Box<Acks>>,
    inactive: Option<Box<Inactive>>,
    held: Held,
    /// Held messages were called for while some were being handed out.
    held_again: bool,
    bucket: Option<Bucket>,
    lang: Option<String>,
    bare: Box<str>,
    timer: Pin<Box<Sleep>>,
    heard: Duration,
    /// The reader holds room that it could give back.
    dirty: bool,
    turn: usize,
    pressed: Pressed,
}

/// Runs a session to its end, on one connection after the other, and cleans up behind it.
pub async fn run(router: Arc<Router>, established: Box<Established>) {
    let session = established.session.clone();
    let mut live = Box::new(Live::new(router.clone(), *established));
    loop {
        let asleep = match live.until_end().await {
            End::Lost if session.resumable().is_some() && !session.is_cut() => live.lost(),
            End::Replaced(request) => live.replaced(request),
            end => return Box::pin(last(&router, &session, live, end)).await,
        };
        match Box::pin(asleep.until_resumed()).await {
            Ok(resumed) => live = resumed,
            Err(left) => return Box::pin(finish(&router, &session, left)).await,
        }
    }
}

/// The end that comes while there is a connection.
async fn last(router: &Arc<Router>, session: &Arc<Session>, mut live: Box<Live>, end: End) {
    let (left, said) = live.close(end).await;
    finish(router, session, left).await;
    if said == Said::Goodbye {
        linger(live.io.get_ref()).await;
    }
}

/// Unbinds; contacts learn of it; unread messages find another way.
async fn finish(router: &Arc<Router>, session: &Arc<Session>, mut left: Vec<Arc<Frozen>>) {
    router.users.unbind(session);
    if let Some(resumable) = session.resumable() {
        resumable.close();
    }
    left.extend(session.mailbox.close().into_iter().map(|mail| mail.stanza));
    presence::session_ended(router, session).await;
    router.undelivered(session, left).await;
    // Held messages that this session had begun to read are another one's now.
    router.wanting(&session.jid.to_bare()).iter().for_each(|other| other.mailbox.flush_held());
    tell(router, session, SessionEvent::Ended);
    router.users.ended();
}

fn tell(router: &Router, session: &Session, event: SessionEvent) {
    if let Some(plan) = router.plans().accounts(session.jid.domain().as_str()) {
        plan.tell_session(SessionView { jid: &session.jid }, event);
    }
}

impl Live {
    fn new(router: Arc<Router>, established: Established) -> Self {
        let Established { link: Link { io, mut reader, out, lang }, session, acks, inactive } = established;
        let limits = router.limits;
        reader.set_limits(Limits::stanza(limits.max_stanza_size));
        let now = router.clock.mono();
        let bucket = limits.rate.map(|rate| Bucket::new(rate, limits.burst, now));
        let timer = Box::pin(tokio::time::sleep(limits.keepalive));
        let bare = session.jid.to_bare().as_str().into();
        let output = Output::new(out);
        Self {
            router,
            session,
            io,
            reader,
            output,
            work: None,
            acks,
            inactive,
            held: Held::Idle,
            held_again: false,
            bucket,
            lang,
            bare,
            timer,
            heard: now,
            dirty: true,
            turn: 0,
            pressed: Pressed::default(),
        }
    }

    async fn until_end(&mut self) -> End {
        loop {
            let happened = std::future::poll_fn(|cx| self.poll_next(cx)).await;
            if let Err(end) = self.handle(happened) {
                return end;
            }
            self.turn += 1;
            if self.turn >= TURN_STANZAS {
                self.turn = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    fn handle(&mut self, happened: Happened) -> Result<(), End> {
        match happened {
            Happened::Event(event) => self.receive(event)?,
            Happened::Step(entry, step) => self.apply(entry, step),
            Happened::Released(entry, step) => self.released(entry, step),
            Happened::Answer(entry, answer) => {
                self.write(*answer);
                self.done(entry);
            }
            Happened::Streamed(stanza) => self.put(&Mail { stanza, address: Address::Own }),
            Happened::Mail => self.take_mail()?,
            Happened::Held(held) => self.held_next(held),
            Happened::Timer => self.tick()?,
            Happened::Progress => {}
            Happened::End(end) => return Err(end),
        }
        self.check_unacked()
    }

    /// Whitespace after a long silence (RFC 6120 section 4.6.1), and the end when even that cannot be written, or when
    /// the client does not say that it got what it was sent.
    fn tick(&mut self) -> Result<(), End> {
        let (now, keepalive) = (self.router.clock.mono(), self.router.limits.keepalive);
        let due = self.due();
        if due.is_some_and(|due| now >= due) {
            return Err(End::Lost);
        }
        let silent = now.saturating_sub(self.heard);
        if silent >= keepalive {
            if self.output.is_stalled() {
                return Err(End::Lost);
            }
            self.output.keepalive();
        }
        let next = if silent >= keepalive { keepalive } else { keepalive - silent };
        let next = due.map_or(next, |due| next.min(due - now));
        self.timer.as_mut().reset(Instant::now() + next);
        Ok(())
    }
    /// At the latest.
    fn look_again_in(&mut self, time: Duration) {
        let then = Instant::now() + time;
        if then < self.timer.deadline() {
            self.timer.as_mut().reset(then);
        }
    }

    /// Says goodbye; returns the messages that were written but may not have left.
    async fn close(&mut self, end: End) -> (Vec<Arc<Frozen>>, Said) {
        // A page that is being read is let go at once: whoever reads next may wait for it.
        if let Held::Loading(..) = self.held {
            self.held = Held::Idle;
        }
        if let Some(work) = self.work.take() {
            // What was accepted is stored, whatever became of the client.
            let _ = tokio::time::timeout(SETTLE, work.settle(&self.router)).await;
        }
        // What waited for somebody to look goes where all goes.
        self.flush_inactive();
        let mut left = self.output.unsent();
        let mut said = Said::Nothing;
        if let End::Closed | End::Error(_) = end {
            let error = match &end {
                End::Error(error) => Some(error),
                _ => None,
            };
            let goodbye = self.output.goodbye(&mut self.io, error);
            if tokio::time::timeout(GOODBYE, goodbye).await.is_ok_and(|written| written.is_ok()) {
                left.clear();
                said = Said::Goodbye;
            }
        }
        let (acks, owner) = (self.acks.take(), self.session.jid.to_bare());
        let reached = |page: &held::Page| page.reached(said == Said::Goodbye, acks.as_deref());
        std::mem::replace(&mut self.held, Held::Idle).settle(&self.router, &owner, reached).await;
        if let Some(mut acks) = acks {
            acks.remember(&self.router, &self.session);
            acks.free(&self.router, &owner).await;
            left.extend(acks.unacked.take());
        }
        (left, said)
    }

    fn cut_reason(&self) -> Result<(), End> {
        if self.session.is_cut() {
            return Err(End::Error(self.session.take_cut().unwrap_or_else(errors::internal)));
        }
        match self.session.resumable().and_then(|resumable| resumable.take()) {
            Some(request) => Err(End::Replaced(request)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The budget of an idle session (ARCHITECTURE.md): TLS has some 10 KiB besides.
    #[test]
    fn what_a_session_holds_fits_its_budget() {
        assert!(size_of::<Live>() <= 2_560, "Live: {}", size_of::<Live>());
        assert!(size_of::<Session>() <= 384, "Session: {}", size_of::<Session>());
        assert!(size_of::<Frozen>() <= 256, "Frozen: {}", size_of::<Frozen>());
        assert_eq!(size_of::<Mail>(), 16);
        assert!(size_of::<Acks>() <= 160, "Acks: {}", size_of::<Acks>());
    }
}
