//! The checks against configurations and against a name server of the tests' own.

use super::*;
use crate::{
    config::{Mistakes, Source},
    modules::Modules,
};
use bocage_dial::testing::{Authority, World as Names};
use std::{
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::Path,
};

fn config(dir: &Path, more: &str) -> Result<Config, Mistakes> {
    let file = dir.join("bocage.toml");
    let data = dir.join("data");
    let text = format!("domain = \"localhost\"\ndata_dir = \"{}\"\n{more}", data.display());
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    Source::new(Some(file), []).load(&Modules::none())
}

fn rows(config: &Config, severity: Severity) -> Vec<String> {
    findings(config, Server::Stopped, 0).into_iter().filter(|f| f.severity == severity).map(|f| f.text).collect()
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = config(dir.path(), &format!("[listen]\nc2s = [\"{address}\"]\nc2s_direct_tls = []")).unwrap();
    let errors = rows(&config, Severity::Error);
    assert_eq!(errors, [format!("[listen] c2s: {address} is taken by another program: stop it, or choose another port")]);
    drop(taken);
    assert_eq!(rows(&config, Severity::Error), Vec::<String>::new());
    assert_eq!(exit_code(&findings(&config, Server::Stopped, 0)), 0);
}

#[test]
fn relaxations_and_open_files_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "[listen]\nc2s = [\"127.0.0.1:0\"]\n");
    assert!(config.is_err(), "port 0 is none");
    let config = self::config(dir.path(), "[c2s]\nrate = \"off\"\n[listen]\nc2s_direct_tls = []\nc2s = []\n").unwrap();
    fs::set_permissions(dir.path().join("bocage.toml"), fs::Permissions::from_mode(0o646)).unwrap();
    fs::create_dir_all(&config.storage.key_dir).unwrap();
    fs::set_permissions(&config.storage.key_dir, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(rows(&config, Severity::Relaxed).iter().any(|row| row.starts_with("[c2s] rate")));
    let errors = rows(&config, Severity::Error);
    assert!(errors.iter().any(|row| row.starts_with("configuration: every user may change")));
    assert!(errors.iter().any(|row| row.starts_with("[storage] key_dir: every user may read")));
    assert_eq!(exit_code(&findings(&config, Server::Stopped, 0)), 2);
}

const DOMAIN: &str = "village.example";
const ROOMS: &str = "salons.village.example";

