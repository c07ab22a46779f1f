// Package stored keeps MQTT sessions in the store, so that they outlive the
// process. It implements mqtt.Sessions.
//
// Changes wait in one queue and are written in order, all that wait at once in
// one transaction: publishers share commits, as those who change executions do.
// A message that is acknowledged before its turn has come is never written.
package stored

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"

	"muster/internal/apierr"
	"muster/internal/mqtt"
	"muster/internal/store"
)

// maxBatch is how many changes are written in one transaction: others wait for
// the writer, too.
const maxBatch = 1024

// Sessions keeps sessions in a store. It is safe for concurrent use.
type Sessions struct {
	store store.Store
	log   *slog.Logger
	woken chan struct{} // holds a token if there may be changes to write
	ended chan struct{} // closed when the writer has ended

	mu      sync.Mutex // guards what follows
	waiting []*change
	unsent  map[store.SessionPlace]*change // messages in waiting
	closed  bool
}

var _ mqtt.Sessions = (*Sessions)(nil)

// change is one change that is to be written.
type change struct {
	write func(store.Tx) error // nil once it is no longer wanted
	at    store.SessionPlace   // of a message; the key alone for anything else of a session
	done  func(error)          // may be nil
}

// New returns sessions in s, whose errors are told to log; nil discards. Close
// must be called before that of s.
func New(s store.Store, log *slog.Logger) *Sessions {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &Sessions{
		store: s, log: log, woken: make(chan struct{}, 1), ended: make(chan struct{}),
		unsent: make(map[store.SessionPlace]*change),
	}
	go k.run()
	return k
}

// Close writes what waits and ends. Changes that come later fail.
func (k *Sessions) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.wake()
	<-k.ended
}

// keyOf returns the key of a client's session.
func keyOf(clientID string) store.SessionKey {
	sum := sha256.Sum256([]byte(clientID))
	return store.SessionKey(sum[:16])
}

// Put implements mqtt.Sessions.
func (k *Sessions) Put(s mqtt.SessionState, done func(error)) {
	row := store.Session{
		Key: keyOf(s.ClientID), ClientID: s.ClientID, Version: s.Version, Expiry: s.Expiry, Ends: s.Ends,
		Subscriptions: make([]store.SessionSubscription, len(s.Subscriptions)),
	}
	for i, u := range s.Subscriptions {
		row.Subscriptions[i] = store.SessionSubscription(u)
	}
	k.add(&change{at: store.SessionPlace{Key: row.Key}, done: done, write: func(tx store.Tx) error { return tx.PutSessions([]store.Session{row}) }})
}

// Delete implements mqtt.Sessions.
func (k *Sessions) Delete(clientID string, done func(error)) {
	key := keyOf(clientID)
	k.add(&change{at: store.SessionPlace{Key: key}, done: done, write: func(tx store.Tx) error { return tx.DeleteSessions([]store.SessionKey{key}) }})
}

// Append implements mqtt.Sessions.
func (k *Sessions) Append(clientID string, m mqtt.QueuedMessage, done func(error)) {
	packet, err := m.Message.MarshalBinary()
	if err != nil {
		tell(done, err)
		return
	}
	row := store.SessionMessage{
		SessionPlace: store.SessionPlace{Key: keyOf(clientID), Seq: int64(m.Seq)},
		Retain:       m.Retain, Expires: m.Message.Expires, Packet: packet,
	}
	c := &change{at: row.SessionPlace, done: done, write: func(tx store.Tx) error { return tx.PutSessionMessages([]store.SessionMessage{row}) }}
	k.mu.Lock()
	k.unsent[row.SessionPlace] = c
	k.mu.Unlock()
	k.add(c)
}

// Ack implements mqtt.Sessions.
func (k *Sessions) Ack(clientID string, seq uint64) {
	at := store.SessionPlace{Key: keyOf(clientID), Seq: int64(seq)}
	k.mu.Lock()
	c := k.unsent[at]
	var done func(error)
	if c != nil {
		// It has arrived: nothing is left to be kept.
		delete(k.unsent, at)
		done, c.write, c.done = c.done, nil, nil
	}
	k.mu.Unlock()
	if c != nil {
		tell(done, nil)
		return
	}
	k.add(&change{at: at, write: func(tx store.Tx) error { return tx.DeleteSessionMessages([]store.SessionPlace{at}) }})
}

// Retain implements mqtt.Sessions.
func (k *Sessions) Retain(m *mqtt.Message, done func(error)) {
	if len(m.Payload) == 0 {
		k.add(&change{done: done, write: func(tx store.Tx) error { return tx.DeleteRetained(m.Topic, 0) }})
		return
	}
	packet, err := m.MarshalBinary()
	if err != nil {
		tell(done, err)
		return
	}
	row := store.Retained{Topic: m.Topic, Expires: m.Expires, Packet: packet}
	k.add(&change{done: done, write: func(tx store.Tx) error { return tx.PutRetained(row) }})
}

