//! Pins, TLSA records and circuits, and which of them decides (H42, H44, H45).

use aws_lc_rs::digest::{SHA256, SHA512, digest};

use super::*;

const DANE: Result<ProvenBy, Refused> = Ok(ProvenBy::Dane);

fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
    let data = match matching {
        1 => digest(&SHA256, data).as_ref().to_vec(),
        2 => digest(&SHA512, data).as_ref().to_vec(),
        _ => data.to_vec(),
    };
    Tlsa { usage, selector, matching, data }
}

fn secure(records: Vec<Tlsa>) -> Evidence {
    Evidence { dane: Dane::Secure(DaneSet { records, names: Vec::new() }), ..Evidence::default() }
}

async fn judged(issued: &Issued, trusted: &Authority, evidence: &Evidence) -> Result<ProvenBy, Refused> {
    let lab = Lab::new(&[]);
    verdict(issued, &lab.trust(&[trusted]), THEM, evidence).await
}

/// Expired, for another name, made by itself.
fn worthless() -> Issued {
    let mut parameters = server(&["c.example"]);
    parameters.not_after = date_time_ymd(2026, 2, 1);
    self_made(&parameters)
}

#[tokio::test]
async fn h44_a_key_in_a_signed_zone_needs_nothing_else() {
    let root = Authority::root("root");
    let issued = worthless();
    let (certificate, key) = (issued.chain[0].clone(), spki(&issued.key));
    for matching in [0, 1, 2] {
        for (selector, data) in [(0, &certificate[..]), (1, &key[..])] {
            let evidence = secure(vec![tlsa(3, selector, matching, b"another"), tlsa(3, selector, matching, data)]);
            assert_eq!(judged(&issued, &root, &evidence).await, DANE, "{selector} {matching}");
            let swapped = secure(vec![tlsa(3, 1 - selector, matching, data)]);
            let answer = judged(&issued, &root, &swapped).await;
            assert!(answer.is_err(), "{selector} {matching}");
        }
    }
}

#[tokio::test]
async fn h44_an_authority_does_not_rescue_a_mismatch() {
    let root = Authority::root("root");
    let issued = root.sign(&server(&[THEM]));
    assert_eq!(judged(&issued, &root, &Evidence::default()).await, Ok(ProvenBy::Pkix));
    for usage in [2, 3] {
        let evidence = secure(vec![tlsa(usage, 1, 1, b"another key")]);
        assert_eq!(judged(&issued, &root, &evidence).await, Err(Refused::Dane), "{usage}");
    }
    let evidence = Evidence { dane: Dane::Bogus, ..Evidence::default() };
    assert_eq!(judged(&issued, &root, &evidence).await, Err(Refused::BogusDns));
}

#[tokio::test]
async fn h44_records_that_cannot_be_used_count_as_none() {
    let root = Authority::root("root");
    let issued = root.sign(&server(&[THEM]));
    let unusable = vec![tlsa(0, 1, 1, b"x"), tlsa(1, 1, 1, b"x"), tlsa(3, 2, 1, b"x"), tlsa(3, 1, 7, b"x"), tlsa(3, 1, 0, b"x")];
    assert_eq!(judged(&issued, &root, &secure(unusable.clone())).await, Ok(ProvenBy::Pkix));
    assert_eq!(judged(&issued, &root, &secure(Vec::new())).await, Ok(ProvenBy::Pkix));
    let mixed = unusable.into_iter().chain([tlsa(3, 1, 1, b"x")]).collect();
    assert_eq!(judged(&issued, &root, &secure(mixed)).await, Err(Refused::Dane));
    // Nor do they prove anything themselves.
    let issued = worthless();
    let matching = secure(vec![tlsa(1, 1, 1, &spki(&issued.key))]);
    assert_eq!(judged(&issued, &root, &matching).await, Err(Refused::Expired));
}

#[tokio::test]
async fn h44_an_authority_in_a_signed_zone_is_held_to_names_and_dates() {
    let (trusted, root) = (Authority::root("trusted"), Authority::root("root"));
    let middle = root.below(authority("middle"));
    let key = spki(middle.issuer.key());
    let records = [tlsa(2, 1, 1, &key), tlsa(2, 0, 2, middle.der()), tlsa(2, 0, 0, middle.der())];
    let issued = middle.sign(&server(&[THEM]));
    for record in &records {
        assert_eq!(judged(&issued, &trusted, &secure(vec![record.clone()])).await, DANE, "{record:?}");
    }
    let evidence = secure(records.to_vec());
    let mut expired = server(&[THEM]);
    expired.not_after = date_time_ymd(2026, 2, 1);
    assert_eq!(judged(&middle.sign(&expired), &trusted, &evidence).await, Err(Refused::Expired));
    let elsewhere = middle.sign(&server(&["xmpp.c.example"]));
    assert_eq!(judged(&elsewhere, &trusted, &evidence).await, Err(Refused::Name));
    // An SRV target of a secure chain is a name too.
    let set = DaneSet { records: records.to_vec(), names: vec!["*".into(), "XMPP.c.example".into()] };
    let evidence = Evidence { dane: Dane::Secure(set), ..Evidence::default() };
    assert_eq!(judged(&elsewhere, &trusted, &evidence).await, DANE);
}

