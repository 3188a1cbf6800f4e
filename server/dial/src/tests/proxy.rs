//! Behind the proxy, and `.onion`: the proxy gets the name, DNS gets nothing.

use super::both_with;
use crate::{DialFault, Dialer, Mode, Peer, Settings, Unreachable, Via, testing::World};
use std::{collections::HashMap, net::Ipv4Addr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Seen {
    credentials: (Vec<u8>, Vec<u8>),
    host: String,
    port: u16,
}

async fn bytes(stream: &mut tokio::net::TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await.unwrap())];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Serves one client (RFC 1928, 1929) and answers with `code`.
async fn serve(listener: &TcpListener, code: u8) -> Seen {
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 5);
    assert!(bytes(&mut stream).await.contains(&2));
    stream.write_all(&[5, 2]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 1);
    let credentials = (bytes(&mut stream).await, bytes(&mut stream).await);
    stream.write_all(&[1, 0]).await.unwrap();
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request, [5, 1, 0, 3], "CONNECT to a name");
    let host = String::from_utf8(bytes(&mut stream).await).unwrap();
    let port = stream.read_u16().await.unwrap();
    stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    Seen { credentials, host, port }
}

#[tokio::test]
async fn h45_the_proxy_gets_the_name_and_dns_gets_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let peer = Peer { address: None, mode: Mode::Starttls, via: Via::Proxy };
    let mapped = Peer { address: Some(("a.onion".into(), 443)), mode: Mode::DirectTls, via: Via::Direct };
    let settings = Settings {
        proxy: Some(listener.local_addr().unwrap().to_string()),
        peers: HashMap::from([("far.test".into(), peer), ("mapped.test".into(), mapped)]),
        ..Settings::default()
    };
    let (authority, dialer) = both_with(World::default(), settings).await;
    let mut seen = Vec::new();
    for domain in ["far.test", "mapped.test", "b.onion", "far.test"] {
        let targets = dialer.route(domain).await.unwrap();
        let (stream, one) = tokio::join!(dialer.connect(domain, &targets[0]), serve(&listener, 0));
        stream.unwrap();
        seen.push(one);
    }
    let places: Vec<_> = seen.iter().map(|s| (s.host.as_str(), s.port)).collect();
    assert_eq!(places, [("far.test", 5269), ("a.onion", 443), ("b.onion", 5269), ("far.test", 5269)]);
    assert_eq!(seen[0].credentials, seen[3].credentials, "one circuit for one peer");
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        assert_ne!(seen[one].credentials, seen[other].credentials, "circuits of their own");
    }
    assert_ne!(seen[0].credentials.0, seen[0].credentials.1);
    assert!(authority.asked().is_empty(), "{:?}", authority.asked());
}

#[tokio::test]
async fn h45_failures_of_the_proxy_are_told_apart() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let settings = Settings { proxy: Some(listener.local_addr().unwrap().to_string()), ..Settings::default() };
    let (_authority, dialer) = both_with(World::default(), settings).await;
    let target = dialer.route("b.onion").await.unwrap().remove(0);
    for (code, cause) in
        [(1, Unreachable::Proxy), (4, Unreachable::Refused), (5, Unreachable::Refused), (6, Unreachable::TimedOut)]
    {
        let (outcome, _) = tokio::join!(dialer.connect("b.onion", &target), serve(&listener, code));
        assert_eq!(outcome.unwrap_err(), cause, "{code}");
    }
    drop(listener);
    assert_eq!(dialer.connect("b.onion", &target).await.unwrap_err(), Unreachable::Proxy);
}

#[tokio::test]
async fn h45_without_a_proxy_there_is_no_onion() {
    let (authority, dialer) = both_with(World::default(), Settings::default()).await;
    assert_eq!(dialer.route("b.onion").await.unwrap_err(), Unreachable::NotFound);
    assert!(authority.asked().is_empty());
    let peer = Peer { address: None, mode: Mode::Starttls, via: Via::Proxy };
    let settings = Settings { peers: HashMap::from([("far.test".into(), peer)]), ..Settings::default() };
    assert!(matches!(Dialer::new(settings, super::fill()), Err(DialFault::NoProxy { .. })));
}
