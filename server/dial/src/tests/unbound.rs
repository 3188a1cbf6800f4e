//! Against programs that are not ours: zones signed by ldns, with NSEC and with NSEC3, served by unbound, which once
//! validates itself (broken zones are SERVFAIL) and once only passes on. Debian's `unbound` and `ldnsutils`.

use super::fill;
use crate::{Dane, Dialer, Settings, Unreachable};
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const DATA: &str = "0000000000000000000000000000000000000000000000000000000000000001";
const MODES: [&str; 2] = ["validator iterator", "iterator"];
/// Zone, what it is signed with besides the key, and its records. Without options it is unsigned.
const ZONES: [(&str, Option<&[&str]>, &str); 6] = [
    ("secure.test", Some(&[]), "alias CNAME x\nal TXT a\n_tcp.al TXT a\n_xmpp-server._tcp.al SRV 5 0 5270 alias\n"),
    ("hashed.test", Some(&["-n", "-p", "-t", "3", "-s", "abcd"]), ""),
    ("none.test", Some(&["-n"]), "_xmpp-server._tcp SRV 6 0 5271 x\n"),
    ("expired.test", Some(&["-i", "20200101", "-e", "20200201"]), ""),
    ("broken.test", Some(&[]), ""),
    ("plain.test", None, ""),
];

