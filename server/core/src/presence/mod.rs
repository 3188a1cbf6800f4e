//! Presence (RFC 6121 sections 3 and 4): what a client broadcasts, shows to one, asks and grants.
//!
//! Roster rows change inside the writer's transaction; here it is only decided what follows from the change.

mod blocks;
mod broadcast;
mod contacts;
mod leaves;
pub mod subscription;

use crate::router::{Directed, MAX_DIRECTED, Router, Session, Step};
use bocage_api::{
    Kind, Stanza, StanzaError,
    stanza::PresenceType,
    store::{RosterChange, RosterChanged, RosterEdit, RosterItem},
};
pub use broadcast::session_ended;
use jid::{BareJid, Jid};
pub use leaves::Leaves;
use std::sync::Arc;

/// Kept request stanzas are not longer than this; longer ones are kept without their payloads.
const MAX_REQUEST: usize = 4 * 1024;

/// A presence that a client sends; `from` is stamped.
pub fn from_client(router: &Arc<Router>, session: &Arc<Session>, kind: PresenceType, stanza: Stanza) -> Step {
    let (router, session) = (router.clone(), session.clone());
    match (kind, stanza.to.clone()) {
        (PresenceType::Available, None) => Step::Wait(Box::pin(broadcast::available(router, session, stanza))),
        (PresenceType::Unavailable, None) => Step::Wait(Box::pin(broadcast::unavailable(router, session, stanza))),
        (PresenceType::Available | PresenceType::Unavailable, Some(to)) => directed(&router, &session, kind, to, stanza),
        (PresenceType::Probe | PresenceType::Error, Some(_)) => router.route(stanza),
        (_, None) => Step::Done,
        (_, Some(to)) => Step::Wait(Box::pin(outbound(router, kind, to.into_bare(), stanza))),
    }
}

/// Directed presence is remembered, so that its receiver learns of the end (section 4.6.3).
fn directed(router: &Arc<Router>, session: &Session, kind: PresenceType, to: Jid, stanza: Stanza) -> Step {
    {
        let mut state = session.state();
        if state.ended {
            return Step::Done;
        }
        let known = state.directed.iter().position(|shown| shown.to == to);
        match (kind, known) {
            (PresenceType::Available, None) if state.directed.len() >= MAX_DIRECTED => {
                return stanza.bounce(&StanzaError::resource_constraint()).map_or(Step::Done, |a| Step::Answer(Box::new(a)));
            }
            (PresenceType::Available, None) => {
                let room = stanza.has("x", bocage_api::ns::MUC);
                state.directed.push(Directed { to: to.clone(), room });
            }
            (PresenceType::Available, Some(_)) => {}
            (_, Some(at)) => drop(state.directed.swap_remove(at)),
            (_, None) => {}
        }
    }
    router.leave_first(&session.jid, &to);
    router.route(stanza)
}

/// A subscription stanza that an account of this server sends (section 3, "outbound").
async fn outbound(router: Arc<Router>, kind: PresenceType, contact: BareJid, stanza: Stanza) -> Step {
    let Some(owner) = stanza.from.as_ref().map(Jid::to_bare) else { return Step::Done };
    if owner == contact {
        return Step::Done;
    }
    let limit = router.limits.own_rows();
    let who = contact.clone();
    let change: RosterChange =
        Arc::new(move |row, rows| edit(row, (rows, limit), &who, |item| _ = subscription::outbound(kind, item)));
    let changed = match router.change(&owner, &contact, change, |_, _| {}).await {
        Ok(changed) => changed,
        Err(error) => return bounce(&stanza, &error.into()),
    };
    let mut item = row_before(&changed, &contact);
    let out = subscription::outbound(kind, &mut item);
    if changed.after.is_none() && changed.before.is_none() && !item.is_void() {
        return bounce(&stanza, &StanzaError::resource_constraint());
    }
    if out.revoked {
        broadcast::withdraw(&router, &owner, &contact).await;
    }
    let step = if out.route { router.route(stanza) } else { Step::Done };
    if out.granted {
        router.finish(step).await;
        broadcast::show(&router, &owner, &contact).await;
        return Step::Done;
    }
    step
}

