//! Who gets whose presence, and when (RFC 6121 section 4).

use crate::{
    facts::Facts,
    mailbox::Address,
    plan::Place,
    router::{Addressee, Directed, Router, Session, Step},
    wire,
};
use bocage_api::{Frozen, Kind, SessionEvent, SessionView, Stanza, Verdict, stanza::PresenceType};
use jid::{BareJid, Jid};
use std::sync::Arc;

/// Roster changes that may come between facts and telling before older facts will do.
const TURNS: usize = 3;

/// Changes what a session shows and tells of it, as one turn of the session: what contacts hear last is what is true,
/// also when the session is replaced while a change of it is under way.
///
/// Facts are read behind the change: who is let in meanwhile learns of it here or from [`show`]. `change` says no when
/// the session has ended; `tell` is called at most once.
async fn turn<T>(
    router: &Router,
    session: &Session,
    mut change: impl FnMut() -> Option<T>,
    tell: impl FnOnce(&Facts, &T),
) -> Option<T> {
    let me = session.jid.to_bare();
    let (mut facts, mut changed) = (None, None);
    for attempt in 0..TURNS {
        facts = router.facts.load(&me).await.ok().or(facts);
        let _turn = session.turn();
        changed = changed.or_else(&mut change);
        let current = router.facts.peek(&me);
        // After a change of the roster they are read once more; who changes it without end is told of by older ones.
        if let Some(facts) = current.or_else(|| facts.clone().filter(|_| attempt + 1 == TURNS)) {
            tell(&facts, changed.as_ref()?);
            return changed;
        }
        changed.as_ref()?;
    }
    // The store fails: at least the own sessions learn of it.
    let _turn = session.turn();
    tell(&facts.unwrap_or_default(), changed.as_ref()?);
    changed
}

/// Initial presence and updates (sections 4.2, 4.4).
pub(super) async fn available(router: Arc<Router>, session: Arc<Session>, stanza: Stanza) -> Step {
    let me = session.jid.to_bare();
    let facts = match router.facts.load(&me).await {
        Ok(facts) => facts,
        Err(error) => return super::bounce(&stanza, &error.into()),
    };
    let priority = stanza.priority();
    let frozen = Arc::new(wire::freeze_for_wire(stanza));
    let change = || {
        let mut state = session.state();
        if state.ended {
            return None;
        }
        let before = state.presence.replace(frozen.clone());
        let wanted = before.is_some() && state.priority >= 0;
        state.priority = priority;
        Some((before.is_none(), wanted))
    };
    let tell = |facts: &Facts, _: &_| {
        if !session.state().ended {
            tell(&router, &me, facts, &frozen);
        }
    };
    let Some((first, wanted)) = turn(&router, &session, change, tell).await else { return Step::Done };
    if first {
        tell_watches(&router, &session, SessionEvent::Available);
        introduce(&router, &session, &me, &facts).await;
    }
    if priority >= 0 && !wanted {
        session.mailbox.flush_held();
    }
    Step::Done
}

/// To the own sessions (the sender's included) and to all contacts that may see it.
fn tell(router: &Router, me: &BareJid, facts: &Facts, frozen: &Arc<Frozen>) {
    router.deliver_presence(&me.clone().into(), frozen);
    for item in facts.roster.items.iter().filter(|item| item.subscription.from()) {
        if !router.is_kept_from(me, facts, &item.jid.clone().into()) {
            to_contact(router, &item.jid, frozen);
        }
    }
}

/// Contacts get the shared bytes; services have no part in rosters' broadcasts.
fn to_contact(router: &Router, contact: &BareJid, frozen: &Arc<Frozen>) {
    match router.plans().place(contact.domain().as_str()) {
        Some(Place::Accounts(_)) => router.deliver_presence(&contact.clone().into(), frozen),
        Some(Place::Service(_)) => {}
        None => router.tell_remote(contact, frozen),
    }
}

/// What a session that just became available is told: the own sessions, contacts, requests that wait.
async fn introduce(router: &Arc<Router>, session: &Arc<Session>, me: &BareJid, facts: &Facts) {
    for other in router.users.sessions(me).iter().filter(|other| !Arc::ptr_eq(other, session)) {
        if let Some((presence, _)) = other.presence() {
            let _ = session.post(&presence, Address::Bare);
        }
    }
    for item in &facts.roster.items {
        if router.is_kept_from(me, facts, &item.jid.clone().into()) {
            continue;
        }
        if item.subscription.to() {
            probe(router, session, me, &item.jid).await;
        }
        if let Some(request) = item.pending_in.as_deref().and_then(wire::stanza) {
            let _ = session.post(&Arc::new(wire::freeze_for_wire(request)), Address::Bare);
        }
    }
}

/// Asks for a contact's presence in the session's name (section 4.3.1); a contact elsewhere is asked there.
async fn probe(router: &Arc<Router>, session: &Arc<Session>, me: &BareJid, contact: &BareJid) {
    if router.plans().place(contact.domain().as_str()).is_none() {
        let probe = Stanza::new(Kind::Presence(PresenceType::Probe), Some(me.clone().into()), None);
        return router.tell_remote(contact, &Arc::new(wire::freeze_for_wire(probe)));
    }
    let sessions = router.users.sessions(contact);
    if sessions.is_empty() {
        return;
    }
    let sees = |facts: &Facts| {
        let subscribed = facts.contact(me).is_some_and(|item| item.subscription.from());
        subscribed && !router.is_kept_from(contact, facts, &session.jid.clone().into())
    };
    if router.facts.load(contact).await.is_ok_and(|facts| sees(&facts)) {
        for (presence, _) in sessions.iter().filter_map(|s| s.presence()) {
            let _ = session.post(&presence, Address::Bare);
        }
    }
}

