//! Prosody and ejabberd with each other: what fails here is the fault of the harness. Only what they promise: with each
//! other they do lose messages.

use super::between::between;

between!(Prosody, Ejabberd:
    chat::near_calls_first,
    chat::far_calls_first,
    chat::direct_tls,
    chat::large_stanzas,
    chat::order_is_kept,
    services::disco_both_ways,
    errors::who_is_unknown_is_told,
    errors::where_nobody_is_comes_back,
    loss::the_near_one_stops_and_returns,
    rooms::a_room_of_the_far_one,
);
