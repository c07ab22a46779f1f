-- Times are milliseconds since the epoch, 0 is never. A *_uid is an internal
-- identity that grows with time. What things touch is keyed by part first, and
-- no column that an execution changes stands in an index (limits of group
-- commit: a moved index entry costs as much as the change itself).

CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest fence seen for a part.
CREATE TABLE fences (
	part  INTEGER PRIMARY KEY,
	fence INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
	uid             INTEGER PRIMARY KEY,
	id              TEXT NOT NULL,
	namespace       TEXT NOT NULL,
	created_at      INTEGER NOT NULL,
	state           INTEGER NOT NULL,
	forced          INTEGER NOT NULL,
	timeout_minutes INTEGER NOT NULL,
	-- What executions need ends here.
	selection       INTEGER NOT NULL,
	updated_at      INTEGER NOT NULL,
	completed_at    INTEGER NOT NULL,
	reason_code     TEXT NOT NULL,
	comment         TEXT NOT NULL,
	description     TEXT NOT NULL,
	targets         TEXT NOT NULL -- JSON: [{"k":1,"n":"name","u":uid}, …]
) STRICT;
CREATE UNIQUE INDEX jobs_id ON jobs (id);
CREATE INDEX jobs_listed ON jobs (state, created_at DESC, uid);

CREATE TABLE documents (
	job_uid INTEGER PRIMARY KEY,
	body    TEXT NOT NULL
) STRICT;

-- The active continuous jobs of a target group, and nothing else: what a
-- membership change has to ask stays small however many jobs there have been.
CREATE TABLE following (
	group_uid INTEGER NOT NULL,
	job_uid   INTEGER NOT NULL,
	PRIMARY KEY (group_uid, job_uid)
) STRICT, WITHOUT ROWID;

-- Executions by status. One writer needs one slot.
CREATE TABLE counts (
	job_uid INTEGER NOT NULL,
	slot    INTEGER NOT NULL,
	status  INTEGER NOT NULL,
	n       INTEGER NOT NULL,
	PRIMARY KEY (job_uid, slot, status)
) STRICT, WITHOUT ROWID;

-- Jobs whose completion must be looked at.
CREATE TABLE marks (
	job_uid INTEGER PRIMARY KEY,
	seq     INTEGER NOT NULL
) STRICT;
CREATE INDEX marks_seq ON marks (seq);

