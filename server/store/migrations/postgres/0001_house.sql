-- No timestamps about people (H08). Text compares by bytes, as in SQLite: listings and prefixes depend on it.

CREATE TABLE account (
    host TEXT COLLATE "C" NOT NULL,
    localpart TEXT COLLATE "C" NOT NULL,
    sha256_salt BYTEA, sha256_iterations BIGINT, sha256_stored BYTEA, sha256_server BYTEA,
    sha1_salt BYTEA, sha1_iterations BIGINT, sha1_stored BYTEA, sha1_server BYTEA,
    PRIMARY KEY (host, localpart)
);

-- Keyed hashes of the addresses of deleted accounts (H06).
CREATE TABLE retired (hash BYTEA NOT NULL PRIMARY KEY);

CREATE TABLE roster (owner TEXT COLLATE "C" NOT NULL PRIMARY KEY, version BIGINT NOT NULL);

CREATE TABLE roster_item (
    owner TEXT COLLATE "C" NOT NULL REFERENCES roster (owner),
    contact TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C",
    groups TEXT COLLATE "C" NOT NULL,
    subscription BIGINT NOT NULL,
    ask BIGINT NOT NULL,
    approved BIGINT NOT NULL,
    pending_in TEXT COLLATE "C",
    listed BIGINT NOT NULL,
    PRIMARY KEY (owner, contact)
);

-- `day` names the epoch key; `segment` is empty until rows are sealed to the account besides.
CREATE TABLE archive (
    position BIGINT PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    day BIGINT NOT NULL,
    stamp BIGINT NOT NULL,
    segment BYTEA NOT NULL,
    with_bare BYTEA NOT NULL,
    with_full BYTEA NOT NULL,
    ref BYTEA,
    held BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE UNIQUE INDEX archive_id ON archive (owner, id);
CREATE INDEX archive_held ON archive (owner, position) WHERE held = 1;
CREATE INDEX archive_day ON archive (day);

-- The last position given out, here and in `outbound`: positions grow in the order of commit and never come back.
CREATE TABLE archive_position (only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1), last BIGINT NOT NULL);
INSERT INTO archive_position (only_row, last) VALUES (1, 0);

-- What other servers have not taken yet. `epoch` is drawn from the key of the day and the sender: without the keys it
-- says neither who sends nor that two days' rows are the same person's. To whom, how long and what: all sealed.
CREATE TABLE outbound (
    position BIGINT PRIMARY KEY,
    key BYTEA NOT NULL UNIQUE,
    day BIGINT NOT NULL,
    epoch BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);

CREATE TABLE record (
    owner TEXT COLLATE "C" NOT NULL,
    collection TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    value BYTEA NOT NULL,
    written BIGINT,
    PRIMARY KEY (owner, collection, key)
);
CREATE INDEX record_written ON record (collection, written) WHERE written IS NOT NULL;

CREATE TABLE secret (name TEXT COLLATE "C" NOT NULL PRIMARY KEY, value BYTEA NOT NULL);

-- `wall`: the highest civil time that expiry believed. `probe`: written to learn whether writing works.
CREATE TABLE clock (only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1), wall BIGINT, probe BIGINT NOT NULL);
INSERT INTO clock (only_row, wall, probe) VALUES (1, NULL, 0);
