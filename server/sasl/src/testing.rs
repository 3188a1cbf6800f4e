//! For tests: a SCRAM client, a host, and a source of numbers that are not random.

use core::cell::Cell;

use base64::{Engine, prelude::BASE64_STANDARD};
use jid::DomainPart;

use crate::{
    BindingType, Bindings, Decoy, Entropy, Host, HostFacts, Inline, MAX_FAILURES, Mechanism, ScramSha1,
    hash::{Secret, xor},
};

/// Bytes that count up.
pub(crate) fn counter() -> impl Entropy {
    let next = Cell::new(0_u8);
    move |bytes: &mut [u8]| {
        for byte in bytes {
            *byte = next.get();
            next.set(next.get().wrapping_add(1));
        }
    }
}

pub(crate) fn bindings() -> Bindings {
    Bindings { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]) }
}

pub(crate) fn host() -> Host {
    Host {
        domain: DomainPart::new("example.org").unwrap().into_owned(),
        scram_sha1: ScramSha1::On,
        decoy: Decoy::new([9; 32]),
        facts: HostFacts::default(),
        inline: Inline::default(),
        max_failures: MAX_FAILURES,
    }
}

/// The client's half of RFC 5802.
pub(crate) struct Client {
    pub(crate) mechanism: Mechanism,
    /// Without the final comma: `n,` or `p=tls-exporter,`.
    pub(crate) gs2: String,
    pub(crate) username: String,
    password: String,
    pub(crate) nonce: String,
    pub(crate) binding_data: Vec<u8>,
    salted: Secret,
    auth_message: String,
}

impl Client {
    pub(crate) fn new(mechanism: Mechanism, username: &str, password: &str) -> Self {
        Self {
            mechanism,
            gs2: "n,".into(),
            username: username.into(),
            password: password.into(),
            nonce: "CLIENT".into(),
            binding_data: Vec::new(),
            salted: Secret::default(),
            auth_message: String::new(),
        }
        .bound(BindingType::TlsExporter)
    }

    /// Uses `binding` if the mechanism is a `-PLUS` one.
    pub(crate) fn bound(mut self, binding: BindingType) -> Self {
        if self.mechanism.is_plus() {
            self.gs2 = format!("p={},", binding.name());
            self.binding_data = bindings().data(binding).unwrap().to_vec();
        }
        self
    }

    fn bare(&self) -> String {
        let name = self.username.replace('=', "=3D").replace(',', "=2C");
        format!("n={name},r={}", self.nonce)
    }

    pub(crate) fn first(&self) -> String {
        format!("{},{}", self.gs2, self.bare())
    }

    pub(crate) fn last(&mut self, server_first: &str) -> String {
        let value = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
        let (nonce, salt, iterations) = (value("r="), value("s="), value("i="));
        assert!(nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len());
        let salt = BASE64_STANDARD.decode(salt).unwrap();
        let hash = self.mechanism.hash();
        self.salted = hash.salted_password(self.password.as_bytes(), &salt, iterations.parse().unwrap()).unwrap();
        let header = [format!("{},", self.gs2).as_bytes(), &self.binding_data].concat();
        let without_proof = format!("c={},r={nonce}", BASE64_STANDARD.encode(header));
        self.auth_message = format!("{},{server_first},{without_proof}", self.bare());
        let stored = hash.digest(&self.client_key());
        let proof = xor(&hash.hmac(&stored, &[self.auth_message.as_bytes()]), &self.client_key());
        format!("{without_proof},p={}", BASE64_STANDARD.encode(proof))
    }

    pub(crate) fn client_key(&self) -> Secret {
        self.mechanism.hash().hmac(&self.salted, &[b"Client Key"])
    }

    /// Whether the server has shown that it knows the keys.
    pub(crate) fn believes(&self, server_final: &str) -> bool {
        let hash = self.mechanism.hash();
        let server_key = hash.hmac(&self.salted, &[b"Server Key"]);
        let signature = hash.hmac(&server_key, &[self.auth_message.as_bytes()]);
        server_final == format!("v={}", BASE64_STANDARD.encode(signature))
    }
}
