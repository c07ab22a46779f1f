package sqlite

import (
	"fmt"

	"muster/internal/apierr"
	"muster/internal/store"
)

const sessionColumns = `key, client_id, version, expiry, ends, subscriptions, node, epoch`

// Session implements store.SessionReader.
func (r reader) Session(key store.SessionKey) (store.Session, error) {
	return one(r.c, apierr.New(apierr.NotFound, "Session %x not found.", key), sessionRow,
		`SELECT `+sessionColumns+` FROM sessions WHERE key = ?`, key[:])
}

// Sessions implements store.SessionReader.
func (r reader) Sessions(p store.Page[store.SessionKey]) (ss []store.Session, more bool, err error) {
	found, err := all(r.c, sessionRow, `SELECT `+sessionColumns+`
		FROM sessions WHERE key > ? ORDER BY key LIMIT ? + 0`, after(p.After), p.Limit+1)
	ss, more = cut(found, p.Limit)
	return ss, more, err
}

// SessionsOf implements store.SessionReader.
func (r reader) SessionsOf(node string, p store.Page[store.SessionKey]) (ss []store.Session, more bool, err error) {
	found, err := all(r.c, sessionRow, `SELECT `+sessionColumns+`
		FROM sessions WHERE node = ? AND key > ? ORDER BY key LIMIT ? + 0`, node, after(p.After), p.Limit+1)
	ss, more = cut(found, p.Limit)
	return ss, more, err
}

// SessionNodes implements store.SessionReader. Each step finds the next one in
// the index: nodes are few, sessions are many.
func (r reader) SessionNodes() ([]string, error) {
	nodes, err := all(r.c, readText, `SELECT node FROM sessions WHERE node >= '' ORDER BY node LIMIT 1`)
	for next := nodes; err == nil && len(next) > 0; {
		next, err = all(r.c, readText, `SELECT node FROM sessions WHERE node > ? ORDER BY node LIMIT 1`, next[0])
		nodes = append(nodes, next...)
	}
	return nodes, err
}

// after returns a key as it is bound: the zero value is before every key.
func after(k store.SessionKey) []byte {
	if k == (store.SessionKey{}) {
		return []byte{}
	}
	return k[:]
}

func sessionKey(b []byte) (k store.SessionKey, err error) {
	if len(b) != len(k) {
		return k, fmt.Errorf("sqlite: session key has %d bytes", len(b))
	}
	return store.SessionKey(b), nil
}

func sessionRow(r row) (store.Session, error) {
	s := store.Session{ClientID: r.text(1), Version: byte(r.int(2)), Expiry: r.int(3), Ends: r.int(4), Node: r.text(6), Epoch: r.int(7)}
	var err error
	s.Key, err = sessionKey(r.blob(0))
	if err != nil {
		return s, err
	}
	return s, decode(r.text(5), &s.Subscriptions)
}

// SessionMessages implements store.SessionReader.
func (r reader) SessionMessages(p store.Page[store.SessionPlace]) (ms []store.SessionMessage, more bool, err error) {
	found, err := all(r.c, sessionMessageRow, `SELECT key, seq, retain, expires, packet
		FROM session_messages WHERE (key, seq) > (?, ?) ORDER BY key, seq LIMIT ? + 0`, after(p.After.Key), p.After.Seq, p.Limit+1)
	ms, more = cut(found, p.Limit)
	return ms, more, err
}

// SessionMessagesOf implements store.SessionReader.
func (r reader) SessionMessagesOf(key store.SessionKey, p store.Page[int64]) (ms []store.SessionMessage, more bool, err error) {
	found, err := all(r.c, sessionMessageRow, `SELECT key, seq, retain, expires, packet
		FROM session_messages WHERE key = ? AND seq > ? ORDER BY seq LIMIT ? + 0`, key[:], p.After, p.Limit+1)
	ms, more = cut(found, p.Limit)
	return ms, more, err
}

func sessionMessageRow(r row) (store.SessionMessage, error) {
	m := store.SessionMessage{Retain: r.bool(2), Expires: r.int(3), Packet: r.blob(4)}
	m.Seq = r.int(1)
	var err error
	m.Key, err = sessionKey(r.blob(0))
	return m, err
}

// Retained implements store.SessionReader.
func (r reader) Retained(p store.Page[string]) (rs []store.Retained, more bool, err error) {
	found, err := all(r.c, func(r row) (store.Retained, error) {
		return store.Retained{Topic: r.text(0), Expires: r.int(1), Packet: r.blob(2), Stamp: r.int(3)}, nil
	}, `SELECT topic, expires, packet, stamp FROM retained WHERE topic > ? ORDER BY topic LIMIT ? + 0`, p.After, p.Limit+1)
	rs, more = cut(found, p.Limit)
	return rs, more, err
}

