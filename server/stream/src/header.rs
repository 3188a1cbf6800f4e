//! The peer's stream header (RFC 6120 4.7): first read as it is, then judged.
//!
//! Two steps, because the answer to a bad header is a header and then the error (RFC 6120 4.9.1.2).
use jid::{DomainPart, Jid};

use crate::error::{Condition, StreamError};

/// No language tag in use is longer (RFC 5646 4.4.1); a longer one is ignored, since it would be copied to each stanza.
const MAX_LANG: usize = 35;

/// The attributes of `<stream:stream>`, unchecked. Its namespaces are right, or the reader had refused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamHeader {
    /// Whom the peer wants to reach.
    pub to: Option<String>,
    /// Who it says that it is.
    pub from: Option<String>,
    /// The stream's id, given by the receiving side.
    pub id: Option<String>,
    /// The version of XMPP.
    pub version: Option<String>,
    /// `xml:lang`, the language of stanzas that name none.
    pub lang: Option<String>,
}

/// What a good header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedHeader {
    /// The served host, prepared.
    pub to: DomainPart,
    /// The claimed sender; proven by nothing.
    pub from: Option<Jid>,
    /// The stream's language, if it is a plausible tag.
    pub lang: Option<String>,
}

impl StreamHeader {
    /// Judges the header as the receiving side; `serves` is asked with the prepared domain.
    ///
    /// # Errors
    /// `unsupported-version` without a version of at least 1.0 (RFC 6120 4.7.5), `improper-addressing` if `to` is
    /// missing or an address is malformed, `host-unknown` if `to` is not a host served here (4.9.3.6).
    pub fn check(&self, serves: impl Fn(&str) -> bool) -> Result<CheckedHeader, StreamError> {
        if !self.version.as_deref().is_some_and(supported) {
            return Err(Condition::UnsupportedVersion.into());
        }
        let to = address(self.to.as_deref())?.ok_or(Condition::ImproperAddressing)?;
        let from = address(self.from.as_deref())?;
        let host = to.node().is_none() && to.resource().is_none() && serves(to.domain().as_str());
        if !host {
            return Err(Condition::HostUnknown.into());
        }
        let lang = self.lang.as_deref().filter(|tag| plausible(tag)).map(str::to_owned);
        Ok(CheckedHeader { to: to.domain().to_owned(), from, lang })
    }
}

fn address(text: Option<&str>) -> Result<Option<Jid>, StreamError> {
    text.map(Jid::new).transpose().map_err(|_| Condition::ImproperAddressing.into())
}

/// A higher major version is answered with ours (RFC 6120 4.7.5); only what is below 1.0 cannot be served.
fn supported(version: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    version.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor) && major.bytes().any(|byte| byte != b'0'))
}

fn plausible(tag: &str) -> bool {
    !tag.is_empty() && tag.len() <= MAX_LANG && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
