package sqlite

import (
	"fmt"

	"muster/internal/store"
)

// Sessions implements store.SessionReader.
func (r reader) Sessions(p store.Page[store.SessionKey]) (ss []store.Session, more bool, err error) {
	found, err := all(r.c, sessionRow, `SELECT key, client_id, version, expiry, ends, subscriptions
		FROM sessions WHERE key > ? ORDER BY key LIMIT ? + 0`, after(p.After), p.Limit+1)
	ss, more = cut(found, p.Limit)
	return ss, more, err
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
	s := store.Session{ClientID: r.text(1), Version: byte(r.int(2)), Expiry: r.int(3), Ends: r.int(4)}
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
		return store.Retained{Topic: r.text(0), Expires: r.int(1), Packet: r.blob(2)}, nil
	}, `SELECT topic, expires, packet FROM retained WHERE topic > ? ORDER BY topic LIMIT ? + 0`, p.After, p.Limit+1)
	rs, more = cut(found, p.Limit)
	return rs, more, err
}

// PutSession implements store.SessionWriter.
func (t *tx) PutSession(s store.Session) error {
	subscriptions, err := encode(s.Subscriptions, len(s.Subscriptions) == 0)
	if err != nil {
		return err
	}
	_, err = t.c.exec(`INSERT INTO sessions (key, client_id, version, expiry, ends, subscriptions) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET client_id = excluded.client_id, version = excluded.version,
			expiry = excluded.expiry, ends = excluded.ends, subscriptions = excluded.subscriptions`,
		s.Key[:], s.ClientID, int(s.Version), s.Expiry, s.Ends, subscriptions)
	return err
}

// DeleteSession implements store.SessionWriter.
func (t *tx) DeleteSession(key store.SessionKey) error {
	_, err := t.c.exec(`DELETE FROM sessions WHERE key = ?`, key[:])
	if err != nil {
		return err
	}
	_, err = t.c.exec(`DELETE FROM session_messages WHERE key = ?`, key[:])
	return err
}

// PutSessionMessage implements store.SessionWriter.
func (t *tx) PutSessionMessage(m store.SessionMessage) error {
	_, err := t.c.exec(`INSERT INTO session_messages (key, seq, retain, expires, packet) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (key, seq) DO UPDATE SET retain = excluded.retain, expires = excluded.expires, packet = excluded.packet`,
		m.Key[:], m.Seq, m.Retain, m.Expires, packet(m.Packet))
	return err
}

// DeleteSessionMessage implements store.SessionWriter.
func (t *tx) DeleteSessionMessage(at store.SessionPlace) error {
	_, err := t.c.exec(`DELETE FROM session_messages WHERE key = ? AND seq = ?`, at.Key[:], at.Seq)
	return err
}

// PutRetained implements store.SessionWriter.
func (t *tx) PutRetained(r store.Retained) error {
	_, err := t.c.exec(`INSERT INTO retained (topic, expires, packet) VALUES (?, ?, ?)
		ON CONFLICT (topic) DO UPDATE SET expires = excluded.expires, packet = excluded.packet`, r.Topic, r.Expires, packet(r.Packet))
	return err
}

// DeleteRetained implements store.SessionWriter.
func (t *tx) DeleteRetained(topic string) error {
	_, err := t.c.exec(`DELETE FROM retained WHERE topic = ?`, topic)
	return err
}

// packet returns bytes that are never NULL.
func packet(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
