//! Names of certificates against a domain (RFC 6120 section 13.7.1.2, RFC 9525). The domain of an address is in
//! Unicode and certificates hold A-labels, so both sides are brought to those. dNSName and iPAddress are webpki's matter,
//! whose rule for wildcards is that of RFC 9525 section 6.3: alone in the left-most label, for one label.
//!
//! The common name is never looked at. The two otherName forms are, with two limits: they hold no wildcard, and they
//! count only when no authority of the chain is under name constraints. Such constraints bind dNSName only, so that a
//! customer's authority could otherwise put anybody's domain into an otherName.

use std::net::IpAddr;

use idna::AsciiDenyList;
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::{EndEntityCert, VerifiedPath};
use x509_parser::asn1_rs::{Any, Error as DerError, TaggedExplicit};
use x509_parser::der_parser::{Oid, oid};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// id-on-xmppAddr (RFC 6120 section 13.7.1.4).
const XMPP_ADDR: Oid<'static> = oid!(1.3.6.1.5.5.7.8.5);
/// id-on-dnsSRV (RFC 4985 section 2).
const DNS_SRV: Oid<'static> = oid!(1.3.6.1.5.5.7.8.7);
/// RFC 6120 section 13.7.1.2.1. XEP-0368 section 3 has certificates of direct TLS judged by the same name.
const SERVICE: &str = "_xmpp-server";

/// A name that a certificate is held against.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    ascii: String,
    name: ServerName<'static>,
}

impl Reference {
    /// Nothing if the domain can be no name of a certificate.
    pub(crate) fn new(domain: &str) -> Option<Self> {
        let ascii = to_ascii(domain)?;
        let name = ServerName::try_from(ascii.clone()).ok()?;
        Some(Self { ascii, name })
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// Whether both are the same domain.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.ascii == other.ascii
    }

    /// Version 3 onion services only: version 2 hashed with SHA-1.
    pub(crate) fn is_onion(&self) -> bool {
        let service = self.ascii.strip_suffix(".onion").and_then(|rest| rest.rsplit('.').next());
        service.is_some_and(|key| key.len() == 56 && key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')))
    }

    /// dNSName, or iPAddress for a domain that is one.
    pub(crate) fn is_dns_name_of(&self, leaf: &EndEntityCert<'_>) -> bool {
        leaf.verify_is_valid_for_subject_name(&self.name).is_ok()
    }

    /// SRVName or XmppAddr.
    pub(crate) fn is_other_name_of(&self, path: &VerifiedPath<'_>) -> bool {
        let der = path.end_entity().der();
        let Ok((_, leaf)) = X509Certificate::from_der(&der) else {
            return false;
        };
        let Ok(Some(names)) = leaf.subject_alternative_name() else {
            return false;
        };
        names.value.general_names.iter().any(|name| self.is_other_name(name)) && unconstrained(path)
    }

    fn is_other_name(&self, name: &GeneralName<'_>) -> bool {
        let GeneralName::OtherName(kind, value) = name else {
            return false;
        };
        let Some(text) = text(value) else {
            return false;
        };
        let domain = if *kind == XMPP_ADDR {
            Some(text)
        } else if *kind == DNS_SRV {
            text.split_once('.').filter(|(service, _)| service.eq_ignore_ascii_case(SERVICE)).map(|(_, domain)| domain)
        } else {
            None
        };
        domain.and_then(to_ascii).is_some_and(|domain| domain == self.ascii)
    }
}

/// In A-labels and lower case; an IP address without the brackets that an address has.
fn to_ascii(domain: &str) -> Option<String> {
    let bare = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(domain);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    // The list holds `@` and `/`. RFC 7622 section 3.2 strips the dot.
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::URL).ok()?;
    let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
    (!ascii.is_empty() && !ascii.contains('*')).then(|| ascii.to_owned())
}

/// The value of an otherName: IA5String of a SRVName, UTF8String of an XmppAddr; some authorities swap them.
fn text(value: &[u8]) -> Option<&str> {
    let (_, tagged) = TaggedExplicit::<Any<'_>, DerError, 0>::from_der(value).ok()?;
    std::str::from_utf8(tagged.into_inner().data).ok()
}

fn unconstrained(path: &VerifiedPath<'_>) -> bool {
    let free = |der: CertificateDer<'_>| {
        let parsed = X509Certificate::from_der(&der);
        parsed.is_ok_and(|(_, certificate)| matches!(certificate.name_constraints(), Ok(None)))
    };
    path.anchor().name_constraints.is_none() && path.intermediate_certificates().all(|certificate| free(certificate.der()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn other(kind: Oid<'static>, tag: u8, text: &str) -> bool {
        let inner = u8::try_from(text.len()).unwrap();
        let mut value = vec![0xa0, inner + 2, tag, inner];
        value.extend(text.as_bytes());
        Reference::new("Käse.example").unwrap().is_other_name(&GeneralName::OtherName(kind, &value))
    }

    #[test]
    fn other_names_are_whole_domains() {
        const UTF8: u8 = 0x0c;
        const IA5: u8 = 0x16;
        for name in ["käse.example", "KÄSE.example", "xn--kse-qla.EXAMPLE"] {
            assert!(other(XMPP_ADDR, UTF8, name), "{name}");
        }
        for name in ["_xmpp-server.xn--kse-qla.example", "_XMPP-Server.XN--kse-qla.example"] {
            assert!(other(DNS_SRV, IA5, name), "{name}");
        }
        for name in ["a@käse.example", "käse.example/a", "*.example", "se.example", "_xmpp-server.käse.example", ""] {
            assert!(!other(XMPP_ADDR, UTF8, name), "{name}");
        }
        let strangers =
            ["_xmpp-client.xn--kse-qla.example", "_xmpp-server.*.example", "xn--kse-qla.example", "_xmpp-server", "."];
        for name in strangers {
            assert!(!other(DNS_SRV, IA5, name), "{name}");
        }
        assert!(!other(oid!(1.3.6.1.5.5.7.8.9), UTF8, "käse.example"));
    }

    #[test]
    fn onion_services_are_of_version_3() {
        let key = "a2".repeat(28);
        for (name, onion) in [
            (format!("{key}.onion"), true),
            (format!("rooms.{key}.onion"), true),
            (format!("{}.onion", "a2".repeat(8)), false),
            (format!("{key}.onion.example"), false),
            (format!("{}1.onion", "a".repeat(55)), false),
            ("onion".to_owned(), false),
        ] {
            assert_eq!(Reference::new(&name).unwrap().is_onion(), onion, "{name}");
        }
    }

    #[test]
    fn what_is_no_domain_is_no_reference() {
        for domain in ["", "*.example", "a b", "a@b.example", "a/b", "a..b", "."] {
            assert!(Reference::new(domain).is_none(), "{domain}");
        }
        let same = Reference::new("XN--KSE-QLA.example.").unwrap();
        assert!(same.is(&Reference::new("käse.example").unwrap()));
        assert!(Reference::new("[2001:DB8::1]").unwrap().is(&Reference::new("2001:db8::1").unwrap()));
    }

    proptest! {
        #[test]
        fn any_value_is_answered(value: Vec<u8>) {
            let name = GeneralName::OtherName(XMPP_ADDR, &value);
            prop_assert!(!Reference::new("a.example").unwrap().is_other_name(&name));
        }
    }
}
