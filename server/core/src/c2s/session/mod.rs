//! A bound client session: one task that reads, routes and writes, and never waits for anybody else's capacity.
//!
//! Everything that could wait is an arm of [`Live::poll_next`]: output, a pending fact, commits in order, iqs, held
//! messages, the mailbox, input, a pause, the keepalive.

mod held;
pub(crate) mod output;
mod poll;
mod receive;
pub(crate) mod work;

use super::errors;
use crate::{
    presence,
    router::{Router, Session},
    stream::{bucket::Bucket, linger},
};
use bocage_api::{Frozen, SessionEvent, SessionView};
use bocage_stream::{Limits, Reader, StreamError};
use bocage_tls::Secured;
use held::{AllLeft, Held};
use output::Output;
use poll::Happened;
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

/// What a session starts from: a stream that has authenticated and bound.
pub struct Established {
    /// The connection.
    pub io: Secured<TcpStream>,
    /// Its reader, limits still those before login.
    pub reader: Reader,
    /// What is still to be written (the answer to bind).
    pub out: Vec<u8>,
    /// The session, known to the router.
    pub session: Arc<Session>,
    /// Default language of its stanzas.
    pub lang: Option<String>,
}

/// How a session ends.
enum End {
    /// The client closed the stream.
    Closed,
    /// With this error to the client.
    Error(StreamError),
    /// The connection broke.
    Lost,
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
    held: Held,
    bucket: Option<Bucket>,
    lang: Option<String>,
    bare: Box<str>,
    timer: Pin<Box<Sleep>>,
    heard: Duration,
    /// The reader holds room that it could give back.
    dirty: bool,
    turn: usize,
}

/// Runs a session to its end and cleans up behind it.
pub async fn run(router: Arc<Router>, established: Box<Established>) {
    let session = established.session.clone();
    let mut live = Box::new(Live::new(router.clone(), *established));
    let end = live.until_end().await;
    let (left, said) = live.close(end).await;
    live.settle_held(if said == Said::Goodbye { AllLeft::Yes } else { AllLeft::No }).await;
    finish(&router, &session, left).await;
    if said == Said::Goodbye {
        linger(live.io.get_ref()).await;
    }
}

/// Unbinds; contacts learn of it; unread messages find another way.
async fn finish(router: &Arc<Router>, session: &Arc<Session>, mut left: Vec<Arc<Frozen>>) {
    router.users.unbind(session);
    left.extend(session.mailbox.close().into_iter().map(|mail| mail.stanza));
    presence::session_ended(router, session).await;
    router.undelivered(session, left).await;
    // Held messages that this session had begun to read are another one's now.
    router.wanting(&session.jid.to_bare()).iter().for_each(|other| other.mailbox.flush_held());
    if let Some(plan) = router.plans().accounts(session.jid.domain().as_str()) {
        plan.tell_session(SessionView { jid: &session.jid }, SessionEvent::Ended);
    }
    router.users.ended();
}

impl Live {
    fn new(router: Arc<Router>, established: Established) -> Self {
        let Established { io, mut reader, out, session, lang } = established;
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
            held: Held::Idle,
            bucket,
            lang,
            bare,
            timer,
            heard: now,
            dirty: true,
            turn: 0,
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
            Happened::Step(step) => self.apply(step),
            Happened::Answer(answer) => self.write(*answer),
            Happened::Streamed(stanza) => self.output.stanza(&stanza, None),
            Happened::Mail => self.take_mail()?,
            Happened::Held(held) => self.held_next(held),
            Happened::Timer => self.tick()?,
            Happened::Progress => {}
            Happened::End(end) => return Err(end),
        }
        Ok(())
    }

    /// Whitespace after a long silence (RFC 6120 section 4.6.1), and the end when even that cannot be written.
    fn tick(&mut self) -> Result<(), End> {
        let keepalive = self.router.limits.keepalive;
        if self.output.is_stalled() {
            return Err(End::Lost);
        }
        let silent = self.router.clock.mono().saturating_sub(self.heard);
        if silent >= keepalive {
            self.output.keepalive();
        }
        let next = if silent >= keepalive { keepalive } else { keepalive - silent };
        self.timer.as_mut().reset(Instant::now() + next);
        Ok(())
    }

    /// Says goodbye; returns the messages that were written but may not have left.
    async fn close(&mut self, end: End) -> (Vec<Arc<Frozen>>, Said) {
        if let Some(work) = self.work.take() {
            // What was accepted is stored, whatever became of the client.
            let _ = tokio::time::timeout(SETTLE, work.settle(&self.router)).await;
        }
        let mut left = self.output.unsent();
        if let End::Closed | End::Error(_) = end {
            let error = match &end {
                End::Error(error) => Some(error),
                _ => None,
            };
            let goodbye = self.output.goodbye(&mut self.io, error);
            if tokio::time::timeout(GOODBYE, goodbye).await.is_ok_and(|written| written.is_ok()) {
                left.clear();
                return (left, Said::Goodbye);
            }
        }
        (left, Said::Nothing)
    }

    fn cut_reason(&self) -> Result<(), End> {
        if self.session.is_cut() { Err(End::Error(self.session.take_cut().unwrap_or_else(errors::internal))) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Mail;

    /// The budget of an idle session (ARCHITECTURE.md): TLS has some 10 KiB besides.
    #[test]
    fn what_a_session_holds_fits_its_budget() {
        assert!(size_of::<Live>() <= 2_560, "Live: {}", size_of::<Live>());
        assert!(size_of::<Session>() <= 384, "Session: {}", size_of::<Session>());
        assert!(size_of::<Frozen>() <= 256, "Frozen: {}", size_of::<Frozen>());
        assert_eq!(size_of::<Mail>(), 16);
    }
}