// add puts a change at the end of the queue.
func (k *Sessions) add(c *change) {
	k.mu.Lock()
	closed := k.closed
	if !closed {
		k.waiting = append(k.waiting, c)
	}
	k.mu.Unlock()
	if closed {
		tell(c.done, apierr.New(apierr.Unavailable, "The server is stopping."))
		return
	}
	k.wake()
}

func (k *Sessions) wake() {
	select {
	case k.woken <- struct{}{}:
	default:
	}
}

func tell(done func(error), err error) {
	if done != nil {
		done(err)
	}
}

// run writes what waits until the sessions are closed.
func (k *Sessions) run() {
	defer close(k.ended)
	for range k.woken {
		for {
			batch, closed := k.take()
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			k.write(batch)
		}
	}
}

// take takes the changes that are to be written next.
func (k *Sessions) take() (batch []*change, closed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(len(k.waiting), maxBatch)
	batch = k.waiting[:n:n]
	k.waiting = k.waiting[n:]
	if len(k.waiting) == 0 {
		k.waiting = nil
	}
	for _, c := range batch {
		if k.unsent[c.at] == c {
			delete(k.unsent, c.at) // from now on it is too late to take it back
		}
	}
	return batch, k.closed
}

// write writes a batch and tells those who wait.
func (k *Sessions) write(batch []*change) {
	err := k.store.Update(context.Background(), func(tx store.Tx) error {
		for _, c := range batch {
			if c.write == nil {
				continue
			}
			if err := c.write(tx); err != nil {
				return fmt.Errorf("session %x: %w", c.at.Key, err)
			}
		}
		return nil
	})
	if err != nil {
		k.log.Error("mqtt: sessions cannot be written", "changes", len(batch), "err", err)
	}
	for _, c := range batch {
		tell(c.done, err)
	}
}

const page = 500

// Load implements mqtt.Sessions. A message or session that cannot be read is
// reported and left out: one of them must not keep all the others away.
func (k *Sessions) Load(ctx context.Context, session func(mqtt.SessionState), message func(string, mqtt.QueuedMessage), retained func(*mqtt.Message)) error {
	return k.store.View(ctx, func(r store.Reader) error {
		ids, err := loadSessions(r, session)
		if err != nil {
			return err
		}
		if err := k.loadMessages(r, ids, message); err != nil {
			return err
		}
		return k.loadRetained(r, retained)
	})
}

func loadSessions(r store.Reader, session func(mqtt.SessionState)) (map[store.SessionKey]string, error) {
	ids := make(map[store.SessionKey]string)
	p := store.Page[store.SessionKey]{Limit: page}
	for {
		rows, more, err := r.Sessions(p)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			ids[row.Key] = row.ClientID
			s := mqtt.SessionState{ClientID: row.ClientID, Version: row.Version, Expiry: row.Expiry, Ends: row.Ends}
			for _, u := range row.Subscriptions {
				s.Subscriptions = append(s.Subscriptions, mqtt.SubscriptionState(u))
			}
			session(s)
			p.After = row.Key
		}
		if !more {
			return ids, nil
		}
	}
}

func (k *Sessions) loadMessages(r store.Reader, ids map[store.SessionKey]string, message func(string, mqtt.QueuedMessage)) error {
	p := store.Page[store.SessionPlace]{Limit: page}
	for {
		rows, more, err := r.SessionMessages(p)
		if err != nil {
			return err
		}
		for _, row := range rows {
			p.After = row.SessionPlace
			id, ok := ids[row.Key]
			if !ok {
				continue // its session was never stored
			}
			m := &mqtt.Message{}
			if err := m.UnmarshalBinary(row.Packet); err != nil {
				k.log.Error("mqtt: stored message cannot be read", "client", id, "seq", row.Seq, "err", err)
				continue
			}
			m.Expires = row.Expires
			message(id, mqtt.QueuedMessage{Seq: uint64(row.Seq), Retain: row.Retain, Message: m})
		}
		if !more {
			return nil
		}
	}
}

func (k *Sessions) loadRetained(r store.Reader, retained func(*mqtt.Message)) error {
	p := store.Page[string]{Limit: page}
	for {
		rows, more, err := r.Retained(p)
		if err != nil {
			return err
		}
		for _, row := range rows {
			p.After = row.Topic
			m := &mqtt.Message{}
			if err := m.UnmarshalBinary(row.Packet); err != nil {
				k.log.Error("mqtt: retained message cannot be read", "topic", row.Topic, "err", err)
				continue
			}
			m.Expires = row.Expires
			retained(m)
		}
		if !more {
			return nil
		}
	}
}