struct Unbound {
    child: Child,
    directory: TempDir,
    address: SocketAddr,
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(directory: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(directory).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a zone, signs it if there are options, and says what its parent says of it.
fn zone(directory: &Path, apex: &str, options: Option<&[&str]>, records: &str) -> String {
    let file = if apex == "." { "root" } else { apex };
    let origin = if apex == "." { ".".to_owned() } else { format!("{apex}.") };
    let soa = "@ SOA ns.invalid. admin.invalid. 1 60 60 60 60\n@ NS ns.invalid.\n";
    fs::write(directory.join(file), format!("$ORIGIN {origin}\n$TTL 60\n{soa}{records}")).unwrap();
    let delegation = format!("{origin} NS ns.invalid.\n");
    let signed = format!("{file}.signed");
    let Some(options) = options else {
        fs::copy(directory.join(file), directory.join(signed)).unwrap();
        return delegation;
    };
    let key = run(directory, "ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", apex]);
    let arguments = [options, &["-o", apex, "-f", &signed, file, &key]].concat();
    run(directory, "ldns-signzone", &arguments);
    if apex == "." {
        fs::copy(directory.join(format!("{key}.key")), directory.join("root.key")).unwrap();
    }
    delegation + &fs::read_to_string(directory.join(format!("{key}.ds"))).unwrap()
}

fn zones(directory: &Path) {
    let mut delegations = String::new();
    for (apex, options, more) in ZONES {
        let tlsa = if apex == "none.test" { String::new() } else { format!("_5270._tcp.x TLSA 3 1 1 {DATA}\n") };
        let wild = format!("*.wild A 127.0.0.9\n*.wild TLSA 3 1 1 {DATA}\n");
        // unbound denies wrongly, under NSEC3, below names that have nothing themselves.
        let nodes = "_tcp TXT a\n_tcp.x TXT a\nwild TXT a\n";
        let common = format!("_xmpp-server._tcp SRV 5 0 5270 x\nx A 127.0.0.9\n{nodes}{tlsa}{wild}");
        delegations += &zone(directory, apex, options, &(common + more));
    }
    // The TLSA record is not what was signed.
    let file = directory.join("broken.test.signed");
    let signed = fs::read_to_string(&file).unwrap();
    let other = DATA.replace("01", "02");
    assert!(signed.contains(DATA));
    fs::write(&file, signed.replace(DATA, &other)).unwrap();
    let top = zone(directory, "test", Some(&["-n", "-p"]), &delegations);
    zone(directory, ".", Some(&[]), &top);
}

impl Unbound {
    fn start(mode: &str) -> Self {
        let directory = TempDir::new().unwrap();
        zones(directory.path());
        let address = free();
        fs::write(directory.path().join("conf"), conf(directory.path(), address, mode)).unwrap();
        let mut child = Command::new("/usr/sbin/unbound")
            .args(["-d", "-c", "conf"])
            .current_dir(directory.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("unbound: {error}"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let started = lines.any(|line| line.contains("start of service"));
        // What it says later goes nowhere, but has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        assert!(started, "unbound starts");
        Self { child, directory, address }
    }
    fn dialer(&self) -> Dialer {
        let trust_anchor = Some(self.directory.path().join("root.key"));
        Dialer::new(Settings { servers: vec![self.address], trust_anchor, ..Settings::default() }, fill()).unwrap()
    }
}

/// A port that is free for both protocols.
fn free() -> SocketAddr {
    loop {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn conf(directory: &Path, address: SocketAddr, mode: &str) -> String {
    let directory = directory.display();
    let mut conf = format!(
        "server:\n directory: \"{directory}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n logfile: \"\"\n \
         use-syslog: no\n verbosity: 1\n interface: {}@{}\n do-daemonize: no\n module-config: \"{mode}\"\n \
         trust-anchor-file: \"{directory}/root.key\"\n local-zone: \"test.\" transparent\n local-zone: \"invalid.\" \
         transparent\n do-ip6: no\nremote-control:\n control-enable: no\n",
        address.ip(),
        address.port()
    );
    for apex in ZONES.iter().map(|z| z.0).chain(["test", "."]) {
        let file = if apex == "." { "root" } else { apex };
        write!(
            conf,
            "auth-zone:\n name: \"{apex}\"\n zonefile: \"{directory}/{file}.signed\"\n for-downstream: no\n \
             for-upstream: yes\n fallback-enabled: no\n"
        )
        .unwrap();
    }
    conf
}

#[tokio::test]
async fn h44_what_others_sign_is_secure() {
    for mode in MODES {
        let unbound = Unbound::start(mode);
        let dialer = unbound.dialer();
        assert!(dialer.evidence("secure.test").await != Dane::Absent, "the root is proven");
        let cases: [(&str, &[&str]); 4] = [
            ("secure.test", &["x.secure.test"]),
            ("hashed.test", &["x.hashed.test"]),
            ("al.secure.test", &["alias.secure.test", "x.secure.test"]),
            // By wildcards: the address and the record, and that there is no SRV record.
            ("q.wild.hashed.test", &[]),
        ];
        for (domain, names) in cases {
            let targets = dialer.route(domain).await.unwrap_or_else(|cause| panic!("{mode} {domain}: {cause}"));
            let Dane::Secure(set) = &targets[0].dane else { panic!("{mode} {domain}: {:?}", targets[0].dane) };
            assert_eq!(set.records.len(), 1, "{mode} {domain}");
            assert_eq!(set.names, names, "{mode} {domain}");
            assert_eq!(dialer.evidence(domain).await, targets[0].dane, "{mode} {domain}");
        }
    }
}

/// What is right would be secure. hickory-net 0.26.3 wants, beside the denial of the name, one of the wildcard itself, when
/// that is the owner of the NSEC record. It fails closed; when this test fails, the resolver has become better.
#[tokio::test]
async fn h44_an_address_by_wildcard_under_nsec_is_taken_for_bogus() {
    let unbound = Unbound::start("iterator");
    assert_eq!(unbound.dialer().route("q.wild.secure.test").await.unwrap_err(), Unreachable::Bogus);
}

#[tokio::test]
async fn h44_what_others_do_not_sign_or_have_is_absent() {
    for mode in MODES {
        let unbound = Unbound::start(mode);
        let dialer = unbound.dialer();
        for domain in ["plain.test", "q.wild.plain.test", "none.test"] {
            let targets = dialer.route(domain).await.unwrap_or_else(|cause| panic!("{mode} {domain}: {cause}"));
            assert!(targets.iter().all(|t| t.dane == Dane::Absent), "{mode} {domain}: {targets:?}");
            assert_eq!(dialer.evidence(domain).await, Dane::Absent, "{mode} {domain}");
        }
        for domain in ["nowhere.secure.test", "nowhere.hashed.test", "nowhere.plain.test", "nowhere.test", "nowhere"] {
            assert_eq!(dialer.route(domain).await.unwrap_err(), Unreachable::NotFound, "{mode} {domain}");
        }
    }
}

#[tokio::test]
async fn h44_what_others_break_is_bogus() {
    for mode in MODES {
        let unbound = Unbound::start(mode);
        let dialer = unbound.dialer();
        assert_eq!(dialer.route("broken.test").await.unwrap()[0].dane, Dane::Bogus, "{mode}");
        assert_eq!(dialer.evidence("broken.test").await, Dane::Bogus, "{mode}");
        // A name server that validates says no more than that it failed.
        let expired = dialer.route("expired.test").await.unwrap_err();
        assert_eq!(expired, if mode == "iterator" { Unreachable::Bogus } else { Unreachable::TimedOut });
        assert_eq!(dialer.evidence("expired.test").await, Dane::Bogus, "{mode}");
    }
}
