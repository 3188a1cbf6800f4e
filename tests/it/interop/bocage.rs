//! Two of ours. Neither says in public who has proven what, so the links of these tests show TLS and no more.

use super::{Setup, between::between, scenarios::chat};
use bocage_tests::{Kind, Usage};

between!(Bocage, Bocage:
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
    loss::links_are_cut,
    loss::the_resolver_dies_and_returns,
    certificates::certificates_are_renewed,
);

#[tokio::test]
async fn server_certificates_alone() {
    let setup = Setup::of(Kind::Bocage, Kind::Bocage);
    chat::near_calls_first(Setup { usages: (Usage::Server, Usage::Server), ..setup }).await;
}
