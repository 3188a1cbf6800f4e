//! H25: occupant-ids (XEP-0421) and how little they may say.

use super::{depart, enter, features, form, found, heard_up_to, occupant_id, room, say, shown, village_without};
use bocage_tests::{Person, Village};

const FEATURE: &str = "urn:xmpp:occupant-id:0";
const MODE: &str = "x-bocage#occupant_id";
const FORGED: &str = "<body>mark</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>";

/// The id that others see of who enters under this nick; they leave again.
async fn id_as(person: &mut Person, seer: &mut Person, room: &str, nick: &str) -> Option<String> {
    enter(person, room, nick).await;
    let seen = shown(seer, &format!("{room}/{nick}")).await;
    say(person, room, FORGED).await;
    let said = heard_up_to(seer, "mark").await.pop().unwrap();
    assert_eq!(occupant_id(&said), occupant_id(&seen), "presence and messages agree");
    assert!(!String::from(&said).contains("forged"));
    depart(person, room, nick).await;
    occupant_id(&seen).map(str::to_owned)
}

#[tokio::test]
async fn h25_ids_outlive_nicks_within_one_room_and_say_nothing_outside_of_it() {
    let village = village_without("", &["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let (garden, hall) = (room("garden"), room("hall"));
    found(&mut romeo, &garden, "r", &[]).await;
    found(&mut romeo, &hall, "r", &[]).await;
    assert!(features(&mut romeo, &garden, "").await.contains(&FEATURE.to_owned()));
    let first = id_as(&mut juliet, &mut romeo, &garden, "j").await.expect("there are ids");
    assert_eq!(id_as(&mut juliet, &mut romeo, &garden, "k").await.as_ref(), Some(&first));
    assert_ne!(id_as(&mut juliet, &mut romeo, &hall, "j").await.as_ref(), Some(&first));
    assert_ne!(id_as(&mut paris, &mut romeo, &garden, "j").await.as_ref(), Some(&first), "it is not the nick's");
    assert!(!first.contains("juliet") && first.len() >= 32, "{first}");
}

/// By the owner's choice in one room.
#[tokio::test]
async fn h25_where_ids_are_the_nicks_somebody_else_comes_back() {
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[(MODE, "nick")]).await;
    let first = id_as(&mut juliet, &mut romeo, &garden, "j").await.expect("there are ids");
    let second = id_as(&mut juliet, &mut romeo, &garden, "k").await.expect("there are ids");
    assert_ne!(first, second);
    assert_eq!(id_as(&mut juliet, &mut romeo, &garden, "j").await, Some(first), "reactions and corrections keep working");
    // Back to lasting ones: neither of the two.
    romeo.ask("set", &garden, &form(&[(MODE, "stable")])).await;
    let lasting = id_as(&mut juliet, &mut romeo, &garden, "j").await.expect("there are ids");
    assert_eq!(id_as(&mut juliet, &mut romeo, &garden, "k").await, Some(lasting));
}

/// By the operator's, whatever an owner says.
#[tokio::test]
async fn h25_an_operator_can_end_lasting_ids() {
    let village = Village::with("[modules.occupant_id]\nmode = \"nick\"\n", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[(MODE, "stable")]).await;
    let first = id_as(&mut juliet, &mut romeo, &garden, "j").await.expect("there are ids");
    assert_ne!(id_as(&mut juliet, &mut romeo, &garden, "k").await, Some(first));
}

/// Switched off by an owner, or without the module: no ids, none announced, and none can be forged.
#[tokio::test]
async fn h25_without_ids_there_are_none_and_none_can_be_forged() {
    for (off, fields) in [("", [(MODE, "off")]), ("occupant_id", [(MODE, "stable")])] {
        let village = village_without(off, &["romeo", "juliet"]).await;
        let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
        let garden = room("garden");
        found(&mut romeo, &garden, "r", &fields).await;
        assert!(!features(&mut romeo, &garden, "").await.contains(&FEATURE.to_owned()));
        assert_eq!(id_as(&mut juliet, &mut romeo, &garden, "j").await, None);
    }
}
