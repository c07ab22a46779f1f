package postgres

import (
	"context"
	"sync/atomic"
	"time"
)

// health remembers how the database was met last.
type health struct {
	fault atomic.Pointer[error]
	met   atomic.Int64  // when a transaction last ended in an orderly way, in milliseconds since the epoch
	sick  chan struct{} // has room for one; wakes the loop that probes
}

func (h *health) set(err error) {
	if err == nil {
		if h.fault.Load() != nil {
			h.fault.Store(nil)
		}
		return
	}
	h.fault.Store(&err)
	select {
	case h.sick <- struct{}{}:
	default:
	}
}

func (h *health) err() error {
	p := h.fault.Load()
	if p == nil {
		return nil
	}
	return *p
}

// wrote notes the end of a transaction with some calls that began at a time. If
// its closure has failed, nothing was to be written.
func (s *Store) wrote(calls int, at time.Time, failed, fault error) {
	switch {
	case beaten(fault):
		s.log.Debug("postgres: transaction is run again", "err", fault)
	case fault != nil || failed == nil:
		s.health.set(public(fault))
	}
	if s.cfg.OnCommit != nil {
		s.cfg.OnCommit(calls, time.Since(at), fault)
	}
}

// read notes the end of a view. Only a fault counts: where reading works,
// writing may not.
func (s *Store) read(fault error) {
	if fault != nil && !beaten(fault) {
		s.health.set(public(fault))
	}
}

// Health implements store.Store. After a fault, of a read, too, the store tries
// a small write once a second, so that it gets well even if nobody writes.
func (s *Store) Health(context.Context) error {
	err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave()
	return s.health.err()
}

const (
	// probeEvery is how long after a fault a write is tried.
	probeEvery = time.Second
	// pingEvery is how often the database is asked for a sign of life, and pingTime
	// how long it may take to give one: where packets vanish, a transaction takes
	// much longer to notice.
	pingEvery = 2 * time.Second
	pingTime  = 3 * time.Second
)

// probe tries a small write after a fault until one succeeds, and otherwise asks
// the database for a sign of life now and then.
func (s *Store) probe() {
	for {
		select {
		case <-s.closing:
			return
		case <-s.health.sick:
		case now := <-time.After(pingEvery):
			if now.UnixMilli()-s.health.met.Load() > pingEvery.Milliseconds() {
				s.ping()
			}
			continue
		}
		select {
		case <-s.closing:
			return
		case <-time.After(probeEvery):
		}
		if s.health.err() == nil {
			continue
		}
		at := time.Now()
		err := s.run(context.Background(), &statement{`UPDATE meta SET value = value + 1 WHERE key = 'probe'`, nil})
		s.wrote(0, at, nil, err)
		if err == nil {
			s.log.Info("postgres: writing works again")
		}
	}
}

// ping notes a fault if the database gives no sign of life.
func (s *Store) ping() {
	conn, err := s.acquire(context.Background())
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), pingTime)
		err = conn.Ping(ctx)
		cancel()
		s.release(conn)
	}
	if err != nil {
		s.pool.Reset() // the others are no better
	}
	s.read(err)
}
