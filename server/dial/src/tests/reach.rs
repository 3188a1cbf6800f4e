//! Connections, and the ways that meet no signature.

use super::{both, both_with, fill};
use crate::{Dialer, Mode, Peer, Settings, Unreachable, Via, testing::World};
use std::{collections::HashMap, net::Ipv4Addr};
use tokio::net::TcpListener;

#[tokio::test]
async fn services_are_mixed_and_reached() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut world = World::default();
    world.add("_xmpp-server._tcp.test SRV 2 0 1 x.test.").add("x.test A 127.0.0.1");
    world.add(&format!("_xmpps-server._tcp.test SRV 1 0 {port} x.test."));
    let (_authority, dialer) = both(world).await;
    let targets = dialer.route("test").await.unwrap();
    let modes: Vec<_> = targets.iter().map(|t| t.mode).collect();
    assert_eq!(modes, [Mode::DirectTls, Mode::Starttls]);
    let (stream, _) = tokio::join!(dialer.connect("test", &targets[0]), listener.accept());
    assert!(stream.unwrap().nodelay().unwrap());
    assert_eq!(dialer.connect("test", &targets[1]).await.unwrap_err(), Unreachable::Refused);
}

#[tokio::test]
async fn a_dead_family_does_not_hide_the_other() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut world = World::default();
    world.add(&format!("_xmpp-server._tcp.test SRV 2 0 {port} x.test."));
    world.add("x.test A 127.0.0.1").add("x.test AAAA ::1").add("x.test A 0.0.0.0");
    let (_authority, dialer) = both(world).await;
    let targets = dialer.route("test").await.unwrap();
    let (stream, _) = tokio::join!(dialer.connect("test", &targets[0]), listener.accept());
    assert_eq!(stream.unwrap().peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[tokio::test]
async fn a_dot_is_no() {
    let mut world = World::default();
    world.add("_xmpp-server._tcp.test SRV 0 0 0 .").add("_xmpps-server._tcp.test SRV 0 0 0 .").add("test A 127.0.0.1");
    let (_authority, dialer) = both(world).await;
    assert_eq!(dialer.route("test").await.unwrap_err(), Unreachable::NotFound);
}

#[tokio::test]
async fn internationalised_domains_are_looked_up_as_a_labels() {
    let mut world = World::default();
    world.add("xn--bcher-kva.test A 127.0.0.1");
    let (authority, dialer) = both(world).await;
    assert_eq!(dialer.route("Bücher.test").await.unwrap()[0].host, "xn--bcher-kva.test");
    assert!(authority.was_asked("_xmpps-server._tcp.xn--bcher-kva.test. SRV"));
}

#[tokio::test]
async fn configured_peers_are_where_the_settings_say() {
    let peer = |host: &str| Peer { address: Some((host.into(), 7)), mode: Mode::DirectTls, via: Via::Direct };
    let peers = HashMap::from([("bücher.test".into(), peer("127.0.0.3")), ("192.0.2.1".into(), peer("127.0.0.4"))]);
    let (authority, dialer) = both_with(World::default(), Settings { peers, ..Settings::default() }).await;
    for (domain, host) in [("bücher.test", "127.0.0.3"), ("xn--bcher-kva.test", "127.0.0.3"), ("192.0.2.1", "127.0.0.4")] {
        let target = dialer.route(domain).await.unwrap().remove(0);
        assert_eq!((target.host.as_str(), target.port, target.mode), (host, 7, Mode::DirectTls));
    }
    assert!(authority.asked().is_empty());
    for domain in ["192.0.2.2", "::1", "[::1]", "999", "a..b", "", "a b"] {
        assert_eq!(dialer.route(domain).await.unwrap_err(), Unreachable::NotFound, "{domain}");
    }
}

#[tokio::test]
async fn servers_that_cannot_be_reached_are_not_an_answer() {
    // Bound and silent over TCP, refused over UDP.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let dialer = Dialer::new(Settings { servers: vec![address], ..Settings::default() }, fill()).unwrap();
    assert_eq!(dialer.route("test").await.unwrap_err(), Unreachable::TimedOut);
}
