//! The server's half of SCRAM (RFC 5802, RFC 7677) in three steps, each a type that only the step before can make.

mod attributes;
mod exchange;
mod message;
#[cfg(test)]
mod vectors;

pub(crate) use attributes::extensions;
pub(crate) use exchange::{Account, Challenged, Opening, Proven, Terms};

use crate::Condition;

/// Why an exchange failed. Who guesses passwords learns nothing from the last two, which are one condition without text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    #[error("message does not follow RFC 5802 section 7")]
    Malformed,
    #[error("a mandatory extension (m=) is not known")]
    MandatoryExtension,
    #[error("a -PLUS mechanism needs p=")]
    BindingMissing,
    #[error("p= needs a -PLUS mechanism")]
    BindingUnexpected,
    #[error("this channel binding type is not offered")]
    BindingUnknown,
    #[error("channel binding was offered, but the client did not see it")]
    Downgrade,
    #[error("nonce or channel binding differ")]
    Mismatch,
    #[error("wrong proof")]
    WrongProof,
}

impl ScramError {
    pub(crate) const fn condition(self) -> Condition {
        match self {
            Self::Downgrade | Self::Mismatch | Self::WrongProof => Condition::NotAuthorized,
            _ => Condition::MalformedRequest,
        }
    }

    /// What the user may read; only for what does not depend on any account.
    pub(crate) fn text(self) -> Option<String> {
        (!matches!(self, Self::Mismatch | Self::WrongProof)).then(|| self.to_string())
    }
}
