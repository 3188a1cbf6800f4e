//! Published exchanges, replayed to the byte: RFC 5802 section 5, RFC 7677 section 3, XEP-0474 and XEP-0515.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{Account, Opening, Terms};
use crate::{Bindings, HashFunction, Mechanism, ScramKeys};

struct Vector {
    mechanism: Mechanism,
    client_first: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    extensions: &'static str,
    server_first: &'static str,
    client_final: &'static str,
    server_final: &'static str,
}

const VECTORS: [Vector; 4] = [
    Vector {
        mechanism: Mechanism::ScramSha1,
        client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        extensions: "",
        server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    },
    Vector {
        mechanism: Mechanism::ScramSha256,
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        extensions: "",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    },
    Vector {
        mechanism: Mechanism::ScramSha1Plus,
        client_first: "p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6",
        server_nonce: "a09117a6-ac50-4f2f-93f1-93799c2bddf6",
        salt: "QSXCR+Q6sek8bf92",
        extensions: ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
        server_first: "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
        client_final: "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=",
        server_final: "v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=",
    },
    Vector {
        mechanism: Mechanism::ScramSha1Plus,
        client_first: "p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6",
        server_nonce: "a09117a6-ac50-4f2f-93f1-93799c2bddf6",
        salt: "QSXCR+Q6sek8bf92",
        extensions: ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304",
        server_first: "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304",
        client_final: "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,p=KHUfN8dSy1K95crT4D5y1ItLJfs=",
        server_final: "v=3w34ZIMVRkx2f2Ozb3/ecRPVdv4=",
    },
];

fn keys(hash: HashFunction, salt: &[u8]) -> ScramKeys {
    let salted = hash.salted_password(b"pencil", salt, 4096).unwrap();
    let client_key = hash.hmac(&salted, &[b"Client Key"]);
    ScramKeys {
        salt: salt.to_vec(),
        iterations: 4096,
        stored_key: hash.digest(&client_key).to_vec(),
        server_key: hash.hmac(&salted, &[b"Server Key"]).to_vec(),
    }
}

#[test]
fn published_exchanges_come_out_to_the_byte() {
    let bindings = Bindings { exporter: Some(b"THIS IS FAKE CB DATA".to_vec()), server_end_point: None };
    for (at, vector) in VECTORS.iter().enumerate() {
        let terms = Terms { offered: &Mechanism::ALL, bindings: &bindings };
        let opening = Opening::read(vector.mechanism, vector.client_first.as_bytes(), &terms).unwrap();
        assert_eq!(opening.username, "user");
        let keys = keys(vector.mechanism.hash(), &BASE64_STANDARD.decode(vector.salt).unwrap());
        let (first, challenged) = opening.challenge(keys, Account::Real, vector.server_nonce, vector.extensions);
        assert_eq!(first, vector.server_first, "vector {at}");
        let proven = challenged.verify(vector.client_final.as_bytes());
        assert_eq!(proven.map(|proven| proven.server_final).as_deref(), Ok(vector.server_final), "vector {at}");
    }
}