// LockSessions implements store.SessionWriter. There is one writer: nothing has
// to be locked.
func (t *tx) LockSessions(keys []store.SessionKey) ([]store.SessionOwner, error) {
	var owners []store.SessionOwner
	for _, k := range keys {
		err := t.c.query(`SELECT node, epoch FROM sessions WHERE key = ?`, func(r row) error {
			owners = append(owners, store.SessionOwner{Key: k, Node: r.text(0), Epoch: r.int(1)})
			return nil
		}, k[:])
		if err != nil {
			return nil, err
		}
	}
	return owners, nil
}

// PutSessions implements store.SessionWriter.
func (t *tx) PutSessions(ss []store.Session) error {
	for i := range ss {
		err := t.putSession(&ss[i])
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) putSession(s *store.Session) error {
	subscriptions, err := encode(s.Subscriptions, len(s.Subscriptions) == 0)
	if err != nil {
		return err
	}
	if s.Epoch == 0 { // the owner, and with it the index on it, is left alone
		_, err = t.c.exec(`INSERT INTO sessions (key, client_id, version, expiry, ends, subscriptions) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET client_id = excluded.client_id, version = excluded.version,
				expiry = excluded.expiry, ends = excluded.ends, subscriptions = excluded.subscriptions`,
			s.Key[:], s.ClientID, int(s.Version), s.Expiry, s.Ends, subscriptions)
		return err
	}
	n, err := t.c.exec(`INSERT INTO sessions (key, client_id, version, expiry, ends, subscriptions, node, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET client_id = excluded.client_id, version = excluded.version,
			expiry = excluded.expiry, ends = excluded.ends, subscriptions = excluded.subscriptions,
			node = excluded.node, epoch = excluded.epoch
		WHERE sessions.epoch < excluded.epoch OR sessions.epoch = excluded.epoch AND sessions.node = excluded.node`,
		s.Key[:], s.ClientID, int(s.Version), s.Expiry, s.Ends, subscriptions, s.Node, s.Epoch)
	if err == nil && n == 0 {
		err = apierr.New(apierr.Conflict, "Session %x has been taken over: epoch %d is older than the newest.", s.Key, s.Epoch)
	}
	return err
}

// DeleteSessions implements store.SessionWriter.
func (t *tx) DeleteSessions(keys []store.SessionKey) error {
	for _, k := range keys {
		_, err := t.c.exec(`DELETE FROM sessions WHERE key = ?`, k[:])
		if err != nil {
			return err
		}
		_, err = t.c.exec(`DELETE FROM session_messages WHERE key = ?`, k[:])
		if err != nil {
			return err
		}
	}
	return nil
}

// PutSessionMessages implements store.SessionWriter.
func (t *tx) PutSessionMessages(ms []store.SessionMessage) error {
	for i := range ms {
		m := &ms[i]
		_, err := t.c.exec(`INSERT INTO session_messages (key, seq, retain, expires, packet) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (key, seq) DO UPDATE SET retain = excluded.retain, expires = excluded.expires, packet = excluded.packet`,
			m.Key[:], m.Seq, m.Retain, m.Expires, packet(m.Packet))
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteSessionMessages implements store.SessionWriter.
func (t *tx) DeleteSessionMessages(at []store.SessionPlace) error {
	for i := range at {
		_, err := t.c.exec(`DELETE FROM session_messages WHERE key = ? AND seq = ?`, at[i].Key[:], at[i].Seq)
		if err != nil {
			return err
		}
	}
	return nil
}

// PutRetained implements store.SessionWriter.
func (t *tx) PutRetained(r store.Retained) error {
	_, err := t.c.exec(`INSERT INTO retained (topic, expires, packet, stamp) VALUES (?, ?, ?, ?)
		ON CONFLICT (topic) DO UPDATE SET expires = excluded.expires, packet = excluded.packet, stamp = excluded.stamp
		WHERE excluded.stamp = 0 OR retained.stamp <= excluded.stamp`, r.Topic, r.Expires, packet(r.Packet), r.Stamp)
	return err
}

// DeleteRetained implements store.SessionWriter.
func (t *tx) DeleteRetained(topic string, stamp int64) error {
	_, err := t.c.exec(`DELETE FROM retained WHERE topic = ? AND (? = 0 OR stamp <= ?)`, topic, stamp, stamp)
	return err
}

// packet returns bytes that are never NULL.
func packet(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
