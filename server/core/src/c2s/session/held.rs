//! Messages that waited for the account (XEP-0160): read in pages, written, and only then released from the store.
//!
//! One session of an account does this at a time; while it does, its mailbox waits, so that what was sent first
//! arrives first.

use super::Live;
use crate::{router::FlushClaim, wire};
use bocage_api::{
    BoxFuture,
    store::{ArchiveRow, Stored},
};
use std::{
    sync::Arc,
    task::{Context, Poll},
};

/// Where the flush stands.
pub(super) enum Held {
    /// Nothing to do.
    Idle,
    /// A page is being read.
    Loading(FlushClaim, BoxFuture<'static, Stored<Vec<ArchiveRow>>>),
    /// A page is in the output.
    Written(FlushClaim, Vec<i64>),
    /// What was written is being released.
    Releasing(FlushClaim, i64, BoxFuture<'static, Stored<()>>),
}

/// Whether all of the output reached the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AllLeft {
    Yes,
    No,
}

/// What happened to it.
pub(super) enum HeldEvent {
    /// A page.
    Page(Stored<Vec<ArchiveRow>>),
    /// All of the page left.
    Left,
    /// It was released.
    Released(Stored<()>),
}

impl Held {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }
    pub(super) fn poll(&mut self, written: bool, cx: &mut Context<'_>) -> Poll<HeldEvent> {
        match self {
            Self::Idle => Poll::Pending,
            Self::Loading(_, page) => page.as_mut().poll(cx).map(HeldEvent::Page),
            Self::Written(..) if written => Poll::Ready(HeldEvent::Left),
            Self::Written(..) => Poll::Pending,
            Self::Releasing(_, _, done) => done.as_mut().poll(cx).map(HeldEvent::Released),
        }
    }
}

impl Live {
    /// Begins, unless another session of the account is at it.
    pub(super) fn begin_held(&mut self) {
        if self.held.is_idle()
            && self.session.wants_messages()
            && let Some(claim) = self.router.claim_flush(&self.session.jid.to_bare())
        {
            self.load_held(claim, 0);
        }
    }

    /// The session ends: what reached the client is released before another session may look.
    pub(super) async fn settle_held(&mut self, all_left: AllLeft) {
        let owner = self.session.jid.to_bare();
        let released = match (std::mem::replace(&mut self.held, Held::Idle), all_left) {
            (Held::Releasing(_claim, _, done), _) => done.await,
            (Held::Written(_claim, positions), AllLeft::Yes) => self.router.release(&owner, positions).await,
            _ => Ok(()),
        };
        if let Err(error) = released {
            tracing::warn!(%error, "messages that were handed out will be handed out again");
        }
    }

    fn load_held(&mut self, claim: FlushClaim, after: i64) {
        let (router, owner) = (self.router.clone(), self.session.jid.to_bare());
        self.held = Held::Loading(claim, Box::pin(async move { router.held(&owner, after).await }));
    }

    pub(super) fn held_next(&mut self, event: HeldEvent) {
        self.held = match (std::mem::replace(&mut self.held, Held::Idle), event) {
            (Held::Loading(claim, _), HeldEvent::Page(Ok(rows))) if !rows.is_empty() => self.write_page(claim, rows),
            (Held::Written(claim, positions), HeldEvent::Left) => self.release(claim, positions),
            (Held::Releasing(claim, last, _), HeldEvent::Released(Ok(()))) => return self.load_held(claim, last),
            // Nothing left, or the store failed: what is not released comes again with the next session.
            _ => Held::Idle,
        };
    }

    fn write_page(&mut self, claim: FlushClaim, rows: Vec<ArchiveRow>) -> Held {
        let positions = rows.iter().map(|row| row.position).collect();
        let host = self.session.jid.domain().as_str().to_owned();
        for row in rows {
            let frozen = Arc::new(wire::thaw(row, &host));
            self.output.stored(&frozen);
        }
        Held::Written(claim, positions)
    }

    fn release(&self, claim: FlushClaim, positions: Vec<i64>) -> Held {
        let (router, owner) = (self.router.clone(), self.session.jid.to_bare());
        let last = positions.iter().copied().max().unwrap_or_default();
        Held::Releasing(claim, last, Box::pin(async move { router.release(&owner, positions).await }))
    }
}
