//! H20: who sees real addresses.

use super::{MUC_ADMIN, OPEN, admin, codes, condition, enter, features, form, found, item, listed, occupant_id, refused};
use super::{room, say, shown, user, village, village_without};
use bocage_tests::{Person, Village};
use minidom::Element;

const WHOIS: &str = "muc#roomconfig_whois";
const MEMBERS: &str = "muc#roomconfig_membersonly";
const PUBLIC: &str = "muc#roomconfig_publicroom";

fn says_who(stanza: &Element) -> bool {
    stanza.has_child("x", "http://jabber.org/protocol/muc#user") && user(stanza).children().any(|el| el.attr("jid").is_some())
}

async fn is_refused_by_name(owner: &mut Person, room: &str, fields: &[(&str, &str)]) {
    let (condition, text) = refused(owner, "set", room, &form(fields)).await;
    assert_eq!(condition, "not-acceptable", "{fields:?}");
    assert!(text.is_some_and(|text| text.contains(WHOIS)), "the field is named: {fields:?}");
}

/// With the module that promises it, and without: there is no way around.
#[tokio::test]
async fn h20_real_addresses_are_open_in_members_only_hidden_rooms_alone() {
    for off in ["", "pseudonyms"] {
        let village = village_without(off, &["romeo", "juliet"]).await;
        let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
        let garden = room("garden");
        found(&mut romeo, &garden, "r", &[]).await;
        is_refused_by_name(&mut romeo, &garden, &[(WHOIS, "anyone")]).await;
        is_refused_by_name(&mut romeo, &garden, &[(WHOIS, "anyone"), (MEMBERS, "0"), (PUBLIC, "0")]).await;
        is_refused_by_name(&mut romeo, &garden, &[(WHOIS, "anyone"), (MEMBERS, "1"), (PUBLIC, "1")]).await;
        is_refused_by_name(&mut romeo, &garden, &[(WHOIS, "nobody")]).await;
        // Nothing of a refused form holds.
        let seen = enter(&mut juliet, &garden, "j").await;
        assert!(!codes(&seen[1]).contains(&100) && !says_who(&seen[0]));
        let hall = room("hall");
        found(&mut romeo, &hall, "r", &OPEN).await;
        assert!(features(&mut romeo, &hall, "").await.contains(&"muc_nonanonymous".to_owned()));
        // Nor is there a way out of one half of it.
        is_refused_by_name(&mut romeo, &hall, &[(MEMBERS, "0")]).await;
        is_refused_by_name(&mut romeo, &hall, &[(PUBLIC, "1")]).await;
        assert_eq!(romeo.ask("set", &hall, &form(&[(WHOIS, "moderators"), (PUBLIC, "1")])).await.attr("type"), Some("result"));
    }
}

