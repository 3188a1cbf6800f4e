//! One device with a stock client (tokio-xmpp), led by a scenario in Python: orders come in and events go out, one JSON
//! object a line. It ends when its input does.
//!
//! What arrives is read with the types of xmpp-parsers: what another implementation cannot read is an event that never comes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's client may fail loudly, and its output is what it is for"
)]

use bocage_tests::Direct;
use futures_util::StreamExt;
use minidom::Element;
use serde_json::{Value, json};
use std::path::Path;
use tokio::sync::mpsc;
use tokio_xmpp::{Client, Event, Stanza, jid::Jid, xmlstream::Timeouts};
use xmpp_parsers::{
    carbons,
    forwarding::Forwarded,
    iq::Iq,
    mam,
    message::{Id, Lang, Message, MessageType},
    presence::{self, Presence},
    rsm::SetQuery,
    stanza_id::StanzaId,
};

#[tokio::main(flavor = "current_thread")] // On several threads tokio-xmpp loses wake-ups: see `bocage_tests::Person`.
async fn main() {
    let mut orders = orders();
    // The first says who this is, and where the server is.
    let Some(login) = orders.recv().await else { return };
    let server = Direct::new(text(&login, "address").parse().unwrap(), Path::new(text(&login, "authority")));
    let mut client = Client::new_with_connector(jid(&login, "jid"), text(&login, "password"), server, Timeouts::default());
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => client.send_stanza(stanza(&order)).await.map(drop).unwrap(),
                None => break,
            },
            event = client.next() => tell(event.expect("the client goes on by itself")),
        }
    }
    client.send_end().await.unwrap();
}

/// What comes in, until it ends.
fn orders() -> mpsc::Receiver<Value> {
    let (sender, receiver) = mpsc::channel(1);
    let read = move || std::io::stdin().lines().try_for_each(|line| sender.blocking_send(line.unwrap().parse().unwrap()));
    std::thread::spawn(read);
    receiver
}

fn text<'a>(order: &'a Value, key: &str) -> &'a str {
    order.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{order} has no {key}"))
}
fn jid(order: &Value, key: &str) -> Jid {
    text(order, key).parse().unwrap()
}

/// What an order sends.
fn stanza(order: &Value) -> Stanza {
    let ask = |payload: Element| Stanza::Iq(Iq::Set { from: None, to: None, id: text(order, "do").to_owned(), payload });
    match text(order, "do") {
        "copies" => ask(carbons::Enable.into()),
        "archive" => {
            let after = order.get("after").and_then(Value::as_str).map(str::to_owned);
            let max = order.get("max").and_then(Value::as_u64).and_then(|max| usize::try_from(max).ok());
            let set = SetQuery { max, after, before: None, index: None };
            ask(mam::Query { queryid: None, node: None, form: None, set: Some(set), flip_page: false }.into())
        }
        "present" => Presence::new(presence::Type::None).into(),
        "say" => {
            let mut message = Message::chat(jid(order, "to")).with_body(Lang::new(), text(order, "body").to_owned());
            message.id = Some(Id(text(order, "id").to_owned()));
            message.into()
        }
        other => panic!("no such order: {other}"),
    }
}

fn tell(event: Event) {
    println!(
        "{}",
        match event {
            Event::Online { bound_jid, resumed, .. } =>
                json!({"event": "online", "jid": bound_jid.to_string(), "resumed": resumed}),
            Event::Disconnected(error) => json!({"event": "disconnected", "why": error.to_string()}),
            Event::Stanza(Stanza::Message(message)) => arrived(message),
            Event::Stanza(Stanza::Presence(presence)) =>
                json!({"event": "presence", "from": presence.from.map(|from| from.to_string())}),
            Event::Stanza(Stanza::Iq(iq)) => answer(iq),
        }
    );
}

/// A message: its own, one in a copy, or one of an archive. `name`: how the archive of the account knows it.
fn arrived(message: Message) -> Value {
    let copied = |how, forwarded: Forwarded| said(how, named(&forwarded.message), &forwarded.message);
    let wrapped = message.payloads.iter().find_map(|payload| {
        let payload = || payload.clone();
        if let Ok(result) = mam::Result_::try_from(payload()) {
            return Some(said("archive", Some(result.id), &result.forwarded.message));
        }
        if let Ok(received) = carbons::Received::try_from(payload()) {
            return Some(copied("received", received.forwarded));
        }
        carbons::Sent::try_from(payload()).ok().map(|sent| copied("sent", sent.forwarded))
    });
    wrapped.unwrap_or_else(|| said("live", named(&message), &message))
}

fn named(message: &Message) -> Option<String> {
    let ids = message.payloads.iter().filter_map(|payload| StanzaId::try_from(payload.clone()).ok());
    let mut ids = ids.filter(|id| id.by.resource().is_none());
    let id = ids.next()?;
    assert_eq!(ids.next(), None, "one archive names it");
    Some(id.id)
}

fn said(how: &str, name: Option<String>, message: &Message) -> Value {
    let body = message.get_best_body(Vec::new()).map(|(_, body)| body);
    let failed = message.type_ == MessageType::Error;
    let (id, from) = (message.id.as_ref().map(|id| &id.0), message.from.as_ref().map(Jid::as_str));
    json!({"event": "message", "how": how, "name": name, "id": id, "from": from, "body": body, "failed": failed})
}

fn answer(iq: Iq) -> Value {
    match iq {
        Iq::Result { id, payload, .. } => {
            let fin = payload.and_then(|payload| mam::Fin::try_from(payload).ok());
            let page = fin.map(|fin| json!({"complete": fin.complete, "last": fin.set.last}));
            json!({"event": "answer", "to": id, "page": page})
        }
        Iq::Error { id, error, .. } => json!({"event": "refusal", "to": id, "why": format!("{error:?}")}),
        Iq::Get { id, .. } | Iq::Set { id, .. } => json!({"event": "request", "id": id}),
    }
}
