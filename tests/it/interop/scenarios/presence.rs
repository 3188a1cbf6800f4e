//! Subscriptions, and who is seen (RFC 6121, sections 3 and 4).

use crate::interop::pair::{Pair, Setup};
use bocage_tests::Person;
use minidom::Element;

pub(in crate::interop) async fn subscriptions_both_ways(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    // RFC 6121, section 3.1.6: answers go to those who have asked for their roster.
    for person in [&mut romeo, &mut juliet] {
        person.ask("get", "", "<query xmlns='jabber:iq:roster'/>").await;
    }
    subscribe(&mut romeo, &mut juliet).await;
    subscribe(&mut juliet, &mut romeo).await;
    sight(&pair, romeo, &mut juliet).await;
    pair.links_are_sealed();
}

async fn subscribe(fan: &mut Person, star: &mut Person) {
    fan.send(&format!("<presence to='{}' type='subscribe'/>", star.jid.to_bare())).await;
    let asked = star.until(|s| is_presence(s, Some("subscribe"))).await;
    assert_eq!(asked.attr("from"), Some(fan.jid.to_bare().to_string().as_str()), "RFC 6121, section 3.1.2: from the bare JID");
    star.send(&format!("<presence to='{}' type='subscribed'/>", fan.jid.to_bare())).await;
    fan.until(|s| is_presence(s, Some("subscribed"))).await;
    let seen = fan.until(|s| is_presence(s, None) && s.attr("from") == Some(&star.jid.to_string())).await;
    assert_eq!(seen.attr("to").and_then(|to| to.split('/').next()), Some(fan.jid.to_bare().to_string().as_str()));
}

/// Who leaves is seen to leave; who returns sees and is seen; who is cut off sees no more.
async fn sight(pair: &Pair, romeo: Person, juliet: &mut Person) {
    let gone = romeo.jid.to_string();
    romeo.leave().await;
    juliet.until(|s| is_presence(s, Some("unavailable")) && s.attr("from") == Some(&gone)).await;
    let mut romeo = pair.near.login("romeo").await;
    romeo.ask("get", "", "<query xmlns='jabber:iq:roster'/>").await;
    romeo.send("<presence><show>away</show></presence>").await;
    let juliets = juliet.jid.to_string();
    romeo.until(|s| is_presence(s, None) && s.attr("from") == Some(&juliets)).await;
    let romeos = romeo.jid.to_string();
    let back = juliet.until(|s| is_presence(s, None) && s.attr("from") == Some(&romeos)).await;
    assert_eq!(back.get_child("show", "jabber:client").unwrap().text(), "away");
    juliet.send(&format!("<presence to='{}' type='unsubscribed'/>", romeo.jid.to_bare())).await;
    let (mut told, mut dark) = (false, false);
    while !told || !dark {
        let stanza = romeo.until(|s| s.name() == "presence").await;
        told |= stanza.attr("type") == Some("unsubscribed");
        dark |= stanza.attr("type") == Some("unavailable") && stanza.attr("from") == Some(&juliets);
    }
}

fn is_presence(stanza: &Element, kind: Option<&str>) -> bool {
    stanza.name() == "presence" && stanza.attr("type") == kind
}
