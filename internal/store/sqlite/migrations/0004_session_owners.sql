-- Whose a session is, where many servers share sessions, and the order of the
-- messages that they keep for one topic. One process has the file, so its own
-- sessions have no owner.

ALTER TABLE sessions ADD COLUMN node TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_node ON sessions (node, key);

ALTER TABLE retained ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0;
