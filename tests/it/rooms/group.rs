//! The private group as Conversations, Monal and Gajim make it for OMEMO: members-only, hidden, real addresses open.

use super::{MUC_OWNER, codes, enter, features, form, item, listed, room, say, shown, user, village};
use bocage_tests::{Person, text};

/// What Conversations submits for a private group; what a room does not know is no mistake.
const GROUP: [(&str, &str); 9] = [
    ("muc#roomconfig_persistentroom", "1"),
    ("muc#roomconfig_membersonly", "1"),
    ("muc#roomconfig_publicroom", "0"),
    ("muc#roomconfig_whois", "anyone"),
    ("muc#roomconfig_changesubject", "0"),
    ("muc#roomconfig_allowinvites", "0"),
    ("muc#roomconfig_enablearchiving", "1"),
    ("mam", "1"),
    ("muc#roomconfig_mam", "1"),
];
const OMEMO: &str = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='27183'><key rid='31415' prekey='true'>a2V5\
    </key><iv>aXY=</iv></header><payload>c2VjcmV0</payload></encrypted><encryption xmlns='urn:xmpp:eme:0' \
    namespace='eu.siacs.conversations.axolotl' name='OMEMO'/><store xmlns='urn:xmpp:hints'/><body>You received an OMEMO message</body>";

#[tokio::test]
async fn a_private_group_is_made_entered_and_talked_in_with_omemo() {
    let village = village(&["romeo", "juliet", "paris"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let group = room("k3lz9");
    let seen = enter(&mut romeo, &group, "Romeo").await;
    assert!(codes(&seen[0]).contains(&201));
    let offered = romeo.ask("get", &group, &format!("<query xmlns='{MUC_OWNER}'/>")).await;
    let offered = offered.get_child("query", MUC_OWNER).unwrap().get_child("x", "jabber:x:data").expect("a form").clone();
    for (field, _) in GROUP.iter().filter(|(field, _)| field.starts_with("muc#roomconfig_") && !field.ends_with("_mam")) {
        assert!(offered.children().any(|el| el.attr("var") == Some(*field)), "{field} is offered");
    }
    assert_eq!(romeo.ask("set", &group, &form(&GROUP)).await.attr("type"), Some("result"));
    let has = features(&mut romeo, &group, "").await;
    for feature in ["muc_nonanonymous", "muc_membersonly", "muc_hidden", "muc_persistent"] {
        assert!(has.iter().any(|has| has == feature), "{feature} of {has:?}");
    }
    // Conversations makes a member first, then invites directly; others let the room do it.
    romeo.ask("set", &group, &super::admin(&format!("affiliation='member' jid='{}'", village.bare("juliet")), "")).await;
    let seen = enter(&mut juliet, &group, "Juliet").await;
    let own = seen.iter().rfind(|s| s.name() == "presence").unwrap();
    assert!(codes(own).contains(&100), "she is told that addresses are open");
    assert_eq!(item(&seen[0]).attr("jid"), Some(romeo.jid.as_str()));
    assert_eq!(item(&shown(&mut romeo, &format!("{group}/Juliet")).await).attr("jid"), Some(juliet.jid.as_str()));
    romeo
        .ask("set", &group, &super::admin(&format!("affiliation='member' jid='{}' nick='Paris'", village.bare("paris")), ""))
        .await;
    // The members learn of who is added while away.
    let told = juliet.until(|s| s.name() == "message" && s.has_child("x", "http://jabber.org/protocol/muc#user")).await;
    assert!(user(&told).children().any(|el| el.attr("jid") == Some(village.bare("paris").as_str())), "{told:?}");
    // Whom to encrypt for: all lists, for a member.
    assert_eq!(listed(&mut juliet, &group, "owner").await, [village.bare("romeo")]);
    assert_eq!(listed(&mut juliet, &group, "admin").await, [] as [&str; 0]);
    assert_eq!(listed(&mut juliet, &group, "member").await, [village.bare("juliet"), village.bare("paris")]);

    say(&mut juliet, &group, OMEMO).await;
    for person in [&mut romeo, &mut juliet] {
        let got = person.until(|s| s.has_child("encrypted", "eu.siacs.conversations.axolotl")).await;
        let encrypted = got.get_child("encrypted", "eu.siacs.conversations.axolotl").unwrap();
        assert_eq!(encrypted.children().map(minidom::Element::name).collect::<Vec<_>>(), ["header", "payload"]);
        assert!(got.has_child("encryption", "urn:xmpp:eme:0") && !text(&got).is_empty());
    }
    // Who was away hears it on entering, still encrypted, and sees who is there.
    let mut paris = Person::online(&village, "paris").await;
    let seen = enter(&mut paris, &group, "Paris").await;
    assert!(seen.iter().any(|s| s.has_child("encrypted", "eu.siacs.conversations.axolotl")), "{seen:?}");
    let juliet_there =
        seen.iter().find(|s| s.attr("from") == Some(&format!("{group}/Juliet")) && s.name() == "presence").unwrap();
    assert_eq!(item(juliet_there).attr("jid"), Some(juliet.jid.as_str()));
}