/// A certificate of a known authority for these names.
fn certify(dir: &Path, names: &[&str]) {
    let mut authority = rcgen::CertificateParams::default();
    authority.distinguished_name.push(rcgen::DnType::OrganizationName, "Let's Encrypt");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::new(authority, rcgen::KeyPair::generate().unwrap());
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut leaf = rcgen::CertificateParams::new(names).unwrap();
    leaf.not_before = rcgen::date_time_ymd(2024, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(2049, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    fs::create_dir_all(dir.join("tls")).unwrap();
    fs::write(dir.join("tls/village.example.crt"), leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(dir.join("tls/village.example.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(dir.join("tls/village.example.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn village(dir: &Path, (servers, anchor): (SocketAddr, Option<String>), more: &str) -> Config {
    let mut dns = format!("[dns]\nservers = [\"{servers}\"]\n");
    if let Some(anchor) = anchor {
        fs::write(dir.join("root.key"), anchor).unwrap();
        dns += &format!("trust_anchor = \"{}\"\n", dir.join("root.key").display());
    }
    let (file, data, tls) = (dir.join("village.toml"), dir.join("data"), dir.join("tls"));
    let text = format!(
        "domain = \"{DOMAIN}\"\ndata_dir = \"{}\"\n[tls]\ncertificates = \"{}\"\n{dns}{more}",
        data.display(),
        tls.display()
    );
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    Source::new(Some(file), []).load(&Modules::builtin()).unwrap()
}

/// A signed zone with a server, and these records: "a.test SRV 0 0 5269 b.test.".
fn zone<'a>(records: impl IntoIterator<Item = &'a str>) -> Names {
    let mut names = Names::default();
    names.signed("example").signed(DOMAIN).add(&format!("{DOMAIN} A 192.0.2.1"));
    for record in records {
        names.add(record);
    }
    names
}

/// What the DNS says of the village, whose zone this is.
async fn seen(dir: &Path, names: Names, more: &str) -> World {
    let anchor = names.anchor();
    let authority = Authority::start(names, None).await;
    let config = village(dir, (authority.address, Some(anchor)), more);
    super::world(&config, 1_800_000_000).await
}

/// The lines to paste, as records.
fn pasted(zone: &str) -> Vec<String> {
    let lines = zone.lines().filter(|line| !line.starts_with(';'));
    lines.map(|line| line.replacen(". 3600 IN ", " ", 1)).collect()
}

fn texts(world: &World, severity: Severity) -> Vec<&str> {
    world.findings.iter().filter(|f| f.severity == severity).map(|f| f.text.as_str()).collect()
}

fn assert_one(world: &World, severity: Severity, part: &str) {
    let found = texts(world, severity);
    assert_eq!(found.iter().filter(|text| text.contains(part)).count(), 1, "{part}: {:?}", world.findings);
}

#[tokio::test]
async fn a_zone_of_the_lines_that_are_printed_is_as_it_should_be() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), &[DOMAIN, ROOMS]);
    let before = seen(dir.path(), zone([]), "").await;
    for service in ["_xmpps-client", "_xmpp-client", "_xmpps-server", "_xmpp-server"] {
        assert_one(&before, Severity::Warning, &format!("{service}._tcp.{DOMAIN}: no record"));
    }
    assert_one(&before, Severity::Warning, &format!("_xmpps-server._tcp.{ROOMS}: no record"));
    assert_one(&before, Severity::Warning, "CAA: village.example: no record");
    let lines = pasted(&before.zone);
    assert_eq!(lines.first().map(String::as_str), Some("_xmpps-client._tcp.village.example SRV 5 0 5223 village.example."));
    assert!(lines.contains(&format!("_xmpps-server._tcp.{ROOMS} SRV 5 0 5270 village.example.")), "{lines:?}");
    let after = seen(dir.path(), zone(lines.iter().map(String::as_str)), "").await;
    assert_eq!(texts(&after, Severity::Error), Vec::<&str>::new());
    assert_eq!(
        texts(&after, Severity::Warning),
        [
            "CAA: village.example: letsencrypt.org may issue to everybody who can intercept this machine's traffic: name your account too (accounturi, RFC 8657; H47)"
        ]
    );
    assert!(texts(&after, Severity::Good).contains(&"TLSA: _5270._tcp.village.example: names the key of salons.village.example"));
    assert_eq!(pasted(&after.zone), lines, "it says the same again");
}

#[tokio::test]
async fn h44_a_record_of_another_key_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), &[DOMAIN, ROOMS]);
    let lines = pasted(&seen(dir.path(), zone([]), "").await.zone);
    certify(dir.path(), &[DOMAIN, ROOMS]);
    let world = seen(dir.path(), zone(lines.iter().map(String::as_str)), "").await;
    let wrong = texts(&world, Severity::Error);
    assert_eq!(wrong.len(), 4, "two ports of two domains: {wrong:?}");
    assert!(wrong.iter().all(|text| text.starts_with("TLSA: _52") && text.contains("does not name the key")));
    assert_eq!(exit_code(&world.findings), 2);
}

