//! Somebody with a client (tokio-xmpp).

use crate::{Direct, Village, soon};
use futures_util::StreamExt;
use minidom::Element;
use tokio_xmpp::{
    Client, Event, Stanza,
    jid::{FullJid, Jid},
    xmlstream::Timeouts,
};

/// Somebody who is logged in. For tests of one thread: on several, tokio-xmpp's receiver loses its wake-up when it finds
/// the sender at work (6.0.0), and what has arrived is seen only when more arrives.
pub struct Person {
    client: Client,
    /// Their full JID.
    pub jid: FullJid,
}

/// The element that `xml` says, in `jabber:client` unless it says otherwise.
#[must_use]
pub fn element(xml: &str) -> Element {
    let end = xml.find([' ', '/', '>']).unwrap();
    let (name, rest) = xml.split_at(end);
    let declared = format!("{name} xmlns='jabber:client'{rest}");
    declared.parse().unwrap_or_else(|error| panic!("{declared}: {error}"))
}

/// The body of a message.
#[must_use]
pub fn text(stanza: &Element) -> String {
    stanza.get_child("body", "jabber:client").map(Element::text).unwrap_or_default()
}

impl Person {
    /// Logs in; no presence is sent.
    pub async fn login(village: &Village, name: &str) -> Self {
        Self::through(&village.connector, &format!("{name}@{}", village.domain), &village.password(name)).await
    }
    /// Logs in with this resource.
    pub async fn login_as(village: &Village, name: &str, resource: &str) -> Self {
        Self::through(&village.connector, &format!("{name}@{}/{resource}", village.domain), &village.password(name)).await
    }
    /// Logs in over `connector`.
    pub async fn through(connector: &Direct, jid: &str, password: &str) -> Self {
        let jid: Jid = jid.parse().unwrap();
        let mut client = Client::new_with_connector(jid, password, connector.clone(), Timeouts::default());
        let jid = soon(async {
            loop {
                match client.next().await {
                    Some(Event::Online { bound_jid, .. }) => break bound_jid.try_into_full().expect("a full JID"),
                    Some(Event::Disconnected(error)) => panic!("not online: {error}"),
                    other => assert!(other.is_some(), "the stream ended"),
                }
            }
        })
        .await;
        Self { client, jid }
    }
    /// Logs in and says so.
    pub async fn online(village: &Village, name: &str) -> Self {
        let mut person = Self::login(village, name).await;
        person.send("<presence/>").await;
        person.until(|s| s.name() == "presence").await;
        person
    }
    /// Sends a stanza.
    pub async fn send(&mut self, xml: &str) {
        let stanza = Stanza::try_from(element(xml)).unwrap_or_else(|error| panic!("{xml}: {error:?}"));
        self.client.send_stanza(stanza).await.unwrap();
    }
    /// The next stanza.
    pub async fn next(&mut self) -> Element {
        soon(self.arrival()).await
    }
    /// The same, with no deadline: whoever waits has one.
    pub async fn arrival(&mut self) -> Element {
        loop {
            match self.client.next().await {
                Some(Event::Stanza(stanza)) => return stanza.into(),
                Some(Event::Disconnected(error)) => panic!("disconnected: {error}"),
                Some(Event::Online { .. }) => {}
                None => panic!("the stream ended"),
            }
        }
    }
    /// The first stanza for which `wanted` says yes; others are dropped.
    pub async fn until(&mut self, wanted: impl Fn(&Element) -> bool) -> Element {
        loop {
            let stanza = self.next().await;
            if wanted(&stanza) {
                return stanza;
            }
        }
    }
    /// The next message.
    pub async fn message(&mut self) -> Element {
        self.until(|s| s.name() == "message").await
    }
    /// Asks; the answer.
    pub async fn ask(&mut self, kind: &str, to: &str, payload: &str) -> Element {
        let id = format!("ask{}", payload.len());
        let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
        self.send(&format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>")).await;
        self.until(|s| s.name() == "iq" && s.attr("id") == Some(&id) && matches!(s.attr("type"), Some("result" | "error"))).await
    }
    /// Waits until the server has done all that this client has sent before.
    pub async fn settle(&mut self) {
        self.ask("get", "", "<ping xmlns='urn:xmpp:ping'/>").await;
    }
    /// Ends the stream and waits for its end.
    pub async fn leave(self) {
        let _ = soon(self.client.send_end()).await;
    }
}
