-- Archives of accounts and rooms. `archive_owner` says whose, how long they want it kept (seconds) and what (XEP-0441).
-- A row of `archive` names nobody: `with_bare`, `with_full` and `ref` are keyed tags; `day` and the owner name the epoch
-- key; `segment` is empty until rows are sealed to the account besides. `kept`: queries find it. `held`: it waits for the
-- owner's next session.
CREATE TABLE archive_owner (
    num INTEGER PRIMARY KEY,
    owner TEXT NOT NULL UNIQUE,
    keeps INTEGER,
    preferences TEXT
);
INSERT INTO archive_owner (owner) SELECT DISTINCT owner FROM archive;

DROP INDEX archive_id;
DROP INDEX archive_held;
DROP INDEX archive_day;
ALTER TABLE archive RENAME TO archive_before;
CREATE TABLE archive (
    position INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL,
    id BLOB NOT NULL,
    day INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    segment BLOB NOT NULL,
    with_bare BLOB NOT NULL,
    with_full BLOB NOT NULL,
    ref BLOB,
    kept INTEGER NOT NULL,
    held INTEGER NOT NULL,
    sealed BLOB NOT NULL
);
INSERT INTO archive (position, owner, id, day, stamp, segment, with_bare, with_full, ref, kept, held, sealed)
    SELECT position, num, unhex(id), day, stamp, segment, with_bare, with_full, ref, 0, held, sealed
    FROM archive_before JOIN archive_owner ON archive_owner.owner = archive_before.owner
    WHERE unhex(id) IS NOT NULL ORDER BY position;
DROP TABLE archive_before;

CREATE UNIQUE INDEX archive_id ON archive (id);
CREATE INDEX archive_page ON archive (owner, position, stamp);
CREATE INDEX archive_held ON archive (owner, position) WHERE held = 1;
CREATE INDEX archive_ref ON archive (ref) WHERE ref IS NOT NULL;
CREATE INDEX archive_day ON archive (day);
