package postgres

import (
	"fmt"

	"muster/internal/apierr"
	"muster/internal/store"
)

const sessionColumns = `key, client_id, version, expiry, ends, subscriptions, node, epoch`

// Session implements store.SessionReader.
func (r reader) Session(key store.SessionKey) (store.Session, error) {
	return one(r.c, apierr.New(apierr.NotFound, "Session %x not found.", key), readSession,
		`SELECT `+sessionColumns+` FROM sessions WHERE key = $1`, key[:])
}

// Sessions implements store.SessionReader.
func (r reader) Sessions(p store.Page[store.SessionKey]) (ss []store.Session, more bool, err error) {
	found, err := some(r.c, p.Limit+1, readSession, `SELECT `+sessionColumns+` FROM sessions WHERE key > $1 ORDER BY key`, after(p.After))
	ss, more = cut(found, p.Limit)
	return ss, more, err
}

// SessionsOf implements store.SessionReader.
func (r reader) SessionsOf(node string, p store.Page[store.SessionKey]) (ss []store.Session, more bool, err error) {
	found, err := some(r.c, p.Limit+1, readSession, `SELECT `+sessionColumns+` FROM sessions WHERE node = $1 AND key > $2 ORDER BY key`, node, after(p.After))
	ss, more = cut(found, p.Limit)
	return ss, more, err
}

// SessionNodes implements store.SessionReader. Each step finds the next one in
// the index: nodes are few, sessions are many.
func (r reader) SessionNodes() ([]string, error) {
	nodes, err := some(r.c, 1, readText, `SELECT node FROM sessions WHERE node >= '' ORDER BY node`)
	for next := nodes; err == nil && len(next) > 0; {
		next, err = some(r.c, 1, readText, `SELECT node FROM sessions WHERE node > $1 ORDER BY node`, next[0])
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
		return k, fmt.Errorf("postgres: session key has %d bytes", len(b))
	}
	return store.SessionKey(b), nil
}

func readSession(r row) (store.Session, error) {
	var s store.Session
	var key []byte
	var subscriptions *string
	err := r.Scan(&key, &s.ClientID, &s.Version, &s.Expiry, &s.Ends, &subscriptions, &s.Node, &s.Epoch)
	if err == nil {
		s.Key, err = sessionKey(key)
	}
	if err == nil {
		err = decode(subscriptions, &s.Subscriptions)
	}
	return s, err
}

// SessionMessages implements store.SessionReader.
func (r reader) SessionMessages(p store.Page[store.SessionPlace]) (ms []store.SessionMessage, more bool, err error) {
	found, err := some(r.c, p.Limit+1, readSessionMessage, `SELECT key, seq, retain, expires, packet
		FROM session_messages WHERE (key, seq) > ($1, $2) ORDER BY key, seq`, after(p.After.Key), p.After.Seq)
	ms, more = cut(found, p.Limit)
	return ms, more, err
}

// SessionMessagesOf implements store.SessionReader.
func (r reader) SessionMessagesOf(key store.SessionKey, p store.Page[int64]) (ms []store.SessionMessage, more bool, err error) {
	found, err := some(r.c, p.Limit+1, readSessionMessage, `SELECT key, seq, retain, expires, packet
		FROM session_messages WHERE key = $1 AND seq > $2 ORDER BY seq`, key[:], p.After)
	ms, more = cut(found, p.Limit)
	return ms, more, err
}

func readSessionMessage(r row) (store.SessionMessage, error) {
	var m store.SessionMessage
	var key []byte
	err := r.Scan(&key, &m.Seq, &m.Retain, &m.Expires, &m.Packet)
	if err == nil {
		m.Key, err = sessionKey(key)
	}
	return m, err
}

// Retained implements store.SessionReader.
func (r reader) Retained(p store.Page[string]) (rs []store.Retained, more bool, err error) {
	found, err := some(r.c, p.Limit+1, func(r row) (store.Retained, error) {
		var m store.Retained
		err := r.Scan(&m.Topic, &m.Stamp, &m.Expires, &m.Packet)
		return m, err
	}, `SELECT topic, stamp, expires, packet FROM retained WHERE topic > $1 ORDER BY topic`, p.After)
	rs, more = cut(found, p.Limit)
	return rs, more, err
}

// LockSessions implements store.SessionWriter.
func (t *tx) LockSessions(keys []store.SessionKey) ([]store.SessionOwner, error) {
	return all(t.c, func(r row) (store.SessionOwner, error) {
		var o store.SessionOwner
		var key []byte
		err := r.Scan(&key, &o.Node, &o.Epoch)
		if err == nil {
			o.Key, err = sessionKey(key)
		}
		return o, err
	}, `SELECT key, node, epoch FROM sessions WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE`, keyList(keys))
}

func keyList(keys []store.SessionKey) [][]byte {
	list := make([][]byte, len(keys))
	for i := range keys {
		list[i] = keys[i][:]
	}
	return list
}

