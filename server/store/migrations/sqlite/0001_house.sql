-- No timestamps about people (H08). The archive has a rowid table on purpose: WITHOUT ROWID appends several times slower.

CREATE TABLE account (
    host TEXT NOT NULL,
    localpart TEXT NOT NULL,
    sha256_salt BLOB, sha256_iterations INTEGER, sha256_stored BLOB, sha256_server BLOB,
    sha1_salt BLOB, sha1_iterations INTEGER, sha1_stored BLOB, sha1_server BLOB,
    PRIMARY KEY (host, localpart)
);

-- Keyed hashes of the addresses of deleted accounts (H06).
CREATE TABLE retired (hash BLOB NOT NULL PRIMARY KEY);

CREATE TABLE roster (owner TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL);

CREATE TABLE roster_item (
    owner TEXT NOT NULL REFERENCES roster (owner),
    contact TEXT NOT NULL,
    name TEXT,
    groups TEXT NOT NULL,
    subscription INTEGER NOT NULL,
    ask INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    pending_in TEXT,
    listed INTEGER NOT NULL,
    PRIMARY KEY (owner, contact)
);

-- `day` names the epoch key; `segment` is empty until rows are sealed to the account besides.
CREATE TABLE archive (
    position INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    day INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    segment BLOB NOT NULL,
    with_bare BLOB NOT NULL,
    with_full BLOB NOT NULL,
    ref BLOB,
    held INTEGER NOT NULL,
    sealed BLOB NOT NULL
);
CREATE UNIQUE INDEX archive_id ON archive (owner, id);
CREATE INDEX archive_held ON archive (owner, position) WHERE held = 1;
CREATE INDEX archive_day ON archive (day);

-- The last position given out, here and in `outbound`: positions grow in the order of commit and never come back.
CREATE TABLE archive_position (only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1), last INTEGER NOT NULL);
INSERT INTO archive_position (only_row, last) VALUES (1, 0);

-- What other servers have not taken yet. `epoch` is drawn from the key of the day and the sender: without the keys it
-- says neither who sends nor that two days' rows are the same person's. To whom, how long and what: all sealed.
CREATE TABLE outbound (
    position INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    day INTEGER NOT NULL,
    epoch BLOB NOT NULL,
    sealed BLOB NOT NULL
);

CREATE TABLE record (
    owner TEXT NOT NULL,
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    value BLOB NOT NULL,
    written INTEGER,
    PRIMARY KEY (owner, collection, key)
);
CREATE INDEX record_written ON record (collection, written) WHERE written IS NOT NULL;

CREATE TABLE secret (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL);

-- `wall`: the highest civil time that expiry believed. `probe`: written to learn whether writing works.
CREATE TABLE clock (only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1), wall INTEGER, probe INTEGER NOT NULL);
INSERT INTO clock (only_row, wall, probe) VALUES (1, NULL, 0);
