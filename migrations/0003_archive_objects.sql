-- The catalog of the archive: one row for each object in the bucket. Columns and meaning: log-record/src/archive.rs.
--
-- The key begins with the hour that the object holds, then the time of its first record. So the rows lie in the order of
-- time, and a time range is found by key alone, within the hours that it touches: no index on the timestamps is needed.
-- (2 rows written an object, one for the index below: a full object holds thousands of logs.)
CREATE TABLE archive_objects (
    key             TEXT NOT NULL PRIMARY KEY,
    -- D1's own time of inserting, so the order of stored_at is the order in which rows became visible.
    stored_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    first_timestamp TEXT NOT NULL,
    last_timestamp  TEXT NOT NULL,
    bytes           INTEGER NOT NULL,
    rows            TEXT NOT NULL CHECK (rows IN ('all', 'index')),
    counts          TEXT NOT NULL
) WITHOUT ROWID;

-- Finds the objects that are new since the last look, however late their records are, and those that have expired: they age
-- by their upload.
CREATE INDEX archive_objects_by_stored_at ON archive_objects (stored_at);
