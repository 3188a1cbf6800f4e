//! What cannot be delivered comes back, and says no more than that.

use crate::interop::pair::{FAR, NEAR, Pair, Setup, talk};
use bocage_tests::Person;
use minidom::Element;

pub(in crate::interop) async fn who_is_unknown_is_told(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    for (person, domain) in [(&mut romeo, FAR), (&mut juliet, NEAR)] {
        let nobody = format!("nobody@{domain}");
        let answer = person.ask("get", &nobody, "<query xmlns='urn:x'/>").await;
        assert_eq!(condition(&answer), "service-unavailable", "{domain}: iq");
        assert_eq!(bounced(person, &nobody).await, "service-unavailable", "{domain}: message");
    }
    pair.links_are_sealed();
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
