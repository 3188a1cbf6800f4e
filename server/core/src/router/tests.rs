//! What can go wrong between sessions that come and go, rosters that change, and messages under way.

mod asleep;

use super::*;
use crate::{
    mailbox::{Address, More},
    plan::HostPlan,
    presence, wire,
};
use bocage_api::{
    Checkpoints, Delivery, Phase, RecipientRule, RecipientView, RecordView, Recorder, Undeliverable,
    stanza::Kind,
    store::{
        AccountKeys, Accounts, Creation, KeyStatistics, Roster, RosterChange, RosterChanged, RosterItem, Rosters, StoreError,
        Stored, Subscription,
    },
    testing::{FakeContacts, FakeHost, MemoryArchive, now},
};
use jid::DomainPart;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;

const PERMITS: usize = 10_000;

/// A store where everybody exists, and which fails or waits when told.
struct Town {
    contacts: Arc<FakeContacts>,
    broken: AtomicBool,
    /// Roster changes wait for one permit each.
    gate: Semaphore,
}
impl Accounts for Town {
    fn keys(&self, _: &BareJid) -> BoxFuture<'_, Stored<Option<AccountKeys>>> {
        let broken = self.broken.load(Ordering::Relaxed);
        Box::pin(async move { if broken { Err(StoreError::Busy) } else { Ok(Some(AccountKeys::default())) } })
    }
    fn create(&self, _: BareJid, _: AccountKeys) -> BoxFuture<'_, Stored<Creation>> {
        Box::pin(async { Err(StoreError::Busy) })
    }
    fn set_keys(&self, _: BareJid, _: AccountKeys) -> BoxFuture<'_, Stored<bool>> {
        Box::pin(async { Err(StoreError::Busy) })
    }
    fn delete(&self, _: BareJid) -> BoxFuture<'_, Stored<bool>> {
        Box::pin(async { Err(StoreError::Busy) })
    }
    fn list(&self, _: &DomainPart) -> BoxFuture<'_, Stored<Vec<BareJid>>> {
        Box::pin(async { Err(StoreError::Busy) })
    }
    fn statistics(&self, _: &DomainPart) -> BoxFuture<'_, Stored<KeyStatistics>> {
        Box::pin(async { Err(StoreError::Busy) })
    }
}
impl Rosters for Town {
    fn roster(&self, owner: &BareJid) -> BoxFuture<'_, Stored<Roster>> {
        Rosters::roster(self.contacts.as_ref(), owner)
    }
    fn change(&self, owner: BareJid, contact: BareJid, change: RosterChange) -> BoxFuture<'_, Stored<RosterChanged>> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            self.contacts.change(owner, contact, change).await
        })
    }
}

/// Everything may wait.
struct OnShelf;
impl Undeliverable for OnShelf {
    fn holds(&self, _: &BareJid, _: &Frozen) -> Option<usize> {
        Some(1000)
    }
}
/// Everything is archived.
struct Everything;
impl Recorder for Everything {
    fn wants(&self, _: &RecordView<'_>, _: &Frozen) -> bool {
        true
    }
}

struct Anybody;
impl RecipientRule for Anybody {
    fn judge(&self, _: RecipientView<'_>, _: &mut Stanza) -> Delivery {
        Delivery::Deliver
    }
}

struct Place {
    router: Arc<Router>,
    town: Arc<Town>,
    archive: Arc<MemoryArchive>,
}

