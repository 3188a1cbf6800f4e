//! Entity Capabilities (XEP-0115 1.6.0): the server's own as a stream feature, and what clients claim, verified.
//!
//! A hash is a claim about somebody's features that everybody will believe: none is remembered before the answer that it
//! names was hashed here and agreed ([`Verified::learn`]; caps poisoning, section 8.3). Only SHA-1 is known: the hash
//! that the XEP makes mandatory.
#![forbid(unsafe_code)]

mod ver;
mod verified;

use bocage_api::{
    Checkpoints, Disco, DiscoTarget, Host, InstallError, Module, SessionView, State, StreamFeature,
    config::NoSettings,
    dep::rxml::xml_ncname,
    disco::{CAPS_NODE, Features},
    ns,
};
use jid::DomainPart;
use minidom::Element;
use std::sync::OnceLock;
pub use ver::{IllFormed, verification_string, verify};
pub use verified::{Claim, Verified};

/// The only hash that is computed here.
pub const SHA1: &str = "sha-1";

/// The module.
pub struct Caps;

impl Module for Caps {
    const NAME: &'static str = "caps";
    type Config = NoSettings;
    type Needs = (Host, Disco, State<Verified>);

    fn install(_: NoSettings, (host, disco, _): Self::Needs, at: &mut Checkpoints) -> Result<(), InstallError> {
        at.stream_feature(Own { domain: host.domain, disco, ver: OnceLock::new() });
        at.disco_entry(Features { server: &[ns::CAPS], account: &[] });
        Ok(())
    }
}

/// The server's own capabilities (section 6.3). Hashed at the first login after the modules were wired; what they
/// contribute is fixed from then on.
struct Own {
    domain: DomainPart,
    disco: Disco,
    ver: OnceLock<Option<String>>,
}

impl StreamFeature for Own {
    fn namespace(&self) -> &'static str {
        ns::CAPS
    }
    fn advert(&self) -> Option<Element> {
        let compute = || verification_string(&self.disco.disco(&DiscoTarget::Server(self.domain.clone())).info()).ok();
        let ver = self.ver.get_or_init(compute).as_deref()?;
        let caps = Element::builder("c", ns::CAPS)
            .attr(xml_ncname!("hash").to_owned(), SHA1)
            .attr(xml_ncname!("node").to_owned(), CAPS_NODE)
            .attr(xml_ncname!("ver").to_owned(), ver);
        Some(caps.build())
    }
    fn nonza(&self, _: SessionView<'_>, _: &Element) -> Option<Element> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::{
        DiscoPart,
        disco::Identity,
        testing::{FakeHost, xml},
    };

    #[test]
    fn the_server_advertises_the_hash_of_what_it_answers() {
        let host = FakeHost::new();
        let identity = Identity { category: "client", kind: "pc", name: Some("Exodus 0.9.1".into()) };
        let features = [ns::CAPS, ns::DISCO_INFO, ns::DISCO_ITEMS, ns::MUC];
        let part = DiscoPart { identities: vec![identity], ..DiscoPart::features(features) };
        host.disco.lock().unwrap().push((DiscoTarget::Server(host.host.domain.clone()), part));
        let caps = host.install::<Caps>();
        let expected =
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='bocage' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>";
        assert_eq!(caps.at.stream_features[0].it.advert(), Some(xml(expected)));
    }

    #[test]
    fn what_cannot_be_hashed_is_not_advertised() {
        let host = FakeHost::new();
        let part = DiscoPart::features(["a<b"]);
        host.disco.lock().unwrap().push((DiscoTarget::Server(host.host.domain.clone()), part));
        assert_eq!(host.install::<Caps>().at.stream_features[0].it.advert(), None);
    }
}
