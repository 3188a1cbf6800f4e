//! What a client writes, by the grammar of RFC 5802 section 7: fixed order, no attribute twice, unknown optional
//! attributes only where the grammar has `extensions`.

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::ScramError::{self, Malformed, MandatoryExtension};
use crate::hash::Secret;

/// Longest message; three localparts of 1023 bytes, escaped, fit.
const MAX_MESSAGE: usize = 8192;

/// Letters with a place of their own in the grammar; they are never extensions.
const RESERVED: &str = "anmrcsipve";

/// What the client thinks of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingFlag<'a> {
    /// `n`: it cannot.
    Unable,
    /// `y`: it can, and believes that we cannot.
    NotOffered,
    /// `p=TYPE`: it does.
    Used(&'a str),
}

/// client-first-message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst<'a> {
    pub(crate) flag: BindingFlag<'a>,
    pub(crate) authzid: Option<String>,
    pub(crate) gs2_header: String,
    pub(crate) bare: &'a str,
    pub(crate) username: String,
    pub(crate) nonce: &'a str,
}

/// client-final-message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFinal<'a> {
    pub(crate) binding: Secret,
    pub(crate) nonce: &'a str,
    pub(crate) without_proof: &'a str,
    pub(crate) proof: Secret,
}

pub(crate) fn client_first(message: &[u8]) -> Result<ClientFirst<'_>, ScramError> {
    let text = text(message)?;
    let (flag, rest) = text.split_once(',').ok_or(Malformed)?;
    let (authzid, bare) = rest.split_once(',').ok_or(Malformed)?;
    let mut attributes = bare.split(',');
    let username = attributes.next().ok_or(Malformed)?;
    if username.starts_with("m=") {
        return Err(MandatoryExtension);
    }
    let nonce = attributes.next().ok_or(Malformed)?;
    extensions(attributes)?;
    Ok(ClientFirst {
        flag: binding_flag(flag)?,
        authzid: authorization(authzid)?,
        gs2_header: format!("{flag},{authzid},"),
        bare,
        username: saslname(username.strip_prefix("n=").ok_or(Malformed)?)?,
        nonce: printable(nonce)?,
    })
}

pub(crate) fn client_final(message: &[u8]) -> Result<ClientFinal<'_>, ScramError> {
    let text = text(message)?;
    let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Malformed)?;
    let mut attributes = without_proof.split(',');
    let binding = attributes.next().and_then(|first| first.strip_prefix("c=")).ok_or(Malformed)?;
    let nonce = attributes.next().ok_or(Malformed)?;
    extensions(attributes)?;
    Ok(ClientFinal { binding: base64(binding)?, nonce: printable(nonce)?, without_proof, proof: base64(proof)? })
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MAX_MESSAGE || message.contains(&0) {
        return Err(Malformed);
    }
    core::str::from_utf8(message).map_err(|_| Malformed)
}

fn binding_flag(flag: &str) -> Result<BindingFlag<'_>, ScramError> {
    match flag {
        "n" => Ok(BindingFlag::Unable),
        "y" => Ok(BindingFlag::NotOffered),
        _ => flag
            .strip_prefix("p=")
            .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'))
            .map(BindingFlag::Used)
            .ok_or(Malformed),
    }
}

fn authorization(authzid: &str) -> Result<Option<String>, ScramError> {
    if authzid.is_empty() {
        return Ok(None);
    }
    saslname(authzid.strip_prefix("a=").ok_or(Malformed)?).map(Some)
}

/// saslname: at least one character, `=` only in `=2C` (comma) and `=3D` (equals sign).
fn saslname(escaped: &str) -> Result<String, ScramError> {
    let mut parts = escaped.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).ok_or(Malformed)?;
        name.push(match code {
            "2C" | "2c" => ',',
            "3D" | "3d" => '=',
            _ => return Err(Malformed),
        });
        name.push_str(rest);
    }
    if name.is_empty() { Err(Malformed) } else { Ok(name) }
}

fn printable(nonce: &str) -> Result<&str, ScramError> {
    nonce
        .strip_prefix("r=")
        .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(Malformed)
}

fn extensions<'a>(attributes: impl Iterator<Item = &'a str>) -> Result<(), ScramError> {
    let mut seen = String::new();
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').ok_or(Malformed)?;
        if name == "m" {
            return Err(MandatoryExtension);
        }
        let letter = name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !letter || value.is_empty() || RESERVED.contains(name) || seen.contains(name) {
            return Err(Malformed);
        }
        seen.push_str(name);
    }
    Ok(())
}

