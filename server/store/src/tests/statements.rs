//! Every statement is understood by both engines.

use super::{Bench, on_both};
use crate::{
    OpenError,
    engine::{Either, Sql},
    sql,
};
use sqlx::Executor as _;

fn all() -> Vec<(&'static str, &'static Sql)> {
    let appends = sql::APPEND.iter().map(|(_, statement)| ("APPEND", statement));
    let outbound = sql::KEEP_OUTBOUND.iter().map(|(_, statement)| ("KEEP_OUTBOUND", statement));
    sql::ALL.iter().copied().chain(appends).chain(outbound).collect()
}

#[tokio::test]
async fn every_statement_prepares_on_both() {
    on_both(async |bench| {
        let store = bench.open().await;
        match &store.readers.0 {
            Either::Sqlite(pool) => {
                for (name, statement) in all() {
                    let prepared = pool.prepare(sqlx::SqlSafeStr::into_sql_str(statement.sqlite)).await;
                    assert!(prepared.is_ok(), "{name} on SQLite: {:?}", prepared.err());
                }
            }
            Either::Postgres(pool) => {
                for (name, statement) in all() {
                    let prepared = pool.prepare(sqlx::SqlSafeStr::into_sql_str(statement.postgres)).await;
                    assert!(prepared.is_ok(), "{name} on PostgreSQL: {:?}", prepared.err());
                }
            }
        }
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_database_from_the_future_is_refused() {
    on_both(async |bench| {
        bench.open().await.close().await;
        bench
            .beside(
                "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'f', 1, x'00', 0)",
                "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'f', true, '\\x00', 0)",
            )
            .await;
        assert!(matches!(bench.try_open().await, Err(OpenError::FromTheFuture(9999))));
    })
    .await;
}

#[tokio::test]
async fn sqlite_is_set_up_to_keep_and_to_forget() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let Either::Sqlite(pool) = &store.readers.0 else { panic!("not SQLite") };
    for (pragma, expected) in
        [("secure_delete", "1"), ("foreign_keys", "1"), ("synchronous", "2"), ("auto_vacuum", "2"), ("journal_mode", "wal")]
    {
        let sql = sqlx::AssertSqlSafe(format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"));
        let found: String = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        assert_eq!(found, expected, "{pragma}");
    }
    let options: Vec<String> =
        sqlx::query_scalar("SELECT compile_options FROM pragma_compile_options").fetch_all(pool).await.unwrap();
    assert!(options.contains(&"DEFAULT_MEMSTATUS=0".to_owned()), "not compiled as .cargo/config.toml says: {options:?}");
    assert!(!options.contains(&"ENABLE_MEMORY_MANAGEMENT".to_owned()), "connections share one page cache: {options:?}");
    store.close().await;
}

#[tokio::test]
async fn what_grows_is_searched_by_its_indexes() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let Either::Sqlite(pool) = &store.readers.0 else { panic!("not SQLite") };
    for (statement, wanted) in [
        (&sql::FIND_REF, "COVERING INDEX archive_page (owner=?)"),
        (&sql::COUNT_ALL, "COVERING INDEX archive_page (owner=? AND position>? AND position<?)"),
        (&sql::FIRST_SINCE, "COVERING INDEX archive_day (day>?)"),
        (&sql::RECENT, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (&sql::LOCATE, "INDEX archive_id (id=?)"),
    ] {
        let query = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(query).fetch_all(pool).await.unwrap();
        let steps: Vec<&str> = plan.iter().map(|step| step.3.as_str()).collect();
        assert!(steps.iter().any(|step| step.contains(wanted)), "{steps:?}");
    }
    store.close().await;
}
