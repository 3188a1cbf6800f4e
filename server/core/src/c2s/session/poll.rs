//! The arms of a session, in the order in which they are looked at.

use super::{
    End, Live,
    held::{HeldEvent, Reached},
    work::Ready,
};
use crate::{mailbox::Wanted, router::Step, sm::Entry, stream::poll_event};
use bocage_api::{Frozen, Stanza};
use bocage_stream::{Event, StreamError};
use std::{
    sync::Arc,
    task::{Context, Poll},
};

/// What happened.
pub(super) enum Happened {
    Event(Event),
    Step(Entry, Step),
    /// A commit's, in its turn.
    Released(Entry, Step),
    Answer(Entry, Box<Stanza>),
    Streamed(Arc<Frozen>),
    Mail,
    Held(HeldEvent),
    Timer,
    Progress,
    End(End),
}

impl Live {
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if let Poll::Ready(happened) = if self.output.is_high() { self.poll_calls(cx) } else { self.poll_inside(cx) } {
            return Poll::Ready(happened);
        }
        // Output waits for what is at hand anyway; grown enough, or at the end of a turn, it goes first.
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
        self.timer.as_mut().poll(cx).map(|()| Happened::Timer)
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if self.output.is_empty() {
            return Poll::Pending;
        }
        self.ask();
        match self.output.poll_write(&mut self.io, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Happened::Progress),
            Poll::Ready(Err(_)) => Poll::Ready(Happened::End(End::Lost)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// A client that does not read can still be cut, and holds up nobody: what began for it goes on.
    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if let Some(work) = &mut self.work {
            match work.poll_steps(cx) {
                Poll::Ready(Ready::Step(entry, step)) => return Poll::Ready(Happened::Step(entry, step)),
                Poll::Ready(Ready::Released(entry, step)) => return Poll::Ready(Happened::Released(entry, step)),
                _ => {}
            }
        }
        self.free_rows();
        if let Poll::Ready(event) = self.held.poll(|_| Reached::No, cx) {
            return Poll::Ready(Happened::Held(event));
        }
        self.session.mailbox.poll_filled(cx, Wanted::Calls).map(|()| Happened::Mail)
    }

    /// What this server has for the client.
    fn poll_inside(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if let Some(work) = &mut self.work {
            match work.poll(cx) {
                Poll::Ready(Ready::Step(entry, step)) => return Poll::Ready(Happened::Step(entry, step)),
                Poll::Ready(Ready::Released(entry, step)) => return Poll::Ready(Happened::Released(entry, step)),
                Poll::Ready(Ready::Answer(entry, answer)) => return Poll::Ready(Happened::Answer(entry, answer)),
                Poll::Ready(Ready::Rested) => return Poll::Ready(Happened::Progress),
                Poll::Ready(Ready::Streamed(stanza)) => return Poll::Ready(Happened::Streamed(stanza)),
                Poll::Pending if work.is_idle() => self.work = None,
                Poll::Pending => {}
            }
        }
        self.free_rows();
        let (written, acks) = (self.output.is_empty(), self.acks.as_deref());
        if let Poll::Ready(event) = self.held.poll(|page| page.reached(written, acks), cx) {
            return Poll::Ready(Happened::Held(event));
        }
        let wanted = if self.held.lets_mail_pass() && !self.held_again && !self.is_full() { Wanted::Mail } else { Wanted::Calls };
        if self.session.mailbox.poll_filled(cx, wanted).is_ready() {
            return Poll::Ready(Happened::Mail);
        }
        Poll::Pending
    }

    fn reads(&self) -> bool {
        !self.output.is_high() && self.work.as_ref().is_none_or(|work| work.admits())
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        let read = std::task::ready!(poll_event(&mut self.io, &mut self.reader, &mut self.dirty, cx));
        Poll::Ready(match read {
            None => Happened::End(End::Lost),
            Some((event, count)) => {
                self.heard(count);
                happened(event)
            }
        })
    }

    fn heard(&mut self, count: usize) {
        let now = self.router.clock.mono();
        self.heard = now;
        if let Some(work) = &mut self.work {
            work.heard(count);
        }
        if let Some(wait) = self.bucket.as_mut().and_then(|bucket| bucket.take(count, now)) {
            let pause = Box::pin(tokio::time::sleep(wait));
            self.work().pause(pause);
        }
    }
}

fn happened(event: Result<Option<Event>, StreamError>) -> Happened {
    match event {
        Ok(Some(event)) => Happened::Event(event),
        Ok(None) => Happened::Progress,
        Err(error) => Happened::End(End::Error(error)),
    }
}