impl Place {
    fn new() -> Self {
        Self::with(|_| {})
    }
    fn with(wire: impl Fn(&mut Checkpoints)) -> Self {
        let host = FakeHost::new();
        let handles = host.handles("test");
        let gate = Semaphore::new(PERMITS);
        let town = Arc::new(Town { contacts: host.contacts.clone(), broken: AtomicBool::new(false), gate });
        let stores = Stores { accounts: town.clone(), rosters: town.clone(), ..handles.stores };
        let router = Arc::new(Router::new(stores, handles.clock, handles.entropy, Limits::default()));
        let archive = host.archive.clone();
        let mut at = Checkpoints::default();
        at.of("test").undeliverable(OnShelf);
        wire(&mut at);
        router.set_plans(Plans::new([HostPlan::seal("x.example".parse().unwrap(), at).unwrap()]).unwrap());
        Self { router, town, archive }
    }
    fn bind(&self, jid: &str) -> Arc<Session> {
        let session = Arc::new(Session::new(jid.parse().unwrap(), self.router.budget.clone()));
        assert!(matches!(self.router.users.bind(&session, 10), Binding::Bound(_)));
        session
    }
    async fn online(&self, jid: &str) -> Arc<Session> {
        let session = self.bind(jid);
        self.present(&session, "<presence xmlns='jabber:client'/>").await;
        mail(&session);
        session
    }
    async fn present(&self, session: &Arc<Session>, xml: &str) {
        let mut stanza = stanza(xml);
        stanza.from = Some(session.jid.clone().into());
        let Kind::Presence(kind) = stanza.kind else { panic!("a presence") };
        let step = presence::from_client(&self.router, session, kind, stanza);
        self.router.finish(step).await;
    }
    /// `contact` gets the presence of `owner`.
    fn lets_see(&self, owner: &str, contact: &str) {
        let row = RosterItem { listed: true, subscription: Subscription::From, ..RosterItem::new(contact.parse().unwrap()) };
        self.town.contacts.put(&owner.parse().unwrap(), row);
    }
    /// What the sender of this is told, or what became of it.
    async fn route(&self, xml: &str) -> Option<String> {
        told(&self.router, self.router.route(stanza(xml))).await
    }
    fn on_shelf(&self) -> Vec<String> {
        self.archive.rows().iter().map(|row| row.message.message_id.clone().unwrap_or_default()).collect()
    }
    /// The connection of `session` is gone; nothing in its mailbox was read.
    async fn lose(&self, session: &Arc<Session>) {
        self.router.users.unbind(session);
        let left = session.mailbox.close().into_iter().map(|mail| mail.stanza).collect();
        presence::session_ended(&self.router, session).await;
        self.router.undelivered(session, left).await;
    }
}

async fn told(router: &Arc<Router>, mut step: Step) -> Option<String> {
    loop {
        step = match step {
            Step::Done | Step::Pressure(_) => return None,
            Step::Answer(answer) => return Some(text(&wire::freeze_for_wire(*answer), None)),
            Step::Wait(later) | Step::Commit(later) => later.await,
            Step::Then(then) => then(router),
        }
    }
}
fn stanza(xml: &str) -> Stanza {
    Stanza::parse(xml.parse().unwrap()).unwrap().unwrap()
}
fn text(stanza: &Frozen, instead: Option<&str>) -> String {
    let mut out = Vec::new();
    wire::write_stanza(&mut out, stanza, instead);
    String::from_utf8(out).unwrap()
}
/// What waits in a mailbox, taken out.
fn mail(session: &Session) -> Vec<String> {
    let (mut all, bare) = (Vec::new(), session.jid.to_bare());
    session.mailbox.drain(|mail| {
        all.push(text(&mail.stanza, (mail.address == Address::Bare).then_some(bare.as_str())));
        More::Yes
    });
    all
}
fn chat(to: &str, id: &str) -> String {
    format!("<message xmlns='jabber:client' from='a@x.example/r' to='{to}' type='chat' id='{id}'><body>b</body></message>")
}

#[tokio::test]
async fn who_came_after_a_message_gets_it_when_the_session_that_had_it_is_lost() {
    let place = Place::new();
    let old = place.online("b@x.example/old").await;
    place.route(&chat("b@x.example", "1")).await;
    let new = place.online("b@x.example/new").await;
    place.lose(&old).await;
    assert!(mail(&new).iter().any(|m| m.contains("id='1'")), "it is not lost with the connection that it was for");
}

#[tokio::test]
async fn a_message_that_two_had_comes_once_more_when_both_are_lost_and_not_before() {
    let place = Place::new();
    let (one, two) = (place.online("b@x.example/1").await, place.online("b@x.example/2").await);
    place.route(&chat("b@x.example", "1")).await;
    let late = place.online("b@x.example/late").await;
    place.lose(&one).await;
    assert!(!mail(&late).iter().any(|m| m.starts_with("<message")), "the other one still has its copy");
    place.lose(&two).await;
    assert_eq!(mail(&late).iter().filter(|m| m.starts_with("<message")).count(), 1);
}

#[tokio::test]
async fn two_who_end_at_once_hand_a_shared_message_on_once() {
    let place = Place::new();
    let (one, two) = (place.online("b@x.example/1").await, place.online("b@x.example/2").await);
    place.route(&chat("b@x.example", "1")).await;
    place.router.users.unbind(&one);
    place.router.users.unbind(&two);
    for session in [&one, &two] {
        let left = session.mailbox.close().into_iter().map(|mail| mail.stanza).collect();
        place.router.undelivered(session, left).await;
    }
    assert_eq!(place.on_shelf(), ["1"]);
}

