//! What a room keeps: nothing of what was said without `room_retention`, all of how it is set up through a restart.

use super::{DISCO_INFO, MUC_OWNER, admin, condition, enter, form, found, heard_up_to, listed, occupant_id, refused, room, say};
use super::{depart, shown, village, village_without};
use bocage_tests::{Person, Village, text};
use minidom::Element;

/// How much of what was said a newcomer hears, and for how many hours the room says that it keeps it.
async fn kept(off: &str) -> (usize, String) {
    let village = village_without(off, &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    for words in ["one", "two"] {
        say(&mut romeo, &garden, &format!("<body>{words}</body>")).await;
        heard_up_to(&mut romeo, words).await;
    }
    let seen = enter(&mut juliet, &garden, "j").await;
    let info = juliet.ask("get", &garden, &format!("<query xmlns='{DISCO_INFO}'/>")).await;
    let forms = info.get_child("query", DISCO_INFO).unwrap().children().flat_map(Element::children);
    let hours = forms
        .filter(|field| field.attr("var") == Some("data_retention"))
        .map(|field| field.get_child("value", "jabber:x:data").unwrap().text());
    (seen.iter().filter(|s| !text(s).is_empty()).count(), hours.last().expect("XEP-0504"))
}

/// Strict by absence.
#[tokio::test]
async fn h28_rooms_keep_what_was_said_only_where_somebody_says_for_how_long() {
    assert_eq!(kept("").await, (2, "168".to_owned()));
    assert_eq!(kept("room_retention").await, (0, "0".to_owned()));
}

#[tokio::test]
async fn a_room_outlives_the_server_with_its_form_its_bans_its_nicks_and_its_ids() {
    let village = village(&["romeo", "juliet", "tybalt"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    let fields = [
        ("muc#roomconfig_roomname", "Garden"),
        ("muc#roomconfig_moderatedroom", "1"),
        ("muc#roomconfig_passwordprotectedroom", "1"),
        ("muc#roomconfig_roomsecret", "swordfish"),
        ("x-bocage#retention_days", "2"),
    ];
    found(&mut romeo, &garden, "r", &fields).await;
    for attributes in [
        "affiliation='outcast' jid='tybalt@village.example'",
        "affiliation='admin' jid='juliet@village.example'",
        "affiliation='member' jid='nurse@village.example' nick='Nurse'",
    ] {
        assert_eq!(romeo.ask("set", &garden, &admin(attributes, "")).await.attr("type"), Some("result"));
    }
    let ask = format!("<query xmlns='{MUC_OWNER}'/>");
    let before = romeo.ask("get", &garden, &ask).await;
    let id = occupant_id(&enter_with(&mut juliet, &garden, "j", "swordfish").await).unwrap().to_owned();
    let passing = room("passing");
    found(&mut romeo, &passing, "r", &[("muc#roomconfig_persistentroom", "0")]).await;
    drop((romeo, juliet));
    let dir = village.stop().await;

    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut tybalt = Person::online(&village, "tybalt").await;
    let after = romeo.ask("get", &garden, &ask).await;
    assert_eq!(before.get_child("query", MUC_OWNER), after.get_child("query", MUC_OWNER));
    assert_eq!(listed(&mut romeo, &garden, "outcast").await, ["tybalt@village.example"]);
    tybalt.send(&format!("<presence to='{garden}/t'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    assert_eq!(condition(&tybalt.until(|s| s.attr("type") == Some("error")).await).0, "forbidden");
    let own = enter_with(&mut juliet, &garden, "j", "swordfish").await;
    assert_eq!((occupant_id(&own), super::item(&own).attr("role")), (Some(id.as_str()), Some("moderator")));
    // A nick that is somebody's stays theirs.
    juliet.send(&format!("<presence to='{garden}/Nurse'/>")).await;
    assert_eq!(condition(&juliet.until(|s| s.attr("type") == Some("error")).await).0, "conflict");
    let ask = format!("<query xmlns='{DISCO_INFO}'/>");
    assert_eq!(refused(&mut romeo, "get", &passing, &ask).await.0, "item-not-found", "what was not to last did not");
}

async fn enter_with(person: &mut Person, room: &str, nick: &str, password: &str) -> Element {
    let join = format!("<x xmlns='http://jabber.org/protocol/muc'><password>{password}</password></x>");
    person.send(&format!("<presence to='{room}/{nick}'>{join}</presence>")).await;
    shown(person, &format!("{room}/{nick}")).await
}

/// Nobody waits in vain for a room that is destroyed, and nothing of it is left for who makes it anew.
#[tokio::test]
async fn a_room_that_is_destroyed_leaves_nothing() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    romeo.ask("set", &garden, &admin("affiliation='outcast' jid='tybalt@village.example'", "")).await;
    romeo.ask("set", &garden, &admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    enter(&mut juliet, &garden, "j").await;
    let destroy = format!("<query xmlns='{MUC_OWNER}'><destroy jid='{}'><reason>moved</reason></destroy></query>", room("hall"));
    romeo.send(&format!("<iq type='set' id='destroy' to='{garden}'>{destroy}</iq>")).await;
    let own = romeo.until(|s| s.attr("type") == Some("unavailable")).await;
    assert_eq!((super::item(&own).attr("affiliation"), super::item(&own).attr("role")), (Some("none"), Some("none")));
    let gone = juliet.until(|s| s.attr("type") == Some("unavailable")).await;
    let destroyed = super::user(&gone).children().find(|el| el.name() == "destroy").expect("it says that it is destroyed");
    assert_eq!(destroyed.attr("jid"), Some(room("hall").as_str()));
    assert_eq!((super::item(&gone).attr("affiliation"), super::item(&gone).attr("role")), (Some("none"), Some("none")));
    // Its new owner is who makes it anew; nothing that was before holds.
    let seen = enter(&mut juliet, &garden, "j").await;
    assert!(super::codes(&seen[0]).contains(&201));
    juliet.ask("set", &garden, &form(&[])).await;
    assert_eq!(listed(&mut juliet, &garden, "owner").await, [village.bare("juliet")]);
    assert_eq!(listed(&mut juliet, &garden, "outcast").await, [] as [&str; 0]);
    depart(&mut juliet, &garden, "j").await;
}
