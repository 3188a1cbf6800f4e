//! Answers that are true, of somebody else. Each would have switched DANE off once.

use super::both;
use crate::{
    Dane, Unreachable,
    testing::{Spoil, World},
};
use hickory_resolver::proto::{
    dnssec::{
        Nsec3HashAlgorithm,
        rdata::{DNSSECRData, NSEC3},
    },
    rr::{RData, RecordType},
};

const TLSA: &str = "TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000001";
const OWNER: &str = "_5270._tcp.x.secure.test";
const STRANGER: [&str; 1] = ["plain.test SOA"];

fn world() -> World {
    let mut world = World::default();
    world.signed("test").signed("secure.test").unsigned("plain.test");
    world.add("_xmpp-server._tcp.secure.test SRV 5 0 5270 x.secure.test.");
    world.add("x.secure.test A 127.0.0.9").add("y.secure.test A 127.0.0.9").add("x.plain.test A 127.0.0.9");
    world.add(&format!("{OWNER} {TLSA}"));
    world
}

async fn is_bogus(world: World) {
    let (_authority, dialer) = both(world).await;
    assert_eq!(dialer.route("secure.test").await.unwrap()[0].dane, Dane::Bogus);
    assert_eq!(dialer.evidence("secure.test").await, Dane::Bogus);
}

#[tokio::test]
async fn h44_a_strangers_records_are_no_denial() {
    for authorities in [&STRANGER[..], &["plain.test NS"], &["plain.test SOA", "plain.test NS"], &[]] {
        for answers in [&["x.plain.test A"][..], &["y.secure.test A"], &["x.plain.test A", "y.secure.test A"], &[]] {
            let mut world = world();
            world.replay(OWNER, "TLSA", answers, authorities);
            is_bogus(world).await;
        }
    }
}

#[tokio::test]
async fn h44_a_strangers_heavy_hashing_does_not_unsign_another_zone() {
    for rounds in [101, 151, 600] {
        let mut world = world();
        let hash = "0p9mhaveqvm6t7vbl5lop2u3t3rp3tom.heavy.test";
        let nsec3 = NSEC3::new(Nsec3HashAlgorithm::SHA1, false, rounds, vec![], vec![9; 20], [RecordType::A]);
        world.signed("heavy.test").insert(hash, RData::DNSSEC(DNSSECRData::NSEC3(nsec3)));
        world.replay(OWNER, "TLSA", &[], &[&format!("{hash} NSEC3")]);
        is_bogus(world).await;
    }
}

/// The wildcard's own signature over a name that exists: without the denial of the name it says nothing.
#[tokio::test]
async fn h44_a_wildcard_does_not_hide_what_exists() {
    let carried = format!("*.secure.test CNAME as {OWNER}");
    for authorities in [&STRANGER[..], &[]] {
        for kinds in [&["TLSA"][..], &["TLSA", "CNAME"]] {
            let mut world = world();
            world.add("*.secure.test CNAME y.secure.test.");
            for kind in kinds {
                world.replay(OWNER, kind, &[&carried], authorities);
            }
            is_bogus(world).await;
        }
    }
    let mut world = world();
    world.add("*.secure.test A 127.0.0.66").replay("x.secure.test", "A", &["*.secure.test A as x.secure.test"], &STRANGER);
    let (_authority, dialer) = both(world).await;
    assert_eq!(dialer.route("secure.test").await.unwrap_err(), Unreachable::Bogus);
}

/// Some servers of unsigned zones deny without naming the zone.
#[tokio::test]
async fn h44_a_bare_denial_is_believed_of_an_unsigned_zone() {
    let mut world = world();
    world.add("_xmpp-server._tcp.plain.test SRV 5 0 5270 x.plain.test.");
    world.spoil("_xmpps-server._tcp.plain.test", "SRV", Spoil::Denied).spoil("x.plain.test", "AAAA", Spoil::Denied);
    let (_authority, dialer) = both(world).await;
    assert_eq!(dialer.route("plain.test").await.unwrap()[0].dane, Dane::Absent);
}

#[tokio::test]
async fn h44_records_are_found_where_proven_aliases_end() {
    let mut world = world();
    world.add("_xmpp-server._tcp.test SRV 5 0 5270 alias.secure.test.").add("alias.secure.test CNAME x.secure.test.");
    let (_authority, dialer) = both(world).await;
    let Dane::Secure(set) = dialer.route("test").await.unwrap().remove(0).dane else { panic!("secure") };
    assert_eq!((set.records.len(), set.names), (1, vec!["alias.secure.test".into(), "x.secure.test".into()]));
}

#[tokio::test]
async fn h44_a_tlsa_record_may_be_an_alias_and_its_proof_is_looked_at() {
    for (zone, dane) in [("secure", true), ("plain", false)] {
        let mut world = world();
        world.add("_xmpp-server._tcp.test SRV 5 0 5271 x.secure.test.");
        world.add(&format!("_5271._tcp.x.secure.test CNAME _t.{zone}.test.")).add(&format!("_t.{zone}.test {TLSA}"));
        let (_authority, dialer) = both(world).await;
        let target = dialer.route("test").await.unwrap().remove(0);
        assert_eq!(matches!(target.dane, Dane::Secure(_)), dane, "{zone}");
        assert_ne!(target.dane, Dane::Bogus);
    }
}

/// Who can suppress one target must not choose by that what an incoming peer has to prove.
#[tokio::test]
async fn h44_evidence_leaves_no_target_out() {
    for how in [Spoil::Failed, Spoil::Forged] {
        for (owner, kind) in [("x.secure.test", "A"), ("_xmpp-server._tcp.secure.test", "SRV")] {
            let mut world = world();
            world.add("_xmpps-server._tcp.secure.test SRV 9 0 5223 x.plain.test.").spoil(owner, kind, how);
            let (_authority, dialer) = both(world).await;
            assert_eq!(dialer.evidence("secure.test").await, Dane::Bogus, "{owner} {how:?}");
            // The way out needs no more than one: it proves what that one says.
            assert_eq!(dialer.route("secure.test").await.is_ok(), how == Spoil::Failed || kind == "A", "{owner} {how:?}");
        }
    }
}

/// Where nothing could be believed, what cannot be asked takes nothing away.
#[tokio::test]
async fn an_unsigned_peer_with_a_dead_target_may_come_in() {
    let mut world = world();
    world.add("_xmpp-server._tcp.plain.test SRV 5 0 5270 x.plain.test.");
    world.add("_xmpp-server._tcp.plain.test SRV 6 0 5270 dead.plain.test.");
    world.spoil("dead.plain.test", "A", Spoil::Failed).spoil("dead.plain.test", "AAAA", Spoil::Failed);
    world.spoil("_xmpps-server._tcp.plain.test", "SRV", Spoil::Failed);
    let (_authority, dialer) = both(world).await;
    assert_eq!(dialer.evidence("plain.test").await, Dane::Absent);
}

#[tokio::test]
async fn special_names_are_nobodys_to_prove() {
    let (authority, dialer) = both(world()).await;
    assert_eq!(dialer.route("localhost").await.unwrap()[0].dane, Dane::Absent);
    assert_eq!(dialer.route("x.invalid").await.unwrap_err(), Unreachable::NotFound);
    assert!(!authority.was_asked("localhost") && !authority.was_asked("invalid."));
}
