//! Behind a proxy: it gets the names, and nothing else gets them (H45). A stub stands for Tor.

use super::pair::talk;
use bocage_tests::{Kind, Peer, Person, Socks, Usage, Way, World};

const ONION: &str = "bocagebocagebocagebocagebocagebocagebocagebocagebocage22.onion";
const NEAR: &str = "near.example";
const MAPPED: [&str; 2] = ["one.example", "other.example"];

#[tokio::test]
async fn h45_an_onion_is_reached_through_the_proxy_and_asked_of_nobody_else() {
    let mut world = World::new();
    let near = world.site(NEAR, Way::Starttls, Usage::Both);
    let onion = world.site(ONION, Way::Hidden, Usage::Both);
    world.publish().await;
    let socks = Socks::start(&[(ONION, 5269, onion.front.address)]);
    let near = Peer::start(&world, near, Kind::Bocage, &format!("proxy = \"{}\"\n", socks.address)).await;
    let onion = Peer::start(&world, onion, Kind::Bocage, "").await;
    let mut romeo = near.online("romeo").await;
    speak(&mut romeo, &onion).await;
    let requests = socks.requests();
    let [one] = requests.as_slice() else { panic!("one circuit: {requests:?}") };
    assert_eq!((one.name.as_str(), one.port), (ONION, 5269));
    assert!(one.credentials.is_some(), "by which Tor isolates it");
    assert!(!world.resolver().was_asked(ONION), "the name stays with the proxy");
}

/// DNS knows them all: that it is not asked is seen.
#[tokio::test]
async fn h45_mapped_peers_have_circuits_of_their_own_and_dns_hears_nothing() {
    let mut world = World::new();
    let near = world.site(NEAR, Way::Starttls, Usage::Both);
    let sites = MAPPED.map(|domain| world.site(domain, Way::Starttls, Usage::Both));
    world.publish().await;
    let routes = sites.each_ref().map(|site| (site.domain, 5269, site.front.address));
    let socks = Socks::start(&routes);
    let mapped = MAPPED.map(|domain| format!("[s2s.peers.\"{domain}\"]\nvia = \"proxy\"\n"));
    let more = format!("proxy = \"{}\"\n{}", socks.address, mapped.concat());
    let near = Peer::start(&world, near, Kind::Bocage, &more).await;
    let mut romeo = near.online("romeo").await;
    for site in sites {
        speak(&mut romeo, &Peer::start(&world, site, Kind::Prosody, "").await).await;
    }
    let requests = socks.requests();
    let [one, other] = requests.as_slice() else { panic!("one circuit for each: {requests:?}") };
    assert_eq!([(one.name.as_str(), one.port), (other.name.as_str(), other.port)], MAPPED.map(|domain| (domain, 5269)));
    assert_ne!(one.credentials, other.credentials);
    for domain in MAPPED {
        assert!(!world.resolver().was_asked(domain), "{domain} stays with the proxy");
    }
    // The resolver would have told: who was called looks for nobody, but whoever is asked for is seen.
    romeo.send("<message to='juliet@nowhere.example' type='chat' id='lost'><body>where?</body></message>").await;
    romeo.until(|s| s.attr("id") == Some("lost")).await;
    assert!(world.resolver().was_asked("nowhere.example"));
}

async fn speak(romeo: &mut Person, peer: &Peer) {
    let mut juliet = peer.online("juliet").await;
    talk(romeo, &mut juliet).await;
    let recordings = peer.site.front.recordings();
    assert!(!recordings.is_empty(), "the near one called");
    for recording in recordings {
        recording.only_the_starttls_opening_is_plain();
    }
}

#[tokio::test]
async fn h45_without_a_proxy_an_onion_is_asked_of_nobody() {
    let mut world = World::new();
    let near = world.site(NEAR, Way::Starttls, Usage::Both);
    world.publish().await;
    let near = Peer::start(&world, near, Kind::Bocage, "").await;
    let mut romeo = near.online("romeo").await;
    romeo.send(&format!("<message to='juliet@{ONION}' type='chat' id='lost'><body>where?</body></message>")).await;
    let answer = romeo.until(|s| s.attr("id") == Some("lost")).await;
    assert_eq!(answer.attr("type"), Some("error"));
    assert!(!world.resolver().was_asked("onion"));
}