-- Executions that are queued or in progress: a thing's queue is a range of the
-- primary key. armed is the deadline that stands in deadlines, 0 if none does.
CREATE TABLE live (
	part       INTEGER NOT NULL,
	thing_uid  INTEGER NOT NULL,
	queued_at  INTEGER NOT NULL,
	job_uid    INTEGER NOT NULL,
	number     INTEGER NOT NULL,
	thing      TEXT NOT NULL,
	status     INTEGER NOT NULL,
	version    INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	deadline   INTEGER NOT NULL, -- of the in-progress timer
	step       INTEGER NOT NULL, -- of the step timer
	forced     INTEGER NOT NULL,
	cause      INTEGER NOT NULL,
	armed      INTEGER NOT NULL,
	details    TEXT,             -- JSON object of strings, NULL if empty
	PRIMARY KEY (part, thing_uid, queued_at, job_uid, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX live_job ON live (job_uid, part, thing_uid, number);

-- Executions that have ended: a thing's history, of the same shape. armed is 0.
CREATE TABLE finished (
	part       INTEGER NOT NULL,
	thing_uid  INTEGER NOT NULL,
	queued_at  INTEGER NOT NULL,
	job_uid    INTEGER NOT NULL,
	number     INTEGER NOT NULL,
	thing      TEXT NOT NULL,
	status     INTEGER NOT NULL,
	version    INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	deadline   INTEGER NOT NULL,
	step       INTEGER NOT NULL,
	forced     INTEGER NOT NULL,
	cause      INTEGER NOT NULL,
	armed      INTEGER NOT NULL,
	details    TEXT,
	PRIMARY KEY (part, thing_uid, queued_at, job_uid, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX finished_job ON finished (job_uid, part, thing_uid, number);

-- What is kept of a (thing, job) pair beyond its executions.
CREATE TABLE heads (
	job_uid   INTEGER NOT NULL,
	part      INTEGER NOT NULL,
	thing_uid INTEGER NOT NULL,
	number    INTEGER NOT NULL,
	left_at   INTEGER NOT NULL, -- the seq of the change, 0 while it is a target
	PRIMARY KEY (job_uid, part, thing_uid)
) STRICT, WITHOUT ROWID;

-- When to look at a running execution's timers: never later than they fire. It
-- moves only when it must come earlier, so an update that extends a timer
-- writes nothing here.
CREATE TABLE deadlines (
	part      INTEGER NOT NULL,
	due       INTEGER NOT NULL,
	thing_uid INTEGER NOT NULL,
	job_uid   INTEGER NOT NULL,
	number    INTEGER NOT NULL,
	thing     TEXT NOT NULL,
	PRIMARY KEY (part, due, thing_uid, job_uid, number)
) STRICT, WITHOUT ROWID;

-- Devices that must be told something. since orders them and never changes;
-- seq grows with every further change.
CREATE TABLE dirty (
	part      INTEGER NOT NULL,
	thing_uid INTEGER NOT NULL,
	namespace TEXT NOT NULL,
	thing     TEXT NOT NULL,
	since     INTEGER NOT NULL,
	seq       INTEGER NOT NULL,
	told      BLOB, -- NULL if nothing was pending
	PRIMARY KEY (part, thing_uid, namespace)
) STRICT, WITHOUT ROWID;
CREATE INDEX dirty_since ON dirty (part, since);

CREATE TABLE work (
	part      INTEGER NOT NULL,
	job_uid   INTEGER NOT NULL,
	kind      INTEGER NOT NULL,
	seq       INTEGER NOT NULL,
	target    INTEGER NOT NULL,
	group_uid INTEGER NOT NULL,
	thing_uid INTEGER NOT NULL,
	PRIMARY KEY (part, job_uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_seq ON work (part, seq);
CREATE INDEX work_job ON work (job_uid, part);

CREATE TABLE things (
	part       INTEGER NOT NULL,
	name       TEXT NOT NULL, -- part follows from it, so it is unique
	uid        INTEGER NOT NULL,
	id         TEXT NOT NULL,
	type       TEXT NOT NULL,
	version    INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	attributes TEXT,
	PRIMARY KEY (part, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX things_name ON things (name, uid); -- every queue starts from a name
CREATE INDEX things_type ON things (type, name) WHERE type <> '';

CREATE TABLE types (
	uid           INTEGER PRIMARY KEY,
	name          TEXT NOT NULL,
	id            TEXT NOT NULL,
	description   TEXT NOT NULL,
	searchable    TEXT, -- JSON
	propagating   TEXT, -- JSON
	created_at    INTEGER NOT NULL,
	deprecated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX types_name ON types (name);

CREATE TABLE groups (
	uid         INTEGER PRIMARY KEY,
	name        TEXT NOT NULL,
	id          TEXT NOT NULL,
	parent_uid  INTEGER NOT NULL, -- 0 for a root
	path        TEXT NOT NULL,    -- JSON array of uids, root first
	version     INTEGER NOT NULL,
	created_at  INTEGER NOT NULL,
	description TEXT NOT NULL,
	attributes  TEXT
) STRICT;
CREATE UNIQUE INDEX groups_name ON groups (name);
CREATE UNIQUE INDEX groups_id ON groups (id);
CREATE INDEX groups_parent ON groups (parent_uid, name);

-- Every group below every other, itself included. Groups never move.
CREATE TABLE subtrees (
	ancestor_uid INTEGER NOT NULL,
	group_uid    INTEGER NOT NULL,
	name         TEXT NOT NULL,
	PRIMARY KEY (ancestor_uid, group_uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX subtrees_name ON subtrees (ancestor_uid, name);

-- Deleted groups that may still have members.
CREATE TABLE dead_groups (
	uid  INTEGER PRIMARY KEY,
	path TEXT NOT NULL
) STRICT;

CREATE TABLE members (
	group_uid INTEGER NOT NULL,
	part      INTEGER NOT NULL,
	thing_uid INTEGER NOT NULL,
	uid       INTEGER NOT NULL,
	thing     TEXT NOT NULL,
	PRIMARY KEY (group_uid, part, thing_uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_name ON members (group_uid, thing);
CREATE INDEX members_thing ON members (part, thing_uid, group_uid);

-- What the registry leaves for the job engine.
CREATE TABLE changes (
	part       INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	kind       INTEGER NOT NULL,
	thing      TEXT NOT NULL,
	thing_uid  INTEGER NOT NULL,
	group_path TEXT, -- JSON array of uids, root first
	PRIMARY KEY (part, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
	resource TEXT NOT NULL,
	key      TEXT NOT NULL,
	value    TEXT NOT NULL,
	PRIMARY KEY (resource, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_keys (
	id          TEXT PRIMARY KEY,
	sealed      BLOB NOT NULL,
	name        TEXT NOT NULL,
	created_at  INTEGER NOT NULL,
	disabled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