#[tokio::test]
async fn what_a_lost_session_had_not_read_is_stored_before_what_is_sent_later() {
    let place = Place::new();
    let gone = place.online("b@x.example/r").await;
    for id in ["1", "2", "3"] {
        place.route(&chat("b@x.example/r", id)).await;
    }
    place.router.users.unbind(&gone);
    let left = gone.mailbox.close().into_iter().map(|mail| mail.stanza).collect();
    let newer = chat("b@x.example", "4");
    let later = place.route(&newer);
    tokio::pin!(later);
    assert!(futures_util::poll!(&mut later).is_pending(), "it waits");
    place.router.undelivered(&gone, left).await;
    assert_eq!(later.await, None);
    assert_eq!(place.on_shelf(), ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_message_that_needs_facts_first_is_not_overtaken_by_one_that_does_not() {
    let place = Place::new();
    let first = place.router.route(stanza(&chat("b@x.example", "1")));
    assert!(matches!(first, Step::Wait(_)), "nothing of this sender is looked at before it is decided");
    assert_eq!(told(&place.router, first).await, None);
    assert!(matches!(place.router.route(stanza(&chat("b@x.example", "2"))), Step::Commit(_)), "nothing is waited for");
    assert_eq!(place.on_shelf(), ["1"]);
}

#[tokio::test]
async fn a_message_is_in_both_archives_before_it_is_delivered() {
    let place = Place::with(|at| at.recorder(Everything));
    let there = place.online("b@x.example/r").await;
    place.router.facts.load(&"a@x.example".parse().unwrap()).await.unwrap();
    let step = place.router.route(stanza(&chat("b@x.example", "1")));
    let Step::Commit(stored) = step else { panic!("a commit") };
    let then = stored.await;
    assert_eq!(place.on_shelf(), ["1", "1"]);
    assert!(mail(&there).is_empty());
    place.router.finish(then).await;
    let rows = place.archive.rows();
    assert_eq!(rows.iter().map(|row| row.owner.as_str()).collect::<Vec<_>>(), ["b@x.example", "a@x.example"]);
    let stanza_id = format!("<stanza-id xmlns='urn:xmpp:sid:0' by='b@x.example' id='{}'/></message>", rows[0].id);
    assert!(mail(&there)[0].ends_with(&stanza_id));
}

#[tokio::test]
async fn a_message_sent_twice_arrives_once() {
    let place = Place::with(|at| at.recorder(Everything));
    let there = place.online("b@x.example/r").await;
    for _ in 0..2 {
        assert_eq!(place.route(&chat("b@x.example", "1")).await, None);
    }
    assert_eq!(mail(&there).len(), 1);
    assert_eq!(place.archive.rows().len(), 2);
}

#[tokio::test]
async fn what_was_stored_before_a_start_and_is_sent_again_waits_for_who_is_there() {
    let place = Place::with(|at| at.recorder(Everything));
    let waiting = || place.archive.rows().iter().filter(|row| row.held.is_some()).count();
    let there = place.online("b@x.example/r").await;
    place.route(&chat("b@x.example", "1")).await;
    mail(&there);
    there.mailbox.take_flush_held();
    place.route(&chat("b@x.example", "1")).await;
    assert!(!there.mailbox.take_flush_held() && waiting() == 0, "it was delivered, and the server lives");
    place.archive.start_anew();
    assert_eq!(place.route(&chat("b@x.example", "1")).await, None);
    assert!(there.mailbox.take_flush_held() && waiting() == 1, "perhaps nobody got it");
    assert_eq!(place.archive.rows().len(), 2);
}

#[tokio::test]
async fn what_is_archived_and_waits_is_one_row() {
    let place = Place::with(|at| at.recorder(Everything));
    let owner: BareJid = "b@x.example".parse().unwrap();
    place.route(&chat("b@x.example", "1")).await;
    let gone = place.online("b@x.example/r").await;
    place.route(&chat("b@x.example/r", "2")).await;
    place.lose(&gone).await;
    let mut rows = place.archive.rows();
    rows.retain(|row| row.owner == owner);
    assert_eq!(rows.iter().map(|row| (row.kept, row.held.is_some())).collect::<Vec<_>>(), [(true, true), (true, true)]);
    let held = place.router.held(&owner, 0).await.unwrap();
    assert_eq!(held.iter().map(|row| row.message.message_id.as_deref()).collect::<Vec<_>>(), [Some("1"), Some("2")]);
}

#[tokio::test]
async fn what_comes_back_is_in_no_archive() {
    let place = Place::with(|at| at.recorder(Everything));
    let normal = chat("b@x.example/gone", "1").replace("type='chat' ", "");
    let answer = place.route(&normal).await.expect("an error");
    assert!(answer.contains("service-unavailable"));
    assert!(place.archive.rows().is_empty());
}

#[tokio::test]
async fn a_request_that_nobody_read_is_answered() {
    let place = Place::new();
    place.lets_see("b@x.example", "a@x.example");
    let (asker, gone) = (place.online("a@x.example/r").await, place.online("b@x.example/r").await);
    mail(&asker);
    let iq = "<iq xmlns='jabber:client' from='a@x.example/r' to='b@x.example/r' type='get' id='q'><q xmlns='u'/></iq>";
    assert_eq!(place.route(iq).await, None);
    place.lose(&gone).await;
    let answer = mail(&asker).into_iter().find(|m| m.starts_with("<iq")).expect("an answer");
    assert!(answer.contains("id='q'") && answer.contains("service-unavailable"), "{answer}");
}

#[tokio::test]
async fn what_is_stored_while_the_last_page_is_read_is_seen() {
    let place = Place::new();
    let owner: BareJid = "b@x.example".parse().unwrap();
    let _claim = place.router.claim_flush(&owner).unwrap();
    assert!(place.router.claim_flush(&owner).is_none());
    let router = place.router.clone();
    let arrives = move || assert_eq!(now(told(&router, router.route(stanza(&chat("b@x.example", "1"))))), None);
    place.archive.meanwhile(arrives);
    assert_eq!(place.router.held(&owner, 0).await.unwrap().len(), 1, "it looks again before it says that nothing is left");
    assert_eq!(place.archive.held_reads(), 2);
    assert!(place.router.held(&owner, 1).await.unwrap().is_empty());
    assert_eq!(place.archive.held_reads(), 3);
}

#[tokio::test]
async fn a_replaced_session_shows_nothing_after_its_end() {
    let place = Place::new();
    place.lets_see("a@x.example", "b@x.example");
    let (old, contact) = (place.online("a@x.example/r").await, place.online("b@x.example/r").await);
    let new = place.bind("a@x.example/r");
    presence::session_ended(&place.router, &old).await;
    assert!(mail(&contact).iter().any(|m| m.contains("unavailable")));
    place.present(&old, "<presence xmlns='jabber:client'><status>late</status></presence>").await;
    place.present(&old, "<presence xmlns='jabber:client' to='b@x.example/r'><status>late</status></presence>").await;
    place.present(&new, "<presence xmlns='jabber:client'><status>new</status></presence>").await;
    place.lose(&old).await;
    let heard = mail(&contact);
    assert!(heard.len() == 1 && heard[0].contains("new"), "what is heard last is what is true: {heard:?}");
}

#[tokio::test]
async fn sessions_answer_only_who_may_know_of_them() {
    let place = Place::new();
    let (asked, _asker) = (place.online("b@x.example/r").await, place.online("a@x.example/r").await);
    let iq = |from: &str, kind: &str| {
        format!("<iq xmlns='jabber:client' from='{from}' to='b@x.example/r' type='{kind}' id='q'><q xmlns='u'/></iq>")
    };
    let refused = place.route(&iq("a@x.example/r", "get")).await.expect("refused");
    assert!(refused.contains("service-unavailable"));
    assert!(mail(&asked).is_empty());
    assert_eq!(place.route(&iq("a@x.example/r", "result")).await, None, "answers pass");
    assert_eq!(place.route(&iq("b@x.example/other", "get")).await, None, "the own account asks");
    place.present(&asked, "<presence xmlns='jabber:client' to='a@x.example'/>").await;
    assert_eq!(place.route(&iq("a@x.example/r", "set")).await, None, "who was shown presence asks");
    place.present(&asked, "<presence xmlns='jabber:client' to='a@x.example' type='unavailable'/>").await;
    assert!(place.route(&iq("a@x.example/r", "get")).await.is_some());
    assert_eq!(mail(&asked).len(), 3);
}

#[tokio::test]
async fn a_message_for_a_session_that_gets_no_held_ones_is_not_stored_behind_them() {
    let place = Place::new();
    let quiet = place.online("b@x.example/quiet").await;
    place.present(&quiet, "<presence xmlns='jabber:client'><priority>-1</priority></presence>").await;
    mail(&quiet);
    let _storing = place.router.storing("b@x.example".parse().unwrap());
    place.route(&chat("b@x.example/quiet", "1")).await;
    assert_eq!(mail(&quiet).len(), 1);
    place.route(&chat("b@x.example", "2")).await;
    assert_eq!(place.on_shelf(), ["2"]);
}

#[tokio::test]
async fn a_message_that_cannot_be_judged_comes_back() {
    let place = Place::with(|at| at.of("test").recipient_rule(Phase::Feature, Anybody));
    place.town.broken.store(true, Ordering::Relaxed);
    let answer = place.route(&chat("b@x.example", "1")).await.expect("the sender is told");
    assert!(answer.contains("resource-constraint"), "{answer}");
    place.town.broken.store(false, Ordering::Relaxed);
    assert_eq!(place.route(&chat("b@x.example", "1")).await, None);
    assert_eq!(place.on_shelf(), ["1"]);
}

#[tokio::test]
async fn facts_are_true_even_if_nobody_waits_for_a_change_to_end() {
    let place = Place::new();
    let owner: BareJid = "a@x.example".parse().unwrap();
    let contact = bocage_api::ContactEdit { jid: "b@x.example".parse().unwrap(), name: None, groups: Vec::new() };
    assert!(place.router.facts.load(&owner).await.unwrap().roster.items.is_empty());
    place.town.gate.forget_permits(PERMITS);
    {
        let change = place.router.set_contact(&owner, contact);
        tokio::pin!(change);
        assert!(futures_util::poll!(&mut change).is_pending());
        tokio::task::yield_now().await;
    }
    place.town.gate.add_permits(PERMITS);
    while place.router.facts.load(&owner).await.unwrap().roster.items.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn requests_cannot_use_up_the_room_for_contacts() {
    let place = Place::new();
    let owner: BareJid = "b@x.example".parse().unwrap();
    let rows = place.router.limits.max_roster;
    for n in 0..=rows {
        let request = format!("<presence xmlns='jabber:client' from='s{n}@x.example' to='b@x.example' type='subscribe'/>");
        assert_eq!(place.route(&request).await, None);
    }
    assert_eq!(place.router.facts.load(&owner).await.unwrap().roster.items.len(), rows);
    let contact = bocage_api::ContactEdit { jid: "friend@x.example".parse().unwrap(), name: None, groups: Vec::new() };
    place.router.set_contact(&owner, contact).await.unwrap();
}

#[tokio::test]
async fn who_asked_an_account_that_goes_is_told() {
    let place = Place::new();
    let asker = place.online("a@x.example/r").await;
    place.route_from(&asker, "<presence xmlns='jabber:client' from='a@x.example' to='b@x.example' type='subscribe'/>").await;
    place.router.leave_contacts(&"b@x.example".parse().unwrap()).await.unwrap();
    assert!(mail(&asker).iter().any(|m| m.contains("type='unsubscribed'")));
    let facts = place.router.facts.load(&"a@x.example".parse().unwrap()).await.unwrap();
    assert!(!facts.roster.items[0].ask, "it is not left pending for ever");
}

#[tokio::test]
async fn an_approval_comes_before_the_push_that_it_explains() {
    let place = Place::new();
    let asker = place.bind("a@x.example/r");
    asker.set_interested();
    place.route_from(&asker, "<presence xmlns='jabber:client' from='a@x.example' to='b@x.example' type='subscribe'/>").await;
    mail(&asker);
    let granter = place.online("b@x.example/r").await;
    place.route_from(&granter, "<presence xmlns='jabber:client' from='b@x.example' to='a@x.example' type='subscribed'/>").await;
    let got = mail(&asker);
    let kinds: Vec<_> = got.iter().map(|m| m.split([' ', '>']).next().unwrap()).collect();
    assert_eq!(kinds, ["<presence", "<iq"], "to an interested session, available or not: {got:?}");
    assert!(got[1].contains("subscription='to'"));
}

impl Place {
    async fn route_from(&self, session: &Arc<Session>, xml: &str) {
        let stanza = stanza(xml);
        let Kind::Presence(kind) = stanza.kind else { panic!("a presence") };
        self.router.finish(presence::from_client(&self.router, session, kind, stanza)).await;
    }
}
