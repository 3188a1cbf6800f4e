//! Whom an account neither wants to hear from nor speaks to (XEP-0191).

use crate::error::StanzaError;
use jid::{BareJid, Jid};

/// Addresses on a list, at most.
pub const MAX_BLOCKED: usize = 1_000;

/// A block list: addresses of four forms, each of which covers what section 5 of the XEP says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockList(Vec<Jid>);

/// A change of a block list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockChange {
    /// These are blocked from now on.
    Block(Vec<Jid>),
    /// These no longer.
    Unblock(Vec<Jid>),
    /// Nobody is.
    UnblockAll,
}

impl BlockList {
    /// A list of these.
    #[must_use]
    pub fn of(mut jids: Vec<Jid>) -> Self {
        jids.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        jids.dedup();
        Self(jids)
    }
    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Jid> {
        self.0.iter()
    }
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Nobody is blocked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    fn names(&self, jid: &str) -> bool {
        self.0.binary_search_by(|known| known.as_str().cmp(jid)).is_ok()
    }
    /// Is `who` blocked: by resource, account, domain with resource, or domain (section 5)?
    #[must_use]
    pub fn blocks(&self, who: &Jid) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let domain = who.domain().as_str();
        self.names(who.as_str())
            || self.names(domain)
            || (who.resource().is_some() && self.names(who.to_bare().as_str()))
            || who.resource().is_some_and(|resource| self.names(&format!("{domain}/{resource}")))
    }
    /// The same for the owner of the list, whose own sessions are never blocked from each other (section 4).
    #[must_use]
    pub fn blocks_for(&self, owner: &BareJid, who: &Jid) -> bool {
        self.blocks(who) && who.to_bare() != *owner
    }
    /// The list after a change.
    ///
    /// # Errors
    /// `resource-constraint` when it would be longer than [`MAX_BLOCKED`].
    pub fn after(&self, change: &BlockChange) -> Result<Self, StanzaError> {
        let next = match change {
            BlockChange::Block(more) => Self::of(self.0.iter().chain(more).cloned().collect()),
            BlockChange::Unblock(fewer) => Self(self.0.iter().filter(|jid| !fewer.contains(jid)).cloned().collect()),
            BlockChange::UnblockAll => Self::default(),
        };
        if next.len() > MAX_BLOCKED { Err(StanzaError::resource_constraint()) } else { Ok(next) }
    }
    /// What is on this list and not on `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|jid| !other.names(jid.as_str())).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(jids: &[&str]) -> BlockList {
        BlockList::of(jids.iter().map(|jid| jid.parse().unwrap()).collect())
    }
    fn blocks(entry: &str, who: &str) -> bool {
        list(&[entry]).blocks(&who.parse().unwrap())
    }

    #[test]
    fn each_form_of_address_covers_what_the_xep_says() {
        for (entry, covered, other) in [
            ("a@x.example/r", vec!["a@x.example/r"], vec!["a@x.example", "a@x.example/s", "x.example"]),
            ("a@x.example", vec!["a@x.example", "a@x.example/r"], vec!["b@x.example", "x.example"]),
            ("x.example/r", vec!["x.example/r", "a@x.example/r"], vec!["x.example", "a@x.example", "a@x.example/s"]),
            ("x.example", vec!["x.example", "x.example/r", "a@x.example", "a@x.example/r"], vec!["y.x.example", "a@y.example"]),
        ] {
            covered.iter().for_each(|who| assert!(blocks(entry, who), "{entry} covers {who}"));
            other.iter().for_each(|who| assert!(!blocks(entry, who), "{entry} does not cover {who}"));
        }
    }

    #[test]
    fn own_sessions_are_never_blocked() {
        let owner = "a@x.example".parse().unwrap();
        assert!(!list(&["x.example", "a@x.example"]).blocks_for(&owner, &"a@x.example/r".parse().unwrap()));
        assert!(list(&["x.example"]).blocks_for(&owner, &"b@x.example/r".parse().unwrap()));
    }

    #[test]
    fn changes_add_remove_and_clear_and_the_length_is_bounded() {
        let jids = |names: &[&str]| names.iter().map(|jid| jid.parse().unwrap()).collect::<Vec<Jid>>();
        let one = list(&["b@x.example"]).after(&BlockChange::Block(jids(&["a@x.example", "b@x.example"]))).unwrap();
        assert_eq!(one, list(&["a@x.example", "b@x.example"]));
        assert_eq!(one.without(&list(&["b@x.example"])), list(&["a@x.example"]));
        assert_eq!(one.after(&BlockChange::Unblock(jids(&["a@x.example", "c@x.example"]))).unwrap(), list(&["b@x.example"]));
        assert!(one.after(&BlockChange::UnblockAll).unwrap().is_empty());
        let many = BlockChange::Block((0..=MAX_BLOCKED).map(|n| format!("u{n}@x.example").parse().unwrap()).collect());
        assert_eq!(BlockList::default().after(&many), Err(StanzaError::resource_constraint()));
    }
}
