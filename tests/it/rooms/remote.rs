//! People of other servers in our rooms are no second class, and ours are none in theirs.

use super::{admin, codes, condition, depart, enter, found, heard_up_to, item, refused, say, shown};
use bocage_tests::{Kind, Peer, Usage, Way, World, text};
use std::time::Duration;

const NEAR: &str = "near.example";
const FAR: &str = "far.example";
const ROOM: &str = "garden@salons.near.example";

async fn servers() -> (World, Peer, Peer) {
    let mut world = World::new();
    let (near, far) = (world.site(NEAR, Way::Starttls, Usage::Both), world.site(FAR, Way::Starttls, Usage::Both));
    world.publish().await;
    let (near, far) = tokio::join!(Peer::start(&world, near, Kind::Bocage, ""), Peer::start(&world, far, Kind::Prosody, ""));
    (world, near, far)
}

#[tokio::test]
async fn somebody_of_another_server_does_in_a_room_what_people_do_there() {
    let (_world, near, far) = servers().await;
    let (mut romeo, mut juliet) = (near.online("romeo").await, far.online("juliet").await);
    // Rooms are made by people of this server.
    juliet.send(&format!("<presence to='{ROOM}/j'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    assert_eq!(condition(&juliet.until(|s| s.attr("type") == Some("error")).await).0, "not-allowed");
    found(&mut romeo, ROOM, "r", &[]).await;
    let seen = enter(&mut juliet, ROOM, "j").await;
    assert_eq!(item(&seen[0]).attr("jid"), None, "a pseudonym is one abroad");
    assert_eq!(item(&shown(&mut romeo, &format!("{ROOM}/j")).await).attr("jid"), Some(juliet.jid.as_str()));
    // Order is kept, in both directions at once.
    for n in 0..40 {
        say(&mut juliet, ROOM, &format!("<body>far {n}</body>")).await;
        say(&mut romeo, ROOM, &format!("<body>near {n}</body>")).await;
    }
    let mut orders = Vec::new();
    for person in [&mut romeo, &mut juliet] {
        let mut order: Vec<String> = Vec::new();
        while order.len() < 80 {
            order.push(text(&person.message().await));
        }
        for side in ["far", "near"] {
            let of_side: Vec<_> = order.iter().filter(|words| words.starts_with(side)).cloned().collect();
            assert_eq!(of_side, (0..40).map(|n| format!("{side} {n}")).collect::<Vec<_>>());
        }
        orders.push(order);
    }
    assert_eq!(orders[0], orders[1], "all hear the same");
    juliet.send(&format!("<message to='{ROOM}/r' type='chat'><body>psst</body></message>")).await;
    assert_eq!(text(&romeo.message().await), "psst");
    // Nick, role, leave, kick.
    juliet.send(&format!("<presence to='{ROOM}/jj'/>")).await;
    let renamed = romeo.until(|s| s.attr("type") == Some("unavailable")).await;
    assert_eq!((codes(&renamed), item(&renamed).attr("nick")), (vec![303], Some("jj")));
    assert_eq!(juliet.ask("get", &format!("{ROOM}/jj"), "<ping xmlns='urn:xmpp:ping'/>").await.attr("type"), Some("result"));
    depart(&mut juliet, ROOM, "jj").await;
    enter(&mut juliet, ROOM, "j").await;
    romeo.ask("set", ROOM, &admin("role='none' nick='j'", "")).await;
    let gone = juliet.until(|s| s.attr("type") == Some("unavailable")).await;
    assert_eq!(codes(&gone), [110, 307]);
    assert_eq!(refused(&mut juliet, "get", &format!("{ROOM}/j"), "<ping xmlns='urn:xmpp:ping'/>").await.0, "not-acceptable");
}

/// Nobody is shown for ever who cannot be reached any more, and nobody waits for them.
#[tokio::test]
async fn whose_server_dies_is_out_and_the_others_talk_on() {
    let (_world, near, mut far) = servers().await;
    let (mut romeo, mut juliet) = (near.online("romeo").await, far.online("juliet").await);
    let mut other = near.online("juliet").await;
    found(&mut romeo, ROOM, "r", &[]).await;
    enter(&mut other, ROOM, "o").await;
    enter(&mut juliet, ROOM, "j").await;
    shown(&mut romeo, &format!("{ROOM}/j")).await;
    // Killed, with no time to say farewell for its people.
    far.stop().await;
    drop(juliet);
    say(&mut romeo, ROOM, "<body>are you there?</body>").await;
    heard_up_to(&mut other, "are you there?").await;
    let gone = async {
        loop {
            let stanza = other.arrival().await;
            if stanza.attr("type") == Some("unavailable") {
                return stanza;
            }
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(60), gone).await.expect("a room learns that nobody is there");
    assert_eq!((gone.attr("from"), codes(&gone)), (Some(format!("{ROOM}/j").as_str()), vec![333]));
    say(&mut romeo, ROOM, "<body>farewell</body>").await;
    heard_up_to(&mut other, "farewell").await;
}

#[tokio::test]
async fn one_of_ours_talks_in_a_room_of_prosodys() {
    let (_world, near, far) = servers().await;
    let (mut romeo, mut juliet) = (near.online("romeo").await, far.online("juliet").await);
    let verona = format!("verona@rooms.{FAR}");
    enter(&mut juliet, &verona, "j").await;
    enter(&mut romeo, &verona, "r").await;
    shown(&mut juliet, &format!("{verona}/r")).await;
    for words in ["good even", "and to thee"] {
        say(&mut romeo, &verona, &format!("<body>{words}</body>")).await;
        heard_up_to(&mut juliet, words).await;
        heard_up_to(&mut romeo, words).await;
    }
    depart(&mut romeo, &verona, "r").await;
    juliet.until(|s| s.attr("type") == Some("unavailable") && s.attr("from") == Some(&format!("{verona}/r"))).await;
}
