//! Chains, dates and usages (H42).

use rcgen::{GeneralSubtree, NameConstraints};

use super::*;

const PKIX: Result<ProvenBy, Refused> = Ok(ProvenBy::Pkix);

async fn by_pkix(issued: &Issued, trusted: &[&Authority]) -> Result<ProvenBy, Refused> {
    let lab = Lab::new(&[]);
    verdict(issued, &lab.trust(trusted), THEM, &Evidence::default()).await
}

#[tokio::test]
async fn h42_usages_decide_alike_in_both_directions() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, EmailProtection, ServerAuth};
    let root = Authority::root("root");
    let cases = [
        (vec![ServerAuth], PKIX),
        (vec![ServerAuth, ClientAuth], PKIX),
        (vec![], PKIX),
        (vec![ClientAuth], Err(Refused::Usage)),
        (vec![EmailProtection], Err(Refused::Usage)),
        (vec![Any], Err(Refused::Usage)),
    ];
    for (usages, expected) in cases {
        let mut parameters = server(&[THEM]);
        parameters.extended_key_usages = usages.clone();
        assert_eq!(by_pkix(&root.sign(&parameters), &[&root]).await, expected, "{usages:?}");
    }
}

#[tokio::test]
async fn h42_nobody_vouches_for_himself() {
    let root = Authority::root("root");
    assert_eq!(by_pkix(&self_made(&server(&[THEM])), &[&root]).await, Err(Refused::UnknownIssuer));

    let mut as_openssl_makes_it = server(&[THEM]);
    as_openssl_makes_it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(by_pkix(&self_made(&as_openssl_makes_it), &[&root]).await, Err(Refused::Chain));
    // Not even with an authority's word.
    assert_eq!(by_pkix(&root.sign(&as_openssl_makes_it), &[&root]).await, Err(Refused::Chain));

    let foreign = Authority::root("foreign");
    assert_eq!(by_pkix(&foreign.sign(&server(&[THEM])), &[&root]).await, Err(Refused::UnknownIssuer));
    assert_eq!(by_pkix(&foreign.sign(&server(&[THEM])), &[&root, &foreign]).await, PKIX);
    // The trusted name with another key.
    let namesake = Authority::root("root");
    assert_eq!(by_pkix(&namesake.sign(&server(&[THEM])), &[&root]).await, Err(Refused::UnknownIssuer));
}

#[tokio::test]
async fn h42_a_leaf_is_no_authority() {
    let root = Authority::root("root");
    let leaf = root.below(server(&["evil.example"]));
    assert_eq!(by_pkix(&leaf.sign(&server(&[THEM])), &[&root]).await, Err(Refused::Chain));

    let middle = root.below(authority("middle"));
    let issued = middle.sign(&server(&[THEM]));
    assert_eq!(issued.chain.len(), 2);
    assert_eq!(by_pkix(&issued, &[&root]).await, PKIX);
    let alone = Issued { chain: issued.chain[..1].to_vec(), key: issued.key };
    assert_eq!(by_pkix(&alone, &[&root]).await, Err(Refused::UnknownIssuer));
}

#[tokio::test]
async fn h42_an_authority_keeps_to_its_length_and_names() {
    let root = Authority::root("root");
    let mut short = authority("short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let below = root.below(short).below(authority("below"));
    assert_eq!(by_pkix(&below.sign(&server(&[THEM])), &[&root]).await, Err(Refused::Chain));

    for (subtree, expected) in [(THEM, PKIX), ("c.example", Err(Refused::Chain))] {
        let mut bound = authority("bound");
        let permitted_subtrees = vec![GeneralSubtree::DnsName(subtree.to_owned())];
        bound.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        let issued = root.below(bound).sign(&server(&[THEM]));
        assert_eq!(by_pkix(&issued, &[&root]).await, expected, "{subtree}");
    }
}

#[tokio::test]
async fn h42_dates_are_kept() {
    let root = Authority::root("root");
    let mut expired = server(&[THEM]);
    expired.not_after = date_time_ymd(2026, 2, 28);
    assert_eq!(by_pkix(&root.sign(&expired), &[&root]).await, Err(Refused::Expired));
    let mut early = server(&[THEM]);
    early.not_before = date_time_ymd(2026, 3, 2);
    assert_eq!(by_pkix(&root.sign(&early), &[&root]).await, Err(Refused::NotYetValid));

    let mut middle = authority("middle");
    middle.not_after = date_time_ymd(2026, 2, 28);
    let issued = root.below(middle).sign(&server(&[THEM]));
    assert_eq!(by_pkix(&issued, &[&root]).await, Err(Refused::Expired));
}

#[test]
fn a_faulty_file_of_anchors_is_told() {
    let lab = Lab::new(&[]);
    let path = lab.file("anchors.pem");
    let load = || Trust::load(Some(&path)).map(|trust| trust.count()).unwrap_err();
    assert!(matches!(load(), CertificateError::Unreadable { .. }));
    lab.write("anchors.pem", "no certificate\n", 0o644);
    assert_eq!(load(), CertificateError::NoCertificate { path: path.clone() });
    let root = Authority::root("root");
    let broken = format!("{}{}", pem(&[root.der().clone()]), pem(&[CertificateDer::from(&b"rubbish"[..])]));
    lab.write("anchors.pem", &broken, 0o644);
    assert_eq!(load(), CertificateError::MalformedAnchor { path: path.clone() });

    let system = Trust::load(None).unwrap().count();
    assert_eq!(lab.trust(&[&root, &Authority::root("other")]).count(), system + 2);
}
