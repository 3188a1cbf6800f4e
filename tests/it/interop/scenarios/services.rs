//! What servers answer themselves (XEP-0030, XEP-0199).

use crate::interop::pair::{FAR, NEAR, Pair, Setup};

pub(in crate::interop) async fn disco_both_ways(setup: Setup) {
    let pair = Pair::of(setup).await;
    let (mut romeo, mut juliet) = pair.people().await;
    for (person, domain) in [(&mut romeo, FAR), (&mut juliet, NEAR)] {
        let answer = person.ask("get", domain, "<query xmlns='http://jabber.org/protocol/disco#info'/>").await;
        assert_eq!((answer.attr("type"), answer.attr("from")), (Some("result"), Some(domain)));
        let query = answer.get_child("query", "http://jabber.org/protocol/disco#info").unwrap();
        assert!(query.children().any(|c| c.name() == "identity" && c.attr("category") == Some("server")));
        let answer = person.ask("get", domain, "<ping xmlns='urn:xmpp:ping'/>").await;
        assert_eq!(answer.attr("type"), Some("result"), "{domain}");
    }
    pair.links_are_sealed();
}
