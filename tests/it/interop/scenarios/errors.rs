//! What cannot be delivered comes back, and says no more than that.

use crate::interop::pair::{NEAR, Pair, Setup, talk};
use bocage_tests::{Kind, Person};
use minidom::Element;

pub(in crate::interop) async fn who_is_unknown_is_told(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    for (person, peer) in [(&mut romeo, &pair.far), (&mut juliet, &pair.near)] {
        let nobody = format!("nobody@{}", peer.site.domain);
        let answer = person.ask("get", &nobody, "<query xmlns='urn:x'/>").await;
        assert_eq!(condition(&answer), "service-unavailable", "{}: iq", peer.site.domain);
        if peer.kind != Kind::Bocage {
            assert_eq!(bounced(person, &nobody).await, "service-unavailable", "{}: message", peer.site.domain);
        }
    }
    if pair.near.kind == Kind::Bocage {
        h49_strangers_hear_of_nobody(&mut romeo, &mut juliet).await;
    }
    pair.links_are_sealed();
}

/// Whether there is nobody, or somebody who is away: silence. What was asked later is answered.
async fn h49_strangers_hear_of_nobody(romeo: &mut Person, juliet: &mut Person) {
    juliet.send(&format!("<message to='nobody@{NEAR}' type='chat' id='lost'><body>who's there?</body></message>")).await;
    juliet.send(&format!("<message to='{}' type='chat' id='found'><body>and there?</body></message>", romeo.jid)).await;
    romeo.until(|s| s.attr("id") == Some("found")).await;
    romeo.send(&format!("<message to='{}' type='chat' id='heard'><body>I.</body></message>", juliet.jid)).await;
    let next = juliet.until(|s| s.name() == "message").await;
    assert_eq!(next.attr("id"), Some("heard"), "nothing before it");
}

/// The name does not exist; the link to those who do is none the worse.
pub(in crate::interop) async fn where_nobody_is_comes_back(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    assert_eq!(bounced(&mut romeo, "nobody@nowhere.example").await, "remote-server-not-found");
    talk(&mut romeo, &mut juliet).await;
}

async fn bounced(person: &mut Person, to: &str) -> String {
    person.send(&format!("<message to='{to}' type='chat' id='lost'><body>who's there?</body></message>")).await;
    let answer = person.until(|s| s.name() == "message" && s.attr("id") == Some("lost")).await;
    assert_eq!((answer.attr("type"), answer.attr("from")), (Some("error"), Some(to)));
    condition(&answer)
}

fn condition(answer: &Element) -> String {
    let error = answer.get_child("error", "jabber:client").expect("an error");
    error.children().next().unwrap().name().to_owned()
}
