//! Messages that waited for the account (XEP-0160): read in pages, written, and only then released from the store.
//!
//! One session of an account does this at a time; while it does, its mailbox waits, so that what was sent first
//! arrives first.

use super::{Live, acks::Acks};
use crate::{
    router::{FlushClaim, HELD_PAGE, Router},
    wire,
};
use bocage_api::{
    BoxFuture,
    archive::{ArchiveRow, StanzaId},
    store::Stored,
};
use jid::BareJid;
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
    /// A page was written. Without a claim, because the session slept meanwhile, others may hand out the same.
    Written(Option<FlushClaim>, Page),
    /// What was written is being released.
    Releasing(Option<FlushClaim>, i64, BoxFuture<'static, Stored<()>>),
    /// Rows are being released of messages that came by the mailbox. No page is read meanwhile: it would have them still.
    Freeing(BoxFuture<'static, Stored<()>>),
}

/// Rows that were written.
pub(super) struct Page {
    positions: Vec<i64>,
    /// The last one of the page, those included that the client has otherwise.
    last: i64,
    /// It was not full: nothing more waits.
    is_last: bool,
    /// They have reached the client when it has acknowledged so much; `None`: when the output is empty.
    count: Option<u32>,
}

/// Whether a page reached the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
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
    /// So were those of the mailbox.
    Freed(Stored<()>),
}

impl Held {
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }
    /// Mail waits behind what is handed out until all of that is written.
    pub(super) fn lets_mail_pass(&self) -> bool {
        match self {
            Self::Idle | Self::Freeing(_) => true,
            Self::Written(_, page) => page.is_last,
            Self::Loading(..) | Self::Releasing(..) => false,
        }
    }
    /// Nobody else hands out meanwhile.
    pub(super) fn claims(&self) -> bool {
        matches!(self, Self::Loading(..) | Self::Written(Some(_), _) | Self::Releasing(Some(_), ..))
    }
    pub(super) fn poll(&mut self, reached: impl FnOnce(&Page) -> Reached, cx: &mut Context<'_>) -> Poll<HeldEvent> {
        match self {
            Self::Idle => Poll::Pending,
            Self::Loading(_, page) => page.as_mut().poll(cx).map(HeldEvent::Page),
            Self::Written(_, page) if reached(page) == Reached::Yes => Poll::Ready(HeldEvent::Left),
            Self::Written(..) => Poll::Pending,
            Self::Releasing(_, _, done) => done.as_mut().poll(cx).map(HeldEvent::Released),
            Self::Freeing(done) => done.as_mut().poll(cx).map(HeldEvent::Freed),
        }
    }
    /// The session falls asleep: others may hand out what it did not.
    pub(super) fn sleep(self) -> Self {
        match self {
            Self::Idle | Self::Loading(..) => Self::Idle,
            Self::Written(_, page) => Self::Written(None, page),
            Self::Releasing(_, last, done) => Self::Releasing(None, last, done),
            Self::Freeing(done) => Self::Freeing(done),
        }
    }
    /// The session ends: what reached the client is released before another session may look.
    pub(super) async fn settle(self, router: &Arc<Router>, owner: &BareJid, reached: impl FnOnce(&Page) -> Reached) {
        let released = match self {
            Self::Releasing(_claim, _, done) => done.await,
            Self::Freeing(done) => done.await,
            Self::Written(_claim, page) if reached(&page) == Reached::Yes => router.release(owner, page.positions).await,
            _ => Ok(()),
        };
        if let Err(error) = released {
            tracing::warn!(%error, "messages that were handed out will be handed out again");
        }
    }
}

impl Page {
    /// Has it reached a client whose output is `written` and who acknowledges by `acks`?
    pub(super) fn reached(&self, written: bool, acks: Option<&Acks>) -> Reached {
        let has = match (self.count, acks) {
            (Some(count), Some(acks)) => acks.unacked.is_acknowledged(count),
            _ => written,
        };
        if has { Reached::Yes } else { Reached::No }
    }
}

