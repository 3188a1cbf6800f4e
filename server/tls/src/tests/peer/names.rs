//! Names in certificates of a trusted authority (RFC 6120 section 13.7.1.2, RFC 9525).

use rcgen::{CustomExtension, GeneralSubtree, NameConstraints, SanType};

use super::*;

const XMPP_ADDR: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 5];

async fn proves(parameters: &CertificateParams, domain: &str) -> bool {
    let root = Authority::root("root");
    proves_under(&root, &root, parameters, domain).await
}

async fn proves_under(root: &Authority, issuer: &Authority, parameters: &CertificateParams, domain: &str) -> bool {
    let lab = Lab::new(&[]);
    match verdict(&issuer.sign(parameters), &lab.trust(&[root]), domain, &Evidence::default()).await {
        Ok(by) => by == ProvenBy::Pkix,
        Err(refused) => {
            assert_eq!(refused, Refused::Name, "{domain}");
            false
        }
    }
}

fn xmpp_addr(address: &str) -> CertificateParams {
    let mut parameters = server(&[]);
    parameters.subject_alt_names = vec![SanType::OtherName((XMPP_ADDR.to_vec(), address.into()))];
    parameters
}

/// rcgen knows no IA5String there.
fn srv_name(name: &str) -> CertificateParams {
    let tlv = |tag: u8, value: &[u8]| [&[tag, u8::try_from(value.len()).unwrap()], value].concat();
    let oid = tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 8, 7]);
    let other = tlv(0xa0, &[oid, tlv(0xa0, &tlv(0x16, name.as_bytes()))].concat());
    let mut parameters = server(&[]);
    parameters.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], tlv(0x30, &other))];
    parameters
}

#[tokio::test]
async fn h42_dns_names() {
    let cases: [(&str, &str, bool); 14] = [
        ("b.example", "b.example", true),
        ("B.Example", "b.example", true),
        ("b.example", "B.EXAMPLE", true),
        ("c.example", "b.example", false),
        ("b.example", "rooms.b.example", false),
        ("example", "b.example", false),
        ("*.b.example", "rooms.b.example", true),
        ("*.b.example", "x.rooms.b.example", false),
        ("*.b.example", "b.example", false),
        ("r*.b.example", "rooms.b.example", false),
        ("*s.b.example", "rooms.b.example", false),
        ("rooms.*.example", "rooms.b.example", false),
        ("xn--kse-qla.example", "käse.example", true),
        ("*.xn--kse-qla.example", "Rooms.KÄSE.example", true),
    ];
    for (name, domain, expected) in cases {
        assert_eq!(proves(&server(&[name]), domain).await, expected, "{name} for {domain}");
    }
}

#[tokio::test]
async fn h42_the_common_name_is_nothing() {
    let mut parameters = server(&[]);
    parameters.distinguished_name.remove(DnType::CommonName);
    parameters.distinguished_name.push(DnType::CommonName, THEM);
    assert!(!proves(&parameters, THEM).await);
}

#[tokio::test]
async fn h42_srv_and_xmpp_names() {
    assert!(proves(&srv_name("_xmpp-server.b.example"), THEM).await);
    assert!(!proves(&srv_name("_xmpp-client.b.example"), THEM).await);
    assert!(!proves(&srv_name("_xmpp-server.c.example"), THEM).await);
    assert!(!proves(&srv_name("_xmpp-server.*.example"), THEM).await);
    assert!(proves(&xmpp_addr("b.example"), THEM).await);
    assert!(!proves(&xmpp_addr("someone@b.example"), THEM).await);
    assert!(!proves(&xmpp_addr("*.example"), THEM).await);
}

#[tokio::test]
async fn h42_an_authority_bound_to_names_gets_no_other_form() {
    let root = Authority::root("root");
    let mut bound = authority("bound");
    let permitted_subtrees = vec![GeneralSubtree::DnsName("customer.example".to_owned())];
    bound.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    let bound = root.below(bound);
    let free = root.below(authority("free"));
    for parameters in [xmpp_addr(THEM), srv_name("_xmpp-server.b.example")] {
        assert!(!proves_under(&root, &bound, &parameters, THEM).await);
        assert!(proves_under(&root, &free, &parameters, THEM).await);
    }
}

#[tokio::test]
async fn what_is_no_domain_is_never_proven() {
    for domain in ["", "*.b.example", "someone@b.example", "b.example/x"] {
        assert!(!proves(&server(&["b.example", "*.b.example"]), domain).await);
    }
}
