//! The mechanisms: four, all SCRAM. What is not here cannot be offered by any configuration.

use crate::HashFunction;

/// A SASL mechanism (RFC 5802, RFC 7677), strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// `SCRAM-SHA-256-PLUS`
    ScramSha256Plus,
    /// `SCRAM-SHA-256`
    ScramSha256,
    /// `SCRAM-SHA-1-PLUS`
    ScramSha1Plus,
    /// `SCRAM-SHA-1`
    ScramSha1,
}

impl Mechanism {
    /// All mechanisms, strongest first.
    pub const ALL: [Self; 4] = [Self::ScramSha256Plus, Self::ScramSha256, Self::ScramSha1Plus, Self::ScramSha1];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha1 => "SCRAM-SHA-1",
        }
    }

    /// The mechanism of that name; names are case-sensitive (RFC 4422 section 3.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// The hash function of the exchange and of the keys it needs.
    pub const fn hash(self) -> HashFunction {
        match self {
            Self::ScramSha256Plus | Self::ScramSha256 => HashFunction::Sha256,
            Self::ScramSha1Plus | Self::ScramSha1 => HashFunction::Sha1,
        }
    }

    /// Whether the exchange is bound to the TLS channel.
    pub const fn is_plus(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
        }
        assert_eq!(Mechanism::from_name("scram-sha-1"), None);
        assert_eq!(Mechanism::from_name("PLAIN"), None);
    }
}
