package sqlite

import (
	"context"
	"sync/atomic"
	"time"
)

// health remembers how the last write went.
type health struct {
	fault atomic.Pointer[error]
}

func (h *health) wrote(err error) {
	if err == nil {
		if h.fault.Load() != nil {
			h.fault.Store(nil)
		}
		return
	}
	h.fault.Store(&err)
}

func (h *health) err() error {
	p := h.fault.Load()
	if p == nil {
		return nil
	}
	return *p
}

// Health implements store.Store. After a fault the store tries a small write
// once a second, so that it gets well even if nobody writes.
func (s *Store) Health(context.Context) error {
	err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave()
	return s.health.err()
}

// probeEvery is how long after a failed write the next one is tried.
const probeEvery = time.Second

// probe writes something small, to learn whether the fault has passed.
func (s *Store) probe() {
	err := s.do(context.Background(), &call{closure: func(t *tx) error {
		_, err := t.c.exec(`UPDATE meta SET value = value + 1 WHERE key = 'probe'`)
		return err
	}})
	if err == nil {
		s.log.Info("sqlite: writing works again")
	}
}