#[tokio::test]
async fn what_is_off_wrong_or_in_the_wrong_order_is_told() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), &[DOMAIN]);
    let records = [
        "_xmpps-client._tcp.village.example SRV 10 0 5223 village.example.",
        "_xmpp-client._tcp.village.example SRV 10 0 5999 village.example.",
        "_xmpps-server._tcp.village.example SRV 5 0 5270 nowhere.village.example.",
        "_xmpp-server._tcp.village.example SRV 0 0 0 .",
        "village.example CAA 0 issue \"sectigo.com\"",
    ];
    let world = seen(dir.path(), zone(records), "[listen]\ns2s_direct_tls = []\n[modules]\noff = [\"muc\"]\n").await;
    assert_one(&world, Severity::Warning, "_xmpps-client has priority 10 and _xmpp-client 10");
    assert_one(&world, Severity::Warning, "_xmpp-client._tcp.village.example: leads to port 5999");
    assert_one(&world, Severity::Warning, "_xmpps-server._tcp.village.example: leads to nowhere.village.example:5270");
    assert_one(&world, Severity::Error, "_xmpp-server._tcp.village.example: says that there is none");
    assert_one(&world, Severity::Error, "its server nowhere.village.example has no address");
    assert_one(&world, Severity::Warning, "does not let Let's Encrypt issue (letsencrypt.org)");
    assert!(pasted(&world.zone).contains(&"_xmpps-server._tcp.village.example SRV 0 0 0 .".to_owned()), "{}", world.zone);
}

#[tokio::test]
async fn h44_an_unsigned_zone_is_told_of_and_an_account_in_caa_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), &[DOMAIN, ROOMS]);
    let mut names = Names::default();
    names.signed("example").unsigned(DOMAIN).add(&format!("{DOMAIN} A 192.0.2.1"));
    for line in pasted(&seen(dir.path(), zone([]), "").await.zone).iter().filter(|line| line.contains(" SRV ")) {
        names.add(line);
    }
    names.add("village.example CAA 0 issue \"letsencrypt.org; accounturi=https://acme.example/7\"");
    let world = seen(dir.path(), names, "").await;
    for domain in [DOMAIN, ROOMS] {
        assert_one(&world, Severity::Warning, &format!("TLSA: {domain}: its zone or that of its server is not signed"));
    }
    assert_one(&world, Severity::Good, "CAA: village.example: names authority and account");
    assert_eq!(exit_code(&world.findings), 1);
}

#[tokio::test]
async fn name_servers_that_do_not_answer_are_one_finding_in_time() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), &[DOMAIN, ROOMS]);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = village(dir.path(), (silent.local_addr().unwrap(), None), "");
    let world = tokio::time::timeout(names::DEADLINE * 2, super::world(&config, 1_800_000_000)).await.unwrap();
    assert_eq!(world.findings.len(), 1, "{:?}", world.findings);
    assert_one(&world, Severity::Warning, "the name servers do not answer");
    assert!(
        world.zone.contains("_xmpps-client._tcp.village.example. 3600 IN SRV 5 0 5223 village.example."),
        "known all the same"
    );
}

#[tokio::test]
async fn nobody_is_asked_about_localhost() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "").unwrap();
    let world = super::world(&config, 0).await;
    assert!(world.findings.is_empty() && world.zone.is_empty());
}

#[test]
fn a_service_without_a_certificate_and_peers_without_effect_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), &[DOMAIN]);
    let more = "[s2s]\ndeny = [\"bad.example\"]\n[s2s.peers.\"very.bad.example\"]\naddress = \"192.0.2.7:5269\"\n\
                [s2s.peers.\"village.example\"]\n[s2s.peers.\"odd.example\"]\ndirect_tls = true\n";
    let config = village(dir.path(), (SocketAddr::from(([127, 0, 0, 1], 9)), None), more);
    let warnings: Vec<String> = findings(&config, Server::Running, 1_800_000_000)
        .into_iter()
        .filter(|f| f.severity == Severity::Warning)
        .map(|f| f.text)
        .collect();
    for part in [
        "names salons.village.example: other servers",
        "\"very.bad.example\"]: is not spoken",
        "\"village.example\"]: is served here",
        "\"odd.example\"]: has direct_tls",
    ] {
        assert_eq!(warnings.iter().filter(|text| text.contains(part)).count(), 1, "{part}: {warnings:?}");
    }
}
