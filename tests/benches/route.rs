//! Cost of a chat message between two sessions without sockets: head, ingress, routing, freezing, mailbox, splice.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark measures and prints")]

use bocage_api::{Checkpoints, Stanza};
use bocage_core::{
    ingress,
    mailbox::{Address, Mail, More},
    plan::{HostPlan, Plans},
    router::{Binding, Router, Session, Step},
    settings::Limits,
    wire,
};
use bocage_store::{Store, StoreConfig};
use minidom::Element;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const ROUNDS: u32 = 200_000;

async fn router(dir: &std::path::Path) -> (Store, Arc<Router>) {
    let config = StoreConfig {
        url: format!("sqlite:{}", dir.join("bench.db").display()).into(),
        key_dir: dir.join("keys"),
        retention: bocage_store::Retention::default(),
    };
    let (clock, entropy) = (bocage::machine_clock(), bocage::machine_entropy());
    let store = Store::open(config, clock.clone(), entropy.clone()).await.unwrap();
    let router = Arc::new(Router::new(store.handles(), clock, entropy, Limits::default()));
    let plan = HostPlan::seal("village.example".parse().unwrap(), Checkpoints::default()).unwrap();
    router.set_plans(Plans::new([plan]).unwrap());
    (store, router)
}

fn bind(router: &Arc<Router>, jid: &str) -> Arc<Session> {
    let session = Arc::new(Session::new(jid.parse().unwrap(), router.budget.clone()));
    assert!(matches!(router.users.bind(&session, 10), Binding::Bound(None)));
    session
}

fn one(router: &Arc<Router>, (from, to): (&Session, &Session), element: Element, out: &mut Vec<u8>) {
    let mut stanza = Stanza::parse(element).unwrap().unwrap();
    ingress::stamp(&mut stanza, &from.jid).unwrap();
    ingress::strip(&mut stanza, &router.plans());
    assert!(matches!(router.route(stanza), Step::Done));
    out.clear();
    to.mailbox.drain(|Mail { stanza, address }: &Mail| {
        assert_eq!(*address, Address::Own);
        wire::write_stanza(out, stanza, None);
        More::Yes
    });
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let (store, router) = router(dir.path()).await;
    let (alice, bob) = (bind(&router, "alice@village.example/a"), bind(&router, "bob@village.example/b"));
    let body = "x".repeat(100);
    let message: Element = format!(
        "<message xmlns='jabber:client' to='bob@village.example/b' id='0123456789' type='chat'><body>{body}</body>\
         <request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='0123456789'/></message>"
    )
    .parse()
    .unwrap();
    let mut out = Vec::new();
    let (mut cloned, start) = (Duration::ZERO, Instant::now());
    for _ in 0..ROUNDS {
        let before = Instant::now();
        let element = message.clone();
        cloned += before.elapsed();
        one(&router, (&alice, &bob), element, &mut out);
    }
    let each = (start.elapsed() - cloned) / ROUNDS;
    println!("route: {} ns a message of {} bytes, parsing not included", each.as_nanos(), out.len());
    store.close().await;
}
