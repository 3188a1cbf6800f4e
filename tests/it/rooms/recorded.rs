//! The promise as a whole: everything that a room sends to somebody about somebody else, recorded and searched by machine
//! for what would tell who they are. Our own people read their streams to the byte.

use super::{codes, form, item, shown, user};
use bocage_tests::{Kind, Peer, Person, Raw, Usage, Way, World};

const NEAR: &str = "near.example";
const FAR: &str = "far.example";
const ROOM: &str = "garden@salons.near.example";
/// What Romeo's clients show, at both servers.
const SHOWN: &str = "<show>away</show><status>secret-status</status><priority>7</priority>\
    <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://secret-client.example' ver='c2VjcmV0LXZlcg=='/>\
    <x xmlns='vcard-temp:x:update'><photo>5ec7e7a7a7a75ec7e7a7a7a75ec7e7a7a7a7a7a7</photo></x>\
    <idle xmlns='urn:xmpp:idle:1' since='2026-02-03T04:05:06Z'/><query xmlns='jabber:iq:last' seconds='864200135'/>\
    <nick xmlns='http://jabber.org/protocol/nick'>Secret Name</nick><x xmlns='jabber:x:signed'>secret-signature</x>";
/// Of the moderator's presence.
const OWN_ID: &str = "owners-presence-id";
/// What must not be found, whoever it is about.
const SECRETS: [&str; 15] = [
    "x-secret",
    "secret-status",
    "secret-client",
    "c2VjcmV0LXZlcg",
    "5ec7e7a7",
    "2026-02-03",
    "864200135",
    "Secret Name",
    "secret-signature",
    "secret-presence-id",
    "secret-device",
    "secret-payload",
    NEAR,
    FAR,
    "montague@",
];

/// Everything in `heard` that tells who somebody else is. What is the reader's own is no secret to them, and the address of
/// the room names nobody.
fn leaks(heard: &str, own: &str) -> Vec<&'static str> {
    let bare = own.split('/').next().unwrap();
    let rest = heard.replace(own, "").replace(bare, "").replace(ROOM, "").replace("salons.near.example", "");
    let mut found: Vec<&str> = SECRETS.into_iter().filter(|secret| rest.contains(secret)).collect();
    // Local parts are words; with an "@" behind them they are addresses.
    found.extend(["romeo@", "juliet@"].into_iter().filter(|local| rest.contains(local)));
    found
}

/// Our server and Prosody, each with a Romeo and a Juliet.
struct Stage {
    near: Peer,
    far: Peer,
    _world: World,
}
impl Stage {
    async fn with(config: &str) -> Self {
        let mut world = World::new();
        let (near, far) = (world.site(NEAR, Way::Starttls, Usage::Both), world.site(FAR, Way::Starttls, Usage::Both));
        world.publish().await;
        let near = Peer::start(&world, near, Kind::Bocage, config);
        let far = Peer::start(&world, far, Kind::Prosody, "");
        let (near, far) = tokio::join!(near, far);
        Self { near, far, _world: world }
    }
}

/// Somebody whose stream is read to the byte.
struct Reader {
    raw: Raw,
    own: String,
    heard: String,
}
impl Reader {
    async fn online(peer: &Peer, name: &str) -> Self {
        let mut raw = Raw::online(peer.village(), name).await;
        let own = format!("{}/{}", peer.bare(name), raw.resource().await);
        Self { raw, own, heard: String::new() }
    }
    async fn until(&mut self, end: &str) {
        let text = self.raw.until(end).await;
        self.heard.push_str(&text);
    }
    async fn asks_around(&mut self) {
        let questions = questions();
        for question in &questions {
            self.raw.send(question).await;
        }
        self.until(&format!("id='ask-{}'", questions.len() - 1)).await;
    }
    async fn enter(&mut self, nick: &str) {
        self.raw.send(&format!("<presence to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")).await;
        self.until("code='110'").await;
    }
}

fn join(nick: &str) -> String {
    format!("<presence to='{ROOM}/{nick}' id='secret-presence-id'><x xmlns='http://jabber.org/protocol/muc'/>{SHOWN}</presence>")
}

