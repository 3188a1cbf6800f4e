//! H25: who wants to be somebody else under another nick, is; for what is said from now on, and for what history gives out.

use super::{HOST, depart, enter, found, heard_up_to, occupant_id, room, say, shown, village};
use bocage_tests::{Person, Village, text};
use minidom::Element;

const COMMANDS: &str = "http://jabber.org/protocol/commands";
const NODE: &str = "urn:bocage:room-privacy:0";

/// The command, as a client runs it: in this room, or in all of the host (`""`).
pub(crate) async fn opt(person: &mut Person, host: &str, room: &str, out: bool) {
    let first = person.ask("set", host, &format!("<command xmlns='{COMMANDS}' node='{NODE}' action='execute'/>")).await;
    let first = first.get_child("command", COMMANDS).unwrap_or_else(|| panic!("{first:?}"));
    assert_eq!(first.attr("status"), Some("executing"));
    let session = first.attr("sessionid").unwrap();
    let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    let fields =
        field("FORM_TYPE", NODE) + &field("room", room) + &field("another_under_another_nick", if out { "1" } else { "0" });
    let filled = format!(
        "<command xmlns='{COMMANDS}' node='{NODE}' sessionid='{session}' action='complete'>\
         <x xmlns='jabber:x:data' type='submit'>{fields}</x></command>"
    );
    let done = person.ask("set", host, &filled).await;
    let done = done.get_child("command", COMMANDS).unwrap_or_else(|| panic!("{done:?}"));
    assert_eq!(done.attr("status"), Some("completed"), "{done:?}");
}

/// The id that Romeo sees of who says something under this nick, and leaves again.
async fn id_as(person: &mut Person, romeo: &mut Person, room: &str, nick: &str) -> String {
    enter(person, room, nick).await;
    say(person, room, &format!("<body>as {nick}</body>")).await;
    let said = heard_up_to(romeo, &format!("as {nick}")).await.pop().unwrap();
    depart(person, room, nick).await;
    occupant_id(&said).expect("there are ids").to_owned()
}

fn history(seen: &[Element]) -> Vec<String> {
    seen.iter().filter(|s| !text(s).is_empty()).map(|s| occupant_id(s).unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn h25_who_opts_out_is_somebody_else_under_another_nick_now_and_in_history() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let (garden, hall) = (room("garden"), room("hall"));
    found(&mut romeo, &garden, "r", &[]).await;
    found(&mut romeo, &hall, "r", &[]).await;
    let lasting = id_as(&mut juliet, &mut romeo, &garden, "j").await;
    let others = id_as(&mut paris, &mut romeo, &garden, "p").await;
    opt(&mut juliet, HOST, &garden, true).await;
    let (first, second) =
        (id_as(&mut juliet, &mut romeo, &garden, "j").await, id_as(&mut juliet, &mut romeo, &garden, "k").await);
    assert!(first != second && first != lasting && second != lasting, "nobody can tell that all are her");
    assert_eq!(id_as(&mut juliet, &mut romeo, &garden, "j").await, first, "reactions and corrections keep working");
    assert_eq!(id_as(&mut paris, &mut romeo, &garden, "p").await, others, "it is nobody else's wish");
    // What was said before is given out as hers under that nick, and under no other.
    let seen = enter(&mut paris, &garden, "q").await;
    let given = history(&seen);
    assert!(!given.contains(&lasting), "{given:?}");
    assert_eq!(given.iter().filter(|id| **id == first).count(), 3, "under her first nick: {given:?}");
    assert_eq!(given.iter().filter(|id| **id == second).count(), 1);
    // In this room alone; then everywhere; then no more.
    let there = id_as(&mut juliet, &mut romeo, &hall, "j").await;
    assert_eq!(id_as(&mut juliet, &mut romeo, &hall, "k").await, there);
    opt(&mut juliet, HOST, "", true).await;
    assert_ne!(id_as(&mut juliet, &mut romeo, &hall, "k").await, there);
    opt(&mut juliet, HOST, "", false).await;
    assert_eq!(id_as(&mut juliet, &mut romeo, &hall, "k").await, there);
}

/// At once, for who is inside; and after a restart.
#[tokio::test]
async fn h25_a_wish_holds_at_once_and_outlives_the_server() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    enter(&mut juliet, &garden, "j").await;
    let lasting = occupant_id(&shown(&mut romeo, &format!("{garden}/j")).await).unwrap().to_owned();
    opt(&mut juliet, HOST, "", true).await;
    say(&mut juliet, &garden, "<body>mark</body>").await;
    let said = heard_up_to(&mut romeo, "mark").await.pop().unwrap();
    assert_ne!(occupant_id(&said), Some(lasting.as_str()));
    drop((romeo, juliet));
    let dir = village.stop().await;
    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    enter(&mut romeo, &garden, "r").await;
    let first = id_as(&mut juliet, &mut romeo, &garden, "j").await;
    assert_ne!(first, lasting);
    assert_ne!(id_as(&mut juliet, &mut romeo, &garden, "k").await, first);
}
