//! What a report says, and the little of it that is kept (XEP-0377, H61): whom, why, the ids of messages. Words of the
//! reporter are kept only where they agreed to its being passed on; who reported is never kept.

use bocage_api::{Declared, Host, StanzaError, dep::rxml::xml_ncname, ns};
use jid::Jid;
use minidom::Element;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Namespace of reports.
pub(crate) const NS_REPORTING: &str = "urn:xmpp:reporting:1";
const SPAM: &str = "urn:xmpp:reporting:spam";
const ABUSE: &str = "urn:xmpp:reporting:abuse";
/// Ids of messages in a report, at most.
const MAX_IDS: usize = 20;
/// Bytes of an id, at most.
const MAX_ID: usize = 128;
/// Characters of the reporter's words, at most.
const MAX_TEXT: usize = 1_000;

/// A report in a `<block/>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    reason: Reason,
    ids: Vec<String>,
    text: Option<String>,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reason {
    /// Messages that nobody wanted.
    Spam,
    /// Anything else, reasons of other specifications included.
    Abuse,
}

/// A report as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Who is reported.
    pub(crate) jid: String,
    /// Why.
    pub(crate) reason: Reason,
    /// Ids of messages in the reporter's archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ids: Vec<String>,
    /// The reporter's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

impl Declared for Reported {
    const COLLECTION: &'static str = "reports";
    const ROWS_PER_OWNER: usize = 10_000;
    const VALUE_BYTES: usize = 16 * 1024;
    fn lifetime(host: &Host) -> Option<Duration> {
        Some(host.retention.reports)
    }
}

impl Report {
    /// The report in an `<item/>`; `None` when there is none.
    ///
    /// # Errors
    /// `bad-request` for one without a reason (section 4).
    pub(crate) fn read(item: &Element) -> Result<Option<Self>, StanzaError> {
        let Some(report) = item.get_child("report", NS_REPORTING) else { return Ok(None) };
        let reason = match report.attr(xml_ncname!("reason")) {
            Some(SPAM) => Reason::Spam,
            Some(ABUSE) => Reason::Abuse,
            Some(_) => Reason::Abuse,
            None => return Err(StanzaError::bad_request()),
        };
        let ids = report.children().filter(|child| child.is("stanza-id", ns::SID));
        let ids = ids.filter_map(|id| id.attr(xml_ncname!("id"))).filter(|id| id.len() <= MAX_ID).take(MAX_IDS);
        let agreed = report.has_child("report-origin", NS_REPORTING) || report.has_child("third-party", NS_REPORTING);
        let text = report.get_child("text", NS_REPORTING).filter(|_| agreed);
        let text = text.map(|text| text.text().trim().chars().take(MAX_TEXT).collect::<String>());
        Ok(Some(Self { reason, ids: ids.map(str::to_owned).collect(), text: text.filter(|text| !text.is_empty()) }))
    }
    /// What is kept of it.
    pub(crate) fn about(self, jid: &Jid) -> Reported {
        Reported { jid: jid.as_str().to_owned(), reason: self.reason, ids: self.ids, text: self.text }
    }
}
