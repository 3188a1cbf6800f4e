//! [`Opening`] (client-first read) -> [`Challenged`] (server-first sent) -> [`Proven`] (client-final right).
//!
//! Everything that can be refused without keys is refused before keys are asked for, and the rest does the same work
//! whoever's keys they are.

use base64::{Engine, prelude::BASE64_STANDARD};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    ScramError,
    message::{BindingFlag, client_final, client_first},
};
use crate::{BindingType, Bindings, ClientKey, Mechanism, ScramKeys, hash::Secret};

/// What this stream can do and has said so.
pub(crate) struct Terms<'a> {
    pub(crate) offered: &'a [Mechanism],
    pub(crate) bindings: &'a Bindings,
}

/// Whether the keys are an account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Real,
    Decoy,
}

/// A client-first-message that may be answered.
pub(crate) struct Opening {
    mechanism: Mechanism,
    /// As the client wrote it, unescaped, not prepared.
    pub(crate) username: String,
    pub(crate) authzid: Option<String>,
    binding: Secret,
    bare: String,
    nonce: String,
}

/// A server-first-message is out; the proof is missing.
pub(crate) struct Challenged {
    mechanism: Mechanism,
    keys: ScramKeys,
    account: Account,
    binding: Secret,
    nonce: String,
    /// client-first-message-bare and server-first-message.
    transcript: String,
}

/// The client has shown that it knows the password.
pub(crate) struct Proven {
    pub(crate) server_final: String,
    pub(crate) client_key: ClientKey,
}

impl Opening {
    pub(crate) fn read(mechanism: Mechanism, message: &[u8], terms: &Terms<'_>) -> Result<Self, ScramError> {
        let first = client_first(message)?;
        let data = binding_data(mechanism, first.flag, terms)?;
        Ok(Self {
            mechanism,
            username: first.username,
            authzid: first.authzid,
            binding: Zeroizing::new([first.gs2_header.as_bytes(), data].concat()),
            bare: first.bare.to_owned(),
            nonce: first.nonce.to_owned(),
        })
    }

    /// The server-first-message: our nonce appended, the salt, the iterations, and `extensions` as they are.
    pub(crate) fn challenge(
        self,
        keys: ScramKeys,
        account: Account,
        server_nonce: &str,
        extensions: &str,
    ) -> (String, Challenged) {
        let nonce = format!("{}{server_nonce}", self.nonce);
        let salt = BASE64_STANDARD.encode(&keys.salt);
        let server_first = format!("r={nonce},s={salt},i={}{extensions}", keys.iterations);
        let transcript = format!("{},{server_first}", self.bare);
        let Self { mechanism, binding, .. } = self;
        (server_first, Challenged { mechanism, keys, account, binding, nonce, transcript })
    }
}

impl Challenged {
    /// Checks the client-final-message and makes the server-final-message.
    pub(crate) fn verify(self, message: &[u8]) -> Result<Proven, ScramError> {
        let last = client_final(message)?;
        let hash = self.mechanism.hash();
        if last.proof.len() != hash.output_len() {
            return Err(ScramError::Malformed);
        }
        let same = last.nonce.as_bytes().ct_eq(self.nonce.as_bytes()) & last.binding.ct_eq(self.binding.as_slice());
        if !bool::from(same) {
            return Err(ScramError::Mismatch);
        }
        let auth_message = format!("{},{}", self.transcript, last.without_proof);
        let client_key = self.keys.client_key(hash, auth_message.as_bytes(), &last.proof);
        let signature = self.keys.server_signature(hash, auth_message.as_bytes());
        match (client_key, self.account) {
            (Some(client_key), Account::Real) => {
                Ok(Proven { server_final: format!("v={}", BASE64_STANDARD.encode(&signature)), client_key })
            }
            _ => Err(ScramError::WrongProof),
        }
    }
}

