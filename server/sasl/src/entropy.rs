//! Randomness is an argument, so that a test can repeat an exchange byte for byte.

/// A source of random bytes. Everything but tests hands in the operating system's.
pub trait Entropy {
    /// Overwrites all of `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

impl<F: Fn(&mut [u8]) + ?Sized> Entropy for F {
    fn fill(&self, bytes: &mut [u8]) {
        self(bytes);
    }
}

/// `N` random bytes.
pub(crate) fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
