//! A room at the far server (XEP-0045).

use crate::interop::pair::{FAR, Pair, Setup};
use bocage_tests::{Person, text};

pub(in crate::interop) async fn a_room_of_the_far_one(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    let room = format!("verona@rooms.{FAR}");
    join(&mut juliet, &room, "juliet").await;
    join(&mut romeo, &room, "romeo").await;
    let nick = format!("{room}/romeo");
    juliet.until(|s| s.name() == "presence" && s.attr("from") == Some(&nick)).await;
    for words in ["good even", "and to thee"] {
        romeo.send(&format!("<message to='{room}' type='groupchat'><body>{words}</body></message>")).await;
        for person in [&mut romeo, &mut juliet] {
            let got = person.until(|s| s.name() == "message" && text(s) == words).await;
            assert_eq!((got.attr("from"), got.attr("type")), (Some(nick.as_str()), Some("groupchat")));
        }
    }
    romeo.send(&format!("<presence to='{nick}' type='unavailable'/>")).await;
    for person in [&mut romeo, &mut juliet] {
        person.until(|s| s.attr("type") == Some("unavailable") && s.attr("from") == Some(&nick)).await;
    }
    pair.links_are_sealed();
}

/// The subject ends what a room says to who enters.
async fn join(person: &mut Person, room: &str, nick: &str) {
    person.send(&format!("<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    person.until(|s| s.name() == "message" && s.get_child("subject", "jabber:client").is_some()).await;
}
