//! Ours and Debian's ejabberd, which as a server takes no certificate without clientAuth, and has dialback instead. It
//! has no XEP-0198 between servers, so it is pinged, and its answers come on links of its own: what it sends itself when a
//! link is cut, it may lose; what it is sent, it gets.

use super::{Setup, between::between, scenarios::chat};
use bocage_tests::{Kind, Usage};

between!(Bocage, Ejabberd:
    chat::near_calls_first,
    chat::far_calls_first,
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

const DIALBACK: &str = "  mod_s2s_dialback: {}";

fn setup() -> Setup {
    Setup::of(Kind::Bocage, Kind::Ejabberd)
}

#[tokio::test]
async fn with_a_server_certificate_alone() {
    chat::far_calls_first(Setup { usages: (Usage::Both, Usage::Server), ..setup() }).await;
}

/// It believes our certificate when it calls us, and a key of ours when we call it: never without TLS.
#[tokio::test]
async fn h42_server_certificates_alone_and_dialback_over_tls() {
    chat::over_tls(Setup { usages: (Usage::Server, Usage::Server), more: ("", DIALBACK), ..setup() }).await;
}
