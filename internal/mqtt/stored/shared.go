package stored

import (
	"context"
	"log/slog"

	"muster/internal/mqtt"
	"muster/internal/store"
)

// Shared keeps sessions in a store that the nodes of a cluster share. It is safe
// for concurrent use.
type Shared struct{ *Sessions }

var _ mqtt.Shared = Shared{}

// NewShared returns sessions in s that belong to the nodes of a cluster, of which
// this one is node. Errors are told to log; nil discards. Close must be called
// before that of s.
func NewShared(s store.Store, node string, log *slog.Logger) Shared {
	return Shared{begin(s, node, log)}
}

// Take implements mqtt.Shared.
func (k Shared) Take(ctx context.Context, clientID string) (mqtt.Taken, error) {
	done := make(chan error, 1)
	c := &change{kind: take, at: store.SessionPlace{Key: keyOf(clientID)}, done: func(err error) { done <- err }}
	k.add(c)
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		if k.takeBack(c) {
			return mqtt.Taken{}, ctx.Err()
		}
		err = <-done // it is being written
	}
	if err != nil || c.session == nil {
		return mqtt.Taken{}, err
	}
	var t mqtt.Taken
	err = k.store.View(ctx, func(r store.Reader) error {
		var err error
		t, err = k.taken(r, *c.session)
		return err
	})
	return t, err
}

// takeBack reports whether a change will not be written after all.
func (k Shared) takeBack(c *change) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.begun {
		return false
	}
	c.kind = none
	return true
}

// taken returns a session that was in another's hands before, as this node has it.
func (k Shared) taken(r store.Reader, before store.Session) (mqtt.Taken, error) {
	t := mqtt.Taken{SessionState: state(before), From: before.Node}
	t.Epoch++
	p := store.Page[int64]{Limit: page}
	for {
		rows, more, err := r.SessionMessagesOf(before.Key, p)
		if err != nil {
			return mqtt.Taken{}, err
		}
		for _, row := range rows {
			p.After = row.Seq
			if m, ok := k.message(before.ClientID, row); ok {
				t.Messages = append(t.Messages, m)
			}
		}
		if !more {
			return t, nil
		}
	}
}

// Release implements mqtt.Shared.
func (k Shared) Release(s mqtt.SessionState, done func(error)) { k.add(k.change(release, s, done)) }

// Owners implements mqtt.Shared.
func (k Shared) Owners(ctx context.Context) ([]string, error) {
	var nodes []string
	err := k.store.View(ctx, func(r store.Reader) error {
		var err error
		nodes, err = r.SessionNodes()
		return err
	})
	return nodes, err
}

// Adopt implements mqtt.Shared.
func (k Shared) Adopt(ctx context.Context, from string, mine func(string) bool, adopt func(mqtt.Taken), other func(mqtt.SessionState)) error {
	p := store.Page[store.SessionKey]{Limit: page}
	for more := true; more; {
		var rows []store.Session
		err := k.store.View(ctx, func(r store.Reader) error {
			var err error
			rows, more, err = r.SessionsOf(from, p)
			return err
		})
		if err != nil {
			return err
		}
		var wanted []store.Session
		for _, row := range rows {
			p.After = row.Key
			if mine(row.ClientID) {
				wanted = append(wanted, row)
			} else {
				other(state(row))
			}
		}
		if err := k.adoptAll(ctx, wanted, adopt); err != nil {
			return err
		}
	}
	return nil
}

// adoptAll takes those sessions that nobody else has taken meanwhile.
func (k Shared) adoptAll(ctx context.Context, wanted []store.Session, adopt func(mqtt.Taken)) error {
	if len(wanted) == 0 {
		return nil
	}
	var got []store.Session
	err := k.store.Update(ctx, func(tx store.Tx) error {
		keys := make([]store.SessionKey, len(wanted))
		for i := range wanted {
			keys[i] = wanted[i].Key
		}
		owners, err := tx.LockSessions(keys)
		if err != nil {
			return err
		}
		as := make(map[store.SessionKey]store.SessionOwner, len(owners))
		for _, o := range owners {
			as[o.Key] = o
		}
		got = nil
		var rows []store.Session
		for _, row := range wanted {
			if as[row.Key] != (store.SessionOwner{Key: row.Key, Node: row.Node, Epoch: row.Epoch}) {
				continue
			}
			got = append(got, row)
			row.Node, row.Epoch = k.node, row.Epoch+1
			rows = append(rows, row)
		}
		return each(rows, tx.PutSessions)
	})
	if err != nil {
		return err
	}
	return k.store.View(ctx, func(r store.Reader) error {
		for _, row := range got {
			t, err := k.taken(r, row)
			if err != nil {
				return err
			}
			adopt(t)
		}
		return nil
	})
}