/// A probe reached `to` (section 4.3.2): answered for who may see it, silence for all else (H49).
pub(super) async fn probed(router: &Arc<Router>, to: &Jid, from: &Jid) -> Step {
    let owner = to.to_bare();
    let asker = from.to_bare();
    let Ok(facts) = router.facts.load(&owner).await else { return Step::Done };
    if asker != owner && !facts.contact(&asker).is_some_and(|item| item.subscription.from()) {
        return Step::Done;
    }
    let mut sessions = router.users.sessions(&owner);
    sessions.retain(|s| to.resource().is_none_or(|wanted| s.jid.resource() == wanted));
    let presences: Vec<_> = sessions.iter().filter_map(|s| s.presence()).collect();
    for (presence, _) in &presences {
        answer(router, from, presence);
    }
    if presences.is_empty() {
        let gone = Stanza::new(Kind::Presence(PresenceType::Unavailable), Some(to.clone()), Some(from.clone()));
        answer(router, from, &Arc::new(wire::freeze_for_wire(gone)));
    }
    Step::Done
}

/// To who asked, here or elsewhere: a presence to one address.
pub(super) fn answer(router: &Router, to: &Jid, frozen: &Arc<Frozen>) {
    let frozen = Arc::new(Frozen { to: Some(to.clone()), ..(**frozen).clone() });
    if router.plans().accounts(to.domain().as_str()).is_some() {
        router.deliver_presence(to, &frozen);
    } else if router.plans().place(to.domain().as_str()).is_none() {
        router.frozen_to_remote(&frozen);
    }
}

/// A session says that it is no longer available (section 4.5).
pub(super) async fn unavailable(router: Arc<Router>, session: Arc<Session>, stanza: Stanza) -> Step {
    let me = session.jid.to_bare();
    let frozen = Arc::new(wire::freeze_for_wire(stanza.clone()));
    let change = || {
        let mut state = session.state();
        Some((state.presence.take().is_some(), std::mem::take(&mut state.directed)))
    };
    let mut untold = Vec::new();
    let tell = |facts: &Facts, (was, directed): &(bool, Vec<Directed>)| {
        if *was {
            let _ = session.post(&frozen, Address::Bare);
            tell(&router, &me, facts, &frozen);
        }
        let told = |jid: &Jid| *was && facts.contact(&jid.to_bare()).is_some_and(|item| item.subscription.from());
        let left = directed.iter().filter(|shown| !told(&shown.to));
        untold.extend(left.filter_map(|shown| goodbye(&router, (&me, facts), shown, &stanza)));
    };
    let was = turn(&router, &session, change, tell).await.is_some_and(|(was, _)| was);
    if was {
        tell_watches(&router, &session, SessionEvent::Unavailable);
    }
    let (rooms, others): (Vec<_>, Vec<_>) = untold.into_iter().partition(|(_, place)| *place == Shown::RoomElsewhere);
    for (goodbye, _) in others {
        router.finish(router.session_over(goodbye)).await;
    }
    let rooms: Vec<Stanza> = rooms.into_iter().map(|(goodbye, _)| goodbye).collect();
    match rooms.len() {
        0 | 1 => rooms.into_iter().for_each(|goodbye| drop(router.route(goodbye))),
        _ => router.leave_apart(&session.jid, rooms),
    }
    Step::Done
}

/// Where presence was shown directly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    RoomElsewhere,
    Other,
}

/// What is said at the end to one whom presence was shown to directly; it leaves the account as all of theirs does.
fn goodbye(router: &Router, (me, facts): (&BareJid, &Facts), shown: &Directed, stanza: &Stanza) -> Option<(Stanza, Shown)> {
    let mut copy = Stanza { to: Some(shown.to.clone()), ..stanza.clone() };
    let who = if shown.room { Addressee::Room } else { Addressee::Person };
    if router.egress(me, (facts, who), &mut copy) != Verdict::Pass {
        return None;
    }
    let elsewhere = router.plans().place(shown.to.domain().as_str()).is_none();
    Some((copy, if shown.room && elsewhere { Shown::RoomElsewhere } else { Shown::Other }))
}

/// A session ended without saying so; it shows nothing any more from now on.
pub async fn session_ended(router: &Arc<Router>, session: &Arc<Session>) {
    if session.end_presence() {
        let gone = Stanza::new(Kind::Presence(PresenceType::Unavailable), Some(session.jid.clone().into()), None);
        unavailable(router.clone(), session.clone(), gone).await;
    }
}

/// Shows the presences of `owner` to a contact that may see them from now on (section 3.1.5).
pub(super) async fn show(router: &Arc<Router>, owner: &BareJid, contact: &BareJid) {
    if router.facts.load(owner).await.is_ok_and(|facts| router.is_kept_from(owner, &facts, &contact.clone().into())) {
        return;
    }
    for (presence, _) in router.users.sessions(owner).iter().filter_map(|s| s.presence()) {
        to_contact(router, contact, &presence);
    }
}

/// Takes the presences of `owner` back from a contact that may no longer see them (section 3.2.2).
pub(super) async fn withdraw(router: &Arc<Router>, owner: &BareJid, contact: &BareJid) {
    for session in router.users.sessions(owner).iter().filter(|s| s.presence().is_some()) {
        let gone = Stanza::new(Kind::Presence(PresenceType::Unavailable), Some(session.jid.clone().into()), None);
        to_contact(router, contact, &Arc::new(wire::freeze_for_wire(gone)));
    }
}

fn tell_watches(router: &Router, session: &Session, event: SessionEvent) {
    if let Some(plan) = router.plans().accounts(session.jid.domain().as_str()) {
        plan.tell_session(SessionView { jid: &session.jid }, event);
    }
}
