//! People ask to become members where an owner lets them, and admins decide (XEP-0045 sections 7.10, 9.9).

use super::{codes, condition, enter, form, found, item, listed, refused, room, user, village};
use bocage_tests::{Person, Village};
use minidom::Element;

const REGISTER: &str = "http://jabber.org/protocol/muc#register";
const OPTION: (&str, &str) = ("x-bocage#membership_requests", "1");
const MEMBERS: (&str, &str) = ("muc#roomconfig_membersonly", "1");

fn ask(nick: &str) -> String {
    format!(
        "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{REGISTER}</value>\
         </field><field var='muc#register_roomnick'><value>{nick}</value></field></x></query>"
    )
}

fn decision(room: &str, nick: &str, allow: bool) -> String {
    let allow = u8::from(allow);
    format!(
        "<message to='{room}' id='decision'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{REGISTER}</value>\
         </field><field var='muc#register_roomnick'><value>{nick}</value></field>\
         <field var='muc#register_allow'><value>{allow}</value></field></x></message>"
    )
}

/// The form that an admin reads: nick and address.
async fn request(admin: &mut Person) -> (Option<String>, Option<String>) {
    let got = admin.until(|s| s.name() == "message" && s.has_child("x", "jabber:x:data")).await;
    let form = got.get_child("x", "jabber:x:data").unwrap();
    let value = |var: &str| {
        let field = form.children().find(|field| field.attr("var") == Some(var));
        field.and_then(|field| field.get_child("value", "jabber:x:data")).map(Element::text)
    };
    assert_eq!((value("FORM_TYPE").as_deref(), value("muc#register_allow").as_deref()), (Some(REGISTER), Some("0")));
    (value("muc#register_roomnick"), value("muc#jid"))
}

#[tokio::test]
async fn who_asks_becomes_a_member_when_an_admin_says_so() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[OPTION, MEMBERS]).await;
    let offered = juliet.ask("get", &garden, "<query xmlns='jabber:iq:register'/>").await;
    let offered = offered.get_child("query", "jabber:iq:register").unwrap();
    assert!(offered.has_child("x", "jabber:x:data") && !offered.has_child("registered", "jabber:iq:register"), "{offered:?}");
    assert_eq!(juliet.ask("set", &garden, &ask("Juliet")).await.attr("type"), Some("result"));
    assert_eq!(request(&mut romeo).await, (Some("Juliet".into()), Some(village.bare("juliet"))));
    assert_eq!(refused(&mut paris, "set", &garden, &ask("Juliet")).await.0, "conflict");
    assert_eq!(paris.ask("set", &garden, &ask("Paris")).await.attr("type"), Some("result"));
    assert_eq!(request(&mut romeo).await.0, Some("Paris".into()));
    // Who asks does not decide.
    juliet.send(&decision(&garden, "Juliet", true)).await;
    assert_eq!(condition(&juliet.until(|s| s.attr("id") == Some("decision")).await).0, "forbidden");
    romeo.send(&decision(&garden, "Juliet", true)).await;
    let told = juliet.until(|s| s.name() == "message" && s.has_child("x", "http://jabber.org/protocol/muc#user")).await;
    assert_eq!((codes(&told), item(&told).attr("affiliation")), (vec![101], Some("member")));
    enter(&mut juliet, &garden, "Juliet").await;
    let registered = juliet.ask("get", &garden, "<query xmlns='jabber:iq:register'/>").await;
    let registered = registered.get_child("query", "jabber:iq:register").unwrap();
    assert_eq!(registered.get_child("username", "jabber:iq:register").map(Element::text), Some("Juliet".into()));
    // The other is told nothing, and is nothing; what was decided is over.
    romeo.send(&decision(&garden, "Paris", false)).await;
    romeo.send(&decision(&garden, "Paris", true)).await;
    assert_eq!(condition(&romeo.until(|s| s.attr("id") == Some("decision")).await).0, "item-not-found");
    assert_eq!(listed(&mut romeo, &garden, "member").await, [village.bare("juliet")]);
}

/// Nobody asks where the owner did not say so; and requests outlive the server, for admins who were away.
#[tokio::test]
async fn requests_wait_for_admins_and_are_off_at_first() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[MEMBERS]).await;
    assert_eq!(refused(&mut juliet, "get", &garden, "<query xmlns='jabber:iq:register'/>").await.0, "registration-required");
    assert_eq!(refused(&mut juliet, "set", &garden, &ask("Juliet")).await.0, "registration-required");
    romeo.ask("set", &garden, &form(&[OPTION])).await;
    super::depart(&mut romeo, &garden, "r").await;
    juliet.ask("set", &garden, &ask("Juliet")).await;
    assert_eq!(request(&mut romeo).await.0, Some("Juliet".into()), "at home, too");
    drop((romeo, juliet));
    let dir = village.stop().await;
    let village = Village::start(dir, "", &[], bocage::machine_clock()).await;
    let mut romeo = Person::online(&village, "romeo").await;
    romeo.send(&decision(&garden, "Juliet", true)).await;
    romeo.settle().await;
    assert_eq!(listed(&mut romeo, &garden, "member").await, [village.bare("juliet")]);
}

