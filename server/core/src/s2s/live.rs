//! A stream between two servers that is up: it brings what waits in its queue, hears what the peer may say, and never
//! waits for anybody's capacity. An incoming stream hears; an outgoing one brings; with bidi (XEP-0288) both do both.

use super::{
    federation::Federation,
    links::{PATIENCE, settle},
    queue::{Item, Link},
};
use crate::{
    c2s::{Output, Ready, Work, errors},
    stream::{bucket::Bucket, linger, poll_event},
};
use bocage_api::{BoxFuture, StanzaError};
use bocage_stream::{Event, Limits, Reader, StreamError};
use bocage_tls::{PeerStream, TlsProof};
use jid::DomainPart;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep},
};

mod management;
mod pings;
mod receive;

pub(super) use management::Management;
use pings::Pings;

/// Iqs of one peer that may be under way.
const IQS: usize = 64;
/// Stanzas that may be written and not acknowledged.
const UNACKED: usize = 1_024;
/// After so many stanzas a stream lets others run.
const TURN: usize = 64;
/// How often a stream looks at its timers.
const TICK: Duration = Duration::from_secs(15);
/// A peer that owes an acknowledgement for so long is gone.
const OVERDUE: Duration = Duration::from_secs(60);
/// How long a peer may take to enable stream management.
const HOLD: Duration = Duration::from_secs(2);
/// How long goodbyes, and the storing of what was accepted, may take.
const GOODBYE: Duration = Duration::from_secs(5);
const SETTLE: Duration = Duration::from_secs(15);

/// A stream that is about to run.
pub(super) struct Stream {
    pub(super) io: PeerStream<TcpStream>,
    pub(super) reader: Reader,
    pub(super) out: Vec<u8>,
    pub(super) there: DomainPart,
    pub(super) proof: TlsProof,
    pub(super) sends: Option<Arc<Link>>,
    pub(super) receives: bool,
    /// The peer is about to enable stream management: what is written before would be taken for arrived.
    pub(super) awaits_management: bool,
    /// Bytes of a stanza that the peer takes (XEP-0478).
    pub(super) max_bytes: Option<usize>,
    pub(super) management: Management,
}

/// How a stream ends.
enum End {
    Closed,
    Idle,
    Shutdown,
    Error(StreamError),
    Lost,
}

struct Live {
    federation: Arc<Federation>,
    io: PeerStream<TcpStream>,
    reader: Reader,
    output: Output,
    work: Work,
    there: DomainPart,
    /// Further domains that the certificate was proven for (piggybacking).
    also: Vec<DomainPart>,
    proof: TlsProof,
    sends: Option<Arc<Link>>,
    receives: bool,
    max_bytes: Option<usize>,
    management: Management,
    /// What stands for it where there is none.
    pings: Pings,
    /// Written, and not known to have arrived.
    sent: VecDeque<Item>,
    bucket: Option<Bucket>,
    closing: Option<BoxFuture<'static, ()>>,
    /// Nothing is brought before this.
    hold: Option<Pin<Box<Sleep>>>,
    timer: Pin<Box<Sleep>>,
    /// When something was last heard or said.
    busy: Duration,
    /// When whitespace was last sent.
    kept: Duration,
    dirty: bool,
    turn: usize,
}

/// Resolves when the server stops.
fn closing(federation: &Federation) -> Option<BoxFuture<'static, ()>> {
    let mut closing = federation.closing();
    Some(Box::pin(async move { _ = closing.wait_for(|closing| *closing).await }))
}

enum Happened {
    Event(Event),
    Ready(Ready),
    Filled,
    Answered,
    Written,
    Timer,
    Progress,
    End(End),
}

/// Runs a stream to its end; what may not have arrived is in its queue again.
pub(super) async fn run(federation: &Arc<Federation>, stream: Stream) {
    let _counted = federation.count();
    let mut live = Box::new(Live::new(federation.clone(), stream));
    let end = live.until_end().await;
    live.close(end).await;
}

/// A stream of the peer's: when it brought what waits here and ends, somebody else has to.
pub(super) async fn run_incoming(federation: &Arc<Federation>, stream: Stream) {
    let link = stream.sends.clone();
    run(federation, stream).await;
    let Some(link) = link else { return };
    if !federation.is_closing() && link.look_again() {
        let driven = super::outgoing::drive(federation.clone(), link);
        federation.router.tasks.spawn_core("link", driven);
    } else {
        federation.router.links.forget(&link);
    }
}

