//! Scenarios of the whole server, in one binary.

mod contacts;
mod layering;
mod offline;
mod pressure;
mod routing;