fn base64(text: &str) -> Result<Secret, ScramError> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| Malformed)?;
    if bytes.is_empty() { Err(Malformed) } else { Ok(Zeroizing::new(bytes)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_first_message_is_taken_apart() {
        let first = client_first(b"p=tls-exporter,a=b=2Cc,n=d=3De=2c,r=f+/,x=y=z,t=1").unwrap();
        assert_eq!(first.flag, BindingFlag::Used("tls-exporter"));
        assert_eq!(first.authzid.as_deref(), Some("b,c"));
        assert_eq!(first.gs2_header, "p=tls-exporter,a=b=2Cc,");
        assert_eq!(first.username, "d=e,");
        assert_eq!(first.bare, "n=d=3De=2c,r=f+/,x=y=z,t=1");
        assert_eq!(first.nonce, "f+/");
    }

    #[test]
    fn bad_first_messages_are_refused() {
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=a",
            "n,,n=a,",
            "n,,n=,r=b",
            "n,,n=a,r=",
            "x,,n=a,r=b",
            "N,,n=a,r=b",
            "p=,,n=a,r=b",
            "p=a b,,n=a,r=b",
            "n,b,n=a,r=b",
            "n,a=,n=a,r=b",
            "n,,r=b,n=a",
            "n,,n=a=b,r=b",
            "n,,n=a=,r=b",
            "n,,n=a=2,r=b",
            "n,,n=a=é,r=b",
            "n,,n=a,r=b c",
            "n,,n=a,r=é",
            "n,,n=a\0b,r=c",
            "n,,n=a,r=b,",
            "n,,n=a,r=b,x",
            "n,,n=a,r=b,x=",
            "n,,n=a,r=b,1=c",
            "n,,n=a,r=b,xy=c",
            "n,,n=a,r=b,=c",
            "n,,n=a,r=b,n=c",
            "n,,n=a,r=b,x=c,x=d",
            "n,,n=a,n=b,r=c",
        ] {
            assert_eq!(client_first(bad.as_bytes()), Err(Malformed), "{bad:?}");
        }
        assert_eq!(client_first(b"n,,n=a\xff,r=b"), Err(Malformed));
        assert_eq!(client_first(&[b"n,,n=a,r=".as_slice(), &[b'b'; 8192]].concat()), Err(Malformed));
        assert_eq!(client_first(b"n,,m=ext,n=a,r=b"), Err(MandatoryExtension));
        assert_eq!(client_first(b"n,,n=a,r=b,m=c"), Err(MandatoryExtension));
    }

    #[test]
    fn a_final_message_is_taken_apart() {
        let last = client_final(b"c=biws,r=abc,x=1,p=AAA=").unwrap();
        assert_eq!(last.binding.as_slice(), b"n,,");
        assert_eq!(last.without_proof, "c=biws,r=abc,x=1");
        assert_eq!((last.nonce, last.proof.as_slice()), ("abc", [0, 0].as_slice()));
    }

    #[test]
    fn bad_final_messages_are_refused() {
        for bad in [
            "",
            "c=biws,r=abc",
            "c=biws,r=abc,p=",
            "c=,r=abc,p=AAAA",
            "r=abc,c=biws,p=AAAA",
            "c=biws,p=AAAA",
            "c=biws,r=abc,p=AAA",
            "c=biws,r=abc,p=AAB=",
            "c=biws,r=abc,p=AA A",
            "c=biws,r=abc,p=AAAA,x=1",
            "c=biws,r=abc,p=AAAA,p=AAAA",
            "c=biw,r=abc,p=AAAA",
            "c=biws,r=,p=AAAA",
            "c=biws,r=abc,c=biws,p=AAAA",
            "c=biws,r=abc,p=AAAA\n",
            "p=AAAA",
        ] {
            assert_eq!(client_final(bad.as_bytes()), Err(Malformed), "{bad:?}");
        }
        assert_eq!(client_final(b"c=biws,r=abc,m=1,p=AAAA"), Err(MandatoryExtension));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = client_first(&bytes);
            let _ = client_final(&bytes);
        }

        #[test]
        fn no_near_miss_panics(text in "[nyp]?=?[a-z,=é]{0,6},(a=)?[=2C3Dxé,]{0,9},[mnrxcp]=[=23CDé]{0,9},[rcp]=[A-Za=,+/]{0,12}") {
            let _ = client_first(text.as_bytes());
            let _ = client_final(text.as_bytes());
        }

        #[test]
        fn names_survive_escaping(name in "[^\0]{1,40}") {
            let escaped = name.replace('=', "=3D").replace(',', "=2C");
            prop_assert_eq!(saslname(&escaped), Ok(name));
        }
    }
}
