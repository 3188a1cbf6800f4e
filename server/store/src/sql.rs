//! Every statement of the store. Those that differ between the engines are `each`; a test prepares all of them on both.

use crate::engine::Sql;
use data_encoding::HEXLOWER;
use std::sync::LazyLock;

macro_rules! statements {
    ($($name:ident = $kind:ident($($text:expr),+ $(,)?);)+) => {
        $(pub(crate) static $name: Sql = Sql::$kind($($text),+);)+
        /// All statements but the inserts of many rows, with their names.
        #[cfg(test)]
        pub(crate) static ALL: &[(&str, &Sql)] = &[$((stringify!($name), &$name)),+];
    };
}

/// The columns that a row of an archive is opened with.
macro_rules! sealed_row {
    () => {
        "position, id, day, stamp, segment, kept, sealed"
    };
}
macro_rules! filter {
    ($columns:expr, $list:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 \
                AND stamp >= $4 AND stamp <= $5 \
                AND (CAST($6 AS TEXT) IS NULL OR with_bare IN (SELECT ",
            $list,
            "$6",
            $end,
            ")) \
                AND (CAST($7 AS TEXT) IS NULL OR with_full IN (SELECT ",
            $list,
            "$7",
            $end,
            ")) \
                AND (CAST($8 AS TEXT) IS NULL OR id IN (SELECT ",
            $list,
            "$8",
            $end,
            "))"
        )
    };
}
/// Those of the newest rows of an owner whose tag is one of a list; the index of pages knows all that is asked.
macro_rules! newest {
    () => {
        "SELECT position FROM (SELECT position, ref FROM archive WHERE owner = $1 ORDER BY position DESC \
            LIMIT CAST($3 AS BIGINT)) AS newest WHERE ref IN "
    };
}
/// What a query of an archive asks for, in each dialect.
macro_rules! sqlite_filter {
    ($columns:expr) => {
        filter!($columns, "unhex(value) FROM json_each(", ")")
    };
}
macro_rules! postgres_filter {
    ($columns:expr) => {
        filter!($columns, "decode(jsonb_array_elements_text(CAST(CAST(", " AS TEXT) AS jsonb)), 'hex')")
    };
}
macro_rules! sqlite_page {
    ($rows:expr) => {
        concat!(
            "SELECT json_group_array(json_array(position, hex(id), day, stamp, hex(segment), kept, hex(sealed))) FROM (",
            $rows,
            " LIMIT CAST($9 AS BIGINT) OFFSET CAST($10 AS BIGINT))"
        )
    };
}
macro_rules! postgres_page {
    ($rows:expr) => {
        concat!(
            "SELECT CAST(COALESCE(json_agg(json_build_array(position, encode(id, 'hex'), day, stamp, encode(segment, 'hex'), \
                kept, encode(sealed, 'hex'))), '[]') AS TEXT) FROM (",
            $rows,
            " LIMIT CAST($9 AS BIGINT) OFFSET CAST($10 AS BIGINT)) AS page"
        )
    };
}

// A number that is bound as a limit itself makes SQLite prepare the statement anew each time: hence the casts.
statements! {
    // SQLite: the write lock is taken at once, so that waiting for it happens here and nowhere else.
    BEGIN = each("BEGIN IMMEDIATE", "BEGIN");
    COMMIT = shared("COMMIT");
    ROLLBACK = shared("ROLLBACK");
    SAVEPOINT = shared("SAVEPOINT unit");
    RELEASE = shared("RELEASE SAVEPOINT unit");
    ROLLBACK_UNIT = shared("ROLLBACK TO SAVEPOINT unit");
    // PostgreSQL does both by itself.
    TRUNCATE_WAL = each("PRAGMA wal_checkpoint(TRUNCATE)", "SELECT 0::bigint");
    VACUUM = each("PRAGMA incremental_vacuum(512)", "SELECT 0::bigint");

    KEYS = shared("SELECT sha256_salt, sha256_iterations, sha256_stored, sha256_server, \
        sha1_salt, sha1_iterations, sha1_stored, sha1_server FROM account WHERE host = $1 AND localpart = $2");
    IS_RETIRED = shared("SELECT 1 FROM retired WHERE hash = $1");
    RETIRE = shared("INSERT INTO retired (hash) VALUES ($1) ON CONFLICT DO NOTHING");
    CREATE_ACCOUNT = shared("INSERT INTO account (host, localpart, sha256_salt, sha256_iterations, sha256_stored, sha256_server, \
        sha1_salt, sha1_iterations, sha1_stored, sha1_server) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING");
    SET_KEYS = shared("UPDATE account SET sha256_salt = $3, sha256_iterations = $4, sha256_stored = $5, sha256_server = $6, \
        sha1_salt = $7, sha1_iterations = $8, sha1_stored = $9, sha1_server = $10 WHERE host = $1 AND localpart = $2");
    DELETE_ACCOUNT = shared("DELETE FROM account WHERE host = $1 AND localpart = $2");
    LIST_ACCOUNTS = shared("SELECT localpart FROM account WHERE host = $1 ORDER BY localpart");
    ITERATIONS = shared("SELECT COALESCE(sha256_iterations, sha1_iterations, 0), COUNT(*) FROM account WHERE host = $1 GROUP BY 1");
    SHA1_ONLY = shared("SELECT COUNT(*) FROM account WHERE host = $1 AND sha256_stored IS NULL AND sha1_stored IS NOT NULL");

    ROSTER = shared("SELECT r.version, i.contact, i.name, i.groups, i.subscription, i.ask, i.approved, i.pending_in, i.listed \
        FROM roster r LEFT JOIN roster_item i ON i.owner = r.owner WHERE r.owner = $1 ORDER BY i.contact");
    ROSTER_ITEM = shared("SELECT 0, contact, name, groups, subscription, ask, approved, pending_in, listed \
        FROM roster_item WHERE owner = $1 AND contact = $2");
    ROSTER_COUNT = shared("SELECT COUNT(*) FROM roster_item WHERE owner = $1");
    ADD_ROSTER_VERSION = shared("INSERT INTO roster (owner, version) VALUES ($1, $2) \
        ON CONFLICT (owner) DO UPDATE SET version = roster.version + excluded.version RETURNING version");
    ROSTER_VERSION = shared("SELECT version FROM roster WHERE owner = $1");
    PUT_ROSTER_ITEM = shared("INSERT INTO roster_item (owner, contact, name, groups, subscription, ask, approved, pending_in, listed) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (owner, contact) DO UPDATE SET name = excluded.name, \
        groups = excluded.groups, subscription = excluded.subscription, ask = excluded.ask, approved = excluded.approved, \
        pending_in = excluded.pending_in, listed = excluded.listed");
    DELETE_ROSTER_ITEM = shared("DELETE FROM roster_item WHERE owner = $1 AND contact = $2");
    DELETE_ROSTER_ITEMS = shared("DELETE FROM roster_item WHERE owner = $1");
    DELETE_ROSTER = shared("DELETE FROM roster WHERE owner = $1");

    NEXT_POSITIONS = shared("UPDATE archive_position SET last = last + $1 RETURNING last");
    MAKE_OWNER = shared("INSERT INTO archive_owner (owner) VALUES ($1) ON CONFLICT (owner) DO UPDATE SET owner = excluded.owner \
        RETURNING num");
    OWNER = shared("SELECT num, keeps, preferences, owner FROM archive_owner WHERE owner = $1");
    OWNERS = shared("SELECT num, keeps, preferences, owner FROM archive_owner WHERE num > $1 ORDER BY num LIMIT CAST($2 AS BIGINT)");
    SET_KEEPS = shared("UPDATE archive_owner SET keeps = $2 WHERE num = $1");
    SET_PREFERENCES = shared("UPDATE archive_owner SET preferences = $2 WHERE num = $1");
    DELETE_OWNER = shared("DELETE FROM archive_owner WHERE owner = $1");

    // A page is one row of JSON: each row of a result is two messages between threads, and costs more than what is in it.
    PAGE_FORWARD = each(
        sqlite_page!(concat!(sqlite_filter!(sealed_row!()), " ORDER BY position")),
        postgres_page!(concat!(postgres_filter!(sealed_row!()), " ORDER BY position")),
    );
    PAGE_BACKWARD = each(
        sqlite_page!(concat!(sqlite_filter!(sealed_row!()), " ORDER BY position DESC")),
        postgres_page!(concat!(postgres_filter!(sealed_row!()), " ORDER BY position DESC")),
    );
    COUNT_PAGE = each(
        concat!("SELECT COUNT(*) FROM (", sqlite_filter!("1"), " LIMIT CAST($9 AS BIGINT)) AS found"),
        concat!("SELECT COUNT(*) FROM (", postgres_filter!("1"), " LIMIT CAST($9 AS BIGINT)) AS found"),
    );
    COUNT_ALL = shared("SELECT COUNT(*) FROM (SELECT 1 FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 \
        AND stamp >= $4 AND stamp <= $5 LIMIT CAST($6 AS BIGINT)) AS found");
    LOCATE = shared("SELECT position FROM archive WHERE owner = $1 AND id = $2 AND kept = 1 AND stamp >= $3");
    // The plus keeps SQLite from reading the table from its beginning.
    FIRST_SINCE = shared("SELECT MIN(+position) FROM archive WHERE day >= $1");
    RECENT = shared("SELECT position, ref FROM archive WHERE position >= $1 AND position < $2 AND ref IS NOT NULL \
        ORDER BY position DESC LIMIT CAST($3 AS BIGINT)");
    RESENT = each(
        concat!("SELECT ", sealed_row!(), ", ref FROM archive WHERE position IN (SELECT value FROM json_each($1))"),
        concat!("SELECT ", sealed_row!(), ", ref FROM archive WHERE position IN (SELECT jsonb_array_elements_text(CAST(CAST($1 AS TEXT) AS jsonb))::bigint)"),
    );
    FIND_REF = each(
        concat!("SELECT ", sealed_row!(), ", owner, with_bare FROM archive WHERE position IN (", newest!(), "(SELECT unhex(value) FROM json_each($2)))"),
        concat!("SELECT ", sealed_row!(), ", owner, with_bare FROM archive WHERE position IN (", newest!(), "(SELECT decode(jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS jsonb)), 'hex')))"),
    );
    FIND_ID = shared(concat!("SELECT ", sealed_row!(), ", owner, with_bare FROM archive WHERE owner = $1 AND id = $2"));
    RESEAL = shared("UPDATE archive SET sealed = $2 WHERE position = $1");
    HELD_COUNTS = each(
        "SELECT owner, COUNT(*) FROM archive WHERE held = 1 AND owner IN (SELECT value FROM json_each($1)) GROUP BY owner",
        "SELECT owner, COUNT(*) FROM archive WHERE held = 1 \
            AND owner IN (SELECT jsonb_array_elements_text($1::text::jsonb)::bigint) GROUP BY owner",
    );
    HELD_COUNT = shared("SELECT COUNT(*) FROM archive WHERE held = 1 AND owner = $1");
    HELD = shared(concat!("SELECT ", sealed_row!(), " FROM archive WHERE held = 1 AND owner = $1 AND position > $2 ORDER BY position LIMIT CAST($3 AS BIGINT)"));
    HOLD = shared("UPDATE archive SET held = 1 WHERE owner = $1 AND id = $2 AND held = 0");
    IS_HELD = shared("SELECT held FROM archive WHERE owner = $1 AND id = $2");
    RELEASE_KEPT = shared("UPDATE archive SET held = 0 WHERE held = 1 AND kept = 1 AND owner = $1");
    RELEASE_HELD = each(
        "UPDATE archive SET held = 0 WHERE held = 1 AND owner = $1 AND position IN (SELECT value FROM json_each($2))",
        "UPDATE archive SET held = 0 WHERE held = 1 AND owner = $1 \
            AND position IN (SELECT jsonb_array_elements_text($2::text::jsonb)::bigint)",
    );
    DELETE_RELEASED = each(
        "DELETE FROM archive WHERE kept = 0 AND held = 0 AND owner = $1 AND position IN (SELECT value FROM json_each($2))",
        "DELETE FROM archive WHERE kept = 0 AND held = 0 AND owner = $1 \
            AND position IN (SELECT jsonb_array_elements_text($2::text::jsonb)::bigint)",
    );
    RELEASE_IDS = each(
        "UPDATE archive SET held = 0 WHERE held = 1 AND owner = $1 AND id IN (SELECT unhex(value) FROM json_each($2))",
        "UPDATE archive SET held = 0 WHERE held = 1 AND owner = $1 \
            AND id IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS jsonb)), 'hex'))",
    );
    DELETE_RELEASED_IDS = each(
        "DELETE FROM archive WHERE kept = 0 AND held = 0 AND owner = $1 AND id IN (SELECT unhex(value) FROM json_each($2))",
        "DELETE FROM archive WHERE kept = 0 AND held = 0 AND owner = $1 \
            AND id IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS jsonb)), 'hex'))",
    );
    OLDEST = shared("SELECT position, stamp FROM archive WHERE owner = $1 ORDER BY position LIMIT CAST($2 AS BIGINT)");
    OLDEST_HELD = shared("SELECT position, stamp FROM archive WHERE owner = $1 AND held = 1 ORDER BY position LIMIT CAST($2 AS BIGINT)");
    WAITING_SINCE = shared("SELECT owner, MIN(day) FROM archive WHERE held = 1 GROUP BY owner");
    UNHOLD_OLD = shared("UPDATE archive SET held = 0 WHERE owner = $1 AND held = 1 AND position <= $2 AND stamp < $3");
    UNKEEP_OLD = shared("UPDATE archive SET kept = 0 WHERE owner = $1 AND kept = 1 AND position <= $2 AND stamp < $3");
    DELETE_OLD = shared("DELETE FROM archive WHERE owner = $1 AND kept = 0 AND held = 0 AND position <= $2");
    SWEEP_ARCHIVE = shared("DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE day < $1 ORDER BY day LIMIT CAST($2 AS BIGINT))");
    SWEEP_OWNER = shared("DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE owner = $1 \
        AND position <= $2 AND stamp < $3 ORDER BY position LIMIT CAST($4 AS BIGINT))");
    SWEEP_WITH = each(
        "DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE owner = $1 AND position <= $2 \
            AND with_bare IN (SELECT unhex(value) FROM json_each($3)) ORDER BY position LIMIT CAST($4 AS BIGINT))",
        "DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE owner = $1 AND position <= $2 \
            AND with_bare IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($3 AS TEXT) AS jsonb)), 'hex')) ORDER BY position LIMIT CAST($4 AS BIGINT))",
    );
    LAST_POSITION = shared("SELECT last FROM archive_position");

    OUTBOUND = shared("SELECT position, key, day, epoch, sealed FROM outbound WHERE position > $1 ORDER BY position LIMIT CAST($2 AS BIGINT)");
    TAKE_OUTBOUND = each(
        "DELETE FROM outbound WHERE key IN (SELECT unhex(value) FROM json_each($1))",
        "DELETE FROM outbound WHERE key IN (SELECT decode(jsonb_array_elements_text($1::text::jsonb), 'hex'))",
    );
    OUTBOUND_EPOCHS = shared("SELECT DISTINCT day, epoch FROM outbound");
    FORGET_OUTBOUND = each(
        "DELETE FROM outbound WHERE epoch IN (SELECT unhex(value) FROM json_each($1))",
        "DELETE FROM outbound WHERE epoch IN (SELECT decode(jsonb_array_elements_text($1::text::jsonb), 'hex'))",
    );
    SWEEP_OUTBOUND = shared("DELETE FROM outbound WHERE position IN (SELECT position FROM outbound WHERE day < $1 LIMIT CAST($2 AS BIGINT))");

    RECORD = shared("SELECT revision, value, key FROM record \
        WHERE owner = $1 AND collection = $2 AND key = $3 AND (written IS NULL OR written > $4)");
    RECORD_REVISION = shared("SELECT revision, written FROM record WHERE owner = $1 AND collection = $2 AND key = $3");
    RECORD_COUNT = shared("SELECT COUNT(*) FROM record WHERE owner = $1 AND collection = $2");
    PUT_RECORD = shared("INSERT INTO record (owner, collection, key, revision, value, written) VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (owner, collection, key) DO UPDATE SET revision = excluded.revision, value = excluded.value, \
        written = excluded.written");
    DELETE_RECORD = shared("DELETE FROM record WHERE owner = $1 AND collection = $2 AND key = $3");
    LIST_RECORDS = shared("SELECT revision, value, key FROM record WHERE owner = $1 AND collection = $2 AND key >= $3 \
        AND (written IS NULL OR written > $4) AND (CAST($5 AS TEXT) IS NULL OR key > CAST($5 AS TEXT)) ORDER BY key LIMIT CAST($6 AS BIGINT)");
    DELETE_RECORDS = shared("DELETE FROM record WHERE owner = $1");
    SWEEP_RECORDS = each(
        "DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE collection = $1 AND written <= $2 LIMIT CAST($3 AS BIGINT))",
        "DELETE FROM record WHERE ctid IN (SELECT ctid FROM record WHERE collection = $1 AND written <= $2 LIMIT CAST($3 AS BIGINT))",
    );

    SECRET = shared("SELECT value FROM secret WHERE name = $1");
    MAKE_SECRET = shared("INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");

    AUDIT = shared("SELECT (SELECT COUNT(*) FROM account), CAST(NULL AS BIGINT), (SELECT COUNT(*) FROM roster_item), \
        CAST(NULL AS BIGINT), (SELECT COUNT(*) FROM archive_owner), CAST(NULL AS BIGINT), \
        (SELECT COUNT(*) FROM archive WHERE kept = 1), (SELECT MIN(stamp) FROM archive WHERE kept = 1), \
        (SELECT COUNT(*) FROM archive WHERE held = 1), (SELECT MIN(stamp) FROM archive WHERE held = 1), \
        (SELECT COUNT(*) FROM outbound), (SELECT MIN(day) * 86400 FROM outbound), \
        (SELECT COUNT(*) FROM retired), CAST(NULL AS BIGINT), (SELECT COUNT(*) FROM secret), CAST(NULL AS BIGINT)");
    AUDIT_RECORDS = shared("SELECT collection, COUNT(*), MIN(written) FROM record GROUP BY collection ORDER BY collection");

    WALL = shared("SELECT wall FROM clock");
    SET_WALL = shared("UPDATE clock SET wall = $1");
    PROBE = shared("UPDATE clock SET probe = probe + 1");
}

/// Columns of an archive row.
pub(crate) const ARCHIVE_COLUMNS: usize = 12;
/// Columns of an outbound row.
pub(crate) const OUTBOUND_COLUMNS: usize = 5;

/// A statement by the number of rows that it inserts, the largest first.
pub(crate) type Inserts = [(usize, Sql); 3];

/// Appends to archives.
pub(crate) static APPEND: LazyLock<Inserts> = LazyLock::new(|| {
    let columns = "position, owner, id, day, stamp, segment, with_bare, with_full, ref, kept, held, sealed";
    // A failure undoes the whole unit anyway: SQLite need not remember how to undo the statement alone.
    inserts(("INSERT OR FAIL", &format!("archive ({columns})")), ARCHIVE_COLUMNS, "")
});

/// Additions to what waits for other servers.
pub(crate) static KEEP_OUTBOUND: LazyLock<Inserts> = LazyLock::new(|| {
    inserts(("INSERT", "outbound (position, key, day, epoch, sealed)"), OUTBOUND_COLUMNS, " ON CONFLICT (key) DO NOTHING")
});

fn inserts((verb, into): (&str, &str), columns: usize, end: &str) -> Inserts {
    // SQLite's driver looks each name up anew for each value, from the first on: there, values have none. Prepared
    // statements are kept by their static text: it leaks once per size.
    [64, 8, 1].map(|rows| {
        let values = |name: fn(usize) -> String| values((rows, columns), name);
        let sqlite = format!("{verb} INTO {into} VALUES {}{end}", values(|_| "?".to_owned()));
        let postgres = format!("INSERT INTO {into} VALUES {}{end}", values(|number| format!("${number}")));
        (rows, Sql::each(sqlite.leak(), postgres.leak()))
    })
}

fn values((rows, columns): (usize, usize), name: fn(usize) -> String) -> String {
    let row = |row: usize| {
        let values: Vec<String> = (1..=columns).map(|column| name(row * columns + column)).collect();
        format!("({})", values.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Bytes as both engines take a list of them: JSON of hexadecimal text.
pub(crate) fn list_of_bytes<'a>(items: impl Iterator<Item = &'a [u8]>) -> String {
    let mut list = String::from("[");
    for item in items {
        list.push_str(if list.len() > 1 { ",\"" } else { "\"" });
        list.push_str(&HEXLOWER.encode(item));
        list.push('"');
    }
    list.push(']');
    list
}