/// A subscription stanza or a probe that reaches an account of this server ("inbound"), or goes elsewhere.
pub async fn inbound(router: Arc<Router>, mut stanza: Stanza) -> Step {
    let (Some(to), Some(from)) = (stanza.to.clone(), stanza.from.clone()) else { return Step::Done };
    if router.plans().accounts(to.domain().as_str()).is_none() {
        return elsewhere(&router, &to, stanza);
    }
    let owner = to.to_bare();
    // Unknown accounts answer like those that keep silent (H49).
    let facts = match router.facts.load(&owner).await {
        Ok(facts) if facts.exists => facts,
        Ok(_) => return Step::Done,
        Err(error) => return bounce(&stanza, &error.into()),
    };
    if let Some(end) = router.judged(&owner, &facts, &mut stanza) {
        return end;
    }
    match stanza.kind {
        Kind::Presence(PresenceType::Probe) => broadcast::probed(&router, &to, &from).await,
        Kind::Presence(kind) => asked(&router, kind, &owner, from.into_bare(), stanza).await,
        _ => Step::Done,
    }
}

fn elsewhere(router: &Arc<Router>, to: &Jid, stanza: Stanza) -> Step {
    match router.plans().place(to.domain().as_str()) {
        Some(_) => router.presence_to_service(to, stanza),
        None => router.to_remote(stanza),
    }
}

async fn asked(router: &Arc<Router>, kind: PresenceType, owner: &BareJid, contact: BareJid, stanza: Stanza) -> Step {
    let request = kept_request(&stanza);
    let limit = router.limits.max_roster;
    let (text, who) = (request.clone(), contact.clone());
    let change: RosterChange =
        Arc::new(move |row, rows| edit(row, (rows, limit), &who, |item| _ = subscription::inbound(kind, item, &text)));
    let what = move |changed: &RosterChanged, contact: &BareJid| {
        subscription::inbound(kind, &mut row_before(changed, contact), &request)
    };
    let (follows, frozen) = (what.clone(), crate::wire::freeze_for_wire(stanza.clone()));
    let (to, about) = (owner.clone(), contact.clone());
    // Before the push, which clients understand by it (sections 3.1.6, 3.2.3, 3.3.3).
    let deliver = move |router: &Router, changed: &RosterChanged| {
        if follows(changed, &about).deliver {
            router.deliver_subscription(kind, &to, &Arc::new(frozen));
        }
    };
    let changed = match router.change(owner, &contact, change, deliver).await {
        Ok(changed) => changed,
        Err(error) => return bounce(&stanza, &error.into()),
    };
    let what = what(&changed, &contact);
    if what.revoked {
        broadcast::withdraw(router, owner, &contact).await;
    }
    if what.approve {
        let yes = Stanza::new(Kind::Presence(PresenceType::Subscribed), Some(owner.clone().into()), Some(contact.clone().into()));
        Box::pin(router.finish(router.route(yes))).await;
        broadcast::show(router, owner, &contact).await;
    }
    Step::Done
}

/// One row's edit with the bound on rows: a new row beyond it is not written.
fn edit(
    row: Option<&RosterItem>,
    (rows, limit): (usize, usize),
    contact: &BareJid,
    change: impl Fn(&mut RosterItem),
) -> RosterEdit {
    if row.is_none() && rows >= limit {
        return RosterEdit::Keep;
    }
    let mut item = row.cloned().unwrap_or_else(|| RosterItem::new(contact.clone()));
    change(&mut item);
    match (row, item.is_void()) {
        (Some(before), false) if *before == item => RosterEdit::Keep,
        (None, true) => RosterEdit::Keep,
        (Some(_), true) => RosterEdit::Remove,
        (_, false) => RosterEdit::Put(item),
    }
}

fn row_before(changed: &RosterChanged, contact: &BareJid) -> RosterItem {
    changed.before.clone().unwrap_or_else(|| RosterItem::new(contact.clone()))
}

/// The request as it is kept until it is answered (section 3.1.3), extensions included.
fn kept_request(stanza: &Stanza) -> String {
    let mut text = crate::wire::document(stanza.clone());
    if text.len() > MAX_REQUEST {
        let mut bare = Stanza::new(stanza.kind, stanza.from.clone(), stanza.to.clone());
        bare.id.clone_from(&stanza.id);
        text = crate::wire::document(bare);
    }
    text
}

fn bounce(stanza: &Stanza, error: &StanzaError) -> Step {
    stanza.bounce(error).map_or(Step::Done, |answer| Step::Answer(Box::new(answer)))
}
