//! Scenarios of the whole server, in one binary.

mod layering;
