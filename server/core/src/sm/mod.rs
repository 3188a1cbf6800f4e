//! Stream management (XEP-0198 1.6.3): what was handled, what is not acknowledged, and streams that come back.
//!
//! Nothing here reads a socket: [`Ledger`] counts what this side has handled, [`Unacked`] keeps what the other side has
//! not acknowledged, [`Resumable`] is where a new connection finds the session of an old one.

mod former;
mod ledger;
mod resume;
mod unacked;

pub(crate) use former::Former;
pub(crate) use ledger::{Entry, Ledger};
pub(crate) use resume::{Claim, Refusal, Request, Resumable};
pub(crate) use unacked::{Row, TooHigh, Unacked};

use bocage_stream::{Condition, StreamError};
use minidom::Element;
use xmpp_parsers::{
    sm::{Failed, HandledCountTooHigh},
    stanza_error::DefinedCondition,
};

/// Namespace of its elements.
pub(crate) const SM: &str = "urn:xmpp:sm:3";

/// The line in the features, and among SASL2's inline ones.
pub(crate) fn feature() -> Element {
    Element::bare("sm", SM)
}

/// `<failed/>`, with the count of a session that is over.
pub(crate) fn failed(error: DefinedCondition, h: Option<u32>) -> Element {
    Failed { h, error: Some(error) }.into()
}

impl From<TooHigh> for StreamError {
    fn from(TooHigh { h, send_count }: TooHigh) -> Self {
        let application = Element::from(HandledCountTooHigh { h, send_count });
        let text = format!("you acknowledged {h} stanzas, but were sent {send_count}");
        Self { condition: Condition::UndefinedCondition, text: Some(text.into()), application: Some(Box::new(application)) }
    }
}
