//! What is proven, what is not, and what must never be taken for it.

use super::both;
use crate::{
    Dane, Dialer, Mode, Settings, Unreachable,
    testing::{Authority, Spoil, World},
};

const TLSA: &str = "TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000001";

/// A signed zone with a server elsewhere in it, and an unsigned one.
fn world() -> World {
    let mut world = World::default();
    world.signed("test").signed("secure.test").unsigned("plain.test");
    world.add("_xmpp-server._tcp.secure.test SRV 5 0 5270 x.secure.test.");
    world.add("x.secure.test A 127.0.0.9").add(&format!("_5270._tcp.x.secure.test {TLSA}"));
    world.add("_xmpp-server._tcp.plain.test SRV 5 0 5270 x.plain.test.");
    world.add("x.plain.test A 127.0.0.9").add(&format!("_5270._tcp.x.plain.test {TLSA}"));
    world
}

async fn dane(dialer: &Dialer, domain: &str) -> Dane {
    let targets = dialer.route(domain).await.unwrap();
    assert_eq!(targets.len(), 1);
    let dane = targets[0].dane.clone();
    assert_eq!(dialer.evidence(domain).await, dane, "both directions are told the same");
    dane
}

#[tokio::test]
async fn h44_secure_records_are_found() {
    let (_authority, dialer) = both(world()).await;
    let Dane::Secure(set) = dane(&dialer, "secure.test").await else { panic!("secure") };
    assert_eq!((set.records.len(), set.records[0].usage, set.records[0].data[31]), (1, 3, 1));
    assert_eq!(set.names, ["x.secure.test"]);
    let target = &dialer.route("SECURE.test").await.unwrap()[0];
    assert_eq!((target.host.as_str(), target.port, target.mode), ("x.secure.test", 5270, Mode::Starttls));
}

#[tokio::test]
async fn h44_an_unsigned_zone_has_none_and_is_not_asked() {
    let (authority, dialer) = both(world()).await;
    assert_eq!(dane(&dialer, "plain.test").await, Dane::Absent);
    assert!(!authority.was_asked("TLSA"));
}

#[tokio::test]
async fn h44_a_signed_zone_may_have_none() {
    let mut world = World::default();
    world.signed("test").add("_xmpp-server._tcp.test SRV 5 0 5270 x.test.").add("x.test A 127.0.0.9");
    let (authority, dialer) = both(world).await;
    assert_eq!(dane(&dialer, "test").await, Dane::Absent);
    assert!(authority.was_asked("_5270._tcp.x.test. TLSA"));
}

#[tokio::test]
async fn h44_spoilt_tlsa_are_bogus_and_never_absent() {
    use Spoil::{Denied, DeniedByStranger, Expired, Failed, Forged, Silent, Stripped};
    for how in [Expired, Forged, Stripped, Denied, DeniedByStranger, Failed, Silent] {
        let mut world = world();
        world.spoil("_5270._tcp.x.secure.test", "TLSA", how);
        let (_authority, dialer) = both(world).await;
        assert_eq!(dane(&dialer, "secure.test").await, Dane::Bogus, "{how:?}");
        assert_eq!(dane(&dialer, "plain.test").await, Dane::Absent, "{how:?}");
    }
}

#[tokio::test]
async fn h44_a_denial_whose_signature_is_spoilt_is_bogus() {
    for how in [Spoil::Expired, Spoil::Forged, Spoil::Stripped] {
        let mut world = World::default();
        world.signed("test").add("test A 127.0.0.9").spoil("_5269._tcp.test", "TLSA", how);
        let (_authority, dialer) = both(world).await;
        assert_eq!(dane(&dialer, "test").await, Dane::Bogus, "{how:?}");
    }
}

#[tokio::test]
async fn h44_spoilt_srv_and_addresses_stop_everything() {
    use Spoil::{Denied, DeniedByStranger, Expired, Forged, Stripped};
    for how in [Expired, Forged, Stripped, Denied, DeniedByStranger] {
        for (owner, kind) in
            [("_xmpp-server._tcp.secure.test", "SRV"), ("_xmpps-server._tcp.secure.test", "SRV"), ("x.secure.test", "A")]
        {
            let mut world = world();
            world.spoil(owner, kind, how);
            let (_authority, dialer) = both(world).await;
            assert_eq!(dialer.route("secure.test").await.unwrap_err(), Unreachable::Bogus, "{owner} {how:?}");
            assert_eq!(dialer.evidence("secure.test").await, Dane::Bogus);
        }
    }
}

#[tokio::test]
async fn h44_hiding_one_target_does_not_unprove_the_domain() {
    for how in [Spoil::Forged, Spoil::Failed] {
        let mut world = world();
        world.add("_xmpp-server._tcp.secure.test SRV 6 0 5270 y.secure.test.").add("y.secure.test A 127.0.0.9");
        world.spoil("x.secure.test", "A", how).spoil("x.secure.test", "AAAA", how);
        let (_authority, dialer) = both(world).await;
        let targets = dialer.route("secure.test").await.unwrap();
        assert_eq!((targets.len(), targets[0].host.as_str(), &targets[0].dane), (1, "y.secure.test", &Dane::Absent));
        assert_eq!(dialer.evidence("secure.test").await, Dane::Bogus, "{how:?}");
    }
}

