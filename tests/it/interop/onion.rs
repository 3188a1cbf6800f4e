//! Behind a proxy: it gets the names, and nothing else gets them (H45). A stub stands for Tor.

use super::pair::talk;
use bocage_tests::{Kind, Peer, Socks, Usage, Way, World};

const ONION: &str = "bocagebocagebocagebocagebocagebocagebocagebocagebocage22.onion";
const NEAR: &str = "near.example";
const MAPPED: &str = "far.example";

#[tokio::test]
async fn h45_what_goes_through_the_proxy_is_asked_of_nobody_else() {
    let mut world = World::new();
    let near = world.site(NEAR, Way::Starttls, Usage::Both);
    let onion = world.site(ONION, Way::Hidden, Usage::Both);
    // DNS knows it: that it is not asked is seen.
    let mapped = world.site(MAPPED, Way::Starttls, Usage::Both);
    world.publish().await;
    let socks = Socks::start(&[(ONION, 5269, onion.front.address), (MAPPED, 5269, mapped.front.address)]);
    let more = format!("proxy = \"{}\"\n[s2s.peers.\"{MAPPED}\"]\nvia = \"proxy\"\n", socks.address);
    let near = Peer::start(&world, near, Kind::Bocage, &more).await;
    let (onion, mapped) =
        tokio::join!(Peer::start(&world, onion, Kind::Bocage, ""), Peer::start(&world, mapped, Kind::Prosody, ""));
    let mut romeo = near.online("romeo").await;
    for peer in [&onion, &mapped] {
        let mut juliet = peer.online("juliet").await;
        talk(&mut romeo, &mut juliet).await;
        for recording in peer.site.front.recordings() {
            recording.only_the_starttls_opening_is_plain();
        }
    }
    let requests = socks.requests();
    let [one, other] = requests.as_slice() else { panic!("one circuit for each: {requests:?}") };
    assert_eq!([(one.name.as_str(), one.port), (other.name.as_str(), other.port)], [(ONION, 5269), (MAPPED, 5269)]);
    assert!(one.credentials.is_some(), "by which Tor isolates them");
    assert_ne!(one.credentials, other.credentials);
    assert!(!world.resolver().was_asked("onion") && !world.resolver().was_asked(MAPPED), "names stay with the proxy");
    assert!(world.resolver().was_asked(NEAR), "the resolver would have told: the others looked for the near one");
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
