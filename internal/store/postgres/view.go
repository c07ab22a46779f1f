package postgres

import (
	"context"

	"muster/internal/store"
)

// reader reads one snapshot. It implements store.Reader.
type reader struct {
	c *session
	s *Store
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.view(ctx, func(r reader) error { return fn(r) })
}

// Floor implements store.Store. It looks at the end of an index of each table
// whose rows are made under a uid. A number that is raised in steps, as a store
// with one writer has it, would be ahead of the uids that other nodes make, and
// every transaction that stores one would meet at it.
func (s *Store) Floor(ctx context.Context) (int64, error) {
	var floor int64
	err := s.view(ctx, func(r reader) error {
		var err error
		floor, err = r.c.int(`SELECT greatest(0, (SELECT max(uid) FROM jobs), (SELECT max(uid) FROM things), (SELECT max(uid) FROM types),
				(SELECT max(uid) FROM groups), (SELECT max(uid) FROM dead_groups), (SELECT max(uid) FROM members),
				max((SELECT max(seq) FROM changes x WHERE x.part = p.part)), max((SELECT max(seq) FROM work x WHERE x.part = p.part)))
			FROM parts p`)
		return err
	})
	return floor, err
}

// view runs fn on a snapshot. Like a closure that writes, it may run again if
// the connection is lost.
func (s *Store) view(ctx context.Context, fn func(reader) error) error {
	err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave()
	return s.repeat(ctx, func() (failed, fault error) {
		failed, fault = s.look(ctx, fn)
		s.read(fault)
		return failed, fault
	})
}

// look runs fn on one snapshot.
func (s *Store) look(ctx context.Context, fn func(reader) error) (failed, fault error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return unserved(ctx, err)
	}
	// Nothing hangs on how the transaction ends, so nobody waits for it. Also if fn
	// panics.
	defer s.loops.Go(func() { s.release(conn) })
	within, cancel := timed(ctx)
	defer cancel()
	c := &session{caller: ctx, ctx: within, q: newPipe(conn, beginView)}
	failed = fn(reader{c: c, s: s})
	if c.broken != nil {
		return nil, c.broken
	}
	return failed, nil
}
