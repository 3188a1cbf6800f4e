-- A message's tag is looked for in memory while it is fresh; whoever takes an older one back looks through the newest rows
-- of one owner. An index over tags alone wrote another page for each row.
DROP INDEX archive_ref;
DROP INDEX archive_page;
CREATE INDEX archive_page ON archive (owner, position, stamp, kept, ref);
