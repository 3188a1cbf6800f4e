-- The index of pages says whether a row is kept, so that counting reads nothing else.
DROP INDEX archive_page;
CREATE INDEX archive_page ON archive (owner, position, stamp, kept);
