//! Leaving several rooms of other servers at once (logout, a lost connection) would tell them that it was one person:
//! each is left after an independent random delay (H24).

use crate::router::{Router, Step};
use bocage_api::Stanza;
use jid::{BareJid, FullJid, Jid};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Leaves that wait at the same time; more go at once.
const MAX_WAITING: usize = 10_000;

/// Leaves that wait, by session and room.
#[derive(Default)]
pub struct Leaves(Mutex<HashMap<(FullJid, BareJid), Stanza>>);

impl Leaves {
    fn waiting(&self) -> MutexGuard<'_, HashMap<(FullJid, BareJid), Stanza>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn take(&self, key: &(FullJid, BareJid)) -> Option<Stanza> {
        self.waiting().remove(key)
    }
}

impl Router {
    /// `leaves` are unavailable presences of `session` to as many rooms elsewhere.
    pub(super) fn leave_apart(self: &Arc<Self>, session: &FullJid, leaves: Vec<Stanza>) {
        let plans = self.plans();
        let most = plans.accounts(session.domain().as_str()).map(|plan| plan.leave_jitter()).unwrap_or_default();
        for leave in leaves {
            let delay = self.entropy.duration_up_to(most);
            let Some(room) = leave.to.as_ref().map(Jid::to_bare) else { continue };
            let key = (session.clone(), room);
            if delay.is_zero() || !self.wait_to_leave(&key, &leave) {
                drop(self.route(leave));
                continue;
            }
            self.leave_later(key, delay);
        }
    }

    fn wait_to_leave(&self, key: &(FullJid, BareJid), leave: &Stanza) -> bool {
        let mut waiting = self.leaves.waiting();
        if waiting.len() >= MAX_WAITING {
            return false;
        }
        waiting.insert(key.clone(), leave.clone());
        true
    }

    fn leave_later(self: &Arc<Self>, key: (FullJid, BareJid), delay: Duration) {
        let router = self.clone();
        self.tasks.spawn_core("leave", async move {
            tokio::time::sleep(delay).await;
            router.left(&key);
        });
    }

    fn left(self: &Arc<Self>, key: &(FullJid, BareJid)) {
        if let Some(leave) = self.leaves.take(key) {
            // Unavailable presence neither waits nor is answered.
            if let Step::Wait(_) | Step::Commit(_) = self.route(leave) {
                tracing::debug!("a leave was not sent at once");
            }
        }
    }

    /// Whoever shows itself to a room again has left it before.
    pub(super) fn leave_first(self: &Arc<Self>, session: &FullJid, to: &Jid) {
        self.left(&(session.clone(), to.to_bare()));
    }

    /// The server stops: what waits goes now.
    pub fn leave_all(self: &Arc<Self>) {
        let all: Vec<_> = self.leaves.waiting().keys().cloned().collect();
        all.iter().for_each(|key| self.left(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{HostPlan, Plans},
        settings::Limits,
    };
    use bocage_api::{Checkpoints, Entropy, Kind, RoomDefaults, clock::RandomSource, stanza::PresenceType, testing::FakeHost};
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Jitter;
    impl RoomDefaults for Jitter {
        fn leave_jitter(&self) -> Duration {
            Duration::from_secs(16)
        }
    }
    /// A quarter of the range, then half of it, …
    #[derive(Default)]
    struct Dice(AtomicU8);
    impl RandomSource for Dice {
        fn fill(&self, bytes: &mut [u8]) {
            let next = self.0.fetch_add(0x40, Ordering::Relaxed).wrapping_add(0x40);
            bytes.fill(next);
        }
    }

    fn router() -> Arc<Router> {
        let handles = FakeHost::new().handles("test");
        let router = Router::new(handles.stores, handles.clock, Entropy::new(Dice::default()), Limits::default());
        let mut at = Checkpoints::default();
        at.of("test").room_default(Jitter);
        let plan = HostPlan::seal("x.example".parse().unwrap(), at).unwrap();
        router.set_plans(Plans::new([plan]).unwrap());
        Arc::new(router)
    }
    fn me() -> FullJid {
        "me@x.example/phone".parse().unwrap()
    }
    fn leave(room: &str) -> Stanza {
        let to = format!("{room}@rooms.far.example/nick").parse().unwrap();
        Stanza::new(Kind::Presence(PresenceType::Unavailable), Some(me().into()), Some(to))
    }
    async fn after(seconds: u64, router: &Router) -> usize {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        router.leaves.waiting().len()
    }

    #[tokio::test(start_paused = true)]
    async fn h24_several_rooms_elsewhere_are_left_at_different_times() {
        let router = router();
        router.leave_apart(&me(), vec![leave("a"), leave("b"), leave("c")]);
        assert_eq!(router.leaves.waiting().len(), 3, "4, 8 and 12 seconds");
        assert_eq!(after(3, &router).await, 3);
        assert_eq!(after(2, &router).await, 2);
        assert_eq!(after(4, &router).await, 1);
        assert_eq!(after(4, &router).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn h24_who_comes_back_has_left_before_and_a_stop_leaves_all() {
        let router = router();
        router.leave_apart(&me(), vec![leave("a"), leave("b"), leave("c")]);
        router.leave_first(&me(), &"a@rooms.far.example/other".parse().unwrap());
        assert_eq!(router.leaves.waiting().len(), 2);
        router.leave_all();
        assert_eq!(router.leaves.waiting().len(), 0);
        assert_eq!(after(20, &router).await, 0, "what was sent is not sent again");
    }
}
