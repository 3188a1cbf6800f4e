//! The store: SQLite or PostgreSQL behind the api's traits, one writer, and epoch keys whose destruction is the expiry.
//!
//! What would surprise a reader: nothing is written outside the one task in `writer`; its transactions are what waits
//! at the moment; and what is stored of a message cannot be read from the database alone.
#![forbid(unsafe_code)]

mod accounts;
mod append;
mod archives;
mod audit;
mod batch;
mod clockgate;
mod codec;
mod engine;
mod fault;
mod keyfile;
mod names;
mod open;
mod outbound;
mod owners;
mod permissions;
mod recent;
mod records;
mod retention;
mod retract;
mod rosters;
mod seal;
mod secrets;
mod sql;
mod unit;
mod vault;
mod writer;

#[cfg(test)]
mod tests;

pub use audit::{Lifetime, TableAudit};
pub use open::{OpenError, Store, StoreConfig};
pub use retention::{HostPeriods, Retention};
