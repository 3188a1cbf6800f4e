//! What can be asked of an archive (XEP-0313 section 4, XEP-0059), as the store takes it.

use super::{ArchiveRow, StanzaId};
use crate::clock::UnixSeconds;
use jid::Jid;

/// Rows of a page at most, whatever is asked.
pub const MAX_PAGE: usize = 250;
/// Ids that one query may name.
pub const MAX_IDS: usize = 100;

/// A query. The default asks for everything, from the oldest on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveQuery {
    /// Only this party: a bare JID matches whatever resource, a full one itself.
    pub with: Option<Jid>,
    /// Not before.
    pub start: Option<UnixSeconds>,
    /// Not after.
    pub end: Option<UnixSeconds>,
    /// Only behind this row.
    pub after_id: Option<StanzaId>,
    /// Only in front of this row.
    pub before_id: Option<StanzaId>,
    /// Only these rows, at most [`MAX_IDS`].
    pub ids: Option<Vec<StanzaId>>,
    /// Which part of it.
    pub part: Part,
    /// Rows at most; 0 asks for the count alone.
    pub limit: usize,
}

/// Which part of a result is wanted (XEP-0059).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The first rows.
    #[default]
    First,
    /// The first ones behind this row.
    After(StanzaId),
    /// The last rows.
    Last,
    /// The last ones in front of this row.
    Before(StanzaId),
    /// From this row on, counted from 0.
    Index(u64),
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchivePage {
    /// The rows, oldest first.
    pub rows: Vec<ArchiveRow>,
    /// Nothing more lies in the direction of the query.
    pub complete: bool,
    /// How many rows the whole result has, where that is known cheaply or was asked for alone.
    pub count: Option<u64>,
    /// Where in the whole result the page begins, where that is known cheaply.
    pub index: Option<u64>,
}
