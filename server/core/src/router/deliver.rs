//! What services send to many: shared bytes, a pointer for each recipient. Nothing here waits.

use super::{Router, Session};
use crate::{
    mailbox::Address,
    plan::{HostPlan, Place},
};
use bocage_api::{Delivery, Frozen, Kind, RecipientView, Relation, Stanza, Undelivered};
use jid::{FullJid, Jid};
use std::sync::Arc;

impl Router {
    /// To a session here or the queue of another server, see [`bocage_api::Outbox::deliver`].
    ///
    /// # Errors
    /// Why it did not go.
    pub fn deliver(&self, stanza: &Arc<Frozen>, to: &FullJid) -> Result<(), Undelivered> {
        match self.plans().place(to.domain().as_str()) {
            None => self.share_with_remote(stanza, to),
            Some(Place::Service(_)) => Err(Undelivered::Gone),
            Some(Place::Accounts(plan)) => {
                let session = self.users.session(to).ok_or(Undelivered::Gone)?;
                if self.is_shielded(plan, stanza, &session) {
                    return Ok(());
                }
                let address = if stanza.to.is_none() { Address::Full } else { Address::Own };
                session.post(stanza, address).map(drop).map_err(|_| Undelivered::Full)
            }
        }
    }

    /// Does a rule of the account refuse messages of this sender? It is asked about the head alone: what many get is not
    /// read once more for each.
    fn is_shielded(&self, plan: &HostPlan, stanza: &Frozen, session: &Session) -> bool {
        if plan.at.recipient_rules.is_empty() || !matches!(stanza.kind, Kind::Message(_)) {
            return false;
        }
        let Some(sender) = &stanza.from else { return false };
        let Some(user) = session.user() else { return false };
        let (owner, blocked) = (&user.account, session.blocks(sender));
        let facts = self.facts.peek(owner);
        if facts.is_none() && !blocked {
            return false;
        }
        let relation = facts.map_or(Relation::Stranger, |facts| facts.relation(owner, sender));
        let mut head = Stanza::new(stanza.kind, stanza.from.clone(), Some(Jid::from(session.jid.clone())));
        plan.judge(RecipientView { owner, sender, relation, blocked }, &mut head) != Delivery::Deliver
    }
}
