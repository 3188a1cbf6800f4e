//! Names, as they are looked up: A-labels in lower case without a final dot; IP addresses as Rust prints them.

use std::net::IpAddr;

/// Longest name without its final dot (RFC 1035, section 2.3.4).
const LONGEST: usize = 253;

/// The form in which `name` is looked up: A-labels in lower case without a final dot; `None`: it cannot be.
#[must_use]
pub fn ascii(name: &str) -> Option<String> {
    if let Some(ip) = ip(name) {
        return Some(ip.to_string());
    }
    let name = idna::domain_to_ascii(name).ok()?;
    let name = name.strip_suffix('.').unwrap_or(&name);
    let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(known);
    // All digits: something that other programs take for an address.
    let number = name.rsplit('.').next().is_some_and(|l| l.bytes().all(|c| c.is_ascii_digit()));
    (name.len() <= LONGEST && name.split('.').all(label) && !number).then(|| name.to_owned())
}

/// The address that `name` is, with or without brackets.
pub(crate) fn ip(name: &str) -> Option<IpAddr> {
    let inner = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    inner.unwrap_or(name).parse().ok()
}

/// Whether `name` may never be asked of DNS (RFC 7686, section 2).
pub(crate) fn is_onion(name: &str) -> bool {
    name == "onion" || name.ends_with(".onion")
}

/// Whether nobody is asked about `name` (RFC 6761, sections 6.3 and 6.4).
pub(crate) fn is_special(name: &str) -> bool {
    is_localhost(name) || name == "invalid" || name.ends_with(".invalid")
}

/// Whether `name` is this machine (RFC 6761, section 6.3): known without asking.
pub(crate) fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}
