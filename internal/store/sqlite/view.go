package sqlite

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/store"
)

// maxReaders is how many Views run at a time.
const maxReaders = 8

// reader reads one snapshot. It implements store.Reader.
type reader struct {
	c *conn
	s *Store
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.view(ctx, func(r reader) error { return fn(r) })
}

// Floor implements store.Store.
func (s *Store) Floor(ctx context.Context) (int64, error) {
	var floor int64
	err := s.view(ctx, func(r reader) error {
		var err error
		floor, err = r.c.int(`SELECT value FROM meta WHERE key = 'floor'`)
		return err
	})
	return floor, err
}

func (s *Store) view(ctx context.Context, fn func(reader) error) error {
	err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var c *conn
	select {
	case c = <-s.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c == nil {
		c, err = s.openReader()
		if err != nil {
			s.readers <- nil
			return apierr.Wrap(apierr.Unavailable, err, "The database cannot be opened for reading.")
		}
	}
	defer s.release(c) // also if fn panics
	_, err = c.exec(`BEGIN`)
	if err != nil {
		return err
	}
	c.ctx = ctx
	return fn(reader{c: c, s: s})
}

// release ends the transaction of a connection that reads and hands it to the next.
func (s *Store) release(c *conn) {
	fault := c.broken
	c.ctx = context.Background()
	err := c.rollback()
	if lost(fault) || err != nil {
		_ = c.close() // it has failed before
		c = nil
	}
	s.readers <- c
}

func (s *Store) openReader() (*conn, error) {
	return s.connect(`busy_timeout(5000)`, `query_only(ON)`, `cache_size(-8192)`)
}
