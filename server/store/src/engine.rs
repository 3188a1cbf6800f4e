//! The two databases behind one face: statements are written once, a real difference is a [`Sql::each`].
//!
//! Values are bound by position (`$1`), integers are always 64 bits and flags are integers, so that one row type does.

use crate::{batch::TRANSACTION, sql::Inserts};
use sqlx::{
    Arguments, ConnectOptions, Connection as _, Row as _,
    postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgRow},
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqlitePool, SqliteRow},
};

/// A statement in the dialects of both engines.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Sql {
    /// Text that both understand.
    pub(crate) const fn shared(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
    /// Text that differs.
    pub(crate) const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }
}

/// A value to bind. NULL is typed, because PostgreSQL asks for it.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}
impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}
impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        Self::Bytes(value)
    }
}

macro_rules! bind {
    ($arguments:ty, $values:expr) => {{
        let mut arguments = <$arguments>::default();
        for value in $values {
            match *value {
                Value::Int(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value),
                Value::Bytes(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

/// `method` of a sqlx query on either engine.
macro_rules! on_either {
    ($target:expr, $sql:expr, $values:expr, $method:ident) => {
        match $target {
            Either::Sqlite(it) => {
                sqlx::query_with($sql.sqlite, bind!(SqliteArguments, $values)).$method(it).await.map(Either::Sqlite)
            }
            Either::Postgres(it) => {
                sqlx::query_with($sql.postgres, bind!(PgArguments, $values)).$method(it).await.map(Either::Postgres)
            }
        }
    };
}

/// Of this engine or that.
#[derive(Clone)]
pub(crate) enum Either<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// One row of a result.
pub(crate) struct Row(Either<SqliteRow, PgRow>);

macro_rules! column {
    ($name:ident, $maybe:ident, $kind:ty) => {
        pub(crate) fn $name(&self, index: usize) -> Result<$kind, sqlx::Error> {
            match &self.0 {
                Either::Sqlite(row) => row.try_get(index),
                Either::Postgres(row) => row.try_get(index),
            }
        }
        pub(crate) fn $maybe(&self, index: usize) -> Result<Option<$kind>, sqlx::Error> {
            match &self.0 {
                Either::Sqlite(row) => row.try_get(index),
                Either::Postgres(row) => row.try_get(index),
            }
        }
    };
}

impl Row {
    column!(int, maybe_int, i64);
    column!(text, maybe_text, String);
    column!(bytes, maybe_bytes, Vec<u8>);
}

fn rows(rows: Either<Vec<SqliteRow>, Vec<PgRow>>) -> Vec<Row> {
    match rows {
        Either::Sqlite(rows) => rows.into_iter().map(|row| Row(Either::Sqlite(row))).collect(),
        Either::Postgres(rows) => rows.into_iter().map(|row| Row(Either::Postgres(row))).collect(),
    }
}

/// Where to connect to.
pub(crate) type Target = Either<SqliteConnectOptions, PgConnectOptions>;

/// A connection: the writer's.
pub(crate) struct Connection(pub(crate) Either<SqliteConnection, PgConnection>);

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, sqlx::Error> {
        Ok(Self(match target {
            Either::Sqlite(options) => Either::Sqlite(options.connect().await?),
            Either::Postgres(options) => Either::Postgres(options.connect().await?),
        }))
    }
    /// Runs a statement; resolves to the number of rows it touched.
    pub(crate) async fn execute(&mut self, sql: &Sql, values: &[Value<'_>]) -> Result<u64, sqlx::Error> {
        Ok(match on_either!(&mut self.0, sql, values, execute)? {
            Either::Sqlite(done) => done.rows_affected(),
            Either::Postgres(done) => done.rows_affected(),
        })
    }
    /// Inserts by statements of as few different sizes as do, so that all stay prepared.
    pub(crate) async fn insert<R, const COLUMNS: usize>(
        &mut self,
        statements: &Inserts,
        mut rows: &[R],
        columns: for<'a> fn(&'a R) -> [Value<'a>; COLUMNS],
    ) -> Result<(), sqlx::Error> {
        for (size, statement) in statements {
            while let Some((chunk, rest)) = rows.split_at_checked(*size) {
                let values: Vec<Value<'_>> = chunk.iter().flat_map(columns).collect();
                self.execute(statement, &values).await?;
                rows = rest;
            }
        }
        Ok(())
    }
    /// Runs a statement for all of its rows.
    pub(crate) async fn rows(&mut self, sql: &Sql, values: &[Value<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        on_either!(&mut self.0, sql, values, fetch_all).map(rows)
    }
    /// Runs a statement for its first row.
    pub(crate) async fn row(&mut self, sql: &Sql, values: &[Value<'_>]) -> Result<Option<Row>, sqlx::Error> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self.0 {
            Either::Sqlite(connection) => connection.close().await,
            Either::Postgres(connection) => connection.close().await,
        }
    }
}

/// The connections that only read.
#[derive(Clone)]
pub(crate) struct Readers(pub(crate) Either<SqlitePool, PgPool>);

impl Readers {
    /// In bounded time.
    pub(crate) async fn rows(&self, sql: &Sql, values: &[Value<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        tokio::time::timeout(TRANSACTION, self.fetch(sql, values)).await.map_err(late)?
    }
    async fn fetch(&self, sql: &Sql, values: &[Value<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        on_either!(&self.0, sql, values, fetch_all).map(rows)
    }
    pub(crate) async fn close(&self) {
        match &self.0 {
            Either::Sqlite(pool) => pool.close().await,
            Either::Postgres(pool) => pool.close().await,
        }
    }
}
