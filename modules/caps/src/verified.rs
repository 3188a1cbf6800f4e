//! What was verified: features by hash, for all who claim that hash. Bounded; the one unused for longest goes first.

use crate::{SHA1, ver::verify};
use bocage_api::{dep::rxml::xml_ncname, ns};
use minidom::Element;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Hashes that are remembered at most: about as many as there are versions of clients.
const MAX_HASHES: usize = 512;
/// Base64 of SHA-1 is this long.
const VER_LENGTH: usize = 28;

/// What a `<c/>` in presence claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The verification string.
    pub ver: &'a str,
    /// The node to ask `disco#info` of, without `#ver`.
    pub node: &'a str,
}

impl<'a> Claim<'a> {
    /// Reads a `<c/>`; `None` when it makes no claim that can be verified here (legacy format, other hashes).
    #[must_use]
    pub fn read(c: &'a Element) -> Option<Self> {
        let (hash, ver) = (c.attr(xml_ncname!("hash"))?, c.attr(xml_ncname!("ver"))?);
        let known = c.is("c", ns::CAPS) && hash == SHA1 && ver.len() == VER_LENGTH;
        known.then_some(Self { ver, node: c.attr(xml_ncname!("node")).unwrap_or_default() })
    }
}

/// Features behind verified hashes.
#[derive(Default)]
pub struct Verified(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    known: HashMap<String, Known>,
    uses: u64,
}
struct Known {
    features: Arc<BTreeSet<String>>,
    last_use: u64,
}

impl Verified {
    /// The features behind a claim, if it was verified before.
    #[must_use]
    pub fn features(&self, claim: Claim<'_>) -> Option<Arc<BTreeSet<String>>> {
        let mut cache = self.cache();
        cache.uses += 1;
        let now = cache.uses;
        let known = cache.known.get_mut(claim.ver)?;
        known.last_use = now;
        Some(known.features.clone())
    }

    /// Takes the `disco#info` answer of one who made the claim. `None`: it does not agree, and nothing was learned.
    #[must_use]
    pub fn learn(&self, claim: Claim<'_>, info: &Element) -> Option<Arc<BTreeSet<String>>> {
        if !verify(claim.ver, SHA1, info) {
            return None;
        }
        let vars = info.children().filter(|child| child.is("feature", ns::DISCO_INFO));
        let features = vars.filter_map(|feature| feature.attr(xml_ncname!("var"))).map(str::to_owned).collect();
        Some(self.cache().insert(claim.ver, Arc::new(features)))
    }

    /// A cache that panicked midway is forgotten: everything in it can be learned again.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut cache = poisoned.into_inner();
            *cache = Cache::default();
            cache
        })
    }
}

impl Cache {
    fn insert(&mut self, ver: &str, features: Arc<BTreeSet<String>>) -> Arc<BTreeSet<String>> {
        if self.known.len() >= MAX_HASHES && !self.known.contains_key(ver) {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.last_use).map(|(ver, _)| ver.clone());
            oldest.and_then(|oldest| self.known.remove(&oldest));
        }
        self.uses += 1;
        self.known.insert(ver.to_owned(), Known { features: features.clone(), last_use: self.uses });
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ver::verification_string;
    use bocage_api::testing::xml;

    fn info(feature: &str) -> Element {
        xml(&format!("<query xmlns='http://jabber.org/protocol/disco#info'><feature var='{feature}'/></query>"))
    }
    fn ver(feature: &str) -> String {
        verification_string(&info(feature)).unwrap()
    }
    fn claim(ver: &str) -> Claim<'_> {
        Claim { ver, node: "n" }
    }

    #[test]
    fn only_what_agrees_is_learned_and_then_known_for_all() {
        let (verified, of_a) = (Verified::default(), ver("a"));
        assert_eq!(verified.learn(claim(&of_a), &info("poison")), None);
        assert_eq!(verified.features(claim(&of_a)), None);
        let learned = verified.learn(claim(&of_a), &info("a")).unwrap();
        assert!(learned.contains("a"));
        assert_eq!(verified.features(claim(&of_a)), Some(learned));
        assert_eq!(verified.learn(claim(&of_a), &info("poison")), None);
        assert!(verified.features(claim(&of_a)).unwrap().contains("a"));
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let (verified, used, unused) = (Verified::default(), ver("used"), ver("unused"));
        for feature in ["used", "unused"] {
            assert!(verified.learn(claim(&ver(feature)), &info(feature)).is_some());
        }
        for n in 0..MAX_HASHES {
            assert!(verified.features(claim(&used)).is_some());
            let feature = format!("f{n}");
            assert!(verified.learn(claim(&ver(&feature)), &info(&feature)).is_some());
        }
        assert_eq!(verified.features(claim(&unused)), None);
        assert_eq!(verified.cache().known.len(), MAX_HASHES);
    }

    #[test]
    fn claims_that_cannot_be_verified_are_none() {
        let c = |attributes: &str| xml(&format!("<c xmlns='http://jabber.org/protocol/caps' node='n' {attributes}/>"));
        let good = c("hash='sha-1' ver='QgayPKawpkPSDYmwT/WM94uAlu0='");
        assert_eq!(Claim::read(&good), Some(claim("QgayPKawpkPSDYmwT/WM94uAlu0=")));
        for bad in [
            "ver='0.9'",
            "ver='0.9' ext='a b'",
            "hash='sha-1'",
            "hash='md5' ver='QgayPKawpkPSDYmwT/WM94uAlu0='",
            "hash='sha-1' ver='short'",
        ] {
            assert_eq!(Claim::read(&c(bad)), None, "{bad}");
        }
    }
}
