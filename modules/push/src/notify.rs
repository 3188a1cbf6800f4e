//! Sends notifications, a few accounts at a time, and draws conclusions from the answers.

use crate::{
    busy::{Busy, MAX_FAILURES},
    registration::{self, Registration},
};
use bocage_api::{
    Clock, Frozen, Host, Kind, Outbox, Records, Stanza, StanzaError, State,
    dep::{
        futures_util::{StreamExt, future::join_all, stream::FuturesUnordered},
        rxml::xml_ncname,
        xmpp_parsers::data_forms::{DataForm, DataFormType, Field},
    },
    error::{Condition, ErrorType},
    ns,
    rt::{select, sync::mpsc, time},
    stanza::{IqType, MessageType},
};
use jid::{BareJid, Jid};
use minidom::Element;
use std::time::Duration;

pub(crate) const NS_PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const SUMMARY: &str = "urn:xmpp:push:summary";
/// Accounts that are notified at the same time.
const AT_ONCE: usize = 64;
/// Between two notifications for one account.
const PAUSE: Duration = Duration::from_secs(5);

/// An account for which something waits; `keys` are the registrations to use, `None` = all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) owner: BareJid,
    pub(crate) keys: Option<Vec<String>>,
}
impl Job {
    /// One job for both.
    pub(crate) fn and(self, other: Self) -> Self {
        let keys = match (self.keys, other.keys) {
            (Some(mut keys), Some(more)) => {
                keys.extend(more);
                keys.sort_unstable();
                keys.dedup();
                Some(keys)
            }
            _ => None,
        };
        Self { owner: self.owner, keys }
    }
}

/// Is it worth waking somebody: words, plain or encrypted, or a call (XEP-0353)? Bytes of our own writer: a name in
/// angle brackets is an element.
pub(crate) fn wakes(message: &Frozen) -> bool {
    let bytes = message.payload_bytes();
    let has = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    matches!(message.kind, Kind::Message(MessageType::Chat | MessageType::Normal))
        && (has(b"<body") || has(b"<encrypted") || has(b"urn:xmpp:jingle-message"))
}

/// Sends notifications.
#[derive(Clone)]
pub(crate) struct Notifier {
    pub(crate) host: Host,
    pub(crate) clock: Clock,
    pub(crate) outbox: Outbox,
    pub(crate) records: Records<Registration>,
    pub(crate) busy: State<Busy>,
}

impl Notifier {
    /// Until the plan that it belongs to is replaced.
    pub(crate) async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut active = FuturesUnordered::new();
        loop {
            select! {
                Some(job) = queue.recv(), if active.len() < AT_ONCE => active.push(self.account(job)),
                Some(()) = active.next() => {}
                else => return,
            }
        }
    }

    /// Notifies for one account until nothing has come meanwhile.
    async fn account(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            self.notify(&job).await;
            time::sleep(PAUSE).await;
            next = self.busy.end(&job.owner);
        }
    }

    pub(crate) async fn notify(&self, job: &Job) {
        let registered = match registration::all(&self.records, job.owner.as_str()).await {
            Ok(registered) => registered,
            Err(error) => return tracing::warn!(%error, "push registrations cannot be read"),
        };
        let meant = |key: &String| job.keys.as_ref().is_none_or(|keys| keys.contains(key));
        let all = registered.iter().filter(|(key, _)| meant(key));
        join_all(all.map(|(key, registration)| self.publish(&job.owner, (key, registration)))).await;
    }

    async fn publish(&self, owner: &BareJid, (key, registration): (&str, &Registration)) {
        let Ok(to) = Jid::new(&registration.jid) else { return };
        let iq = Stanza::new(Kind::Iq(IqType::Set), Some(Jid::from(self.host.domain.clone())), Some(to));
        let kept = match self.outbox.ask(iq.with(notification(registration))).await {
            Ok(_) => {
                self.busy.settled(owner, key);
                match registration.used(self.clock.wall()) {
                    Some(used) => self.records.put(owner.as_str(), key, &used).await,
                    None => Ok(()),
                }
            }
            Err(error) if passes(&error) && self.busy.failed(owner, key) < MAX_FAILURES => Ok(()),
            // Section 7.1: this service does not want to hear of it any more.
            Err(_) => {
                self.busy.settled(owner, key);
                self.records.delete(owner.as_str(), key).await.map(drop)
            }
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "a push registration cannot be written");
        }
    }
}

/// May it be better next time?
fn passes(error: &StanzaError) -> bool {
    error.kind == ErrorType::Wait || matches!(error.condition, Condition::RemoteServerNotFound | Condition::RemoteServerTimeout)
}

/// That one message waits, and not from whom, nor what it says.
fn notification(registration: &Registration) -> Element {
    let count = vec![Field::text_single("message-count", "1")];
    let mut summary: Element = DataForm::new(DataFormType::Form, SUMMARY, count).into();
    // The XEP's own form has no type, of which `form` would be asked for instead of told.
    summary.attrs_mut().remove(&bocage_api::dep::rxml::Namespace::NONE, xml_ncname!("type"));
    let item = Element::builder("item", NS_PUBSUB).append(Element::builder("notification", ns::PUSH).append(summary)).build();
    let publish = Element::builder("publish", NS_PUBSUB)
        .attr(xml_ncname!("node").to_owned(), registration.node.as_str())
        .append(item)
        .build();
    Element::builder("pubsub", NS_PUBSUB).append(publish).append_all(registration.publish_options()).build()
}
