// Package stored keeps MQTT sessions in the store, so that they outlive the
// process. It implements mqtt.Sessions, and mqtt.Shared for servers that share a
// store.
//
// Changes wait in one queue and are written in order, all that wait at once in
// one transaction: publishers share commits, as those who change executions do.
// Of the changes to one session only what they come to is written. A message that
// is acknowledged before its turn has come is never written, and of the retained
// messages of a topic that wait only the last one is: what waits is thus no more
// than what the sessions and the retained messages are, however long the store
// takes.
package stored

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"slices"
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
	node  string // empty if there is no cluster
	log   *slog.Logger
	woken chan struct{} // holds a token if there may be changes to write
	ended chan struct{} // closed when the writer has ended

	mu      sync.Mutex // guards what follows
	waiting []*change
	unsent  map[store.SessionPlace]*change // messages in waiting
	topics  map[string]*change             // retained messages in waiting
	taken   int                            // since waiting was last swept, messages that were taken back
	closed  bool
}

var _ mqtt.Sessions = (*Sessions)(nil)

// kind says what a change is about.
type kind uint8

const (
	none    kind = iota // it is no longer wanted
	put                 // session
	create              // session, which must not be there yet
	release             // session, which then is nobody's
	take                // the session becomes this node's
	remove
	add // message
	ack
	retain // retained; without a packet the topic's message is removed
)

// change is one change that is to be written.
type change struct {
	kind     kind
	at       store.SessionPlace // of a message; the key alone for anything else of a session
	epoch    int64              // of the session, in a cluster
	session  *store.Session     // also what take has found; nil if there is none
	message  *store.SessionMessage
	retained *store.Retained
	done     func(error) // may be nil
	also     []func(error)
	err      error // why it was left out when the others were written
	begun    bool  // it is too late to take it back; guarded by the sessions
}

// New returns sessions in s, whose errors are told to log; nil discards. Close
// must be called before that of s.
func New(s store.Store, log *slog.Logger) *Sessions { return begin(s, "", log) }

func begin(s store.Store, node string, log *slog.Logger) *Sessions {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &Sessions{
		store: s, node: node, log: log, woken: make(chan struct{}, 1), ended: make(chan struct{}),
		unsent: make(map[store.SessionPlace]*change), topics: make(map[string]*change),
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
	c := k.change(put, s, done)
	if s.New {
		c.kind = create
	}
	k.add(c)
}

// change returns a change that puts a session.
func (k *Sessions) change(what kind, s mqtt.SessionState, done func(error)) *change {
	row := &store.Session{
		Key: keyOf(s.ClientID), ClientID: s.ClientID, Version: s.Version, Expiry: s.Expiry, Ends: s.Ends,
		Subscriptions: make([]store.SessionSubscription, len(s.Subscriptions)), Node: k.node, Epoch: s.Epoch,
	}
	for i, u := range s.Subscriptions {
		row.Subscriptions[i] = store.SessionSubscription(u)
	}
	return &change{kind: what, at: store.SessionPlace{Key: row.Key}, epoch: s.Epoch, session: row, done: done}
}

// Delete implements mqtt.Sessions.
func (k *Sessions) Delete(s mqtt.SessionRef, done func(error)) {
	k.add(&change{kind: remove, at: store.SessionPlace{Key: keyOf(s.ClientID)}, epoch: s.Epoch, done: done})
}

// Append implements mqtt.Sessions.
func (k *Sessions) Append(s mqtt.SessionRef, m mqtt.QueuedMessage, done func(error)) {
	packet, err := m.Message.MarshalBinary()
	if err != nil {
		tell(done, err)
		return
	}
	row := &store.SessionMessage{
		SessionPlace: store.SessionPlace{Key: keyOf(s.ClientID), Seq: int64(m.Seq)},
		Retain:       m.Retain, Expires: m.Message.Expires, Packet: packet,
	}
	k.add(&change{kind: add, at: row.SessionPlace, epoch: s.Epoch, message: row, done: done})
}

// Ack implements mqtt.Sessions.
func (k *Sessions) Ack(s mqtt.SessionRef, seq uint64, done func(error)) {
	at := store.SessionPlace{Key: keyOf(s.ClientID), Seq: int64(seq)}
	k.mu.Lock()
	c := k.unsent[at]
	var kept func(error)
	if c != nil {
		// It has arrived: nothing is left to be kept.
		delete(k.unsent, at)
		kept = c.done
		c.kind, c.done, c.message = none, nil, nil
		k.sweep()
	}
	k.mu.Unlock()
	if c != nil {
		tell(kept, nil)
		tell(done, nil)
		return
	}
	k.add(&change{kind: ack, at: at, epoch: s.Epoch, done: done})
}

// Retain implements mqtt.Sessions.
func (k *Sessions) Retain(m *mqtt.Message, done func(error)) {
	row := &store.Retained{Topic: m.Topic, Stamp: m.Stamp, Expires: m.Expires}
	if len(m.Payload) > 0 {
		var err error
		row.Packet, err = m.MarshalBinary()
		if err != nil {
			tell(done, err)
			return
		}
	}
	k.add(&change{kind: retain, retained: row, done: done})
}

// sweep drops what is no longer wanted from the queue, every now and then. The lock
// must be held.
func (k *Sessions) sweep() {
	k.taken++
	if k.taken < maxBatch || 2*k.taken < len(k.waiting) {
		return
	}
	k.taken = 0
	k.waiting = slices.DeleteFunc(k.waiting, func(c *change) bool { return c.kind == none })
}

// add puts a change at the end of the queue, or in the place of one that it makes
// superfluous.
func (k *Sessions) add(c *change) {
	k.mu.Lock()
	closed := k.closed
	if !closed && !k.join(c) {
		k.waiting = append(k.waiting, c)
	}
	k.mu.Unlock()
	if closed {
		tell(c.done, apierr.New(apierr.Unavailable, "The server is stopping."))
		return
	}
	k.wake()
}

// join notes a change that others may have to do with before it is written. It
// reports whether c has become part of one that waits. The lock must be held.
func (k *Sessions) join(c *change) bool {
	switch c.kind {
	case add:
		k.unsent[c.at] = c
	case retain:
		first := k.topics[c.retained.Topic]
		if first == nil {
			k.topics[c.retained.Topic] = c
			return false
		}
		if c.retained.Stamp >= first.retained.Stamp {
			first.retained = c.retained
		}
		if c.done != nil {
			first.also = append(first.also, c.done)
		}
		return true
	}
	return false
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
		c.begun = true
		switch c.kind {
		case add:
			if k.unsent[c.at] == c { // and not that of a later session
				delete(k.unsent, c.at)
			}
		case retain:
			delete(k.topics, c.retained.Topic)
		}
	}
	return batch, k.closed
}

// attempts is how often a batch is written that collides with another node.
const attempts = 5

// write writes a batch and tells those who wait.
func (k *Sessions) write(changes []*change) {
	var err error
	for range attempts {
		err = k.store.Update(context.Background(), func(tx store.Tx) error {
			b := batch{node: k.node, sessions: make(map[store.SessionKey]*outcome, len(changes))}
			return b.write(tx, changes)
		})
		if k.node == "" || !apierr.Is(err, apierr.Conflict) {
			break
		}
	}
	if err != nil {
		k.log.Error("mqtt: sessions cannot be written", "changes", len(changes), "err", err)
	}
	for _, c := range changes {
		if c.err == nil {
			c.err = err
		}
		tell(c.done, c.err)
		for _, done := range c.also {
			done(c.err)
		}
	}
}