/// What Romeo says: at home and abroad the same.
fn words(nick: &str) -> Vec<String> {
    let say = |payloads: &str| format!("<message to='{ROOM}' type='groupchat' id='m-{nick}'>{payloads}</message>");
    vec![
        say("<body>But, soft!</body><nick xmlns='http://jabber.org/protocol/nick'>Secret Name</nick>"),
        say(&format!("<body>But soft</body><replace xmlns='urn:xmpp:message-correct:0' id='m-{nick}'/>")),
        say(&format!("<reactions xmlns='urn:xmpp:reactions:0' id='m-{nick}'><reaction>+</reaction></reactions>")),
        say("<body>see</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:romeo@far.example'/>"),
        say("<body>re</body><reply xmlns='urn:xmpp:reply:0' id='x' to='romeo@near.example/home'/>"),
        say(
            "<body>seen</body><displayed xmlns='urn:xmpp:chat-markers:0' id='x'/><whatever xmlns='urn:example'>montague@verona.example</whatever>",
        ),
        say(
            "<body>no key</body><encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='secret-device'/><payload>secret-payload</payload></encrypted>",
        ),
        format!(
            "<message to='{ROOM}/viewer' type='chat' id='pm'><body>psst {nick}</body>\
            <nick xmlns='http://jabber.org/protocol/nick'>Secret Name</nick></message>"
        ),
        format!("<presence to='{ROOM}/{nick}' id='secret-presence-id'>{}</presence>", SHOWN.replace("away", "dnd")),
    ]
}

/// What each heard of all the others.
struct Heard {
    moderator: (String, String),
    viewer: (String, String),
    abroad: (String, String),
    /// The far Romeo's occupant-ids under his two nicks.
    ids: [String; 2],
    /// Everything that Prosody got from our rooms about others than whom it is for, and for whom.
    wire: Vec<(String, String)>,
}

/// The whole conversation: a moderator and a Juliet of ours, a Romeo and a Juliet of Prosody's.
async fn converse(stage: &Stage) -> Heard {
    let mut moderator = Reader::online(&stage.near, "romeo").await;
    let mut viewer = Reader::online(&stage.near, "juliet").await;
    let (mut romeo, mut juliet) = (stage.far.online("romeo").await, stage.far.online("juliet").await);
    // With an id and a language of its own: the one is for nobody else, the other for nobody.
    let mine = |text: String| text.replace("secret-presence-id", OWN_ID).replace("<presence ", "<presence xml:lang='x-secret' ");
    moderator.raw.send(&mine(join("owner"))).await;
    moderator.until("code='110'").await;
    moderator.raw.send(&format!("<iq type='set' id='setup' to='{ROOM}'>{}</iq>", form(&[]))).await;
    moderator.until("id='setup'").await;
    viewer.enter("viewer").await;
    let mut abroad = String::new();
    for element in super::enter(&mut juliet, ROOM, "abroad").await {
        abroad.push_str(&String::from(&element));
    }
    let mut ids = Vec::new();
    for nick in ["guest", "other"] {
        // He comes back as somebody else, by his own wish: people of other servers may have it as well.
        if nick == "other" {
            super::opt_out::opt(&mut romeo, "salons.near.example", "", true).await;
        }
        romeo.send(&join(nick)).await;
        let own = shown(&mut romeo, &format!("{ROOM}/{nick}")).await;
        assert!(codes(&own).contains(&110) && item(&own).attr("jid").is_some() && user(&own).children().count() > 1);
        ids.push(super::occupant_id(&own).expect("there are ids").to_owned());
        for words in words(nick) {
            romeo.send(&words).await;
        }
        viewer.until(&format!("psst {nick}")).await;
        romeo.send(&format!("<presence to='{ROOM}/{nick}' type='unavailable' id='secret-presence-id'>{SHOWN}</presence>")).await;
        romeo.until(|s| s.attr("type") == Some("unavailable") && s.attr("from") == Some(&format!("{ROOM}/{nick}"))).await;
    }
    for words in words("owner") {
        moderator.raw.send(&mine(words)).await;
    }
    viewer.until("psst owner").await;
    viewer.asks_around().await;
    asks_around(&mut juliet, &mut abroad).await;
    moderator.raw.send(&format!("<message to='{ROOM}' type='groupchat'><body>mark-of-the-end</body></message>")).await;
    moderator.until("mark-of-the-end").await;
    viewer.until("mark-of-the-end").await;
    for element in super::heard_up_to(&mut juliet, "mark-of-the-end").await {
        abroad.push_str(&String::from(&element));
    }
    let wire = wire(&stage.far, [romeo.jid.as_str(), juliet.jid.as_str()]);
    let abroad = (abroad, juliet.jid.to_string());
    Heard {
        wire,
        moderator: (moderator.heard, moderator.own),
        viewer: (viewer.heard, viewer.own),
        abroad,
        ids: ids.try_into().unwrap(),
    }
}

