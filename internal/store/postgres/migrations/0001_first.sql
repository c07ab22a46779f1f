-- Times are milliseconds since the epoch, 0 is never. A *_uid is an internal
-- identity that grows with time. Names sort by their bytes (collation "C"), as
-- lists promise. What things touch is keyed by part: the unit of distribution, so
-- every key holds it and nothing is unique across parts but by way of it. No
-- foreign keys, no sequences, no triggers: see store.go.
--
-- No column that an execution changes stands in an index, and pages keep some
-- room (fillfactor): then an update is heap-only (HOT), which spares writing an
-- entry to every index of the row, and what it leaves behind is cleared away
-- without a vacuum.

-- The parts: one row each, made with the database. A row is also a gate: whoever
-- works on queues holds some row FOR KEY SHARE, and whoever must not overlap
-- with that takes rows FOR UPDATE. node and fence say who works on the part.
CREATE TABLE parts (
	part  int PRIMARY KEY,
	node  text NOT NULL,   -- empty if none
	fence bigint NOT NULL  -- the newest seen
) WITH (fillfactor = 50);

CREATE TABLE nodes (
	id         text COLLATE "C" PRIMARY KEY,
	slot       int NOT NULL,
	address    text NOT NULL,
	started_at bigint NOT NULL,
	seen_at    bigint NOT NULL,
	until      bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE jobs (
	uid             bigint PRIMARY KEY,
	id              text COLLATE "C" NOT NULL,
	namespace       text NOT NULL,
	created_at      bigint NOT NULL,
	state           int NOT NULL,
	forced          boolean NOT NULL,
	timeout_minutes bigint NOT NULL,
	-- What executions need ends here.
	selection       int NOT NULL,
	updated_at      bigint NOT NULL,
	completed_at    bigint NOT NULL,
	reason_code     text NOT NULL,
	comment         text NOT NULL,
	description     text NOT NULL,
	targets         text NOT NULL -- JSON: [{"k":1,"n":"name","u":uid}, …]
);
CREATE UNIQUE INDEX jobs_id ON jobs (id);
CREATE INDEX jobs_listed ON jobs (state, created_at DESC, uid);

CREATE TABLE documents (
	job_uid bigint PRIMARY KEY,
	body    text NOT NULL
);

-- The active continuous jobs of a target group, and nothing else: what a
-- membership change has to ask stays small however many jobs there have been.
CREATE TABLE following (
	group_uid bigint NOT NULL,
	job_uid   bigint NOT NULL,
	PRIMARY KEY (group_uid, job_uid)
);

-- Executions by status, a row for each part, so that those who finish at the same
-- moment seldom meet. Nobody sums more rows than there are parts.
CREATE TABLE counts (
	job_uid     bigint NOT NULL,
	part        int NOT NULL,
	queued      bigint NOT NULL,
	in_progress bigint NOT NULL,
	succeeded   bigint NOT NULL,
	failed      bigint NOT NULL,
	timed_out   bigint NOT NULL,
	rejected    bigint NOT NULL,
	removed     bigint NOT NULL,
	canceled    bigint NOT NULL,
	PRIMARY KEY (job_uid, part)
) WITH (fillfactor = 50);

-- Jobs whose completion must be looked at.
CREATE TABLE marks (
	part    int NOT NULL,
	job_uid bigint NOT NULL,
	seq     bigint NOT NULL,
	PRIMARY KEY (part, job_uid)
);
CREATE INDEX marks_seq ON marks (seq);

-- Executions that are queued or in progress: a thing's queue is a range of the
-- primary key. armed is the deadline that stands in deadlines, 0 if none does.
-- turn grows with every write to the row: it is what guards compare.
CREATE TABLE live (
	part       int NOT NULL,
	thing_uid  bigint NOT NULL,
	queued_at  bigint NOT NULL,
	job_uid    bigint NOT NULL,
	number     bigint NOT NULL,
	status     int NOT NULL,
	forced     boolean NOT NULL,
	version    bigint NOT NULL,
	started_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	deadline   bigint NOT NULL, -- of the in-progress timer
	step       bigint NOT NULL, -- of the step timer
	cause      bigint NOT NULL,
	armed      bigint NOT NULL,
	turn       bigint NOT NULL,
	thing      text COLLATE "C" NOT NULL,
	details    text,            -- JSON object of strings, NULL if empty
	PRIMARY KEY (part, thing_uid, queued_at, job_uid, number)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX live_job ON live (job_uid, part, thing_uid, number);

-- Executions that have ended: a thing's history. They never change.
CREATE TABLE finished (
	part       int NOT NULL,
	thing_uid  bigint NOT NULL,
	queued_at  bigint NOT NULL,
	job_uid    bigint NOT NULL,
	number     bigint NOT NULL,
	status     int NOT NULL,
	forced     boolean NOT NULL,
	version    bigint NOT NULL,
	started_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	deadline   bigint NOT NULL,
	step       bigint NOT NULL,
	cause      bigint NOT NULL,
	thing      text COLLATE "C" NOT NULL,
	details    text,
	PRIMARY KEY (part, thing_uid, queued_at, job_uid, number)
);
CREATE UNIQUE INDEX finished_job ON finished (job_uid, part, thing_uid, number);

-- What is kept of a (thing, job) pair beyond its executions.
CREATE TABLE heads (
	job_uid   bigint NOT NULL,
	part      int NOT NULL,
	thing_uid bigint NOT NULL,
	number    bigint NOT NULL,
	left_at   bigint NOT NULL, -- the seq of the change, 0 while it is a target
	PRIMARY KEY (job_uid, part, thing_uid)
) WITH (fillfactor = 80);

-- When to look at a running execution's timers: never later than they fire. It
-- moves only when it must come earlier, so an update that extends a timer
-- writes nothing here.
CREATE TABLE deadlines (
	part      int NOT NULL,
	due       bigint NOT NULL,
	thing_uid bigint NOT NULL,
	job_uid   bigint NOT NULL,
	number    bigint NOT NULL,
	thing     text COLLATE "C" NOT NULL,
	PRIMARY KEY (part, due, thing_uid, job_uid, number)
);

-- Devices that must be told something. since orders them and never changes;
-- seq grows with every further change and stands in no index.
CREATE TABLE dirty (
	part      int NOT NULL,
	thing_uid bigint NOT NULL,
	namespace text COLLATE "C" NOT NULL,
	thing     text COLLATE "C" NOT NULL,
	since     bigint NOT NULL,
	seq       bigint NOT NULL,
	told      bytea, -- NULL if nothing was pending
	PRIMARY KEY (part, thing_uid, namespace)
) WITH (fillfactor = 80);
CREATE INDEX dirty_since ON dirty (part, since);

CREATE TABLE work (
	part      int NOT NULL,
	job_uid   bigint NOT NULL,
	kind      int NOT NULL,
	seq       bigint NOT NULL,
	target    bigint NOT NULL,
	group_uid bigint NOT NULL,
	thing_uid bigint NOT NULL,
	PRIMARY KEY (part, job_uid)
) WITH (fillfactor = 50);
CREATE INDEX work_seq ON work (part, seq);
CREATE INDEX work_job ON work (job_uid, part);

CREATE TABLE things (
	part       int NOT NULL,
	name       text COLLATE "C" NOT NULL, -- part follows from it, so it is unique
	uid        bigint NOT NULL,
	id         text NOT NULL,
	type       text COLLATE "C" NOT NULL,
	version    bigint NOT NULL,
	created_at bigint NOT NULL,
	attributes text,
	PRIMARY KEY (part, name)
);
CREATE INDEX things_name ON things (name);
CREATE INDEX things_uid ON things (uid); -- for the highest one
CREATE INDEX things_type ON things (type, name) WHERE type <> '';

CREATE TABLE types (
	uid           bigint PRIMARY KEY,
	name          text COLLATE "C" NOT NULL,
	id            text NOT NULL,
	description   text NOT NULL,
	searchable    text, -- JSON
	propagating   text, -- JSON
	created_at    bigint NOT NULL,
	deprecated_at bigint NOT NULL
);
CREATE UNIQUE INDEX types_name ON types (name);

CREATE TABLE groups (
	uid         bigint PRIMARY KEY,
	name        text COLLATE "C" NOT NULL,
	id          text COLLATE "C" NOT NULL,
	parent_uid  bigint NOT NULL, -- 0 for a root
	path        text NOT NULL,   -- JSON array of uids, root first
	version     bigint NOT NULL,
	created_at  bigint NOT NULL,
	description text NOT NULL,
	attributes  text
);
CREATE UNIQUE INDEX groups_name ON groups (name);
CREATE UNIQUE INDEX groups_id ON groups (id);
CREATE INDEX groups_parent ON groups (parent_uid, name);

-- Every group below every other, itself included. Groups never move.
CREATE TABLE subtrees (
	ancestor_uid bigint NOT NULL,
	group_uid    bigint NOT NULL,
	name         text COLLATE "C" NOT NULL,
	PRIMARY KEY (ancestor_uid, group_uid)
);
CREATE INDEX subtrees_name ON subtrees (ancestor_uid, name);

-- Deleted groups that may still have members.
CREATE TABLE dead_groups (
	uid  bigint PRIMARY KEY,
	path text NOT NULL
);

CREATE TABLE members (
	group_uid bigint NOT NULL,
	part      int NOT NULL,
	thing_uid bigint NOT NULL,
	uid       bigint NOT NULL,
	thing     text COLLATE "C" NOT NULL,
	PRIMARY KEY (group_uid, part, thing_uid)
);
CREATE INDEX members_uid ON members (uid); -- for the highest one
CREATE INDEX members_name ON members (group_uid, thing);
CREATE INDEX members_thing ON members (part, thing_uid, group_uid);

-- What the registry leaves for the job engine.
CREATE TABLE changes (
	part       int NOT NULL,
	seq        bigint NOT NULL,
	kind       int NOT NULL,
	thing      text COLLATE "C" NOT NULL,
	thing_uid  bigint NOT NULL,
	group_path text, -- JSON array of uids, root first
	PRIMARY KEY (part, seq)
);

CREATE TABLE tags (
	resource text COLLATE "C" NOT NULL,
	key      text COLLATE "C" NOT NULL,
	value    text NOT NULL,
	PRIMARY KEY (resource, key)
);

CREATE TABLE access_keys (
	id          text COLLATE "C" PRIMARY KEY,
	sealed      bytea NOT NULL,
	name        text NOT NULL,
	created_at  bigint NOT NULL,
	disabled_at bigint NOT NULL
);

-- What devices left when they went: MQTT sessions by a hash of the client id,
-- and the messages that they have not acknowledged, in order.
CREATE TABLE sessions (
	key           bytea PRIMARY KEY,
	client_id     text NOT NULL,
	version       int NOT NULL,
	expiry        bigint NOT NULL, -- milliseconds after the end of the connection
	ends          bigint NOT NULL,
	subscriptions text,            -- JSON: [{"f":"filter","q":1}, …], NULL if empty
	node          text COLLATE "C" NOT NULL, -- whose it is, empty if nobody's
	epoch         bigint NOT NULL            -- grows with each owner
) WITH (fillfactor = 80);
CREATE INDEX sessions_node ON sessions (node, key);

CREATE TABLE session_messages (
	key     bytea NOT NULL,
	seq     bigint NOT NULL,
	retain  boolean NOT NULL,
	expires bigint NOT NULL,
	packet  bytea NOT NULL,
	PRIMARY KEY (key, seq)
);

CREATE TABLE retained (
	topic   text COLLATE "C" PRIMARY KEY,
	stamp   bigint NOT NULL, -- orders the messages of nodes
	expires bigint NOT NULL,
	packet  bytea NOT NULL
);
