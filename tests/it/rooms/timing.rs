//! H27: what happens at the same time is not shown at the same time.

use super::{depart, enter, found, heard_up_to, room, say, shown, village_without};
use bocage_tests::{Person, Village, text};

/// Everybody's rooms, with what holds leaves back set like this.
async fn held(max: &str) -> Village {
    Village::with(&format!("[modules.leave_jitter]\nmax = \"{max}\"\n[modules.muc]\nrate = 0\n"), &["romeo", "juliet"]).await
}

/// Juliet's connection ends without a word to the room; returns when her server knows.
async fn loses_connection(juliet: Person, other: &mut Person) {
    let gone = juliet.jid.to_string();
    juliet.leave().await;
    other.until(|s| s.attr("type") == Some("unavailable") && s.attr("from") == Some(&gone)).await;
}

async fn scene(village: &Village) -> (Person, Person, Person, String) {
    let mut romeo = Person::online(village, "romeo").await;
    let mut juliet = Person::online(village, "juliet").await;
    let other = Person::online(village, "juliet").await;
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    enter(&mut juliet, &garden, "j").await;
    shown(&mut romeo, &format!("{garden}/j")).await;
    (romeo, juliet, other, garden)
}

fn left(stanza: &minidom::Element, occupant: &str) -> bool {
    stanza.attr("type") == Some("unavailable") && stanza.attr("from") == Some(occupant)
}

#[tokio::test]
async fn h27_a_lost_connection_is_shown_later_and_a_meant_leave_at_once() {
    let village = held("5m").await;
    let (mut romeo, juliet, mut other, garden) = scene(&village).await;
    loses_connection(juliet, &mut other).await;
    // What comes after it is seen before it.
    enter(&mut other, &garden, "k").await;
    say(&mut other, &garden, "<body>mark</body>").await;
    let heard = heard_up_to(&mut romeo, "mark").await;
    assert!(!heard.iter().any(|s| left(s, &format!("{garden}/j"))), "{heard:?}");
    depart(&mut other, &garden, "k").await;
    assert!(left(&shown(&mut romeo, &format!("{garden}/k")).await, &format!("{garden}/k")));
    // Who comes back under the nick never left, for the others.
    enter(&mut other, &garden, "j").await;
    say(&mut other, &garden, "<body>back</body>").await;
    let heard = heard_up_to(&mut romeo, "back").await;
    assert!(!heard.iter().any(|s| left(s, &format!("{garden}/j"))), "{heard:?}");
    depart(&mut other, &garden, "j").await;
    romeo.until(|s| left(s, &format!("{garden}/j"))).await;
}

/// The delay ends, and then it is as if it had happened just now.
#[tokio::test]
async fn h27_a_held_leave_is_shown_in_the_end() {
    let village = held("2s").await;
    let (mut romeo, juliet, mut other, garden) = scene(&village).await;
    loses_connection(juliet, &mut other).await;
    let seen = romeo.until(|s| left(s, &format!("{garden}/j"))).await;
    assert_eq!(super::codes(&seen), [] as [u16; 0], "it does not say why");
    assert!(!seen.has_child("delay", "urn:xmpp:delay"));
}

/// XEP-0045 section 7.5 without telling earlier than the leave does: its sender reads that nobody is there when all do.
#[tokio::test]
async fn h27_what_is_said_to_who_is_gone_comes_back_when_their_leave_is_shown() {
    let village = held("2s").await;
    let (mut romeo, juliet, mut other, garden) = scene(&village).await;
    loses_connection(juliet, &mut other).await;
    let occupant = format!("{garden}/j");
    romeo.send(&format!("<message to='{occupant}' type='chat' id='pm'><body>psst</body></message>")).await;
    // What is wrong with it is said at once, as for anybody who is there.
    romeo
        .send(&format!(
            "<message to='{occupant}' type='chat' id='none'><nick xmlns='http://jabber.org/protocol/nick'/></message>"
        ))
        .await;
    let refused = romeo.until(|s| s.attr("type") == Some("error") || left(s, &occupant)).await;
    assert_eq!((refused.attr("id"), super::condition(&refused).0.as_str()), (Some("none"), "bad-request"));
    let first = romeo.until(|s| s.attr("type") == Some("error") || left(s, &occupant)).await;
    assert!(left(&first, &occupant), "the leave comes first: {first:?}");
    let back = romeo.until(|s| s.attr("id") == Some("pm")).await;
    assert_eq!((super::condition(&back).0.as_str(), back.attr("from")), ("item-not-found", Some(occupant.as_str())));
}

