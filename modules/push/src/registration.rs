//! Registrations as clients make them and as they are kept.

use bocage_api::{
    Declared, Host, Records, StanzaError,
    clock::UnixSeconds,
    dep::{
        rxml::xml_ncname,
        xmpp_parsers::data_forms::{DataForm, DataFormType, Field},
    },
    ns,
    store::{Page, Stored},
};
use jid::Jid;
use minidom::Element;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// Registrations of an account, at most.
const MAX: usize = 20;
/// Bytes of service and node together, at most: they are the key.
const MAX_KEY: usize = 1_000;
/// Fields of the publish options, and bytes of all of them, at most.
const MAX_FIELDS: usize = 16;
const MAX_OPTIONS: usize = 2_048;
const WEEK: i64 = 7 * 86_400;

/// A device of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub(crate) jid: String,
    pub(crate) node: String,
    /// Fields of the publish options (secrets of the service).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<(String, Vec<String>)>,
    /// Week of the last use, counted from 1970.
    week: i64,
}

impl Declared for Registration {
    const COLLECTION: &'static str = "registrations";
    const ROWS_PER_OWNER: usize = MAX;
    const VALUE_BYTES: usize = 8 * 1024;
    fn lifetime(host: &Host) -> Option<Duration> {
        Some(host.retention.push)
    }
}

impl Registration {
    /// Reads `<enable/>` (section 5).
    ///
    /// # Errors
    /// `bad-request` without service or node or with options that are none, `jid-malformed`, `not-acceptable` for too much.
    pub(crate) fn read(element: &Element, now: UnixSeconds) -> Result<Self, StanzaError> {
        let Disable { jid, node } = Disable::read(element)?;
        let node = node.filter(|node| !node.is_empty()).ok_or_else(StanzaError::bad_request)?;
        let options = match element.get_child("x", ns::DATA_FORMS) {
            Some(form) => options(form)?,
            None => Vec::new(),
        };
        let length = |(var, values): &(String, Vec<String>)| var.len() + values.iter().map(String::len).sum::<usize>();
        if jid.len() + node.len() > MAX_KEY
            || options.len() > MAX_FIELDS
            || options.iter().map(length).sum::<usize>() > MAX_OPTIONS
        {
            return Err(StanzaError::not_acceptable());
        }
        Ok(Self { jid, node, options, week: week(now) })
    }
    /// Under what it is kept.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.jid, self.node)
    }
    /// The same, used now; `None` when that is known.
    pub(crate) fn used(&self, now: UnixSeconds) -> Option<Self> {
        (self.week != week(now)).then(|| Self { week: week(now), ..self.clone() })
    }
    /// `<publish-options/>`, when it has some.
    pub(crate) fn publish_options(&self) -> Option<Element> {
        if self.options.is_empty() {
            return None;
        }
        let field = |(var, values): &(String, Vec<String>)| Field { values: values.clone(), ..Field::text_single(var, "") };
        let form = DataForm::new(DataFormType::Submit, PUBLISH_OPTIONS, self.options.iter().map(field).collect());
        Some(Element::builder("publish-options", crate::notify::NS_PUBSUB).append(Element::from(form)).build())
    }
}

fn week(now: UnixSeconds) -> i64 {
    now.div_euclid(WEEK)
}

fn options(form: &Element) -> Result<Vec<(String, Vec<String>)>, StanzaError> {
    let form = DataForm::try_from(form.clone()).map_err(|_| StanzaError::bad_request())?;
    if form.type_ != DataFormType::Submit || form.form_type() != Some(PUBLISH_OPTIONS) {
        return Err(StanzaError::bad_request());
    }
    let fields = form.fields.into_iter().filter_map(|field| Some((field.var?, field.values)));
    Ok(fields.filter(|(var, _)| var != "FORM_TYPE").collect())
}

/// Which registrations are to go: those of a service, or of one node of it.
pub(crate) struct Disable {
    pub(crate) jid: String,
    pub(crate) node: Option<String>,
}

impl Disable {
    /// Reads the attributes of `<disable/>` and `<enable/>`.
    ///
    /// # Errors
    /// `bad-request` without a service, `jid-malformed` for one that is no address.
    pub(crate) fn read(element: &Element) -> Result<Self, StanzaError> {
        let jid = element.attr(xml_ncname!("jid")).ok_or_else(StanzaError::bad_request)?;
        let jid = Jid::new(jid).map_err(|_| StanzaError::jid_malformed())?;
        Ok(Self { jid: jid.to_string(), node: element.attr(xml_ncname!("node")).map(str::to_owned) })
    }
}

/// All registrations of an account, by key.
pub(crate) async fn all(records: &Records<Registration>, owner: &str) -> Stored<Vec<(String, Registration)>> {
    records.list(owner, Page { limit: MAX, ..Page::default() }).await
}