/// RFC 5802 section 6: the data behind the gs2-header in `c=`.
fn binding_data<'a>(mechanism: Mechanism, flag: BindingFlag<'_>, terms: &'a Terms<'_>) -> Result<&'a [u8], ScramError> {
    match (mechanism.is_plus(), flag) {
        (true, BindingFlag::Used(name)) => {
            let binding = BindingType::from_name(name).and_then(|binding| terms.bindings.data(binding));
            binding.ok_or(ScramError::BindingUnknown)
        }
        (true, _) => Err(ScramError::BindingMissing),
        (false, BindingFlag::Used(_)) => Err(ScramError::BindingUnexpected),
        (false, BindingFlag::NotOffered) if terms.offered.iter().any(|offered| offered.is_plus()) => Err(ScramError::Downgrade),
        (false, _) => Ok(&[]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Credentials, ScramSha1,
        testing::{self, Client, counter},
    };

    fn read(mechanism: Mechanism, message: &str) -> Result<Opening, ScramError> {
        let bindings = testing::bindings();
        Opening::read(mechanism, message.as_bytes(), &Terms { offered: &Mechanism::ALL, bindings: &bindings })
    }

    #[test]
    fn binding_and_mechanism_must_agree() {
        use Mechanism::*;
        let refusal = |mechanism, flag: &str| read(mechanism, &format!("{flag},,n=a,r=b")).err();
        assert_eq!(refusal(ScramSha256, "y"), Some(ScramError::Downgrade));
        assert_eq!(refusal(ScramSha1, "p=tls-exporter"), Some(ScramError::BindingUnexpected));
        assert_eq!(refusal(ScramSha1Plus, "n"), Some(ScramError::BindingMissing));
        assert_eq!(refusal(ScramSha1Plus, "y"), Some(ScramError::BindingMissing));
        assert_eq!(refusal(ScramSha256Plus, "p=tls-unique"), Some(ScramError::BindingUnknown));
        assert_eq!(refusal(ScramSha256Plus, "p=tls-server-end-point"), None);
        assert_eq!(refusal(ScramSha256, "n"), None);
    }

    #[test]
    fn y_is_true_where_no_plus_is_offered() {
        let offered = [Mechanism::ScramSha256];
        let terms = Terms { offered: &offered, bindings: &Bindings::default() };
        assert!(Opening::read(Mechanism::ScramSha256, b"y,,n=a,r=b", &terms).is_ok());
        let plus = Opening::read(Mechanism::ScramSha256Plus, b"p=tls-exporter,,n=a,r=b", &terms);
        assert_eq!(plus.err(), Some(ScramError::BindingUnknown));
    }

    /// One whole exchange; the account's password is `pencil`.
    fn login(mechanism: Mechanism, account: Account, client: &mut Client) -> Result<Proven, ScramError> {
        let credentials = Credentials::derive(&"pencil".into(), 3, ScramSha1::On, &counter()).unwrap();
        let keys = credentials.keys(mechanism.hash()).unwrap().clone();
        let opening = read(mechanism, &client.first())?;
        let (server_first, challenged) = opening.challenge(keys, account, "SERVER", ",h=x,t=0304");
        challenged.verify(client.last(&server_first).as_bytes())
    }

    #[test]
    fn every_mechanism_and_binding_logs_in_and_proves_the_server() {
        for mechanism in Mechanism::ALL {
            for binding in [BindingType::TlsExporter, BindingType::TlsServerEndPoint] {
                let mut client = Client::new(mechanism, "alice", "pencil").bound(binding);
                let proven = login(mechanism, Account::Real, &mut client).unwrap();
                assert!(client.believes(&proven.server_final));
                assert_eq!(proven.client_key.hash(), mechanism.hash());
                assert_eq!(proven.client_key.expose(), client.client_key().as_slice());
            }
        }
    }

    #[test]
    fn wrong_password_decoy_and_other_binding_fail_alike_at_the_last_step() {
        let mechanism = Mechanism::ScramSha256Plus;
        let wrong = login(mechanism, Account::Real, &mut Client::new(mechanism, "alice", "pencils")).err();
        assert_eq!(wrong, Some(ScramError::WrongProof));
        let decoy = login(mechanism, Account::Decoy, &mut Client::new(mechanism, "alice", "pencil")).err();
        assert_eq!(decoy, Some(ScramError::WrongProof));
        let mut relayed = Client::new(mechanism, "alice", "pencil");
        relayed.binding_data = b"another connection".to_vec();
        let relayed = login(mechanism, Account::Real, &mut relayed).err();
        assert_eq!(relayed, Some(ScramError::Mismatch));
        for error in [wrong, decoy, relayed].into_iter().flatten() {
            assert_eq!((error.condition(), error.text()), (crate::Condition::NotAuthorized, None));
        }
    }

    #[test]
    fn a_changed_server_first_fails() {
        let mechanism = Mechanism::ScramSha256;
        let credentials = Credentials::derive(&"pencil".into(), 3, ScramSha1::On, &counter()).unwrap();
        let mut client = Client::new(mechanism, "alice", "pencil");
        let opening = read(mechanism, &client.first()).unwrap();
        let keys = credentials.sha256.clone().unwrap();
        let (server_first, challenged) = opening.challenge(keys, Account::Real, "SERVER", ",h=real,t=0304");
        let last = client.last(&server_first.replace("h=real", "h=fake"));
        assert_eq!(challenged.verify(last.as_bytes()).err(), Some(ScramError::WrongProof));
    }

    #[test]
    fn a_proof_of_another_length_or_a_foreign_nonce_is_refused() {
        let start = || {
            let keys = Credentials::derive(&"pencil".into(), 3, ScramSha1::On, &counter()).unwrap().sha256.unwrap();
            read(Mechanism::ScramSha256, "n,,n=alice,r=C").unwrap().challenge(keys, Account::Real, "S", "").1
        };
        let proof = BASE64_STANDARD.encode([0; 32]);
        assert_eq!(start().verify(b"c=biws,r=CS,p=eA==").err(), Some(ScramError::Malformed));
        assert_eq!(start().verify(format!("c=biws,r=C,p={proof}").as_bytes()).err(), Some(ScramError::Mismatch));
        assert_eq!(start().verify(format!("c=eSws,r=CS,p={proof}").as_bytes()).err(), Some(ScramError::Mismatch));
        assert_eq!(start().verify(format!("c=biws,r=CS,p={proof}").as_bytes()).err(), Some(ScramError::WrongProof));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whoever_knows_the_password_logs_in(
            password in "[ -~]{1,30}", nonce in "[!-+\\--~]{1,40}", server_nonce in "[!-+\\--~]{1,40}",
            iterations in 1_u32..20, which in 0_usize..4, wrong in "[ -~]{1,30}",
        ) {
            let mechanism = Mechanism::ALL[which];
            let credentials = Credentials::derive(&password.as_str().into(), iterations, ScramSha1::On, &counter()).unwrap();
            let keys = credentials.keys(mechanism.hash()).unwrap();
            for attempt in [&password, &wrong] {
                let mut client = Client::new(mechanism, "alice", attempt);
                client.nonce = nonce.clone();
                let (first, challenged) = read(mechanism, &client.first()).unwrap()
                    .challenge(keys.clone(), Account::Real, &server_nonce, "");
                let proven = challenged.verify(client.last(&first).as_bytes());
                prop_assert_eq!(proven.is_ok(), *attempt == password);
            }
        }
    }
}
