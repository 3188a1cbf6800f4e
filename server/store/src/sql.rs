//! Every statement of the store. Those that differ between the engines are `each`; a test prepares all of them on both.

use crate::engine::Sql;
use std::{fmt::Write as _, sync::LazyLock};

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
    MAKE_OWNER = shared("INSERT INTO archive_owner (owner) VALUES ($1) ON CONFLICT (owner) DO UPDATE SET owner = excluded.owner \
        RETURNING num");
    OWNER = shared("SELECT num, keeps, preferences, owner FROM archive_owner WHERE owner = $1");
    OWNERS = shared("SELECT num, keeps, preferences, owner FROM archive_owner WHERE num > $1 ORDER BY num LIMIT $2");
    SET_KEEPS = shared("UPDATE archive_owner SET keeps = $2 WHERE num = $1");
    SET_PREFERENCES = shared("UPDATE archive_owner SET preferences = $2 WHERE num = $1");
    DELETE_OWNER = shared("DELETE FROM archive_owner WHERE owner = $1");

    PAGE_FORWARD = each(
        "SELECT position, id, day, stamp, segment, kept, sealed FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 AND stamp >= $4 AND stamp <= $5 \
        AND (CAST($6 AS TEXT) IS NULL OR with_bare IN (SELECT unhex(value) FROM json_each($6))) AND (CAST($7 AS TEXT) IS NULL OR with_full IN (SELECT unhex(value) FROM json_each($7))) \
        AND (CAST($8 AS TEXT) IS NULL OR id IN (SELECT unhex(value) FROM json_each($8))) ORDER BY position LIMIT $9 OFFSET $10",
        "SELECT position, id, day, stamp, segment, kept, sealed FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 AND stamp >= $4 AND stamp <= $5 \
        AND (CAST($6 AS TEXT) IS NULL OR with_bare IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($6 AS TEXT) AS jsonb)), 'hex'))) AND (CAST($7 AS TEXT) IS NULL OR with_full IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($7 AS TEXT) AS jsonb)), 'hex'))) \
        AND (CAST($8 AS TEXT) IS NULL OR id IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($8 AS TEXT) AS jsonb)), 'hex'))) ORDER BY position LIMIT $9 OFFSET $10",
    );
    PAGE_BACKWARD = each(
        "SELECT position, id, day, stamp, segment, kept, sealed FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 AND stamp >= $4 AND stamp <= $5 \
        AND (CAST($6 AS TEXT) IS NULL OR with_bare IN (SELECT unhex(value) FROM json_each($6))) AND (CAST($7 AS TEXT) IS NULL OR with_full IN (SELECT unhex(value) FROM json_each($7))) \
        AND (CAST($8 AS TEXT) IS NULL OR id IN (SELECT unhex(value) FROM json_each($8))) ORDER BY position DESC LIMIT $9 OFFSET $10",
        "SELECT position, id, day, stamp, segment, kept, sealed FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 AND stamp >= $4 AND stamp <= $5 \
        AND (CAST($6 AS TEXT) IS NULL OR with_bare IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($6 AS TEXT) AS jsonb)), 'hex'))) AND (CAST($7 AS TEXT) IS NULL OR with_full IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($7 AS TEXT) AS jsonb)), 'hex'))) \
        AND (CAST($8 AS TEXT) IS NULL OR id IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($8 AS TEXT) AS jsonb)), 'hex'))) ORDER BY position DESC LIMIT $9 OFFSET $10",
    );
    COUNT_PAGE = each(
        "SELECT COUNT(*) FROM (SELECT 1 FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 AND stamp >= $4 AND stamp <= $5 \
        AND (CAST($6 AS TEXT) IS NULL OR with_bare IN (SELECT unhex(value) FROM json_each($6))) AND (CAST($7 AS TEXT) IS NULL OR with_full IN (SELECT unhex(value) FROM json_each($7))) \
        AND (CAST($8 AS TEXT) IS NULL OR id IN (SELECT unhex(value) FROM json_each($8))) LIMIT $9) AS found",
        "SELECT COUNT(*) FROM (SELECT 1 FROM archive WHERE kept = 1 AND owner = $1 AND position > $2 AND position < $3 AND stamp >= $4 AND stamp <= $5 \
        AND (CAST($6 AS TEXT) IS NULL OR with_bare IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($6 AS TEXT) AS jsonb)), 'hex'))) AND (CAST($7 AS TEXT) IS NULL OR with_full IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($7 AS TEXT) AS jsonb)), 'hex'))) \
        AND (CAST($8 AS TEXT) IS NULL OR id IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($8 AS TEXT) AS jsonb)), 'hex'))) LIMIT $9) AS found",
    );
    LOCATE = shared("SELECT position FROM archive WHERE owner = $1 AND id = $2 AND kept = 1 AND stamp >= $3");
    RESENT = each(
        "SELECT position, id, day, stamp, segment, kept, sealed, owner, ref FROM archive WHERE ref IN (SELECT unhex(value) FROM json_each($1))",
        "SELECT position, id, day, stamp, segment, kept, sealed, owner, ref FROM archive WHERE ref IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($1 AS TEXT) AS jsonb)), 'hex'))",
    );
    FIND_REF = each(
        "SELECT position, id, day, stamp, segment, kept, sealed, owner, with_bare FROM archive WHERE owner = $1 AND ref IN (SELECT unhex(value) FROM json_each($2))",
        "SELECT position, id, day, stamp, segment, kept, sealed, owner, with_bare FROM archive WHERE owner = $1 AND ref IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS jsonb)), 'hex'))",
    );
    FIND_ID = shared("SELECT position, id, day, stamp, segment, kept, sealed, owner, with_bare FROM archive WHERE owner = $1 AND id = $2");
    RESEAL = shared("UPDATE archive SET sealed = $2 WHERE position = $1");
    HELD_COUNTS = each(
        "SELECT owner, COUNT(*) FROM archive WHERE held = 1 AND owner IN (SELECT value FROM json_each($1)) GROUP BY owner",
        "SELECT owner, COUNT(*) FROM archive WHERE held = 1 \
            AND owner IN (SELECT jsonb_array_elements_text($1::text::jsonb)::bigint) GROUP BY owner",
    );
    HELD_COUNT = shared("SELECT COUNT(*) FROM archive WHERE held = 1 AND owner = $1");
    HELD = shared("SELECT position, id, day, stamp, segment, kept, sealed FROM archive WHERE held = 1 AND owner = $1 AND position > $2 ORDER BY position LIMIT $3");
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
    OLDEST = shared("SELECT position, stamp FROM archive WHERE owner = $1 ORDER BY position LIMIT $2");
    OLDEST_HELD = shared("SELECT position, stamp FROM archive WHERE owner = $1 AND held = 1 ORDER BY position LIMIT $2");
    WAITING_SINCE = shared("SELECT owner, MIN(day) FROM archive WHERE held = 1 GROUP BY owner");
    UNHOLD_OLD = shared("UPDATE archive SET held = 0 WHERE owner = $1 AND held = 1 AND position <= $2 AND stamp < $3");
    UNKEEP_OLD = shared("UPDATE archive SET kept = 0 WHERE owner = $1 AND kept = 1 AND position <= $2 AND stamp < $3");
    DELETE_OLD = shared("DELETE FROM archive WHERE owner = $1 AND kept = 0 AND held = 0 AND position <= $2");
    SWEEP_ARCHIVE = shared("DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE day < $1 ORDER BY day LIMIT $2)");
    SWEEP_OWNER = shared("DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE owner = $1 \
        AND position <= $2 AND stamp < $3 ORDER BY position LIMIT $4)");
    SWEEP_WITH = each(
        "DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE owner = $1 AND position <= $2 \
            AND with_bare IN (SELECT unhex(value) FROM json_each($3)) ORDER BY position LIMIT $4)",
        "DELETE FROM archive WHERE position IN (SELECT position FROM archive WHERE owner = $1 AND position <= $2 \
            AND with_bare IN (SELECT decode(jsonb_array_elements_text(CAST(CAST($3 AS TEXT) AS jsonb)), 'hex')) ORDER BY position LIMIT $4)",
    );
    LAST_POSITION = shared("SELECT last FROM archive_position");

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

/// Bytes as both engines take a list of them: JSON of hexadecimal text.
pub(crate) fn list_of_bytes<'a>(items: impl Iterator<Item = &'a [u8]>) -> String {
    let mut list = String::from("[");
    for item in items {
        list.push_str(if list.len() > 1 { ",\"" } else { "\"" });
        for byte in item {
            let _ = write!(list, "{byte:02x}");
        }
        list.push('"');
    }
    list.push(']');
    list
}