impl Live {
    /// Begins, unless another session of the account is at it: that one looks again before it ends. What is called for while
    /// this one is at it is looked for behind that, from the beginning: an older row may wait by now.
    pub(super) fn begin_held(&mut self) {
        if !self.session.wants_messages() {
            return;
        }
        if !self.held.is_idle() {
            self.held_again = true;
        } else if let Some(claim) = self.router.claim_flush(&self.session.jid.to_bare()) {
            self.load_held(claim, 0);
        }
    }

    fn load_held(&mut self, claim: FlushClaim, after: i64) {
        let (router, owner) = (self.router.clone(), self.session.jid.to_bare());
        let reads_archive = self.session.reads_archive();
        let page = async move {
            if reads_archive {
                router.release_kept(&owner).await?;
            }
            router.held(&owner, after).await
        };
        self.held = Held::Loading(claim, Box::pin(page));
    }

    pub(super) fn held_next(&mut self, event: HeldEvent) {
        self.held = match (std::mem::replace(&mut self.held, Held::Idle), event) {
            (Held::Loading(claim, _), HeldEvent::Page(Ok(rows))) if !rows.is_empty() => return self.write_page(claim, rows),
            (Held::Written(claim, page), HeldEvent::Left) => self.release(claim, page),
            (Held::Releasing(claim, last, _), HeldEvent::Released(Ok(()))) => return self.load_next(claim, last),
            (_, HeldEvent::Freed(Err(error))) => {
                tracing::warn!(%error, "messages that were handed out will be handed out again");
                Held::Idle
            }
            // Nothing left, or the store failed: what is not released comes again with the next session.
            _ => Held::Idle,
        };
        if std::mem::take(&mut self.held_again) {
            self.begin_held();
        }
    }

    fn load_next(&mut self, claim: Option<FlushClaim>, last: i64) {
        if let Some(claim) = claim.or_else(|| self.router.claim_flush(&self.session.jid.to_bare())) {
            self.load_held(claim, last);
        }
    }

    fn write_page(&mut self, claim: FlushClaim, mut rows: Vec<ArchiveRow>) {
        let last = rows.iter().map(|row| row.position).max().unwrap_or_default();
        let is_last = rows.len() < HELD_PAGE;
        rows.retain(|row| !self.has_row(row.id));
        if rows.is_empty() {
            return self.load_held(claim, last);
        }
        let positions = rows.iter().map(|row| row.position).collect();
        let owner = self.session.jid.to_bare();
        for row in rows {
            self.put_row(Arc::new(wire::thaw(row, &owner)));
        }
        self.held = Held::Written(Some(claim), Page { positions, last, is_last, count: self.put_so_far() });
    }

    /// Did the client get the message with this row while it slept, or will it from the mailbox?
    fn has_row(&self, id: StanzaId) -> bool {
        self.acks.as_ref().is_some_and(|acks| acks.unacked.has_row(id))
            || self.inactive.as_ref().is_some_and(|inactive| inactive.has_row(id))
            || self.session.mailbox.has_row(id)
    }

    fn release(&self, claim: Option<FlushClaim>, page: Page) -> Held {
        let (router, owner) = (self.router.clone(), self.session.jid.to_bare());
        let Page { positions, last, .. } = page;
        Held::Releasing(claim, last, Box::pin(async move { router.release(&owner, positions).await }))
    }

    /// Messages that slept in the mailbox, and in the store, were acknowledged: their rows go.
    pub(super) fn free_rows(&mut self) {
        let Some(acks) = self.acks.as_mut().filter(|acks| acks.unacked.has_freed()) else { return };
        if self.held.is_idle() {
            let (router, owner, ids) = (self.router.clone(), self.session.jid.to_bare(), acks.unacked.take_freed());
            self.held = Held::Freeing(Box::pin(async move { router.release_ids(&owner, ids).await }));
        }
    }
}
