//! Prosody and ejabberd with each other: what fails here is the fault of the harness.

use super::between::between;

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
    loss::the_far_one_dies_and_returns,
    loss::the_near_one_stops_and_returns,
    loss::links_are_cut,
    loss::the_resolver_dies_and_returns,
    certificates::certificates_are_renewed,
    rooms::a_room_of_the_far_one,
);
