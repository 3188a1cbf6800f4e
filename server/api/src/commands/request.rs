//! What a client says in a `<command/>`.

use super::{Answers, NS_COMMANDS, bad};
use crate::error::StanzaError;
use minidom::Element;
use rxml::{Namespace, xml_ncname};

/// Bytes of a node or session id, at most.
const MAX_NAME: usize = 1_024;

/// The `action` attribute; absent is `execute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Execute,
    Cancel,
    Prev,
    Next,
    Complete,
}

pub(super) struct Request {
    pub(super) node: String,
    pub(super) session: Option<String>,
    pub(super) action: Action,
    pub(super) lang: Option<String>,
    pub(super) answers: Option<Answers>,
}

impl Request {
    /// Reads a `<command/>` (XEP-0050 section 4.1).
    ///
    /// # Errors
    /// `bad-request`, with the XEP's own condition where it has one.
    pub(super) fn read(element: &Element) -> Result<Self, StanzaError> {
        if !element.is("command", NS_COMMANDS) {
            return Err(StanzaError::bad_request());
        }
        let node = element.attr(xml_ncname!("node")).filter(|node| !node.is_empty() && node.len() <= MAX_NAME);
        let session = element.attr(xml_ncname!("sessionid"));
        if session.is_some_and(|id| id.is_empty() || id.len() > MAX_NAME) {
            return Err(bad("bad-sessionid"));
        }
        let lang = element.attrs().iter().find(|((ns, name), _)| **ns == Namespace::XML && **name == *"lang");
        Ok(Self {
            node: node.ok_or_else(StanzaError::bad_request)?.to_owned(),
            session: session.map(str::to_owned),
            action: action(element.attr(xml_ncname!("action")))?,
            lang: lang.map(|(_, tag)| tag.clone()),
            answers: Answers::read(element)?,
        })
    }
}

fn action(attribute: Option<&str>) -> Result<Action, StanzaError> {
    Ok(match attribute {
        None | Some("execute") => Action::Execute,
        Some("cancel") => Action::Cancel,
        Some("prev") => Action::Prev,
        Some("next") => Action::Next,
        Some("complete") => Action::Complete,
        Some(_) => return Err(bad("malformed-action")),
    })
}
