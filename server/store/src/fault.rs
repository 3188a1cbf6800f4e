//! What a database error means: for the unit, for its batch, for the connection.
//!
//! The texts carry no value of a statement: they reach logs.

use bocage_api::store::StoreError;
use sqlx::{error::DatabaseError, postgres::PgDatabaseError, sqlite::SqliteError};

/// How far a fault reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only the unit that met it; its neighbours go on.
    Unit,
    /// The transaction; units may fare better one by one.
    Batch,
    /// Somebody holds the lock: nobody fares better now.
    Locked,
    /// The connection is of no use any more.
    Connection,
}

/// Why a unit did not run to its end.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It was decided so.
    Decided(StoreError),
    /// The database did not go along.
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Decided(error)
    }
}

impl Refusal {
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Decided(_) => Reach::Unit,
            Self::Sql(error) => reach(error),
        }
    }
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Decided(error) => error,
            Self::Sql(error) => store_error(&error),
        }
    }
}

/// How far `error` reaches.
pub(crate) fn reach(error: &sqlx::Error) -> Reach {
    match error {
        sqlx::Error::Database(error) => database_reach(error.as_ref()),
        sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::RowNotFound => Reach::Unit,
        _ => Reach::Connection,
    }
}

fn database_reach(error: &dyn DatabaseError) -> Reach {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        return sqlite_reach(code.parse::<u32>().unwrap_or_default() & 0xff);
    }
    match error.try_downcast_ref::<PgDatabaseError>() {
        Some(_) => postgres_reach(&code),
        None => Reach::Connection,
    }
}

/// By the primary result code.
fn sqlite_reach(code: u32) -> Reach {
    match code {
        5 | 6 => Reach::Locked,                              // BUSY, LOCKED
        7 | 13 => Reach::Batch,                              // NOMEM, FULL
        3 | 8 | 10 | 11 | 14 | 15 | 26 => Reach::Connection, // PERM, READONLY, IOERR, CORRUPT, CANTOPEN, PROTOCOL, NOTADB
        _ => Reach::Unit,
    }
}

/// By SQLSTATE (PostgreSQL, appendix A).
fn postgres_reach(state: &str) -> Reach {
    match state {
        "55P03" | "57014" => Reach::Locked, // lock_not_available, query_canceled
        "25P02" => Reach::Batch,            // in_failed_sql_transaction
        _ if state.starts_with("53") || state.starts_with("40") => Reach::Batch,
        _ if ["08", "57", "58", "25", "28", "3D", "XX"].iter().any(|class| state.starts_with(class)) => Reach::Connection,
        _ => Reach::Unit,
    }
}

/// The error that callers see.
pub(crate) fn store_error(error: &sqlx::Error) -> StoreError {
    StoreError::Unavailable(match (reach(error), error) {
        (Reach::Locked, _) => "the database is locked".to_owned(),
        (Reach::Batch, error) => format!("the database or its disk is full{}", code(error)),
        (Reach::Connection, sqlx::Error::Io(error)) => format!("the database cannot be reached: {error}"),
        (Reach::Connection, error) => format!("the database cannot be reached{}", code(error)),
        (Reach::Unit, sqlx::Error::Database(_)) => format!("the database refused it{}", code(error)),
        (Reach::Unit, _) => return StoreError::Corrupt("a column has an unexpected type"),
    })
}

fn code(error: &sqlx::Error) -> String {
    let code = match error {
        sqlx::Error::Database(error) => error.code(),
        sqlx::Error::PoolTimedOut => return ": no free connection".to_owned(),
        sqlx::Error::PoolClosed => return ": the store is closed".to_owned(),
        _ => None,
    };
    code.map(|code| format!(" (code {code})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_reach_as_far_as_they_must() {
        assert_eq!(sqlite_reach(5), Reach::Locked);
        assert_eq!(sqlite_reach(13), Reach::Batch);
        assert_eq!(sqlite_reach(19), Reach::Unit);
        assert_eq!(postgres_reach("57P01"), Reach::Connection);
        assert_eq!(postgres_reach("53100"), Reach::Batch);
        assert_eq!(postgres_reach("23505"), Reach::Unit);
        assert_eq!(reach(&sqlx::Error::PoolTimedOut), Reach::Connection);
    }
}