#[tokio::test]
async fn h44_a_failing_srv_query_is_not_an_empty_answer() {
    let mut world = World::default();
    world.signed("test").add("test A 127.0.0.9").spoil("_xmpp-server._tcp.test", "SRV", Spoil::Failed);
    let (_authority, dialer) = both(world).await;
    assert_eq!(dialer.route("test").await.unwrap_err(), Unreachable::TimedOut);
    assert_eq!(dialer.evidence("test").await, Dane::Bogus);
}

#[tokio::test]
async fn h44_without_srv_the_domain_itself_is_asked_for() {
    let mut world = World::default();
    world.signed("test").add("test A 127.0.0.9").add(&format!("_5269._tcp.test {TLSA}"));
    let (_authority, dialer) = both(world).await;
    let Dane::Secure(set) = dane(&dialer, "test").await else { panic!("secure") };
    assert!(set.names.is_empty(), "no SRV record names anybody");
}

#[tokio::test]
async fn h44_unsigned_addresses_make_tlsa_unbelievable() {
    let mut world = World::default();
    world.signed("test").signed("secure.test").unsigned("plain.test");
    world.add("_xmpp-server._tcp.secure.test SRV 5 0 5270 x.plain.test.").add("x.plain.test A 127.0.0.9");
    world.add(&format!("_5270._tcp.x.plain.test {TLSA}"));
    let (authority, dialer) = both(world).await;
    assert_eq!(dane(&dialer, "secure.test").await, Dane::Absent);
    assert!(!authority.was_asked("TLSA"));
}

#[tokio::test]
async fn h44_unsigned_srv_make_tlsa_unbelievable() {
    let mut world = world();
    world.unsigned("other.test").add("_xmpp-server._tcp.other.test SRV 5 0 5270 x.secure.test.");
    let (authority, dialer) = both(world).await;
    assert_eq!(dane(&dialer, "other.test").await, Dane::Absent);
    assert!(!authority.was_asked("TLSA"));
}

#[tokio::test]
async fn h44_an_alias_through_an_unsigned_zone_proves_nothing() {
    let mut world = world();
    world.add("_xmpp-server._tcp.test SRV 5 0 5270 alias.plain.test.").add("alias.plain.test CNAME x.secure.test.");
    world.add(&format!("_5270._tcp.alias.plain.test {TLSA}"));
    let (_authority, dialer) = both(world).await;
    assert_eq!(dane(&dialer, "test").await, Dane::Absent);
}

#[tokio::test]
async fn h44_what_does_not_exist_is_not_found() {
    let (_authority, dialer) = both(world()).await;
    for domain in ["nowhere.secure.test", "nowhere.plain.test", "nowhere"] {
        assert_eq!(dialer.route(domain).await.unwrap_err(), Unreachable::NotFound);
        assert_eq!(dialer.evidence(domain).await, Dane::Absent);
    }
}

#[tokio::test]
async fn h44_what_is_too_long_is_asked_for_over_tcp() {
    let mut world = world();
    world.spoil("_xmpp-server._tcp.secure.test", "SRV", Spoil::Truncated);
    let (_authority, dialer) = both(world).await;
    assert!(matches!(dane(&dialer, "secure.test").await, Dane::Secure(_)));
}

/// Servers that give no chain: everything resolves, nothing is proven.
#[tokio::test]
async fn h44_without_a_root_nothing_is_judged() {
    use Spoil::{Denied, Failed, Silent, Stripped};
    for how in [Stripped, Denied, Failed, Silent] {
        for kind in ["DNSKEY", "SOA"] {
            let mut world = world();
            world.spoil(".", kind, how).spoil("x.secure.test", "A", Stripped).spoil("x.secure.test", "AAAA", Denied);
            if kind == "DNSKEY" && how == Stripped {
                // The key is the anchor: it needs no signature.
                continue;
            }
            let (_authority, dialer) = both(world).await;
            assert_eq!(dane(&dialer, "secure.test").await, Dane::Absent, "{kind} {how:?}");
        }
    }
}

/// What has been proven once stays: stripping later makes lookups fail.
#[tokio::test]
async fn h44_a_proven_root_stays_proven() {
    let world = world();
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("root.key");
    std::fs::write(&file, world.anchor()).unwrap();
    let authority = Authority::start(world, None).await;
    let address = authority.address;
    let settings = Settings { servers: vec![address], trust_anchor: Some(file), ..Settings::default() };
    let dialer = Dialer::new(settings, super::fill()).unwrap();
    assert!(matches!(dane(&dialer, "secure.test").await, Dane::Secure(_)));
    drop(authority);
    // Another root, nothing of which is signed by the anchor.
    let mut other = World::default();
    other.unsigned("fresh").add("fresh A 127.0.0.9");
    let _other = loop {
        // The port is free once the first server's tasks have ended.
        if tokio::net::UdpSocket::bind(address).await.is_ok() && tokio::net::TcpListener::bind(address).await.is_ok() {
            break Authority::start(other, Some(address)).await;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(dialer.evidence("fresh").await, Dane::Bogus);
}
