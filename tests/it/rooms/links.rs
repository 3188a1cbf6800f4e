//! H29: an upload's link names the server of who uploaded it.

use super::{condition, enter, found, heard_up_to, room, say, village};
use bocage_tests::Person;

const LINKS: [&str; 3] = [
    "<body>https://upload.village.example/a/b.jpg</body>",
    "<body>photo</body><x xmlns='jabber:x:oob'><url>https://upload.village.example/a/b.jpg</url></x>",
    "<body>key</body><x xmlns='jabber:x:oob'><url>aesgcm://village.example:5443/a#k</url></x>",
];

#[tokio::test]
async fn h29_where_the_owner_says_so_links_to_the_own_server_come_back() {
    let village = village(&["romeo", "juliet"]).await;
    let (mut romeo, mut juliet) = (Person::online(&village, "romeo").await, Person::online(&village, "juliet").await);
    let (garden, hall) = (room("garden"), room("hall"));
    found(&mut romeo, &garden, "r", &[("x-bocage#strip_upload_links", "1")]).await;
    found(&mut romeo, &hall, "r", &[]).await;
    for room in [&garden, &hall] {
        enter(&mut juliet, room, "j").await;
    }
    for link in LINKS {
        say(&mut juliet, &garden, link).await;
        let (condition, text) = condition(&juliet.until(|s| s.attr("type") == Some("error")).await);
        assert_eq!((condition.as_str(), text.is_some()), ("not-acceptable", true), "it says why: {link}");
        say(&mut juliet, &garden, "<body>mark</body>").await;
        let heard = heard_up_to(&mut romeo, "mark").await;
        assert!(heard.iter().all(|s| !String::from(s).contains("upload") && !String::from(s).contains("5443")), "{heard:?}");
    }
    // Links to elsewhere pass, and where no owner said so, all do.
    say(&mut juliet, &garden, "<body>https://files.example/village.example/x</body>").await;
    heard_up_to(&mut romeo, "https://files.example/village.example/x").await;
    say(&mut juliet, &hall, LINKS[0]).await;
    heard_up_to(&mut romeo, "https://upload.village.example/a/b.jpg").await;
}
