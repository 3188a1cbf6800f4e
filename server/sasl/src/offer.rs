//! Which mechanisms a stream is offered (H41): never one that the account named in the stream header cannot do, because
//! clients take the strongest they see and do not try again.
//!
//! So the list says something about the account, and an account that does not exist must say as much: its answer is
//! drawn from the host's real accounts, by a key, always the same.

use jid::NodePart;

use crate::{Bindings, Host, Mechanism};

/// Whether SCRAM-SHA-1 is in use on a host (`auth.scram_sha1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramSha1 {
    /// Offered, and new passwords get keys for it: some clients know nothing else.
    On,
    /// Neither; accounts that have only SHA-1 keys cannot log in.
    Off,
}

/// What the keys of an account allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountMechanisms {
    /// SHA-256 and SHA-1.
    Both,
    /// SHA-256: the password was set while SHA-1 was off.
    Sha256Only,
    /// SHA-1: imported.
    Sha1Only,
}

/// The account that the stream header's `from` names, on this host; not proven in any way.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The localpart.
    pub username: NodePart,
    /// What the account can do; `None` if there is no such account.
    pub account: Option<AccountMechanisms>,
}

/// The mechanisms to offer, strongest first; never empty.
pub fn offer(claim: Option<&Claim>, host: &Host, bindings: &Bindings) -> Vec<Mechanism> {
    let account = match (host.scram_sha1, claim) {
        (ScramSha1::Off, _) => AccountMechanisms::Sha256Only,
        (ScramSha1::On, Some(claim)) => claim.account.unwrap_or_else(|| unknown(claim, host)),
        (ScramSha1::On, None) if host.facts.has_sha1_only() => AccountMechanisms::Sha1Only,
        (ScramSha1::On, None) => AccountMechanisms::Both,
    };
    Mechanism::ALL
        .into_iter()
        .filter(|mechanism| account.allows(*mechanism))
        .filter(|mechanism| !(mechanism.is_plus() && bindings.is_empty()))
        .collect()
}

fn unknown(claim: &Claim, host: &Host) -> AccountMechanisms {
    host.decoy.shape(&host.domain, claim.username.as_str(), &host.facts).mechanisms()
}

impl AccountMechanisms {
    const fn allows(self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => !matches!(self, Self::Sha1Only),
            Mechanism::ScramSha1Plus | Mechanism::ScramSha1 => !matches!(self, Self::Sha256Only),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostFacts, Mechanism as M, Shape, testing};

    fn claim(name: &str, account: Option<AccountMechanisms>) -> Claim {
        Claim { username: NodePart::new(name).unwrap().into_owned(), account }
    }

    fn host(scram_sha1: ScramSha1, shapes: &[(Shape, u64)]) -> Host {
        Host { scram_sha1, facts: HostFacts::new(shapes.iter().copied()), ..testing::host() }
    }

    #[test]
    fn the_list_follows_the_account() {
        let host = host(ScramSha1::On, &[]);
        let list = |account| offer(Some(&claim("alice", Some(account))), &host, &testing::bindings());
        assert_eq!(list(AccountMechanisms::Both), Mechanism::ALL);
        assert_eq!(list(AccountMechanisms::Sha256Only), [M::ScramSha256Plus, M::ScramSha256]);
        assert_eq!(list(AccountMechanisms::Sha1Only), [M::ScramSha1Plus, M::ScramSha1]);
        assert_eq!(offer(None, &host, &Bindings::default()), [M::ScramSha256, M::ScramSha1]);
    }

    #[test]
    fn without_a_name_sha1_only_accounts_decide() {
        let old = Shape::usual(AccountMechanisms::Sha1Only, 4096);
        let new = Shape::usual(AccountMechanisms::Both, 10_000);
        let mixed = [(old, 1), (new, 99)];
        assert_eq!(offer(None, &host(ScramSha1::On, &mixed), &testing::bindings()), [M::ScramSha1Plus, M::ScramSha1]);
        assert_eq!(offer(None, &host(ScramSha1::On, &[(new, 99)]), &testing::bindings()), Mechanism::ALL);
        assert_eq!(offer(None, &host(ScramSha1::Off, &mixed), &testing::bindings()), [M::ScramSha256Plus, M::ScramSha256]);
    }

    #[test]
    fn unknown_names_answer_in_the_proportion_of_real_ones_and_always_the_same() {
        let old = Shape::usual(AccountMechanisms::Sha1Only, 4096);
        let new = Shape::usual(AccountMechanisms::Both, 10_000);
        let host = host(ScramSha1::On, &[(old, 30), (new, 70)]);
        let list = |name: &str| offer(Some(&claim(name, None)), &host, &testing::bindings());
        let names: Vec<String> = (0..1000).map(|n| format!("nobody{n}")).collect();
        let sha1_only = names.iter().filter(|name| list(name).len() == 2).count();
        assert!((240..360).contains(&sha1_only), "{sha1_only}");
        assert!(names.iter().all(|name| list(name) == list(name)));
    }
}
