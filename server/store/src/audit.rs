//! What is stored, table by table: how many rows, and how old the oldest is (H01, H10).

use crate::{engine::Readers, open::read, sql};
use bocage_api::{
    clock::UnixSeconds,
    store::{Collection, Stored},
};

/// One table, or one kind of rows in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableAudit {
    /// The table; for a collection of records, its name.
    pub table: String,
    /// What is in it, in words.
    pub what: &'static str,
    /// Can it identify a person?
    pub personal: bool,
    /// How long it is kept.
    pub lifetime: Lifetime,
    /// Rows.
    pub rows: u64,
    /// When the oldest row came, where the table says so.
    pub oldest: Option<UnixSeconds>,
}

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Seconds at most.
    Seconds(i64),
    /// Until the account goes, or its owner changes it.
    Account,
    /// For good.
    Server,
}

const SECONDS_PER_DAY: i64 = 86_400;

/// Everything.
pub(crate) async fn audit(readers: &Readers, (kept, held): (i64, i64), collections: &[Collection]) -> Stored<Vec<TableAudit>> {
    let rows = read(readers.rows(&sql::AUDIT, &[]).await)?;
    let row = read(rows.first().ok_or(sqlx::Error::RowNotFound))?;
    let mut tables = Vec::new();
    let mut column = 0;
    for (table, what, lifetime) in [
        ("account", "names and SCRAM keys of accounts", Lifetime::Account),
        ("roster_item", "contacts: addresses, names, groups, states", Lifetime::Account),
        ("archive_owner", "whose archives there are, and what their owners set about them", Lifetime::Account),
        ("archive (kept)", "archived messages: sealed; in the clear their owner and their time", Lifetime::Seconds(kept)),
        ("archive (held)", "messages that wait: sealed; in the clear their owner and their time", Lifetime::Seconds(held)),
        (
            "outbound",
            "messages for other servers: sealed; in the clear their day",
            Lifetime::Seconds(held.min(7 * SECONDS_PER_DAY)),
        ),
        ("retired", "addresses of deleted accounts, as keyed hashes", Lifetime::Server),
        ("secret", "secrets of the server", Lifetime::Server),
    ] {
        let (rows, oldest) = (read(row.int(column))?, read(row.maybe_int(column + 1))?);
        let personal = table != "secret";
        tables.push(TableAudit { table: table.to_owned(), what, personal, lifetime, rows: rows.unsigned_abs(), oldest });
        column += 2;
    }
    for row in read(readers.rows(&sql::AUDIT_RECORDS, &[]).await)? {
        let table = read(row.text(0))?;
        let declared = collections.iter().find(|collection| collection.name == table);
        let lifetime = declared.and_then(|collection| collection.lifetime).and_then(|seconds| i64::try_from(seconds).ok());
        tables.push(TableAudit {
            what: if declared.is_some() { "records of a module" } else { "records of a module that is off" },
            personal: declared.is_none_or(|collection| collection.personal),
            lifetime: lifetime.map_or(Lifetime::Account, Lifetime::Seconds),
            rows: read(row.int(1))?.unsigned_abs(),
            oldest: read(row.maybe_int(2))?,
            table,
        });
    }
    Ok(tables)
}
