-- What devices left when they went: MQTT sessions by a hash of the client id,
-- and the messages that they have not acknowledged, in order.

CREATE TABLE sessions (
	key           BLOB PRIMARY KEY,
	client_id     TEXT NOT NULL,
	version       INTEGER NOT NULL,
	expiry        INTEGER NOT NULL, -- milliseconds after the end of the connection
	ends          INTEGER NOT NULL,
	subscriptions TEXT              -- JSON: [{"f":"filter","q":1}, …], NULL if empty
) STRICT, WITHOUT ROWID;

CREATE TABLE session_messages (
	key     BLOB NOT NULL,
	seq     INTEGER NOT NULL,
	retain  INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	packet  BLOB NOT NULL,
	PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE retained (
	topic   TEXT PRIMARY KEY,
	expires INTEGER NOT NULL,
	packet  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
