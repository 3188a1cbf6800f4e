//! A peer of an authority that we do not know, whose zone names its key (H44). The near server asks a name server that
//! signs; the far one, of ours or Prosody, trusts the near one's authority as ever.

use super::pair::{FAR, NEAR, talk};
use bocage_dial::testing::{Authority as NameServer, Spoil, World as Names};
use bocage_tests::{Authority, Kind, Peer, Person, Site, Usage, Way, World};
use std::{fmt::Write, time::Duration};

/// What the far one is like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certificate {
    /// Its authority is unknown.
    Foreign,
    Trusted,
}
#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    Right,
    Wrong,
    None,
}

/// Near and far with the name server of the near one, which has to live as long.
struct Case {
    near: Peer,
    far: Peer,
    names: NameServer,
    world: World,
}

impl Case {
    async fn of(kind: Kind, certificate: Certificate, record: Record, spoil: Option<Spoil>) -> Self {
        let mut world = World::new();
        let near = world.site(NEAR, Way::Starttls, Usage::Both);
        let far = world.site(FAR, Way::Starttls, Usage::Both);
        let foreign = Authority::new("an authority that nobody knows");
        let leaf = match certificate {
            Certificate::Foreign => foreign.leaf(FAR, Usage::Both),
            Certificate::Trusted => world.authority.leaf(FAR, Usage::Both),
        };
        world.certify(&far, &leaf);
        // Who is a client of the far one knows its authority.
        std::fs::write(world.path().join("foreign.pem"), format!("{}{}", foreign.pem, world.authority.pem)).unwrap();
        world.publish().await;
        let far = Peer::start(&world, far, kind, "").await.trusted_by(world.path().join("foreign.pem"));
        let names = serve(&mut world, (&near, &far.site), tlsa(record, &leaf.spki), spoil).await;
        let near = Peer::start(&world, near, Kind::Bocage, "").await;
        Self { near, far, names, world }
    }
    async fn people(&self) -> (Person, Person) {
        (self.near.online("romeo").await, self.far.online("juliet").await)
    }
    /// Nothing passes, whoever calls.
    async fn is_refused(&self) {
        let (mut romeo, mut juliet) = self.people().await;
        let (romeos, juliets) = (romeo.jid.clone(), juliet.jid.clone());
        for (person, to) in [(&mut romeo, juliets), (&mut juliet, romeos)] {
            person.send(&format!("<message to='{to}' type='chat' id='lost'><body>who's there?</body></message>")).await;
        }
        for person in [&mut romeo, &mut juliet] {
            let answer = tokio::time::timeout(Duration::from_secs(90), async {
                loop {
                    let stanza = person.arrival().await;
                    if stanza.name() == "message" {
                        return stanza;
                    }
                }
            });
            let answer = answer.await.expect("it comes back");
            assert_eq!((answer.attr("id"), answer.attr("type")), (Some("lost"), Some("error")));
        }
        for peer in [&self.near, &self.far] {
            assert!(!peer.site.front.recordings().is_empty(), "both called");
        }
        assert!(self.names.was_asked("TLSA"));
    }
}

fn tlsa(record: Record, spki: &[u8]) -> Option<String> {
    let mut key = String::from("3 1 0 ");
    for byte in spki {
        write!(key, "{byte:02x}").unwrap();
    }
    match record {
        Record::Right => Some(key),
        Record::Wrong => Some(format!("3 1 1 {}", "00".repeat(32))),
        Record::None => None,
    }
}

/// Signed names of both.
async fn serve(world: &mut World, (near, far): (&Site, &Site), tlsa: Option<String>, spoil: Option<Spoil>) -> NameServer {
    let mut names = Names::default();
    names.signed("example").signed(NEAR).signed(FAR);
    for site in [near, far] {
        let (domain, port) = (site.domain, site.front.address.port());
        names.add(&format!("{domain} A {}", site.address()));
        names.add(&format!("_xmpp-server._tcp.{domain} SRV 0 0 {port} {domain}."));
    }
    let owner = format!("_{}._tcp.{FAR}", far.front.address.port());
    if let Some(tlsa) = tlsa {
        names.add(&format!("{owner} TLSA {tlsa}"));
    }
    if let Some(how) = spoil {
        names.spoil(&owner, "TLSA", how);
    }
    let key = world.path().join("root.key");
    std::fs::write(&key, names.anchor()).unwrap();
    let server = NameServer::start(names, None).await;
    world.signed = Some((server.address, key));
    server
}

async fn is_accepted(kind: Kind) {
    let case = Case::of(kind, Certificate::Foreign, Record::Right, None).await;
    let (mut romeo, mut juliet) = case.people().await;
    talk(&mut juliet, &mut romeo).await;
    talk(&mut romeo, &mut juliet).await;
    assert!(case.names.was_asked("TLSA"));
}

#[tokio::test]
async fn h44_a_key_that_a_signed_zone_names_is_enough() {
    is_accepted(Kind::Bocage).await;
}
#[tokio::test]
async fn h44_a_key_that_a_signed_zone_names_is_enough_for_prosody() {
    is_accepted(Kind::Prosody).await;
}

#[tokio::test]
async fn h44_an_unknown_authority_alone_is_not() {
    Case::of(Kind::Prosody, Certificate::Foreign, Record::None, None).await.is_refused().await;
}

#[tokio::test]
async fn h44_a_record_that_does_not_match_outweighs_a_known_authority() {
    for kind in [Kind::Prosody, Kind::Bocage] {
        Case::of(kind, Certificate::Trusted, Record::Wrong, None).await.is_refused().await;
    }
}

#[tokio::test]
async fn h44_a_broken_signature_is_refused_though_the_authority_is_known() {
    for how in [Spoil::Forged, Spoil::Expired, Spoil::Stripped] {
        Case::of(Kind::Prosody, Certificate::Trusted, Record::Right, Some(how)).await.is_refused().await;
    }
}

#[tokio::test]
async fn h43_who_had_a_record_and_lost_it_is_refused() {
    let mut case = Case::of(Kind::Prosody, Certificate::Trusted, Record::Right, None).await;
    let (mut romeo, mut juliet) = case.people().await;
    talk(&mut romeo, &mut juliet).await;
    drop((romeo, juliet));
    case.near.stop().await;
    drop(case.names);
    case.names = serve(&mut case.world, (&case.near.site, &case.far.site), None, None).await;
    case.near.start_again(&case.world).await;
    case.is_refused().await;
}
