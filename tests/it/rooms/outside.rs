//! H26: outsiders learn nothing.

use super::{DISCO_INFO, HOST, MUC_OWNER, OPEN, admin, codes, enter, features, form, found, item, items, listed, refused};
use super::{depart, room, say, shown, user, village, village_without};
use bocage_tests::Person;

const SECRETS: [&str; 5] = ["romeo", "occupants", "roses", "contactjid", "muc#roominfo_subject"];

#[tokio::test]
async fn h26_who_is_outside_sees_no_room_that_is_not_listed_and_nobody_in_it() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "nightingale", &[]).await;
    say(&mut romeo, &garden, "<subject>roses</subject>").await;
    romeo.until(|s| s.has_child("subject", "jabber:client")).await;
    assert_eq!(items(&mut juliet, HOST).await, [] as [&str; 0]);
    assert_eq!(items(&mut juliet, &garden).await, [] as [&str; 0]);
    let info = juliet.ask("get", &garden, &format!("<query xmlns='{DISCO_INFO}'/>")).await;
    for secret in SECRETS {
        assert!(!String::from(&info).contains(secret), "{secret}: {info:?}");
    }
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    let (there, nobody) = (format!("{garden}/nightingale"), format!("{garden}/lark"));
    assert_eq!(refused(&mut juliet, "get", &there, ping).await, refused(&mut juliet, "get", &nobody, ping).await);
    // Who is inside sees them.
    enter(&mut juliet, &garden, "j").await;
    assert_eq!(items(&mut juliet, &garden).await.len(), 2);
    depart(&mut juliet, &garden, "j").await;
    // The owner lists it: by wish, and only then.
    romeo.ask("set", &garden, &form(&[("muc#roomconfig_publicroom", "1")])).await;
    assert_eq!(items(&mut juliet, HOST).await, std::slice::from_ref(&garden));
    assert_eq!(items(&mut juliet, &garden).await, [] as [&str; 0], "who is in it stays inside");
}

#[tokio::test]
async fn h26_lists_are_for_who_runs_the_room() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    romeo.ask("set", &garden, &admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    enter(&mut juliet, &garden, "j").await;
    for person in [&mut juliet, &mut paris] {
        for affiliation in ["owner", "admin", "member", "outcast"] {
            let ask = admin(&format!("affiliation='{affiliation}'"), "");
            assert_eq!(refused(person, "get", &garden, &ask).await.0, "forbidden", "{affiliation}");
        }
        for role in ["moderator", "participant", "visitor"] {
            assert_eq!(refused(person, "get", &garden, &admin(&format!("role='{role}'"), "")).await.0, "forbidden", "{role}");
        }
        assert_eq!(refused(person, "get", &garden, &format!("<query xmlns='{MUC_OWNER}'/>")).await.0, "forbidden");
    }
    assert_eq!(listed(&mut romeo, &garden, "member").await, [village.bare("juliet")]);
}

/// Groups need the lists of who belongs to them, and of nobody else.
#[tokio::test]
async fn h26_members_of_an_open_group_read_who_belongs_to_it_and_not_who_was_banned() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &OPEN).await;
    romeo.ask("set", &garden, &admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    romeo.ask("set", &garden, &admin("affiliation='outcast' jid='tybalt@village.example'", "")).await;
    assert_eq!(listed(&mut juliet, &garden, "owner").await, [village.bare("romeo")]);
    assert_eq!(listed(&mut juliet, &garden, "member").await, [village.bare("juliet")]);
    assert_eq!(refused(&mut juliet, "get", &garden, &admin("affiliation='outcast'", "")).await.0, "forbidden");
    assert_eq!(refused(&mut paris, "get", &garden, &admin("affiliation='member'", "")).await.0, "forbidden");
}

/// Who put somebody out is known by nick, to who sees nicks.
#[tokio::test]
async fn h26_who_did_it_is_named_by_nick() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    enter(&mut juliet, &garden, "j").await;
    enter(&mut paris, &garden, "p").await;
    romeo.ask("set", &garden, &admin("affiliation='outcast' jid='paris@village.example'", "<reason>no</reason>")).await;
    for person in [&mut juliet, &mut paris] {
        let seen =
            person.until(|s| s.attr("from") == Some(&format!("{garden}/p")) && s.attr("type") == Some("unavailable")).await;
        assert!(codes(&seen).contains(&301), "{seen:?}");
        let actor = item(&seen).get_child("actor", user(&seen).ns().as_str()).expect("who did it");
        assert_eq!((actor.attr("nick"), actor.attr("jid")), (Some("r"), None));
    }
}

/// Invitations name who invites by what everybody knows of them.
#[tokio::test]
async fn h26_invitations_name_the_occupant_and_in_open_groups_the_person() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    for (name, fields, inviter) in
        [("garden", &[] as &[_], format!("{}/r", room("garden"))), ("hall", &OPEN[..], village.bare("romeo"))]
    {
        let room = room(name);
        found(&mut romeo, &room, "r", fields).await;
        let to = village.bare("juliet");
        let invite =
            format!("<x xmlns='http://jabber.org/protocol/muc#user'><invite to='{to}'><reason>come</reason></invite></x>");
        romeo.send(&format!("<message to='{room}'>{invite}</message>")).await;
        let got = juliet.until(|s| s.name() == "message" && s.attr("from") == Some(&room)).await;
        let invite = user(&got).children().find(|el| el.name() == "invite").expect("an invitation");
        assert_eq!(invite.attr("from"), Some(inviter.as_str()));
        let direct = got.get_child("x", "jabber:x:conference").expect("XEP-0249 beside it");
        assert_eq!(direct.attr("jid"), Some(room.as_str()));
        assert_eq!(String::from(&got).contains(&village.bare("romeo")), name == "hall", "{got:?}");
        enter(&mut juliet, &room, "j").await;
        let seen = shown(&mut romeo, &format!("{room}/j")).await;
        assert_eq!(item(&seen).attr("affiliation"), Some(if name == "hall" { "member" } else { "none" }));
    }
}

/// Strict by absence: without the module there is no host of rooms.
#[tokio::test]
async fn h26_without_the_module_there_are_no_rooms() {
    let village = village_without("muc", &["romeo"]).await;
    let mut romeo = Person::online(&village, "romeo").await;
    let answer = romeo.ask("get", HOST, &format!("<query xmlns='{DISCO_INFO}'/>")).await;
    assert_eq!(answer.attr("type"), Some("error"));
    assert!(!items(&mut romeo, village.domain).await.contains(&HOST.to_owned()));
    let there = super::village(&["romeo"]).await;
    let mut romeo = Person::online(&there, "romeo").await;
    assert!(features(&mut romeo, HOST, "").await.contains(&"http://jabber.org/protocol/muc".to_owned()));
    assert!(items(&mut romeo, there.domain).await.contains(&HOST.to_owned()));
}