/// Who was promised a pseudonym keeps it: in presence, in lists, in history, in what is said about who is away.
#[tokio::test]
async fn h20_a_room_that_opens_puts_everybody_out_first_and_names_nobody_who_came_before() {
    let village = village(&["romeo", "juliet", "tybalt", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[(MEMBERS, "1")]).await;
    for name in ["juliet", "tybalt", "paris"] {
        romeo.ask("set", &garden, &admin(&format!("affiliation='member' jid='{}'", village.bare(name)), "")).await;
    }
    enter(&mut juliet, &garden, "j").await;
    say(&mut juliet, &garden, "<body>under a pseudonym</body>").await;
    juliet.message().await;
    romeo.ask("set", &garden, &form(&OPEN)).await;
    let mut own = None;
    while own.is_none() {
        let stanza = juliet.next().await;
        let others = stanza.attr("from") != Some(&format!("{garden}/j"));
        assert!(!(others && says_who(&stanza)), "nobody is named to who did not agree: {stanza:?}");
        own = Some(stanza).filter(|s| s.attr("type") == Some("unavailable"));
    }
    let own = own.unwrap();
    let codes_of_own = codes(&own);
    assert!([110, 172].iter().all(|code| codes_of_own.contains(code)), "{codes_of_own:?}");
    assert!(item(&own).get_child("reason", "http://jabber.org/protocol/muc#user").is_some_and(|text| !text.text().is_empty()));
    assert_eq!(condition(&juliet.ask("get", &format!("{garden}/j"), "<ping xmlns='urn:xmpp:ping'/>").await).0, "not-acceptable");

    // Paris comes back and knows; what he learns is who else did.
    let seen = enter(&mut paris, &garden, "p").await;
    assert!(codes(seen.iter().rfind(|s| s.name() == "presence").unwrap()).contains(&100));
    assert!(seen.iter().all(|s| s.name() == "presence" || bocage_tests::text(s).is_empty()), "no word of before: {seen:?}");
    assert_eq!(listed(&mut paris, &garden, "owner").await, [village.bare("romeo")]);
    assert_eq!(listed(&mut paris, &garden, "member").await, [village.bare("paris")]);
    assert_eq!(listed(&mut romeo, &garden, "member").await.len(), 3, "who runs the room knows its members all along");
    enter(&mut juliet, &garden, "j").await;
    assert_eq!(item(&shown(&mut paris, &format!("{garden}/j")).await).attr("jid"), Some(juliet.jid.as_str()));
    assert_eq!(listed(&mut paris, &garden, "member").await.len(), 2);
    // Tybalt never came back: what is done about him is not told to all.
    romeo.ask("set", &garden, &admin(&format!("affiliation='none' jid='{}'", village.bare("tybalt")), "")).await;
    say(&mut juliet, &garden, "<body>mark</body>").await;
    for stanza in super::heard_up_to(&mut paris, "mark").await {
        assert!(!format!("{stanza:?}").contains("tybalt"), "{stanza:?}");
    }
}

#[tokio::test]
async fn h20_where_nobody_sees_addresses_moderators_act_without_them() {
    let village = Village::with("[modules.muc]\nwhois = \"nobody\"\n", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[("muc#roomconfig_moderatedroom", "1")]).await;
    assert!(features(&mut romeo, &garden, "").await.contains(&"muc_semianonymous".to_owned()));
    enter(&mut juliet, &garden, "j").await;
    let seen = shown(&mut romeo, &format!("{garden}/j")).await;
    assert!(!says_who(&seen), "{seen:?}");
    let id = occupant_id(&seen).unwrap().to_owned();
    // A request for voice names no address either.
    let request = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
        <value>http://jabber.org/protocol/muc#request</value></field><field var='muc#role'><value>participant</value></field></x>";
    juliet.send(&format!("<message to='{garden}'>{request}</message>")).await;
    let asked = romeo.message().await;
    assert!(!format!("{asked:?}").contains("juliet"), "{asked:?}");
    // By nick and by occupant-id, she is put out, kept out, and let in again.
    romeo.ask("set", &garden, &admin("role='none' nick='j'", "<reason>rest</reason>")).await;
    let gone = shown(&mut romeo, &format!("{garden}/j")).await;
    assert!(codes(&gone).contains(&307) && !says_who(&gone));
    let by_id = format!("<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/>");
    assert_eq!(romeo.ask("set", &garden, &admin("affiliation='outcast'", &by_id)).await.attr("type"), Some("result"));
    juliet.send(&format!("<presence to='{garden}/j2'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    assert_eq!(condition(&juliet.until(|s| s.attr("type") == Some("error")).await).0, "forbidden");
    let list = romeo.ask("get", &garden, &admin("affiliation='outcast'", "")).await;
    let banned = list.get_child("query", MUC_ADMIN).unwrap().children().next().expect("one is banned");
    assert_eq!((banned.attr("jid"), occupant_id(banned)), (None, Some(id.as_str())));
    assert_eq!(romeo.ask("set", &garden, &admin("affiliation='none'", &by_id)).await.attr("type"), Some("result"));
    enter(&mut juliet, &garden, "j2").await;
}