// PutSessions implements store.SessionWriter.
func (t *tx) PutSessions(ss []store.Session) error {
	var owned, others sessionLists
	for i := range ss {
		to := &others
		if ss[i].Epoch != 0 {
			to = &owned
		}
		err := to.add(&ss[i])
		if err != nil {
			return err
		}
	}
	if len(others.keys) > 0 { // their owner, and with it the index on it, is left alone
		err := t.c.post(putSessions, others.args()...)
		if err != nil {
			return err
		}
	}
	if len(owned.keys) == 0 {
		return nil
	}
	n, err := t.c.exec(putSessions+`, node = excluded.node, epoch = excluded.epoch
		WHERE x.epoch < excluded.epoch OR x.epoch = excluded.epoch AND x.node = excluded.node`, owned.args()...)
	if err == nil && n < int64(len(owned.keys)) {
		err = apierr.New(apierr.Conflict, "%d of %d sessions have been taken over: their epochs are older than the newest.", int64(len(owned.keys))-n, len(owned.keys))
	}
	return err
}

// Rows are written in the order of their keys, so that no two wait for each other.
const putSessions = `INSERT INTO sessions AS x (` + sessionColumns + `)
	SELECT * FROM unnest($1::bytea[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[]) AS k(` + sessionColumns + `) ORDER BY k.key
	ON CONFLICT (key) DO UPDATE SET client_id = excluded.client_id, version = excluded.version,
		expiry = excluded.expiry, ends = excluded.ends, subscriptions = excluded.subscriptions`

// sessionLists are sessions, a list for each column.
type sessionLists struct {
	keys                   [][]byte
	clients, nodes         []string
	versions               []int32
	expiries, ends, epochs []int64
	subscriptions          []*string
}

func (l *sessionLists) add(s *store.Session) error {
	subscriptions, err := encode(s.Subscriptions, len(s.Subscriptions) == 0)
	l.keys, l.clients, l.nodes = append(l.keys, s.Key[:]), append(l.clients, s.ClientID), append(l.nodes, s.Node)
	l.versions, l.subscriptions = append(l.versions, int32(s.Version)), append(l.subscriptions, subscriptions)
	l.expiries, l.ends, l.epochs = append(l.expiries, s.Expiry), append(l.ends, s.Ends), append(l.epochs, s.Epoch)
	return err
}

func (l *sessionLists) args() []any {
	return []any{l.keys, l.clients, l.versions, l.expiries, l.ends, l.subscriptions, l.nodes, l.epochs}
}

// DeleteSessions implements store.SessionWriter.
func (t *tx) DeleteSessions(keys []store.SessionKey) error {
	list := keyList(keys)
	err := t.c.post(`DELETE FROM sessions WHERE key = ANY($1::bytea[])`, list)
	if err != nil {
		return err
	}
	return t.c.post(`DELETE FROM session_messages WHERE key = ANY($1::bytea[])`, list)
}

// PutSessionMessages implements store.SessionWriter.
func (t *tx) PutSessionMessages(ms []store.SessionMessage) error {
	keys, seqs, retains := make([][]byte, len(ms)), make([]int64, len(ms)), make([]bool, len(ms))
	expires, packets := make([]int64, len(ms)), make([][]byte, len(ms))
	for i := range ms {
		m := &ms[i]
		keys[i], seqs[i], retains[i], expires[i], packets[i] = m.Key[:], m.Seq, m.Retain, m.Expires, blob(m.Packet)
	}
	return t.c.post(`INSERT INTO session_messages (key, seq, retain, expires, packet)
		SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::boolean[], $4::bigint[], $5::bytea[]) AS k(key, seq, retain, expires, packet) ORDER BY k.key, k.seq
		ON CONFLICT (key, seq) DO UPDATE SET retain = excluded.retain, expires = excluded.expires, packet = excluded.packet`,
		keys, seqs, retains, expires, packets)
}

// DeleteSessionMessages implements store.SessionWriter.
func (t *tx) DeleteSessionMessages(at []store.SessionPlace) error {
	keys, seqs := make([][]byte, len(at)), make([]int64, len(at))
	for i := range at {
		keys[i], seqs[i] = at[i].Key[:], at[i].Seq
	}
	return t.c.post(`DELETE FROM session_messages x USING unnest($1::bytea[], $2::bigint[]) AS k(key, seq) WHERE x.key = k.key AND x.seq = k.seq`, keys, seqs)
}

// PutRetained implements store.SessionWriter.
func (t *tx) PutRetained(r store.Retained) error {
	return t.c.post(`INSERT INTO retained AS x (topic, stamp, expires, packet) VALUES ($1, $2, $3, $4)
		ON CONFLICT (topic) DO UPDATE SET stamp = excluded.stamp, expires = excluded.expires, packet = excluded.packet
		WHERE excluded.stamp = 0 OR x.stamp <= excluded.stamp`, r.Topic, r.Stamp, r.Expires, blob(r.Packet))
}

// DeleteRetained implements store.SessionWriter.
func (t *tx) DeleteRetained(topic string, stamp int64) error {
	return t.c.post(`DELETE FROM retained WHERE topic = $1 AND ($2::bigint = 0 OR stamp <= $2)`, topic, stamp)
}

// blob returns bytes that are never NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