/// What a curious client asks of a room about who is in it.
fn questions() -> Vec<String> {
    let ask = |n: usize, (kind, to, payload): (&str, &str, &str)| {
        format!("<iq type='{kind}' id='ask-{n}' to='{ROOM}{to}'>{payload}</iq>")
    };
    [
        ("get", "", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        ("get", "", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
        ("get", "", "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query>"),
        ("get", "", "<query xmlns='http://jabber.org/protocol/muc#admin'><item role='moderator'/></query>"),
        ("get", "/owner", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        ("get", "/owner", "<vCard xmlns='vcard-temp'/>"),
        ("get", "/owner", "<query xmlns='jabber:iq:version'/>"),
        ("get", "/owner", "<query xmlns='jabber:iq:last'/>"),
        ("get", "/owner", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>"),
        ("set", "", "<query xmlns='urn:xmpp:mam:2' queryid='all'/>"),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, asked)| ask(n, asked))
    .collect()
}
async fn asks_around(person: &mut Person, heard: &mut String) {
    let questions = questions();
    for question in &questions {
        person.send(question).await;
    }
    let last = format!("ask-{}", questions.len() - 1);
    loop {
        let stanza = person.next().await;
        heard.push_str(&String::from(&stanza));
        if stanza.name() == "iq" && stanza.attr("id") == Some(&last) {
            return;
        }
    }
}

/// The bytes between the servers, by whom they are for; without what tells people of themselves.
fn wire(far: &Peer, people: [&str; 2]) -> Vec<(String, String)> {
    let own = |stanza: &str, nicks: &[&str]| nicks.iter().any(|nick| stanza.contains(&format!("from='{ROOM}/{nick}'")));
    let mut heard: Vec<(String, String)> = people.iter().map(|own| (String::new(), (*own).to_owned())).collect();
    for stanza in far.got_from_servers() {
        let bare = |full: &str| full.split('/').next().unwrap().to_owned();
        let whom = people.iter().position(|full| stanza.contains(&format!("to='{}", bare(full))));
        // What is for nobody names nobody: between servers alone.
        let Some(whom) = whom else {
            assert!(leaks(&stanza, "nobody").iter().all(|found| [NEAR, FAR].contains(found)), "{stanza}");
            continue;
        };
        let of_themselves = if whom == 0 { own(&stanza, &["guest", "other"]) } else { own(&stanza, &["abroad"]) };
        if !of_themselves {
            heard[whom].0.push_str(&stanza);
        }
    }
    heard
}

/// The recording holds the conversation: a search in nothing finds nothing.
fn is_whole(heard: &str) {
    for words in ["But, soft!", "But soft", "urn:xmpp:message-correct:0", "urn:xmpp:reactions:0", "guest", "other", "unavailable"]
    {
        assert!(heard.contains(words), "{words}");
    }
}

#[tokio::test]
async fn h20_to_h23_nothing_that_non_moderators_hear_of_others_tells_who_they_are() {
    let stage = Stage::with("").await;
    let heard = converse(&stage).await;
    for (text, own) in [&heard.viewer, &heard.abroad] {
        is_whole(text);
        assert!(text.contains("urn:xmpp:forward:0"), "they read the archive: {text}");
        assert_eq!(leaks(text, own), [] as [&str; 0], "{text}");
        assert!(!text.contains(OWN_ID), "{text}");
    }
    assert_ne!(heard.ids[0], heard.ids[1], "nothing ties the two nicks together");
    let (text, _) = &heard.viewer;
    let (before, after) = text.split_at(text.find(&heard.ids[1]).expect("the second id is shown"));
    assert!(before.contains(&heard.ids[0]) && !after.contains(&heard.ids[0]) && before.contains("psst guest"));
    for (text, own) in &heard.wire {
        assert!(text.contains("mark-of-the-end") || text.contains("abroad"), "{text}");
        assert_eq!(leaks(text, own), [] as [&str; 0], "{text}");
        assert!(!text.contains(OWN_ID), "{text}");
    }
    // Moderators see whose nick it is, and nothing else of it: no client, no face, no idleness.
    let (text, own) = &heard.moderator;
    is_whole(text);
    assert_eq!(leaks(text, own), [NEAR, FAR, "romeo@", "juliet@"], "{text}");
}

#[tokio::test]
async fn h20_where_nobody_sees_addresses_moderators_do_not_hear_them_either() {
    let stage = Stage::with("[modules.muc]\nwhois = \"nobody\"\n").await;
    let heard = converse(&stage).await;
    for (text, own) in [&heard.viewer, &heard.abroad, &heard.moderator] {
        is_whole(text);
        assert_eq!(leaks(text, own), [] as [&str; 0], "{text}");
    }
    for (text, own) in &heard.wire {
        assert_eq!(leaks(text, own), [] as [&str; 0], "{text}");
    }
    assert_ne!(heard.ids[0], heard.ids[1], "under another nick he is somebody else");
}

/// The positive control: the same conversation without the guards is full of it, and the search sees it.
#[tokio::test]
async fn h20_to_h23_the_search_finds_what_rooms_let_through_without_their_guards() {
    let stage = Stage::with("[modules]\noff = [\"vcard_guard\", \"pseudonyms\"]\n").await;
    let heard = converse(&stage).await;
    let [_, to_juliet] = &heard.wire[..] else { panic!("two are there") };
    for (text, own) in [&heard.viewer, &heard.abroad, to_juliet] {
        is_whole(text);
        let found = leaks(text, own);
        for secret in [
            "secret-status",
            "secret-client",
            "c2VjcmV0LXZlcg",
            "5ec7e7a7",
            "2026-02-03",
            "864200135",
            FAR,
            "secret-device",
            "montague@",
        ] {
            assert!(found.contains(&secret), "{secret} is there: {found:?}");
        }
        // What the room takes out whatever modules are off.
        for floor in ["Secret Name", "secret-signature", "secret-presence-id"] {
            assert!(!found.contains(&floor), "{floor}: {text}");
        }
    }
    // And every word of the list by itself.
    for secret in SECRETS {
        let (own, line) = ("juliet@near.example/home", format!("<x from='{ROOM}' to='juliet@near.example/home'>{secret}</x>"));
        assert!(leaks(&line, own).contains(&secret), "{secret}");
    }
    assert_eq!(
        leaks(&format!("<x from='{ROOM}/nick' to='juliet@near.example/home'/>"), "juliet@near.example/home"),
        [] as [&str; 0]
    );
}

/// Persons are for what is said; bytes are for what is promised.
#[tokio::test]
async fn a_reader_to_the_byte_hears_what_a_client_hears() {
    let stage = Stage::with("").await;
    let mut reader = Reader::online(&stage.near, "juliet").await;
    let mut romeo: Person = stage.near.online("romeo").await;
    super::found(&mut romeo, ROOM, "owner", &[]).await;
    reader.enter("viewer").await;
    super::say(&mut romeo, ROOM, "<body>to the byte</body>").await;
    reader.until("to the byte").await;
    assert!(reader.heard.contains(&format!("from='{ROOM}/owner'")), "{}", reader.heard);
}
