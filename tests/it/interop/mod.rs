//! Federation with the servers of the field, and between two of ours.
//!
//! Every scenario runs between any two servers. That Prosody and ejabberd pass them with each other is the control: it
//! shows that names, certificates and configurations of these tests are right.

mod between;
mod pair;
mod scenarios;

mod bocage;
mod control;
mod dane;
mod ejabberd;
mod onion;
mod prosody;

use pair::Setup;