/// Section 9.5: in a members-only room, an invitation makes a member; of admins, and of members where the owner says so.
#[tokio::test]
async fn members_bring_others_in_where_the_owner_lets_them() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let mut paris = Person::online(&village, "paris").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[MEMBERS]).await;
    romeo.ask("set", &garden, &super::admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    enter(&mut juliet, &garden, "j").await;
    let invite = format!("<x xmlns='http://jabber.org/protocol/muc#user'><invite to='{}'/></x>", village.bare("paris"));
    let invite = format!("<message to='{garden}' id='i'>{invite}</message>");
    juliet.send(&invite).await;
    assert_eq!(condition(&juliet.until(|s| s.attr("id") == Some("i")).await).0, "forbidden");
    romeo.ask("set", &garden, &form(&[("muc#roomconfig_allowinvites", "1")])).await;
    juliet.send(&invite).await;
    let got = paris.until(|s| s.name() == "message" && s.attr("from") == Some(&garden)).await;
    assert!(user(&got).children().any(|el| el.name() == "invite"), "{got:?}");
    let seen = enter(&mut paris, &garden, "p").await;
    let own = seen.iter().rfind(|s| s.name() == "presence").unwrap();
    assert_eq!(item(own).attr("affiliation"), Some("member"));
}

/// In a room that sleeps, too.
#[tokio::test]
async fn h06_with_an_account_goes_what_it_asked_of_rooms() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[OPTION]).await;
    super::depart(&mut romeo, &garden, "r").await;
    juliet.ask("set", &garden, &ask("Juliet")).await;
    assert_eq!(request(&mut romeo).await.0, Some("Juliet".into()));
    juliet.ask("set", "", "<query xmlns='jabber:iq:register'><remove/></query>").await;
    romeo.send(&decision(&garden, "Juliet", true)).await;
    assert_eq!(condition(&romeo.until(|s| s.attr("id") == Some("decision")).await).0, "item-not-found");
}

/// Where nobody sees addresses, the form names none: admins decide by nick.
#[tokio::test]
async fn h20_requests_name_nobody_where_nobody_sees_addresses() {
    let village = Village::with("[modules.muc]\nwhois = \"nobody\"\n", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[OPTION]).await;
    juliet.ask("set", &garden, &ask("Juliet")).await;
    assert_eq!(request(&mut romeo).await, (Some("Juliet".into()), None));
}

/// H26: a refused invitation names who was invited to who invited them, and to nobody where nobody sees addresses.
#[tokio::test]
async fn h26_a_refused_invitation_is_read_by_the_inviter_alone() {
    for (toml, named) in [("", true), ("[modules.muc]\nwhois = \"nobody\"\n", false)] {
        let village = Village::with(toml, &["romeo", "juliet", "paris"]).await;
        let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
        let mut paris = Person::online(&village, "paris").await;
        let garden = room("garden");
        found(&mut romeo, &garden, "r", &[]).await;
        enter(&mut paris, &garden, "p").await;
        let invite = format!("<x xmlns='http://jabber.org/protocol/muc#user'><invite to='{}'/></x>", village.bare("juliet"));
        romeo.send(&format!("<message to='{garden}'>{invite}</message>")).await;
        juliet.until(|s| s.name() == "message" && s.attr("from") == Some(&garden)).await;
        let refuse = |nick: &str| {
            let decline = format!("<decline to='{garden}/{nick}'><reason>no</reason></decline>");
            format!("<message to='{garden}' id='d'><x xmlns='http://jabber.org/protocol/muc#user'>{decline}</x></message>")
        };
        // Not to who did not invite.
        juliet.send(&refuse("p")).await;
        assert_eq!(condition(&juliet.until(|s| s.attr("id") == Some("d")).await).0, "item-not-found");
        juliet.send(&refuse("r")).await;
        let got = romeo.until(|s| s.attr("id") == Some("d")).await;
        let decline = user(&got).children().find(|el| el.name() == "decline").expect("a refusal").clone();
        let from = if named { village.bare("juliet") } else { garden.clone() };
        assert_eq!(decline.attr("from"), Some(from.as_str()));
        assert_eq!(String::from(&got).contains(&village.bare("juliet")), named, "{got:?}");
    }
}
