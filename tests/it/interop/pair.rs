//! Two servers that know each other by name.

use bocage_tests::{Kind, Peer, Person, Usage, Way, World, text};
use std::time::Duration;

pub(super) const NEAR: &str = "near.example";
pub(super) const FAR: &str = "far.example";
const TLS_1_3: u16 = 0x0304;
/// Longer than a message takes that is not lost.
const PAUSE: Duration = Duration::from_secs(2);
/// Longer than what waits for somebody takes to reach them.
const STAY: Duration = Duration::from_secs(5);
/// Longer than a server waits before it tries again.
const RETRIES: Duration = Duration::from_secs(120);

/// What they are.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    pub(super) near: Kind,
    pub(super) far: Kind,
    pub(super) way: Way,
    pub(super) usages: (Usage, Usage),
    /// More configuration of each.
    pub(super) more: (&'static str, &'static str),
}

impl Setup {
    pub(super) fn of(near: Kind, far: Kind) -> Self {
        Self { near, far, way: Way::Starttls, usages: (Usage::Both, Usage::Both), more: ("", "") }
    }
}

/// Both. What is in common is dropped last.
pub(super) struct Pair {
    pub(super) near: Peer,
    pub(super) far: Peer,
    pub(super) world: World,
}

impl Pair {
    pub(super) async fn of(setup: Setup) -> Self {
        let mut world = World::new();
        let near = world.site(NEAR, setup.way, setup.usages.0);
        let far = world.site(FAR, setup.way, setup.usages.1);
        world.publish().await;
        let near = Peer::start(&world, near, setup.near, setup.more.0);
        let far = Peer::start(&world, far, setup.far, setup.more.1);
        let (near, far) = tokio::join!(near, far);
        Self { near, far, world }
    }
    /// Romeo, who is near, and Juliet, who is far.
    pub(super) async fn people(&self) -> (Person, Person) {
        (self.near.online("romeo").await, self.far.online("juliet").await)
    }
    /// Every link that there was is TLS 1.3, shows nothing but the opening of STARTTLS, and was proven with SASL
    /// EXTERNAL by who called; both have to be seen to count.
    pub(super) async fn links_are_proven(&self) {
        assert!(self.links() > 0, "there was a link");
        self.links_are_sealed();
        for (caller, called) in [(&self.near, &self.far), (&self.far, &self.near)] {
            if !called.site.front.recordings().is_empty() {
                called.took_external_from(caller.site.domain).await;
                caller.gave_external_to(called.site.domain).await;
            }
        }
    }
    pub(super) fn links_are_sealed(&self) {
        for recording in [&self.near, &self.far].iter().flat_map(|peer| peer.site.front.recordings()) {
            recording.only_the_starttls_opening_is_plain();
            assert_eq!(recording.version(), Some(TLS_1_3));
        }
    }
    /// How many links there were.
    pub(super) fn links(&self) -> usize {
        self.near.site.front.recordings().len() + self.far.site.front.recordings().len()
    }
    pub(super) fn cut_links(&self) {
        self.near.site.front.cut();
        self.far.site.front.cut();
    }
}

/// A message from one to the other, which arrives as it was sent.
pub(super) async fn say(from: &mut Person, to: &mut Person, words: &str) {
    from.send(&format!("<message to='{}' type='chat'><body>{words}</body></message>", to.jid)).await;
    let got = to.until(|s| s.name() == "message" && text(s) == words).await;
    assert_eq!(got.attr("type"), Some("chat"));
    assert_eq!(got.attr("from"), Some(from.jid.to_string().as_str()), "who it is from");
}

/// Both ways.
pub(super) async fn talk(romeo: &mut Person, juliet: &mut Person) {
    say(romeo, juliet, "But, soft!").await;
    say(juliet, romeo, "Ay me!").await;
}

/// Both ways, after a loss that not every server has seen: what is said is said again until it arrives.
pub(super) async fn talk_again(romeo: &mut Person, juliet: &mut Person) {
    repeat(juliet, romeo).await;
    repeat(romeo, juliet).await;
    talk(romeo, juliet).await;
}

async fn repeat(from: &mut Person, to: &mut Person) {
    let arrives = async {
        for n in 0.. {
            let words = format!("once more, {n}");
            from.send(&format!("<message to='{}' type='chat'><body>{words}</body></message>", to.jid)).await;
            if tokio::time::timeout(PAUSE, hear(to, &words)).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(RETRIES, arrives).await.expect("servers try again");
}

async fn hear(person: &mut Person, words: &str) {
    while text(&person.arrival().await) != words {}
}

/// Messages that `from` has sent under these ids, each with its id as its words: each arrives or comes back.
pub(super) async fn none_is_lost(from: &mut Person, to: &mut Person, ids: &[String]) {
    let mut missing: Vec<&String> = ids.iter().collect();
    let done = tokio::time::timeout(RETRIES, settle(from, to, &mut missing)).await;
    assert!(done.is_ok(), "neither arrived nor came back: {missing:?}");
}

/// The same for who comes back only now, and once more when something is missing: ejabberd hands out what it had stored
/// before somebody came, and what it stores at that very moment it keeps until they come again.
pub(super) async fn none_is_lost_on_return(from: &mut Person, to: impl AsyncFn() -> Person, ids: &[String]) -> Person {
    let mut missing: Vec<&String> = ids.iter().collect();
    let all = async {
        loop {
            let mut to = to().await;
            if tokio::time::timeout(STAY, settle(from, &mut to, &mut missing)).await.is_ok() {
                return to;
            }
        }
    };
    let done = tokio::time::timeout(RETRIES, all).await;
    done.unwrap_or_else(|_| panic!("neither arrived nor came back: {missing:?}"))
}

async fn settle(from: &mut Person, to: &mut Person, missing: &mut Vec<&String>) {
    while !missing.is_empty() {
        let got = tokio::select! {
            stanza = from.arrival() => stanza.attr("id").filter(|_| stanza.attr("type") == Some("error")).map(str::to_owned),
            stanza = to.arrival() => Some(text(&stanza)),
        };
        missing.retain(|id| got.as_ref() != Some(*id));
    }
}
