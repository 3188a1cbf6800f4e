//! The whole way once: made, entered, talked in, left, and still there after a restart.

use super::{codes, enter, form, found, item, room, village};
use bocage_tests::{Person, Village, text};

#[tokio::test]
async fn a_room_is_made_entered_talked_in_and_left() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    let seen = enter(&mut romeo, &garden, "r").await;
    assert_eq!(codes(&seen[0]), [110, 201]);
    assert_eq!((item(&seen[0]).attr("affiliation"), item(&seen[0]).attr("role")), (Some("owner"), Some("moderator")));
    // Nobody else comes in before it is set up.
    juliet.send(&format!("<presence to='{garden}/j'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    let refused = juliet.until(|s| s.attr("type") == Some("error")).await;
    assert!(
        refused.get_child("error", "jabber:client").unwrap().has_child("item-not-found", "urn:ietf:params:xml:ns:xmpp-stanzas")
    );
    romeo.ask("set", &garden, &form(&[])).await;

    let seen = enter(&mut juliet, &garden, "j").await;
    assert_eq!(seen.len(), 3, "another, oneself, the subject");
    assert_eq!((seen[0].attr("from"), item(&seen[0]).attr("jid")), (Some(format!("{garden}/r").as_str()), None));
    assert_eq!(codes(&seen[1]), [110]);
    let shown = romeo.until(|s| s.attr("from") == Some(&format!("{garden}/j"))).await;
    assert_eq!(item(&shown).attr("jid"), Some(juliet.jid.as_str()), "moderators see who it is");

    juliet.send(&format!("<message to='{garden}' type='groupchat' id='m1'><body>wherefore</body></message>")).await;
    for person in [&mut romeo, &mut juliet] {
        let got = person.message().await;
        assert_eq!((got.attr("from"), got.attr("id")), (Some(format!("{garden}/j").as_str()), Some("m1")));
        assert_eq!(text(&got), "wherefore");
        assert!(got.has_child("stanza-id", "urn:xmpp:sid:0") && got.has_child("occupant-id", "urn:xmpp:occupant-id:0"));
    }
    juliet.send(&format!("<presence to='{garden}/j'><show>away</show></presence>")).await;
    let away = romeo.until(|s| s.attr("from") == Some(&format!("{garden}/j"))).await;
    assert!(away.has_child("show", "jabber:client"));
    juliet.send(&format!("<presence to='{garden}/j' type='unavailable'/>")).await;
    let gone = juliet.until(|s| s.attr("type") == Some("unavailable")).await;
    assert_eq!(codes(&gone), [110]);
    let gone = romeo.until(|s| s.attr("type") == Some("unavailable")).await;
    assert_eq!(item(&gone).attr("role"), Some("none"));
}

#[tokio::test]
async fn a_room_outlives_the_server_with_its_subject_and_its_affiliations() {
    let village = village(&["romeo", "juliet"]).await;
    let garden = room("garden");
    let mut romeo = Person::online(&village, "romeo").await;
    found(&mut romeo, &garden, "r", &[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_roomname", "Garden")]).await;
    romeo.send(&format!("<message to='{garden}' type='groupchat'><subject>roses</subject></message>")).await;
    romeo.until(|s| s.has_child("subject", "jabber:client")).await;
    let member = format!(
        "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member' jid='{}'/></query>",
        village.bare("juliet")
    );
    romeo.ask("set", &garden, &member).await;
    romeo.leave().await;
    let dir = village.stop().await;

    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let mut juliet = Person::online(&village, "juliet").await;
    let seen = enter(&mut juliet, &garden, "j").await;
    assert_eq!(item(&seen[0]).attr("affiliation"), Some("member"));
    assert_eq!(seen.last().unwrap().get_child("subject", "jabber:client").unwrap().text(), "roses");
    let info = juliet.ask("get", &garden, "<query xmlns='http://jabber.org/protocol/disco#info'/>").await;
    let query = info.get_child("query", "http://jabber.org/protocol/disco#info").unwrap();
    assert!(query.children().any(|el| el.attr("var") == Some("muc_membersonly")));
    assert!(query.children().any(|el| el.name() == "identity" && el.attr("name") == Some("Garden")));
}