impl Live {
    fn new(federation: Arc<Federation>, stream: Stream) -> Self {
        let Stream { io, mut reader, out, there, proof, sends, receives, awaits_management, max_bytes, management } = stream;
        let settings = &federation.settings;
        let now = federation.router.clock.mono();
        let bucket = settings.rate.map(|rate| Bucket::new(rate, settings.burst, now));
        reader.set_limits(Limits::stanza(settings.max_stanza_size));
        let pings = Pings::new(federation.manners.is_silent(there.as_str()));
        Self {
            output: Output::new(out),
            work: Work::with_iqs(IQS),
            closing: closing(&federation),
            hold: awaits_management.then(|| Box::pin(tokio::time::sleep(HOLD))),
            timer: Box::pin(tokio::time::sleep(TICK)),
            also: Vec::new(),
            sent: VecDeque::new(),
            busy: now,
            kept: now,
            dirty: true,
            turn: 0,
            federation,
            io,
            reader,
            there,
            proof,
            sends,
            receives,
            max_bytes,
            management,
            pings,
            bucket,
        }
    }

    async fn until_end(&mut self) -> End {
        loop {
            let happened = std::future::poll_fn(|cx| self.poll_next(cx)).await;
            if let Err(end) = self.handle(happened).await {
                return end;
            }
            self.turn += 1;
            if self.turn >= TURN {
                self.turn = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if let Poll::Ready(ready) = self.work.poll(cx) {
            return Poll::Ready(Happened::Ready(ready));
        }
        if self.management.answer_due(self.work.is_idle(), &mut self.output) {
            return Poll::Ready(Happened::Progress);
        }
        if self.pings.is_asked() && self.sends.as_ref().is_some_and(|link| link.poll_answered(cx).is_ready()) {
            return Poll::Ready(Happened::Answered);
        }
        if self.hold.as_mut().is_some_and(|hold| hold.as_mut().poll(cx).is_ready()) {
            self.hold = None;
        }
        let takes = self.hold.is_none() && self.sent.len() < UNACKED && !self.output.is_high();
        if takes && self.sends.as_ref().is_some_and(|link| link.poll_filled(cx).is_ready()) {
            return Poll::Ready(Happened::Filled);
        }
        if self.output.is_ripe(self.turn == 0)
            && let Poll::Ready(happened) = self.poll_output(cx)
        {
            return Poll::Ready(happened);
        }
        if self.reads()
            && let Poll::Ready(happened) = self.poll_input(cx)
        {
            return Poll::Ready(happened);
        }
        if let Poll::Ready(happened) = self.poll_output(cx) {
            return Poll::Ready(happened);
        }
        if self.is_over(cx) {
            return Poll::Ready(Happened::End(End::Shutdown));
        }
        self.timer.as_mut().poll(cx).map(|()| Happened::Timer)
    }

    /// The server stops: what waits goes out first. Answers to pings are not waited for: the streams that they come on end
    /// too, and what they would have confirmed stays as rows.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.closing.as_mut().is_some_and(|closing| closing.as_mut().poll(cx).is_ready()) {
            self.closing = None;
        }
        let settled = self.sent.is_empty() || self.management.is_off();
        self.closing.is_none() && self.output.is_empty() && self.work.is_idle() && settled
    }

