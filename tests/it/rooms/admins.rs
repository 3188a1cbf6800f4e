//! What those who run a room may do, and to whom (XEP-0045 sections 8 to 10).

use super::{admin, codes, condition, depart, enter, form, found, item, listed, refused, room, say, shown, village};
use bocage_tests::Person;

const BROADCAST: &str = "muc#roomconfig_presencebroadcast";

async fn does(person: &mut Person, room: &str, attributes: &str) {
    let answer = person.ask("set", room, &admin(attributes, "")).await;
    assert_eq!(answer.attr("type"), Some("result"), "{attributes}: {answer:?}");
}
async fn may_not(person: &mut Person, room: &str, attributes: &str) {
    assert_eq!(refused(person, "set", room, &admin(attributes, "")).await.0, "not-allowed", "{attributes}");
}
async fn is_kept_out(person: &mut Person, room: &str) {
    person.send(&format!("<presence to='{room}/x'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
    assert_eq!(condition(&person.until(|s| s.attr("type") == Some("error")).await).0, "forbidden");
}

/// Section 8.2: nobody is kicked by who stands below; sections 8.4 and 9.7: what admins are, nobody takes from them.
#[tokio::test]
async fn who_stands_higher_is_not_kicked_and_who_runs_the_room_keeps_their_voice() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    enter(&mut juliet, &garden, "j").await;
    enter(&mut paris, &garden, "p").await;
    does(&mut romeo, &garden, &format!("affiliation='admin' jid='{}'", village.bare("juliet"))).await;
    does(&mut romeo, &garden, "role='moderator' nick='p'").await;
    for role in ["none", "visitor", "participant"] {
        may_not(&mut paris, &garden, &format!("role='{role}' nick='j'")).await;
        may_not(&mut juliet, &garden, &format!("role='{role}' nick='r'")).await;
    }
    may_not(&mut romeo, &garden, "role='visitor' nick='j'").await;
    may_not(&mut romeo, &garden, "role='participant' nick='j'").await;
    // But an owner puts an admin out.
    does(&mut romeo, &garden, "role='none' nick='j'").await;
    assert_eq!(codes(&juliet.until(|s| s.attr("type") == Some("unavailable")).await), [110, 307]);
}

/// Section 9.2: a domain is banned with all its people, but for who is somebody here by themselves.
#[tokio::test]
async fn a_domain_is_banned_with_everybody_who_is_nothing_else_here() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    does(&mut romeo, &garden, &format!("affiliation='member' jid='{}'", village.bare("juliet"))).await;
    enter(&mut juliet, &garden, "j").await;
    enter(&mut paris, &garden, "p").await;
    does(&mut romeo, &garden, &format!("affiliation='outcast' jid='{}'", village.domain)).await;
    assert_eq!(codes(&paris.until(|s| s.attr("type") == Some("unavailable")).await), [110, 301]);
    assert_eq!(listed(&mut romeo, &garden, "outcast").await, [village.domain]);
    is_kept_out(&mut paris, &garden).await;
    // Who is a member stays, and comes back.
    depart(&mut juliet, &garden, "j").await;
    enter(&mut juliet, &garden, "j").await;
    does(&mut romeo, &garden, &format!("affiliation='none' jid='{}'", village.domain)).await;
    enter(&mut paris, &garden, "p").await;
}

/// Section 9.5.
#[tokio::test]
async fn a_nick_is_reserved_and_set_free_by_an_admin() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    does(&mut romeo, &garden, "affiliation='member' jid='nurse@village.example' nick='Nurse'").await;
    enter(&mut juliet, &garden, "j").await;
    let take = format!("<presence to='{garden}/Nurse'/>");
    juliet.send(&take).await;
    assert_eq!(condition(&juliet.until(|s| s.attr("type") == Some("error")).await).0, "conflict");
    does(&mut romeo, &garden, "affiliation='member' jid='nurse@village.example' nick=''").await;
    assert_eq!(listed(&mut romeo, &garden, "member").await, ["nurse@village.example"]);
    juliet.send(&take).await;
    shown(&mut romeo, &format!("{garden}/Nurse")).await;
    // Who has a nick of their own goes by another if they like (section 7.12).
    does(&mut romeo, &garden, &format!("affiliation='member' jid='{}' nick='Juliet'", village.bare("juliet"))).await;
    juliet.send(&format!("<presence to='{garden}/somebody'/>")).await;
    shown(&mut romeo, &format!("{garden}/somebody")).await;
}

