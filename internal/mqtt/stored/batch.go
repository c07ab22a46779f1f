package stored

import (
	"bytes"
	"fmt"
	"slices"

	"muster/internal/apierr"
	"muster/internal/mqtt"
	"muster/internal/store"
)

// batch is what some changes come to.
type batch struct {
	node     string // empty if there is no cluster
	sessions map[store.SessionKey]*outcome
	order    []*outcome // in the order in which they came up
	retained []*store.Retained
}

// outcome is what the changes to one session come to: it is removed as it was,
// then put if there is a row, and messages come and go.
type outcome struct {
	key     store.SessionKey
	wiped   bool
	row     *store.Session
	added   []*store.SessionMessage
	removed []int64

	// owner is whose the session is then, if it is there; known in a cluster only.
	there bool
	owner store.SessionOwner
}

// write writes what the changes come to, but for those that this node must not make.
func (b *batch) write(tx store.Tx, changes []*change) error {
	if err := b.lock(tx, changes); err != nil {
		return err
	}
	for _, c := range changes {
		c.err = nil
		if c.kind == none {
			continue
		}
		if c.kind == retain {
			b.retained = append(b.retained, c.retained)
			continue
		}
		o := b.outcome(c.at.Key)
		if c.kind == take {
			if err := o.take(tx, b.node, c); err != nil {
				return err
			}
			continue
		}
		if b.node != "" && !o.allows(b.node, c) {
			c.err = fmt.Errorf("session %x: %w", c.at.Key, mqtt.ErrNotOwner)
			continue
		}
		o.apply(c)
	}
	return b.flush(tx)
}

// lock finds out whose the sessions are, and keeps it so.
func (b *batch) lock(tx store.Tx, changes []*change) error {
	if b.node == "" {
		return nil
	}
	var keys []store.SessionKey
	for _, c := range changes {
		if c.kind != none && c.kind != retain {
			keys = append(keys, c.at.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.SortFunc(keys, compare)
	owners, err := tx.LockSessions(slices.Compact(keys))
	if err != nil {
		return err
	}
	for _, owner := range owners {
		o := b.outcome(owner.Key)
		o.there, o.owner = true, owner
	}
	return nil
}

func compare(a, b store.SessionKey) int { return bytes.Compare(a[:], b[:]) }

func (b *batch) outcome(key store.SessionKey) *outcome {
	o := b.sessions[key]
	if o == nil {
		o = &outcome{key: key}
		b.sessions[key] = o
		b.order = append(b.order, o)
	}
	return o
}

// allows reports whether a node may make a change of the session.
func (o *outcome) allows(node string, c *change) bool {
	if c.kind == create {
		return !o.there
	}
	return o.there && o.owner.Node == node && o.owner.Epoch == c.epoch
}

// apply makes a change.
func (o *outcome) apply(c *change) {
	switch c.kind {
	case put, create:
		o.put(*c.session)
	case release:
		row := *c.session
		row.Node, row.Epoch = "", c.epoch+1
		o.put(row)
	case remove:
		*o = outcome{key: o.key, wiped: true}
	case add:
		o.added = append(o.added, c.message)
	case ack:
		o.removed = append(o.removed, c.at.Seq)
	}
}

func (o *outcome) put(row store.Session) {
	o.row, o.there = &row, true
	o.owner = store.SessionOwner{Key: row.Key, Node: row.Node, Epoch: row.Epoch}
}

// take makes a node the owner of the session, if there is one, and leaves in c what
// it was before.
func (o *outcome) take(tx store.Tx, node string, c *change) error {
	c.session = nil
	if !o.there {
		return nil
	}
	row := o.row
	if row == nil {
		found, err := tx.Session(o.key)
		if apierr.Is(err, apierr.NotFound) {
			return nil // it has ended a moment ago
		}
		if err != nil {
			return err
		}
		row = &found
	}
	before := *row
	c.session = &before
	mine := before
	mine.Node, mine.Epoch = node, before.Epoch+1
	o.put(mine)
	return nil
}

// flush writes the outcomes.
func (b *batch) flush(tx store.Tx) error {
	var wiped []store.SessionKey
	rows := make([]store.Session, 0, len(b.order))
	n, gone := 0, 0
	for _, o := range b.order {
		n += len(o.added)
		gone += len(o.removed)
	}
	added, removed := make([]store.SessionMessage, 0, n), make([]store.SessionPlace, 0, gone)
	for _, o := range b.order {
		if o.wiped {
			wiped = append(wiped, o.key)
		}
		if o.row != nil {
			rows = append(rows, *o.row)
		}
		for _, m := range o.added {
			added = append(added, *m)
		}
		for _, seq := range o.removed {
			removed = append(removed, store.SessionPlace{Key: o.key, Seq: seq})
		}
	}
	slices.SortFunc(rows, func(x, y store.Session) int { return compare(x.Key, y.Key) })
	if err := each(wiped, tx.DeleteSessions); err != nil {
		return err
	}
	if err := each(rows, tx.PutSessions); err != nil {
		return err
	}
	if err := each(added, tx.PutSessionMessages); err != nil {
		return err
	}
	if err := each(removed, tx.DeleteSessionMessages); err != nil {
		return err
	}
	for _, r := range b.retained {
		if err := putRetained(tx, r); err != nil {
			return err
		}
	}
	return nil
}

// each calls write if there is anything to write.
func each[T any](all []T, write func([]T) error) error {
	if len(all) == 0 {
		return nil
	}
	return write(all)
}

func putRetained(tx store.Tx, r *store.Retained) error {
	if r.Packet == nil {
		return tx.DeleteRetained(r.Topic, r.Stamp)
	}
	return tx.PutRetained(*r)
}
