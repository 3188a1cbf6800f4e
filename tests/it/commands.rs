//! Ad-hoc commands (XEP-0050) through the whole server.

use bocage_tests::{Person, Village};
use minidom::Element;

const NODE: &str = "http://jabber.org/protocol/commands";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

fn nodes(answer: &Element) -> Vec<String> {
    let query = answer.get_child("query", ITEMS).unwrap();
    query.children().filter_map(|item| item.attr("node")).map(str::to_owned).collect()
}

#[tokio::test]
async fn an_administrator_reads_reports_and_nobody_else_sees_the_command() {
    let village = Village::with("admins = [\"alice@village.example\"]\n", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (Person::online(&village, "alice").await, Person::online(&village, "bob").await);
    let report = "<block xmlns='urn:xmpp:blocking'><item jid='spam@x.example'><report xmlns='urn:xmpp:reporting:1' \
        reason='urn:xmpp:reporting:spam'/></item></block>";
    bob.ask("set", "", report).await;
    let list = format!("<query xmlns='{ITEMS}' node='{NODE}'/>");
    assert!(nodes(&alice.ask("get", "village.example", &list).await).contains(&"reports".to_owned()));
    assert!(!nodes(&bob.ask("get", "village.example", &list).await).contains(&"reports".to_owned()));
    let run = format!("<command xmlns='{NODE}' node='reports' xml:lang='fr'/>");
    let done = alice.ask("set", "village.example", &run).await;
    let command = done.get_child("command", NODE).unwrap();
    assert_eq!(command.attr("status"), Some("completed"));
    assert_eq!(command.get_child("note", NODE).unwrap().text(), "spam@x.example : 1 pour spam, 0 pour abus");
    let refused = bob.ask("set", "village.example", &run).await;
    assert!(refused.get_child("error", "jabber:client").unwrap().has_child("forbidden", "urn:ietf:params:xml:ns:xmpp-stanzas"));
}
