//! Nicks: what may be one, and which look alike.

use bocage_api::StanzaError;
use jid::{ResourcePart, ResourceRef};

/// What is said about a nick that cannot be one.
pub(crate) const NO_NICK: &str = "Nickname must pass strict validation";
/// Bytes of a nick at most; more is nothing that a person reads.
const MAX_BYTES: usize = 256;

/// What two nicks that look alike have in common: case, spaces and what cannot be seen are left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NickKey(String);

impl NickKey {
    pub(crate) fn of(nick: &str) -> Self {
        let seen = nick.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c));
        Self(seen.flat_map(char::to_lowercase).collect())
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
/// Turns the direction of what follows it: others would read another text.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A nick that may be used here.
///
/// # Errors
/// `jid-malformed` for what strict resourceprep (RFC 6122 appendix B, stored strings) does not know.
pub(super) fn accept(nick: &ResourceRef) -> Result<ResourcePart, StanzaError> {
    let text = nick.as_str();
    let known = !text.chars().any(stringprep::tables::unassigned_code_point);
    let fits = text.len() <= MAX_BYTES && text.trim() == text && !NickKey::of(text).0.is_empty();
    if known && fits && !text.chars().any(is_direction) {
        Ok(nick.to_owned())
    } else {
        Err(StanzaError::jid_malformed().with_text(NO_NICK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(nick: &str) -> bool {
        ResourcePart::new(nick).is_ok_and(|nick| accept(&nick).is_ok())
    }

    #[test]
    fn nicks_that_look_alike_are_one() {
        for alike in ["VIC", "v i c", "vi\u{200b}c", " vic"] {
            assert_eq!(NickKey::of(alike), NickKey::of("vic"), "{alike}");
        }
        assert_ne!(NickKey::of("vic"), NickKey::of("victor"));
    }

    #[test]
    fn what_nobody_can_read_is_no_nick() {
        assert!(is_accepted("Élise-Маша 2"));
        for bad in ["\u{202e}gnp.exe", " a", "a ", "\u{1f916}"] {
            assert!(!is_accepted(bad), "{bad}");
        }
        assert!(!is_accepted(&"n".repeat(300)));
    }
}
