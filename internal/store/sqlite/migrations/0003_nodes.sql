-- Who works on a part, beside the newest fence seen for it, and the servers
-- that there are. One process has the file, so these serve its own restarts.

ALTER TABLE fences ADD COLUMN node TEXT NOT NULL DEFAULT '';

CREATE TABLE nodes (
	id         TEXT PRIMARY KEY,
	slot       INTEGER NOT NULL,
	address    TEXT NOT NULL,
	started_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
