//! Files that are found, refused and reported.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// 2026-03-01, in the life of [`dated`] certificates.
const MARCH: i64 = 1_772_323_200;
const DAY: i64 = 86_400;

/// Valid from 2026-01-01 to 2026-04-01.
fn dated(lab: &Lab, domain: &str, algorithm: &'static rcgen::SignatureAlgorithm) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let mut parameters = CertificateParams::new(owned(&[domain])).unwrap();
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2026, 4, 1);
    let certificate = parameters.self_signed(&key).unwrap();
    lab.write(&format!("{domain}.crt"), &certificate.pem(), 0o644);
    lab.write(&format!("{domain}.key"), &key.serialize_pem(), 0o640);
}

fn warnings(lab: &Lab, host: &str, now: i64) -> Vec<CertificateError> {
    let findings = inspect(lab.path(), &owned(&[host]), now);
    let faults = findings.into_iter().filter_map(|finding| match finding {
        Finding::Served(_) => None,
        Finding::Fault(fault) => Some(fault),
    });
    faults.collect()
}

#[test]
fn every_layout_is_found() {
    let lab = Lab::new(&["a.example"]);
    fs::create_dir(lab.file("b.example")).unwrap();
    let made = self_signed(&["b.example"]).unwrap();
    lab.write("b.example/fullchain.pem", &made.certificate, 0o644);
    lab.write("b.example/privkey.pem", &made.key, 0o600);
    let made = self_signed(&["c.example"]).unwrap();
    lab.write("c.example.pem", &made.certificate, 0o644);
    lab.write("c.example.key", &made.key, 0o600);

    let acceptor = lab.acceptor(&["c.example", "A.example", "b.example"], Profile::Modern);
    let served: Vec<_> = acceptor.identities().iter().map(|one| one.host().to_string()).collect();
    assert_eq!(served, ["c.example", "a.example", "b.example"]);
    for identity in acceptor.identities() {
        assert!(identity.leaf().covers(identity.host()));
    }
}

#[test]
fn a_host_without_files_is_served_by_who_names_it() {
    let lab = Lab::new(&["a.example"]);
    lab.put("wide", &["b.example", "*.b.example"]);
    let acceptor = lab.acceptor(&["a.example", "b.example", "rooms.b.example"], Profile::Modern);
    for host in ["b.example", "rooms.b.example"] {
        assert_eq!(acceptor.identity(host).unwrap().chain_path(), lab.file("wide.crt"));
    }
    assert!(acceptor.identity("b.rooms.b.example").is_none());
}

#[test]
fn all_faults_of_all_hosts_are_told_at_once() {
    let lab = Lab::new(&["open.example", "swapped.example", "half.example", "rubbish.example", "good.example"]);
    fs::set_permissions(lab.file("open.example.key"), fs::Permissions::from_mode(0o604)).unwrap();
    let other = self_signed(&["swapped.example"]).unwrap();
    lab.write("swapped.example.key", &other.key, 0o600);
    fs::remove_file(lab.file("half.example.key")).unwrap();
    lab.write("rubbish.example.crt", "rubbish", 0o644);
    lab.write("rubbish.example.key", "rubbish", 0o600);

    let hosts = ["open.example", "swapped.example", "half.example", "rubbish.example", "good.example", "gone.example"];
    let faults = lab.faults(&hosts);
    let path = |name: &str| lab.file(name);
    let expected = [
        CertificateError::Permissions { path: path("open.example.key"), mode: 0o604 },
        CertificateError::Mismatch { chain: path("swapped.example.crt"), key: path("swapped.example.key") },
        CertificateError::HalfPair { present: path("half.example.crt"), missing: path("half.example.key") },
        CertificateError::NoCertificate { path: path("rubbish.example.crt") },
        CertificateError::NoKey { path: path("rubbish.example.key") },
        CertificateError::Missing { host: "gone.example".into(), directory: lab.path().to_owned() },
    ];
    assert_eq!(faults, expected);
    assert!(faults.iter().all(|fault| fault.severity() == Severity::Error));
    assert_eq!(
        faults[0].to_string(),
        format!("{} is open to every user (mode 0604): chmod o= it (0600 or 0640)", path("open.example.key").display())
    );
}

#[test]
fn a_damaged_certificate_is_refused() {
    let lab = Lab::new(&["a.example"]);
    let chain = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    lab.write("a.example.crt", chain, 0o644);
    let path = lab.file("a.example.crt");
    assert_eq!(lab.faults(&["a.example"]), [CertificateError::Malformed { path }]);
}

#[test]
fn a_missing_directory_and_no_host_are_faults() {
    let lab = Lab::new(&["a.example"]);
    let absent = lab.file("absent");
    let faults = Acceptor::load(&absent, &owned(&["a.example", "b.example"]), Profile::Modern).unwrap_err();
    assert!(matches!(&faults[..], [CertificateError::Unreadable { path, .. }] if *path == absent), "{faults:?}");
    assert_eq!(lab.faults(&[]), [CertificateError::NoHosts]);
}

#[test]
fn dates_are_judged_by_the_given_time() {
    let lab = Lab::new(&[]);
    dated(&lab, "a.example", &rcgen::PKCS_ECDSA_P256_SHA256);
    let (host, path) = ("a.example".to_owned(), lab.file("a.example.crt"));
    let end = MARCH + 31 * DAY;
    assert_eq!(warnings(&lab, "a.example", MARCH), []);
    assert_eq!(warnings(&lab, "a.example", end - 14 * DAY), []);
    let soon = CertificateError::ExpiresSoon { host: host.clone(), path: path.clone(), days: 13 };
    assert_eq!(warnings(&lab, "a.example", end - 14 * DAY + 1), [soon]);
    let expired = CertificateError::Expired { host: host.clone(), path: path.clone(), days: 2 };
    assert_eq!(warnings(&lab, "a.example", end + 2 * DAY + 1), [expired]);
    let early = CertificateError::NotYetValid { host, path };
    assert_eq!(warnings(&lab, "a.example", MARCH - 365 * DAY), [early]);
    // Warnings keep nobody from serving.
    let acceptor = lab.acceptor(&["a.example"], Profile::Modern);
    assert_eq!(acceptor.identities()[0].warnings(end + DAY)[0].severity(), Severity::Warning);
}

#[test]
fn a_check_names_what_is_served_and_what_is_doubtful() {
    let lab = Lab::new(&[]);
    dated(&lab, "b.example", &rcgen::PKCS_ED25519);
    fs::rename(lab.file("b.example.crt"), lab.file("a.example.crt")).unwrap();
    fs::rename(lab.file("b.example.key"), lab.file("a.example.key")).unwrap();
    let (host, path) = ("a.example".to_owned(), lab.file("a.example.crt"));
    let expected = [
        CertificateError::NotCovered { host: host.clone(), path: path.clone(), names: "b.example".into() },
        CertificateError::NoEndPoint { host, path },
    ];
    assert_eq!(warnings(&lab, "a.example", MARCH), expected);

    let findings = inspect(lab.path(), &owned(&["a.example"]), MARCH);
    assert_eq!(findings[0].severity(), None);
    let text = findings[0].to_string();
    assert!(text.starts_with("a.example: ") && text.contains("(Ed25519; names b.example; 31 days left;"), "{text}");
}
