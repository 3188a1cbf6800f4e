//! H28: the archive of a room names occupants; and people only where everybody saw who they are, then and now.

use super::{HOST, MUC_OWNER, OPEN, admin, condition, enter, features, form, found, heard_up_to, occupant_id, room, say};
use super::{opt_out::opt, village, village_without};
use bocage_tests::{Person, text};
use minidom::Element;

const MAM: &str = "urn:xmpp:mam:2";

/// The archived messages that a query finds, or the condition of its error.
async fn query(person: &mut Person, room: &str, with: &str) -> Result<Vec<Element>, String> {
    let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    let form = match with {
        "" => String::new(),
        with => {
            let fields = field("FORM_TYPE", MAM) + &field("with", with);
            format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
        }
    };
    person.send(&format!("<iq type='set' id='mam' to='{room}'><query xmlns='{MAM}' queryid='q'>{form}</query></iq>")).await;
    let mut found = Vec::new();
    loop {
        let stanza = person.next().await;
        if let Some(result) = stanza.get_child("result", MAM) {
            assert_eq!(stanza.attr("from"), Some(room), "it is the room's");
            let forwarded = result.get_child("forwarded", "urn:xmpp:forward:0").unwrap();
            found.push(forwarded.get_child("message", "jabber:client").unwrap().clone());
        }
        if stanza.name() == "iq" && stanza.attr("id") == Some("mam") {
            return if stanza.attr("type") == Some("error") { Err(condition(&stanza).0) } else { Ok(found) };
        }
    }
}

fn bodies(found: &[Element]) -> Vec<String> {
    found.iter().map(text).filter(|words| !words.is_empty()).collect()
}

/// Says it, and waits until all have it.
async fn says(person: &mut Person, room: &str, words: &str) {
    say(person, room, &format!("<body>{words}</body>")).await;
    heard_up_to(person, words).await;
}

#[tokio::test]
async fn h28_results_and_filters_know_occupants_alone() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    assert!(features(&mut romeo, &garden, "").await.contains(&MAM.to_owned()));
    enter(&mut juliet, &garden, "j").await;
    says(&mut juliet, &garden, "one").await;
    says(&mut romeo, &garden, "two").await;
    juliet.send(&format!("<message to='{garden}/r' type='chat'><body>psst</body></message>")).await;
    romeo.until(|s| text(s) == "psst").await;
    // The moderator, who sees the address in presence, finds no more of it than others do.
    for person in [&mut romeo, &mut juliet] {
        let found = query(person, &garden, "").await.unwrap();
        assert_eq!(bodies(&found), ["one", "two"], "what is private is nobody's to keep");
        for message in &found {
            let said = String::from(message);
            assert!(!said.contains("juliet@") && !said.contains("romeo@"), "{said}");
            assert!(occupant_id(message).is_some());
        }
        assert_eq!(found[0].attr("from"), Some(format!("{garden}/j").as_str()));
        assert_eq!(bodies(&query(person, &garden, &format!("{garden}/j")).await.unwrap()), ["one"]);
        for real in [village.bare("juliet"), format!("{}/home", village.bare("juliet"))] {
            let found = query(person, &garden, &real).await.unwrap_or_default();
            assert!(found.is_empty(), "nobody is found by their address: {found:?}");
        }
    }
    // Who is outside reads nothing.
    assert_eq!(query(&mut paris, &garden, "").await, Err("forbidden".to_owned()));
}

/// A wish of today holds for what was said before (H25).
#[tokio::test]
async fn h28_the_archive_gives_out_ids_by_the_wish_that_holds_now() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    for nick in ["j", "k"] {
        enter(&mut juliet, &garden, nick).await;
        says(&mut juliet, &garden, &format!("as {nick}")).await;
        super::depart(&mut juliet, &garden, nick).await;
    }
    let ids = |found: &[Element]| found.iter().map(|el| occupant_id(el).unwrap().to_owned()).collect::<Vec<_>>();
    let before = ids(&query(&mut romeo, &garden, "").await.unwrap());
    assert_eq!(before[0], before[1]);
    opt(&mut juliet, HOST, "", true).await;
    let after = ids(&query(&mut romeo, &garden, "").await.unwrap());
    assert!(after[0] != after[1] && !after.contains(&before[0]), "{after:?}");
}

/// Who was away in a private group learns whose keys to use; and nothing of when the room was another.
#[tokio::test]
async fn h28_open_groups_name_people_for_what_they_said_in_the_open() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[("muc#roomconfig_membersonly", "1")]).await;
    for name in ["juliet", "paris"] {
        romeo.ask("set", &garden, &admin(&format!("affiliation='member' jid='{}'", village.bare(name)), "")).await;
    }
    enter(&mut juliet, &garden, "j").await;
    says(&mut juliet, &garden, "under a pseudonym").await;
    romeo.ask("set", &garden, &form(&OPEN)).await;
    enter(&mut juliet, &garden, "j").await;
    let encrypted = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>";
    say(&mut juliet, &garden, &format!("<body>in the open</body>{encrypted}")).await;
    heard_up_to(&mut juliet, "in the open").await;
    let found = query(&mut paris, &garden, "").await.unwrap();
    assert_eq!(bodies(&found), ["in the open"]);
    let item = found[0].get_child("x", "http://jabber.org/protocol/muc#user").expect("whose keys").children().next().unwrap();
    assert!(item.attr("jid").is_some_and(|jid| jid.starts_with(&village.bare("juliet"))), "{item:?}");
    assert!(found[0].has_child("encrypted", "eu.siacs.conversations.axolotl"));
    // No longer open: what was said stays, without names.
    romeo.ask("set", &garden, &form(&[("muc#roomconfig_whois", "moderators")])).await;
    let found = query(&mut paris, &garden, "").await.unwrap();
    assert_eq!(bodies(&found), ["in the open"]);
    assert!(!String::from(&found[0]).contains("juliet@"), "{found:?}");
}

/// Strict by absence.
#[tokio::test]
async fn h28_without_a_period_there_is_no_archive() {
    let village = village_without("room_retention", &["romeo"]).await;
    let mut romeo = Person::online(&village, "romeo").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    says(&mut romeo, &garden, "one").await;
    assert!(!features(&mut romeo, &garden, "").await.contains(&MAM.to_owned()));
    assert!(query(&mut romeo, &garden, "").await.unwrap_or_default().is_empty());
    // Nor where the owner wants none.
    let there = super::village(&["romeo"]).await;
    let mut romeo = Person::online(&there, "romeo").await;
    found(&mut romeo, &garden, "r", &[("muc#roomconfig_enablearchiving", "0")]).await;
    says(&mut romeo, &garden, "one").await;
    assert!(query(&mut romeo, &garden, "").await.unwrap_or_default().is_empty());
    assert!(romeo.ask("get", &garden, &format!("<query xmlns='{MUC_OWNER}'/>")).await.attr("type") == Some("result"));
}
