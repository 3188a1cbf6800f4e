//! Acknowledgements for peers without stream management: behind what was written goes a ping (XEP-0199) to the peer's
//! domain. Its answer says that all before it has arrived, for a server takes up what a stream brings in its order
//! (RFC 6120 section 10.1). What surprises: the answer may come on another stream of the same pair of domains, and an
//! error is an answer too. Only messages are kept for it; an idle link asks nothing.

use super::Live;
use crate::s2s::links::settle;
use bocage_api::{Kind, Stanza, stanza::IqType};
use jid::Jid;
use minidom::Element;
use std::time::Duration;

/// Namespace of pings (XEP-0199).
const PING: &str = "urn:xmpp:ping";
/// What ids of these pings begin with: nothing else that comes in is looked at.
const PREFIX: &str = "bocage-ack-";

/// A ping that is not answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Duration,
    /// So many messages were kept before it.
    covers: usize,
}

/// What one stream asks its peer.
#[derive(Debug, Default)]
pub(super) struct Pings {
    asked: Option<Asked>,
    /// The peer is known not to answer: what is out counts as arrived. One ping finds out whether it has changed.
    by_flush: bool,
    tried: bool,
}

impl Pings {
    pub(super) fn new(by_flush: bool) -> Self {
        Self { by_flush, ..Self::default() }
    }
    pub(super) fn is_by_flush(&self) -> bool {
        self.by_flush
    }
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }
    /// May it be asked, when something is kept?
    fn is_free(&self) -> bool {
        self.asked.is_none() && !(self.by_flush && self.tried)
    }
    fn ask(&mut self, at: Duration, kept: usize) {
        self.tried = true;
        self.asked = Some(Asked { at, covers: if self.by_flush { 0 } else { kept } });
    }
    /// The answer is here: how many of the oldest messages have arrived.
    fn answered(&mut self) -> usize {
        self.by_flush = false;
        self.asked.take().map_or(0, |asked| asked.covers)
    }
    pub(super) fn is_overdue(&self, now: Duration, limit: Duration) -> bool {
        self.asked.is_some_and(|asked| now.saturating_sub(asked.at) >= limit)
    }
    /// The question is given up.
    pub(super) fn forget(&mut self) {
        self.asked = None;
    }
}

/// The id of a ping of this kind that `stanza` answers: from a domain itself, to one of ours itself.
pub(super) fn answer_id(stanza: &Stanza) -> Option<&str> {
    let bare = |jid: &Option<Jid>| jid.as_ref().is_some_and(|jid| jid.node().is_none() && jid.resource().is_none());
    if !matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error)) || !bare(&stanza.from) || !bare(&stanza.to) {
        return None;
    }
    stanza.id.as_deref().filter(|id| id.starts_with(PREFIX))
}

impl Live {
    /// Asks, when messages are kept for an answer and no question is open.
    pub(super) fn ping(&mut self) {
        let may = self.management.is_off() && self.pings.is_free();
        let Some(link) = self.sends.as_ref().filter(|_| may) else { return };
        let kept = self.sent.iter().filter(|item| item.ticket.is_some()).count();
        if kept == 0 {
            return;
        }
        let id = format!("{PREFIX}{}", self.federation.router.entropy.id());
        let domain = |domain| Some(Jid::from_parts(None, domain, None));
        let ping = Stanza::new(Kind::Iq(IqType::Get), domain(&link.here), domain(&link.there)).with_id(id.as_str());
        let ping = ping.with(Element::bare("ping", PING));
        self.output.untracked(&crate::wire::freeze_for_wire(ping), None);
        link.ask(id);
        self.pings.ask(self.federation.router.clock.mono(), kept);
    }

    /// The peer has answered: what was written before the ping has arrived.
    pub(super) async fn pinged(&mut self) {
        if let Some(link) = &self.sends {
            self.federation.manners.answers(link.there.as_str());
        }
        let mut left = self.pings.answered();
        while left > 0 {
            let Some(item) = self.sent.pop_front() else { break };
            if item.ticket.is_some() {
                left -= 1;
                settle(&self.federation, item, Ok(())).await;
            }
        }
        self.ping();
    }

    /// No answer for too long. `true`: the stream is taken for dead; what it brought goes out again on the next one.
    pub(super) fn unanswered(&mut self) -> bool {
        self.forget_pings();
        let Some(link) = self.sends.as_ref().filter(|_| !self.pings.is_by_flush()) else { return false };
        self.federation.manners.unanswered(link.there.as_str());
        true
    }

    pub(super) fn forget_pings(&mut self) {
        self.pings.forget();
        if let Some(link) = &self.sends {
            link.forget_question();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(xml: &str) -> Option<String> {
        let xml = xml.replacen("<iq", "<iq xmlns='jabber:client'", 1);
        let stanza = Stanza::parse(xml.parse().unwrap()).unwrap().unwrap_or_else(|refused| refused.stanza);
        answer_id(&stanza).map(str::to_owned)
    }

    #[test]
    fn results_and_errors_of_a_domain_are_answers_and_nothing_else_is() {
        let known = Some("bocage-ack-1".to_owned());
        assert_eq!(id("<iq type='result' from='there.example' to='here.example' id='bocage-ack-1'/>"), known);
        assert_eq!(id("<iq type='error' from='there.example' to='here.example' id='bocage-ack-1'/>"), known);
        for stranger in [
            "<iq type='result' from='eve@there.example' to='here.example' id='bocage-ack-1'/>",
            "<iq type='result' from='there.example/x' to='here.example' id='bocage-ack-1'/>",
            "<iq type='result' from='there.example' to='romeo@here.example' id='bocage-ack-1'/>",
            "<iq type='get' from='there.example' to='here.example' id='bocage-ack-1'><ping xmlns='urn:xmpp:ping'/></iq>",
            "<iq type='result' from='there.example' to='here.example' id='1'/>",
        ] {
            assert_eq!(id(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn one_question_is_open_and_covers_what_was_kept_before_it() {
        let (mut pings, now) = (Pings::new(false), Duration::from_secs(7));
        assert!(pings.is_free());
        pings.ask(now, 3);
        assert!(!pings.is_free() && !pings.is_overdue(now, Duration::from_secs(1)));
        assert!(pings.is_overdue(now + Duration::from_secs(1), Duration::from_secs(1)));
        assert_eq!((pings.answered(), pings.answered()), (3, 0));
        assert!(pings.is_free());
    }

    #[test]
    fn who_does_not_answer_is_asked_once_a_stream_and_believed_again_when_it_does() {
        let mut pings = Pings::new(true);
        pings.ask(Duration::ZERO, 5);
        pings.forget();
        assert!(pings.is_by_flush() && !pings.is_free());
        pings = Pings::new(true);
        pings.ask(Duration::ZERO, 5);
        assert_eq!(pings.answered(), 0, "what was out has counted already");
        assert!(!pings.is_by_flush() && pings.is_free());
    }
}
