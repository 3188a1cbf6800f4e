//! What we add to the server-first-message: the client's proof covers it, so nobody on the way can change it unnoticed.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{Bindings, HashFunction, Mechanism, TlsVersion};

/// `,h=…,t=…`: the hash over what the stream offered (XEP-0474) and the TLS version (XEP-0515).
pub(crate) fn extensions(hash: HashFunction, offered: &[Mechanism], bindings: &Bindings, tls: TlsVersion) -> String {
    format!(",h={},t={}", offer_hash(hash, offered, bindings), tls.hex())
}

/// XEP-0474 section 4.1. The delimiters cannot occur in XML.
fn offer_hash(hash: HashFunction, offered: &[Mechanism], bindings: &Bindings) -> String {
    let mechanisms = joined(offered.iter().map(|mechanism| mechanism.name()));
    let listed = if bindings.is_empty() {
        mechanisms
    } else {
        format!("{mechanisms}\x1f{}", joined(bindings.types().map(|binding| binding.name())))
    };
    BASE64_STANDARD.encode(hash.digest(listed.as_bytes()))
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.join("\x1e")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_hash_follows_xep_0474() {
        let offered = [Mechanism::ScramSha1Plus, Mechanism::ScramSha1];
        let attributes = extensions(HashFunction::Sha1, &offered, &testing::bindings(), TlsVersion::V1_3);
        assert_eq!(attributes, ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304");
    }

    #[test]
    fn without_channel_binding_there_is_no_second_list() {
        let offered = [Mechanism::ScramSha256, Mechanism::ScramSha1];
        let expected = BASE64_STANDARD.encode(HashFunction::Sha256.digest(b"SCRAM-SHA-1\x1eSCRAM-SHA-256"));
        let attributes = extensions(HashFunction::Sha256, &offered, &Bindings::default(), TlsVersion::V1_2);
        assert_eq!(attributes, format!(",h={expected},t=0303"));
    }
}
