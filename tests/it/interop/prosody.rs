//! Ours and Debian's Prosody.

use super::{Setup, between::between, scenarios::chat};
use bocage_tests::{Kind, Usage};

between!(Bocage, Prosody:
    chat::near_calls_first,
    chat::far_calls_first,
    chat::direct_tls,
    chat::one_link_for_both_ways,
    chat::large_stanzas,
    chat::order_is_kept,
    presence::subscriptions_both_ways,
    services::disco_both_ways,
    errors::who_is_unknown_is_told,
    errors::where_nobody_is_comes_back,
    loss::the_far_one_dies_and_returns,
    loss::the_near_one_stops_and_returns,
    loss::the_far_one_dies_with_what_it_was_sent,
    loss::links_are_cut,
    loss::the_resolver_dies_and_returns,
    certificates::certificates_are_renewed,
    rooms::a_room_of_the_far_one,
);

const WITHOUT_BIDI: &str = r#"modules_disabled = { "http"; "s2s_bidi" }"#;

fn setup() -> Setup {
    Setup::of(Kind::Bocage, Kind::Prosody)
}

#[tokio::test]
async fn without_bidirectional_streams() {
    chat::near_calls_first(Setup { more: ("", WITHOUT_BIDI), ..setup() }).await;
}

#[tokio::test]
async fn server_certificates_alone_when_near_calls() {
    chat::near_calls_first(Setup { usages: (Usage::Server, Usage::Server), ..setup() }).await;
}

#[tokio::test]
async fn server_certificates_alone_when_far_calls() {
    chat::far_calls_first(Setup { usages: (Usage::Server, Usage::Server), ..setup() }).await;
}