/// Who is not broadcast is there for moderators alone: on entering, when a role or the form changes, and for probes.
#[tokio::test]
async fn whose_role_is_not_broadcast_is_not_there_for_the_others() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[(BROADCAST, "moderator")]).await;
    enter(&mut juliet, &garden, "j").await;
    let seen = enter(&mut paris, &garden, "p").await;
    let (j, p) = (format!("{garden}/j"), format!("{garden}/p"));
    assert!(seen.iter().all(|s| s.attr("from") != Some(&j)), "{seen:?}");
    // A probe says no more about who is hidden than about who is not there.
    for nick in ["j", "nobody"] {
        let occupant = format!("{garden}/{nick}");
        paris.send(&format!("<presence to='{occupant}' type='probe'/>")).await;
        let answer = shown(&mut paris, &occupant).await;
        assert_eq!(answer.attr("type"), Some("unavailable"));
        let said = (item(&answer).attr("affiliation"), item(&answer).attr("role"), item(&answer).attr("jid"));
        assert_eq!(said, (Some("none"), Some("none"), None));
        assert_eq!(super::occupant_id(&answer), None);
    }
    romeo.send(&format!("<presence to='{j}' type='probe'/>")).await;
    assert_eq!(item(&romeo.until(|s| s.attr("from") == Some(&j)).await).attr("role"), Some("participant"));
    // A moderator is shown, and sees everybody with their addresses; as a participant they are gone again.
    does(&mut romeo, &garden, "role='moderator' nick='j'").await;
    assert_eq!(item(&shown(&mut paris, &j).await).attr("role"), Some("moderator"));
    assert_eq!(item(&shown(&mut juliet, &p).await).attr("jid"), Some(paris.jid.as_str()));
    does(&mut romeo, &garden, "role='participant' nick='j'").await;
    let gone = paris.until(|s| s.attr("from") == Some(&j) && s.attr("type") == Some("unavailable")).await;
    assert_eq!((codes(&gone), item(&gone).attr("role")), (vec![], Some("none")));
    // The form says otherwise: all are shown, and hidden again.
    let ask = |roles: &[&str]| {
        let values: String = roles.iter().map(|role| format!("<value>{role}</value>")).collect();
        form(&[]).replace("</x>", &format!("<field var='{BROADCAST}'>{values}</field></x>"))
    };
    romeo.ask("set", &garden, &ask(&["moderator", "participant", "visitor"])).await;
    assert_eq!(item(&shown(&mut paris, &j).await).attr("role"), Some("participant"));
    romeo.ask("set", &garden, &ask(&["moderator"])).await;
    assert_eq!(shown(&mut paris, &j).await.attr("type"), Some("unavailable"));
    say(&mut romeo, &garden, "<body>mark</body>").await;
    let heard = super::heard_up_to(&mut romeo, "mark").await;
    assert!(heard.iter().all(|s| s.attr("type") != Some("unavailable")), "moderators never lost sight: {heard:?}");
}

/// Section 17.3: of a nick that is reserved, who may read the lists learns whose it is, and nobody else.
#[tokio::test]
async fn a_probe_of_a_reserved_nick_tells_admins_whose_it_is() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    does(&mut romeo, &garden, "affiliation='member' jid='nurse@village.example' nick='Nurse'").await;
    enter(&mut juliet, &garden, "j").await;
    let nurse = format!("{garden}/Nurse");
    for (person, says) in [(&mut romeo, ("member", Some("nurse@village.example"))), (&mut juliet, ("none", None))] {
        person.send(&format!("<presence to='{nurse}' type='probe'/>")).await;
        let answer = shown(person, &nurse).await;
        assert_eq!(answer.attr("type"), Some("unavailable"));
        assert_eq!((item(&answer).attr("affiliation").unwrap(), item(&answer).attr("jid")), says);
    }
}