#[tokio::test]
async fn h44_an_authority_must_have_signed() {
    let (trusted, root) = (Authority::root("trusted"), Authority::root("root"));
    let evidence = secure(vec![tlsa(2, 1, 1, &spki(root.issuer.key()))]);
    // The root is not among what is shown, and the record does not hold it.
    let issued = root.sign(&server(&[THEM]));
    assert_eq!(judged(&issued, &trusted, &evidence).await, Err(Refused::Dane));
    assert_eq!(judged(&issued, &trusted, &secure(vec![tlsa(2, 0, 0, root.der())])).await, DANE);
    // Shown, it is an anchor; shown beside a stranger's certificate, it proves nothing.
    let shown = |issued: Issued| Issued { chain: vec![issued.chain[0].clone(), root.der().clone()], key: issued.key };
    assert_eq!(judged(&shown(issued), &trusted, &evidence).await, DANE);
    let stranger = shown(trusted.sign(&server(&[THEM])));
    assert_eq!(judged(&stranger, &trusted, &evidence).await, Err(Refused::UnknownIssuer));
}

#[tokio::test]
async fn h42_a_pin_decides_alone() {
    let root = Authority::root("root");
    let (good, bad) = (root.sign(&server(&[THEM])), worthless());
    let contradicting = [Dane::Bogus, Dane::Secure(DaneSet { records: vec![tlsa(3, 1, 1, b"x")], names: Vec::new() })];
    for dane in contradicting {
        for pin in [key_fingerprint(&bad.key), Fingerprint::of(&bad.chain[0])] {
            let pins = vec![Pin::from(Fingerprint::of(b"old")), Pin::from(pin)];
            let evidence = Evidence { pins, dane: dane.clone(), ..Evidence::default() };
            assert_eq!(judged(&bad, &root, &evidence).await, Ok(ProvenBy::Pin));
            assert_eq!(judged(&good, &root, &evidence).await, Err(Refused::Pin));
        }
    }
    let right = secure(vec![tlsa(3, 1, 1, &spki(&good.key))]);
    let evidence = Evidence { pins: vec![Pin::from(Fingerprint::of(b"other"))], ..right };
    assert_eq!(judged(&good, &root, &evidence).await, Err(Refused::Pin));
}

#[tokio::test]
async fn h45_a_circuit_proves_the_onion_that_it_leads_to() {
    let onion = format!("{}.onion", "a2".repeat(28));
    let other = format!("{}.onion", "b3".repeat(28));
    let (us, them) = (Lab::new(&[US]), Lab::new(&[]));
    them.issue(&onion, &worthless());
    let (ours, theirs) = (us.acceptor(&[US], Profile::Modern), them.acceptor(&[&onion], Profile::Modern));
    let (outgoing, _) = link(&ours, US, &theirs, &onion).await;
    let (_, incoming) = link(&theirs, &onion, &ours, US).await;
    let trust = us.trust(&[&Authority::root("root")]);
    let circuit = Evidence { route: Route::Onion, ..Evidence::default() };

    let proof = outgoing.prove(&trust, &onion, &circuit, NOW).unwrap();
    assert_eq!(proof.by(), ProvenBy::Onion);
    for refused in [
        outgoing.prove(&trust, &other, &circuit, NOW),
        outgoing.prove(&trust, &onion, &Evidence::default(), NOW),
        incoming.prove(&trust, &onion, &circuit, NOW),
    ] {
        assert_eq!(refused, Err(Refused::Expired));
    }
    // What our own circuit has shown is a pin for who comes from there.
    let pinned = Evidence { pins: vec![Pin::from(proof.key_fingerprint())], ..Evidence::default() };
    assert_eq!(incoming.prove(&trust, &onion, &pinned, NOW).map(|proof| proof.by()), Ok(ProvenBy::Pin));

    // A name that is no onion's gains nothing from the way.
    let [outgoing, _] = Pair::new(&worthless()).links().await;
    assert_eq!(outgoing.prove(&trust, THEM, &circuit, NOW), Err(Refused::Expired));
}
