//! Every statement of the store. Those that differ between the engines are `each`; a test prepares all of them on both.

use crate::engine::Sql;
use std::sync::LazyLock;

macro_rules! statements {
    ($($name:ident = $kind:ident($($text:expr),+ $(,)?);)+) => {
        $(pub(crate) static $name: Sql = Sql::$kind($($text),+);)+
        /// All statements but the inserts of many rows, with their names.
        #[cfg(test)]
        pub(crate) static ALL: &[(&str, &Sql)] = &[$((stringify!($name), &$name)),+];
    };
}

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
    HELD_COUNTS = each(
        "SELECT owner, COUNT(*) FROM archive WHERE held = 1 AND owner IN (SELECT value FROM json_each($1)) GROUP BY owner",
        "SELECT owner, COUNT(*) FROM archive WHERE held = 1 \
            AND owner IN (SELECT jsonb_array_elements_text($1::text::jsonb)) GROUP BY owner",
    );
    HELD_COUNT = shared("SELECT COUNT(*) FROM archive WHERE held = 1 AND owner = $1");
    HELD = shared("SELECT position, id, day, stamp, segment, sealed FROM archive \
        WHERE held = 1 AND owner = $1 AND position > $2 ORDER BY position LIMIT $3");
    RELEASE_HELD = each(
        "DELETE FROM archive WHERE held = 1 AND owner = $1 AND position IN (SELECT value FROM json_each($2))",
        "DELETE FROM archive WHERE held = 1 AND owner = $1 \
            AND position IN (SELECT jsonb_array_elements_text($2::text::jsonb)::bigint)",
    );
    SWEEP_ARCHIVE = shared("DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE day < $1 ORDER BY day LIMIT $2)");
    SWEEP_OWNER = shared("DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE owner = $1 LIMIT $2)");

    OUTBOUND = shared("SELECT position, key, day, epoch, sealed FROM outbound WHERE position > $1 ORDER BY position LIMIT $2");
    TAKE_OUTBOUND = each(
        "DELETE FROM outbound WHERE key IN (SELECT unhex(value) FROM json_each($1))",
        "DELETE FROM outbound WHERE key IN (SELECT decode(jsonb_array_elements_text($1::text::jsonb), 'hex'))",
    );
    OUTBOUND_EPOCHS = shared("SELECT DISTINCT day, epoch FROM outbound");
    FORGET_OUTBOUND = each(
        "DELETE FROM outbound WHERE epoch IN (SELECT unhex(value) FROM json_each($1))",
        "DELETE FROM outbound WHERE epoch IN (SELECT decode(jsonb_array_elements_text($1::text::jsonb), 'hex'))",
    );
    SWEEP_OUTBOUND = shared("DELETE FROM outbound WHERE position IN (SELECT position FROM outbound WHERE day < $1 LIMIT $2)");

    RECORD = shared("SELECT revision, value, key FROM record \
        WHERE owner = $1 AND collection = $2 AND key = $3 AND (written IS NULL OR written > $4)");
    RECORD_REVISION = shared("SELECT revision, written FROM record WHERE owner = $1 AND collection = $2 AND key = $3");
    RECORD_COUNT = shared("SELECT COUNT(*) FROM record WHERE owner = $1 AND collection = $2");
    PUT_RECORD = shared("INSERT INTO record (owner, collection, key, revision, value, written) VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (owner, collection, key) DO UPDATE SET revision = excluded.revision, value = excluded.value, \
        written = excluded.written");
    DELETE_RECORD = shared("DELETE FROM record WHERE owner = $1 AND collection = $2 AND key = $3");
    LIST_RECORDS = shared("SELECT revision, value, key FROM record WHERE owner = $1 AND collection = $2 AND key >= $3 \
        AND (written IS NULL OR written > $4) AND (CAST($5 AS TEXT) IS NULL OR key > CAST($5 AS TEXT)) ORDER BY key LIMIT $6");
    DELETE_RECORDS = shared("DELETE FROM record WHERE owner = $1");
    SWEEP_RECORDS = each(
        "DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE collection = $1 AND written <= $2 LIMIT $3)",
        "DELETE FROM record WHERE ctid IN (SELECT ctid FROM record WHERE collection = $1 AND written <= $2 LIMIT $3)",
    );

    SECRET = shared("SELECT value FROM secret WHERE name = $1");
    MAKE_SECRET = shared("INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");

    WALL = shared("SELECT wall FROM clock");
    SET_WALL = shared("UPDATE clock SET wall = $1");
    PROBE = shared("UPDATE clock SET probe = probe + 1");
}

/// Columns of an archive row.
pub(crate) const ARCHIVE_COLUMNS: usize = 11;
/// Columns of an outbound row.
pub(crate) const OUTBOUND_COLUMNS: usize = 5;

/// A statement by the number of rows that it inserts, the largest first.
pub(crate) type Inserts = [(usize, Sql); 3];

/// Appends to archives.
pub(crate) static APPEND: LazyLock<Inserts> = LazyLock::new(|| {
    let columns = "position, owner, id, day, stamp, segment, with_bare, with_full, ref, held, sealed";
    inserts(&format!("archive ({columns})"), ARCHIVE_COLUMNS, "")
});

/// Additions to what waits for other servers.
pub(crate) static KEEP_OUTBOUND: LazyLock<Inserts> =
    LazyLock::new(|| inserts("outbound (position, key, day, epoch, sealed)", OUTBOUND_COLUMNS, " ON CONFLICT (key) DO NOTHING"));

fn inserts(into: &str, columns: usize, end: &str) -> Inserts {
    [64, 8, 1].map(|rows| (rows, Sql::shared(insert(into, (rows, columns), end))))
}

/// Leaks once per size: prepared statements are kept by their static text.
fn insert(into: &str, (rows, columns): (usize, usize), end: &str) -> &'static str {
    let row = |row: usize| {
        let values: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", values.join(", "))
    };
    let values: Vec<String> = (0..rows).map(row).collect();
    String::leak(format!("INSERT INTO {into} VALUES {}{end}", values.join(", ")))
}
