//! Server dialback (XEP-0220) without its trust: keys of our own are made and confirmed; nobody is admitted by one (H42).

use bocage_stream::{ns, write};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use minidom::Element;
use rxml::xml_ncname;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Makes and knows keys. Its secret lives as long as the process.
pub(super) struct Keys(Zeroizing<[u8; 32]>);

/// The addresses of a dialback element: who asks, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) from: String,
    pub(super) to: String,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Valid,
    Invalid,
    /// With this stanza error's condition, whose type is `cancel` (section 2.5).
    Error(&'static str),
}

impl Keys {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }
    /// The key for a stream of `there`'s with this id, on which `here` wants to be heard (XEP-0185).
    pub(super) fn key(&self, here: &str, there: &str, stream: &str) -> String {
        let secret = HEXLOWER.encode(&Sha256::digest(HEXLOWER.encode(&Sha256::digest(*self.0)).as_bytes()));
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
        HEXLOWER.encode(&mac.chain_update(format!("{there} {here} {stream}")).finalize().into_bytes())
    }
    /// Is `key` ours?
    pub(super) fn is_ours(&self, (here, there, stream): (&str, &str, &str), key: &str) -> bool {
        self.key(here, there, stream).as_bytes().ct_eq(key.as_bytes()).into()
    }
}

/// The addresses, if both are there.
pub(super) fn asked(element: &Element) -> Option<Asked> {
    let attribute = |name| element.attr(name).map(str::to_owned);
    Some(Asked { from: attribute(xml_ncname!("from"))?, to: attribute(xml_ncname!("to"))? })
}

/// `<db:result/>` that asks `there` to hear `here`.
pub(super) fn write_key(out: &mut Vec<u8>, here: &str, there: &str, key: &str) {
    start(out, "result", (here, there));
    out.push(b'>');
    write::text(out, key);
    out.extend_from_slice(b"</db:result>");
}

/// The answer to `asked` about `name` (`result` or `verify`).
pub(super) fn write_answer(out: &mut Vec<u8>, name: &str, asked: &Asked, (id, verdict): (Option<&str>, Verdict)) {
    start(out, name, (&asked.to, &asked.from));
    if let Some(id) = id {
        write::attribute(out, "id", id);
    }
    let kind = match verdict {
        Verdict::Valid => "valid",
        Verdict::Invalid => "invalid",
        Verdict::Error(_) => "error",
    };
    write::attribute(out, "type", kind);
    let Verdict::Error(condition) = verdict else { return out.extend_from_slice(b"/>") };
    out.extend_from_slice(b"><error type='cancel'><");
    out.extend_from_slice(condition.as_bytes());
    out.extend_from_slice(b" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn start(out: &mut Vec<u8>, name: &str, (from, to): (&str, &str)) {
    out.extend_from_slice(b"<db:");
    out.extend_from_slice(name.as_bytes());
    write::attribute(out, "from", from);
    write::attribute(out, "to", to);
}

/// Is it a dialback element of this name that asks rather than answers?
pub(super) fn is_request(element: &Element, name: &str) -> bool {
    element.is(name, ns::DIALBACK) && element.attr(xml_ncname!("type")).is_none()
}

/// `<db:verify/>` about a key of ours; the answer.
pub(super) fn verify(out: &mut Vec<u8>, keys: &Keys, element: &Element, serves: impl Fn(&str) -> bool) {
    let Some(asked) = asked(element) else { return };
    let id = element.attr(xml_ncname!("id")).unwrap_or_default();
    let verdict = if !serves(&asked.to) {
        Verdict::Error("item-not-found")
    } else if keys.is_ours((&asked.to, &asked.from, id), element.text().trim()) {
        Verdict::Valid
    } else {
        Verdict::Invalid
    };
    write_answer(out, "verify", &asked, (Some(id), verdict));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_of_that_pair_and_stream_is_ours() {
        let keys = Keys::new([7; 32]);
        let key = keys.key("here.example", "there.example", "s1");
        assert!(keys.is_ours(("here.example", "there.example", "s1"), &key));
        assert!(!keys.is_ours(("here.example", "there.example", "s2"), &key));
        assert!(!keys.is_ours(("here.example", "else.example", "s1"), &key));
        assert!(!Keys::new([8; 32]).is_ours(("here.example", "there.example", "s1"), &key));
    }

    #[test]
    fn answers_go_the_other_way() {
        let request: Element =
            "<verify xmlns='jabber:server:dialback' from='there.example' to='here.example' id='s1'>no</verify>".parse().unwrap();
        let mut out = Vec::new();
        verify(&mut out, &Keys::new([7; 32]), &request, |host| host == "here.example");
        assert_eq!(String::from_utf8(out).unwrap(), "<db:verify from='here.example' to='there.example' id='s1' type='invalid'/>");
        let mut out = Vec::new();
        verify(&mut out, &Keys::new([7; 32]), &request, |_| false);
        assert!(String::from_utf8(out).unwrap().contains("<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"));
    }
}