/// And who comes back before that gets it: they never left.
#[tokio::test]
async fn h27_what_is_said_to_who_is_gone_waits_for_their_return() {
    let village = held("5m").await;
    let (mut romeo, juliet, mut other, garden) = scene(&village).await;
    loses_connection(juliet, &mut other).await;
    let occupant = format!("{garden}/j");
    for words in ["one", "two"] {
        romeo.send(&format!("<message to='{occupant}' type='chat'><body>{words}</body></message>")).await;
    }
    romeo.settle().await;
    enter(&mut other, &garden, "j").await;
    // Who sees addresses sees where she is now.
    assert_eq!(super::item(&shown(&mut romeo, &occupant).await).attr("jid"), Some(other.jid.as_str()));
    for words in ["one", "two"] {
        let got = other.until(|s| !text(s).is_empty()).await;
        assert_eq!((text(&got).as_str(), got.attr("from")), (words, Some(format!("{garden}/r").as_str())));
    }
    // Once: the next leave has nothing of it.
    depart(&mut other, &garden, "j").await;
    let seen = romeo.until(|s| s.attr("type") == Some("error") || left(s, &occupant)).await;
    assert!(left(&seen, &occupant), "{seen:?}");
    say(&mut romeo, &garden, "<body>mark</body>").await;
    let heard = heard_up_to(&mut romeo, "mark").await;
    assert!(heard.iter().all(|s| s.attr("type") != Some("error")), "{heard:?}");
}

/// Without the module, and with a delay of none, the moment is seen.
#[tokio::test]
async fn h27_without_the_delay_a_lost_connection_is_seen_at_once() {
    for village in [village_without("leave_jitter", &["romeo", "juliet"]).await, held("0s").await] {
        let (mut romeo, juliet, mut other, garden) = scene(&village).await;
        loses_connection(juliet, &mut other).await;
        other.settle().await;
        enter(&mut other, &garden, "k").await;
        say(&mut other, &garden, "<body>mark</body>").await;
        let heard = heard_up_to(&mut romeo, "mark").await;
        assert!(heard.iter().any(|s| left(s, &format!("{garden}/j"))), "{heard:?}");
        romeo.send(&format!("<message to='{garden}/j' type='chat' id='pm'><body>psst</body></message>")).await;
        assert_eq!(super::condition(&romeo.until(|s| s.attr("id") == Some("pm")).await).0, "item-not-found");
    }
}

/// Neither a fine clock nor an order can be read from what the room stamps.
#[tokio::test]
async fn h27_stamps_are_whole_seconds_and_ids_are_random() {
    let village = village_without("", &["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let garden = room("garden");
    found(&mut romeo, &garden, "r", &[]).await;
    say(&mut romeo, &garden, "<subject>roses</subject>").await;
    romeo.until(|s| s.has_child("subject", "jabber:client")).await;
    let mut ids = Vec::new();
    for n in 0..16 {
        say(&mut romeo, &garden, &format!("<body>{n}</body>")).await;
        let got = heard_up_to(&mut romeo, &n.to_string()).await.pop().unwrap();
        ids.push(got.get_child("stanza-id", "urn:xmpp:sid:0").unwrap().attr("id").unwrap().to_owned());
    }
    assert!(!ids.is_sorted(), "{ids:?}");
    // Two that share so much would share a clock: by chance once in two hundred million.
    let mut beginnings: Vec<&str> = ids.iter().map(|id| id.get(..9).unwrap()).collect();
    beginnings.sort_unstable();
    beginnings.dedup();
    assert_eq!(beginnings.len(), ids.len());
    let seen = enter(&mut juliet, &garden, "j").await;
    let stamps: Vec<&str> =
        seen.iter().filter_map(|s| s.get_child("delay", "urn:xmpp:delay")).map(|delay| delay.attr("stamp").unwrap()).collect();
    assert_eq!(stamps.len(), 17, "history and subject: {seen:?}");
    for stamp in stamps {
        assert_eq!((stamp.len(), stamp.ends_with('Z')), (20, true), "{stamp}");
    }
    let past = seen.iter().filter(|s| text(s).parse::<u32>().is_ok());
    assert!(past.zip(&ids).all(|(s, id)| s.get_child("stanza-id", "urn:xmpp:sid:0").unwrap().attr("id") == Some(id)));
}
