//! The cryptography that every rustls config names. The groups are spelled out instead of taken from rustls' default:
//! a feature switched off somewhere in the tree must not be able to drop the post-quantum one.
//!
//! rustls takes the *client's* first group that it knows too. A client that lists X25519 before X25519MLKEM768 would
//! thus get no post-quantum exchange, so whoever offers the hybrid is met by a provider that knows nothing else.

use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};

/// Hybrid first, then the classic groups of those who lack it.
const ALL: [&dyn SupportedKxGroup; 4] = [kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// The provider of every config: aws-lc-rs, AEAD suites, X25519MLKEM768 first.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| with_groups(&ALL)))
}

/// [`provider`] reduced to the hybrid group.
pub(crate) fn hybrid_only() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| with_groups(&[kx_group::X25519MLKEM768])))
}

/// Makes [`provider`] the process's default, for crates that build a config without naming one. Later calls do nothing.
pub fn install_default() {
    // An error means that there is a default already.
    let _ = CryptoProvider::clone(&provider()).install_default();
}

fn with_groups(groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: groups.to_vec(), ..default_provider() })
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn the_hybrid_comes_first() {
        let groups: Vec<_> = provider().kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(groups.first(), Some(&NamedGroup::X25519MLKEM768));
        assert_eq!(groups.len(), ALL.len());
    }

    #[test]
    fn every_suite_is_an_aead_with_forward_secrecy() {
        for suite in &provider().cipher_suites {
            let name = format!("{:?}", suite.suite());
            assert!(name.contains("GCM") || name.contains("CHACHA20_POLY1305"), "{name}");
            assert!(name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"), "{name}");
        }
    }
}
