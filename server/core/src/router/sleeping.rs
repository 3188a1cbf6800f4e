//! Messages for an account whose sessions all sleep (XEP-0198): stored before they count as accepted, like those for an
//! account that nobody is there for, and handed out when one of them wakes. What nobody stores waits in their mailboxes.

use super::{Router, Session, Step};
use crate::mailbox::Address;
use bocage_api::{Frozen, Taken, stanza::MessageType};
use jid::BareJid;
use std::sync::Arc;

impl Router {
    /// Are these all asleep, and is it worth more than a place in memory that ends with them?
    pub(super) fn is_for_sleepers(kind: MessageType, frozen: &Frozen, sessions: &[Arc<Session>]) -> bool {
        let kept = matches!(kind, MessageType::Chat | MessageType::Normal) && !frozen.traits.is_passing();
        kept && !sessions.is_empty() && sessions.iter().all(|session| session.is_asleep())
    }

    /// Stored for `owner`; what is not is posted to `sleepers`.
    pub(super) fn to_sleepers(self: &Arc<Self>, owner: BareJid, frozen: Arc<Frozen>, sleepers: Vec<Arc<Session>>) -> Step {
        let (router, storing) = (self.clone(), self.storing(owner.clone()));
        Step::Commit(Box::pin(async move {
            let plans = router.plans();
            let taken = match plans.accounts(owner.domain().as_str()) {
                Some(plan) => plan.take_undeliverable(&owner, frozen.clone()).await,
                None => Ok(Taken::Declined),
            };
            if let Ok(Taken::Stored) = taken {
                router.was_stored(&owner);
                router.wanting(&owner).iter().for_each(|session| session.mailbox.flush_held());
                router.copy_received(&owner, &frozen, &sleepers);
                return Step::Done;
            }
            drop(storing);
            let posted = sleepers.iter().filter(|session| session.post(&frozen, Address::Own).is_ok()).count();
            if posted == 0 {
                return router.absent(owner, frozen);
            }
            router.copy_received(&owner, &frozen, &sleepers);
            Step::Done
        }))
    }
}
