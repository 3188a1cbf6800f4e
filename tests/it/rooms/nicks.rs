//! Nicks that cannot be (XEP-0045 section 17.1).

use super::room;
use bocage_tests::{Raw, Village};

/// RFC 6122's resourceprep knows no robot. Whose nick came back is read from the address that was written.
#[tokio::test]
async fn a_nick_that_cannot_be_comes_back_from_the_address_that_was_written() {
    let village = Village::of(&["romeo"]).await;
    let mut romeo = Raw::online(&village, "romeo").await;
    let garden = room("garden");
    romeo
        .send(&format!(
            "<presence to='{garden}/\u{1f916}\u{fe0f}' id='bot'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ))
        .await;
    romeo.until("id='bot'").await;
    let mut answer = romeo.until("</presence>").await;
    romeo.send(&format!("<message to='{garden}/\u{1f916}' id='two' type='chat'><body>hi</body></message>")).await;
    answer.push_str(&romeo.until("</message>").await);
    for part in ["jid-malformed", "type='error'", "Nickname must pass strict validation"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    // What the parser of the reader would not take is still said: who it was for.
    let village_itself = format!("<message to='romeo@{}/\u{1f916}' id='three'><body>hi</body></message>", village.domain);
    romeo.send(&village_itself).await;
    let answer = romeo.until("</message>").await;
    assert!(answer.contains("jid-malformed") && !answer.contains("Nickname"), "{answer}");
}
