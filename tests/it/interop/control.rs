//! Prosody and ejabberd with each other: what fails here is the fault of the harness. Only what they promise: with each
//! other they do lose messages.

use super::between::between;
use bocage_tests::Recording;

between!(Prosody, Ejabberd:
    chat::near_calls_first,
    chat::far_calls_first,
    chat::direct_tls,
    chat::large_stanzas,
    chat::order_is_kept,
    presence::subscriptions_both_ways,
    services::disco_both_ways,
    errors::who_is_unknown_is_told,
    errors::where_nobody_is_comes_back,
    loss::the_near_one_stops_and_returns,
    certificates::certificates_are_renewed,
    rooms::a_room_of_the_far_one,
);

/// The assertion about recordings fails where it has to.
#[test]
fn what_is_more_than_an_opening_is_noticed() {
    let opening = "<?xml version='1.0'?><stream:stream to='far.example'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let record = [0x16, 0x03, 0x01, 0x00, 0x01, 0x00];
    let holds = |text: &str, rest: &[u8]| {
        let recording = Recording { sent: [text.as_bytes(), rest].concat(), received: Vec::new() };
        std::panic::catch_unwind(|| recording.only_the_starttls_opening_is_plain()).is_ok()
    };
    assert!(holds(opening, &record) && holds(opening, &[]) && holds("", &record));
    assert!(holds(opening, &record[..3]), "what is on its way is cut short");
    assert!(!holds(&format!("{opening}<message/>"), &record), "a stanza");
    assert!(!holds(&opening.replace("far.example", "juliet@far.example"), &record), "an address");
    assert!(!holds(opening, &[&record[..], b"<message/>"].concat()), "after TLS");
}