    fn reads(&self) -> bool {
        !self.output.is_high() && self.work.admits() && !self.management.owes_answer()
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if self.output.is_empty() {
            return Poll::Pending;
        }
        match self.output.poll_write(&mut self.io, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Happened::Written),
            Poll::Ready(Err(_)) => Poll::Ready(Happened::End(End::Lost)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        let read = std::task::ready!(poll_event(&mut self.io, &mut self.reader, &mut self.dirty, cx));
        let Some((event, count)) = read else { return Poll::Ready(Happened::End(End::Lost)) };
        self.work.heard(count);
        let now = self.federation.router.clock.mono();
        if let Some(wait) = self.bucket.as_mut().and_then(|bucket| bucket.take(count, now)) {
            self.work.pause(Box::pin(tokio::time::sleep(wait)));
        }
        Poll::Ready(match event {
            Ok(Some(event)) => Happened::Event(event),
            Ok(None) => Happened::Progress,
            Err(error) => Happened::End(End::Error(error)),
        })
    }

    async fn handle(&mut self, happened: Happened) -> Result<(), End> {
        match happened {
            Happened::Event(event) => self.receive(event).await?,
            Happened::Ready(Ready::Step(_, step)) => self.apply(step),
            Happened::Ready(Ready::Released(_, step)) => self.released(step),
            Happened::Ready(Ready::Answer(_, answer)) => self.apply(crate::router::Step::Answer(answer)),
            Happened::Ready(Ready::Rested) => {}
            Happened::Ready(Ready::Streamed(stanza)) => self.streamed(&stanza),
            Happened::Filled => self.bring().await,
            Happened::Answered => self.pinged().await,
            Happened::Written => self.written().await,
            Happened::Timer => self.tick()?,
            Happened::Progress => {}
            Happened::End(end) => return Err(end),
        }
        Ok(())
    }

    /// From the queue into the output.
    async fn bring(&mut self) {
        self.busy = self.federation.router.clock.mono();
        let Some(link) = self.sends.clone() else { return };
        while self.sent.len() < UNACKED && !self.output.is_high() {
            let Some(item) = link.take() else { break };
            // XEP-0478: what the peer would cut the stream for is not sent.
            if self.max_bytes.is_some_and(|max| item.stanza.cost() > max.max(10_000)) {
                let mut error = StanzaError::policy_violation();
                error.text = Some("larger than the other server takes");
                settle(&self.federation, item, Err(error)).await;
                continue;
            }
            let instead = item.instead.as_ref().map(|to| to.as_str());
            self.output.untracked(&item.stanza, instead);
            self.management.sent();
            self.sent.push_back(item);
        }
        self.management.ask(link.is_empty(), self.sent.len(), &mut self.output, self.busy);
        self.ping();
    }

    /// All output is out. Without stream management that is as much as can be known of all but messages, and of those
    /// too where pings are not answered.
    async fn written(&mut self) {
        if !self.management.is_off() {
            return;
        }
        if !self.pings.is_by_flush() {
            return self.sent.retain(|item| item.ticket.is_some());
        }
        for item in std::mem::take(&mut self.sent) {
            if item.ticket.is_some() {
                settle(&self.federation, item, Ok(())).await;
            }
        }
    }

    fn tick(&mut self) -> Result<(), End> {
        self.timer.as_mut().reset(Instant::now() + TICK);
        let now = self.federation.router.clock.mono();
        if self.output.is_stalled() || self.management.is_overdue(now, OVERDUE) {
            return Err(End::Lost);
        }
        if self.pings.is_overdue(now, OVERDUE) && self.unanswered() {
            return Err(End::Lost);
        }
        let silent = now.saturating_sub(self.busy);
        if silent >= self.federation.settings.idle_close && self.sent.is_empty() && self.work.is_idle() {
            return Err(End::Idle);
        }
        let keepalive = self.federation.router.limits.keepalive;
        if now.saturating_sub(self.kept.max(self.busy)) >= keepalive {
            self.kept = now;
            self.output.keepalive();
        }
        Ok(())
    }

    async fn close(&mut self, end: End) {
        let work = std::mem::take(&mut self.work);
        // What was accepted is stored, whatever became of the peer.
        let _ = tokio::time::timeout(SETTLE, work.settle(&self.federation.router)).await;
        let said = match &end {
            End::Lost => false,
            End::Error(error) => self.goodbye(Some(error)).await,
            End::Shutdown => self.goodbye(Some(&errors::shutdown())).await,
            End::Closed | End::Idle => self.goodbye(None).await,
        };
        if said && self.management.is_off() {
            self.written().await;
        }
        if let Some(link) = &self.sends {
            link.forget_question();
            let now = self.federation.router.clock.mono();
            link.put_back(std::mem::take(&mut self.sent).into_iter(), now + PATIENCE);
        }
        if said {
            linger(self.io.get_ref()).await;
        }
    }

    async fn goodbye(&mut self, error: Option<&StreamError>) -> bool {
        let goodbye = self.output.goodbye(&mut self.io, error);
        tokio::time::timeout(GOODBYE, goodbye).await.is_ok_and(|written| written.is_ok())
    }
}
