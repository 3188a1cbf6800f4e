//! Identifiers that cannot reach a log line (H09): their `Debug` and `Display` show nothing of them.

use std::fmt;

/// Hides a JID, an address or whatever else points at a person.
#[derive(Clone, Copy)]
pub struct Hidden<T>(pub T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
impl<T> fmt::Display for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
