//! Many in one room, and one who does not read.

use super::{codes, enter, found, heard_up_to, room, say, village_without};
use bocage_tests::{Person, Raw, Village};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Sessions, of ten accounts.
const CROWD: usize = 1_000;
/// Far more than it takes: half a million presences.
const SOON: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_enter_and_each_sees_all_of_them() {
    let people: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).chain(["romeo"]).collect();
    let village =
        Village::with("[c2s]\nmax_resources = 200\nrate = \"off\"\n[modules.muc]\njoin_rate = 0\nrate = 0\n", &names).await;
    let mut romeo = Raw::online(&village, "romeo").await;
    let square = room("square");
    romeo.send(&format!("<presence to='{square}/romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    romeo.until("code='201'").await;
    romeo.send(&format!("<iq type='set' id='setup' to='{square}'>{}</iq>", super::form(&[]))).await;
    romeo.until("id='setup'").await;
    let mut crowd = Vec::with_capacity(CROWD);
    for n in 0..CROWD {
        crowd.push(Raw::online(&village, &people[n % people.len()]).await);
    }
    let start = Instant::now();
    let mut entering = JoinSet::new();
    for (n, mut raw) in crowd.into_iter().enumerate() {
        let square = square.clone();
        entering.spawn(async move {
            raw.send(&format!("<presence to='{square}/n{n}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
            // All the others, before or after, and oneself: each of them once.
            raw.see(&format!("from='{square}/n"), CROWD).await;
            raw
        });
    }
    let all = async {
        romeo.see(&format!("from='{square}/n"), CROWD).await;
        entering.join_all().await
    };
    let crowd = tokio::time::timeout(SOON, all).await.expect("a thousand enter in bounded time");
    romeo.send(&format!("<message to='{square}' type='groupchat'><body>all are here</body></message>")).await;
    let mut hearing = JoinSet::new();
    for mut raw in crowd {
        hearing.spawn(async move { raw.see("all are here", 1).await });
    }
    tokio::time::timeout(SOON, hearing.join_all()).await.expect("a thousand hear it in bounded time");
    assert!(start.elapsed() < SOON);
}

/// The room never waits: who does not read is out in the end, and the others hear all of it at once.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_delays_nobody_and_is_out_in_the_end() {
    let village = village_without("", &["romeo", "juliet", "slow"]).await;
    let mut romeo = Raw::online(&village, "romeo").await;
    let square = room("square");
    let join = |nick: &str| format!("<presence to='{square}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    romeo.send(&join("r")).await;
    romeo.until("code='201'").await;
    romeo.send(&format!("<iq type='set' id='setup' to='{square}'>{}</iq>", super::form(&[]))).await;
    romeo.until("id='setup'").await;
    let (mut slow, mut juliet) = (Raw::online(&village, "slow").await, Raw::online(&village, "juliet").await);
    slow.send(&join("slow")).await;
    slow.until("<subject").await;
    juliet.send(&join("j")).await;
    juliet.until("<subject").await;
    let body = "x".repeat(8_000);
    let mut out = String::new();
    // Two megabytes fill a mailbox that nobody empties; the kernel's buffers take some besides.
    for n in 0..4_000 {
        romeo.send(&format!("<message to='{square}' type='groupchat' id='n{n}'><body>{body}</body></message>")).await;
        out = juliet.until(&format!("id='n{n}'")).await;
        romeo.see(&format!("id='n{n}'"), 1).await;
        if out.contains("type='unavailable'") {
            break;
        }
    }
    assert!(out.contains(&format!("from='{square}/slow'")) && out.contains("code='333'"), "it is out");
    romeo.send(&format!("<message to='{square}' type='groupchat' id='last'><body>on</body></message>")).await;
    juliet.until("id='last'").await;
}

/// Each message once and in one order for all, many speakers at a time.
#[tokio::test]
async fn all_hear_the_same_in_the_same_order() {
    let village = village_without("", &["romeo", "juliet", "paris"]).await;
    let mut people = Vec::new();
    for name in ["romeo", "juliet", "paris"] {
        people.push(Person::online(&village, name).await);
    }
    let square = room("square");
    found(&mut people[0], &square, "p0", &[]).await;
    for (n, person) in people.iter_mut().enumerate().skip(1) {
        let seen = enter(person, &square, &format!("p{n}")).await;
        assert!(seen.iter().any(|s| s.name() == "presence" && codes(s).contains(&110)));
    }
    for n in 0..50 {
        for person in &mut people {
            say(person, &square, &format!("<body>{n}</body>")).await;
        }
    }
    say(&mut people[2], &square, "<body>mark</body>").await;
    let mut orders = Vec::new();
    for person in &mut people {
        let heard = heard_up_to(person, "mark").await;
        let said = heard.iter().filter(|s| s.name() == "message" && !bocage_tests::text(s).is_empty());
        orders.push(said.map(|s| format!("{}: {}", s.attr("from").unwrap(), bocage_tests::text(s))).collect::<Vec<_>>());
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
}
