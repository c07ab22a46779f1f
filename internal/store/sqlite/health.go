package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"muster/internal/apierr"
)

// health remembers how the last write went, and whether the file was ever found
// damaged: writes go on working where the damage is not.
type health struct {
	fault  atomic.Pointer[error]
	damage atomic.Pointer[error]
	marker string // a file that is there while the database is known to be damaged
	log    *slog.Logger
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

// failing reports whether the last write has failed.
func (h *health) failing() bool { return h.fault.Load() != nil }

func (h *health) err() error {
	for _, p := range []*error{h.damage.Load(), h.fault.Load()} {
		if p != nil {
			return *p
		}
	}
	return nil
}

// hurt notes that a statement has met damage. Nothing but another file can make
// that good, so it is noted in a file as well, which outlives the process.
func (h *health) hurt(err error) {
	var said error = apierr.Wrap(apierr.Unavailable, err, "The database file is damaged: stop the server and restore a backup.")
	if !h.damage.CompareAndSwap(nil, &said) {
		return
	}
	h.log.Error("sqlite: the database file is damaged: stop the server and restore a backup", "err", err)
	if err := os.WriteFile(h.marker, []byte(err.Error()+"\n"), 0o600); err != nil {
		h.log.Warn("sqlite: the damage is not known after a restart", "err", err)
	}
}

// inspect looks through a file in which damage was found before the store was
// opened. If it is sound by now, a backup restored, that is over.
func (s *Store) inspect(c *conn) {
	if _, err := os.Stat(s.health.marker); errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.log.Info("sqlite: damage was found in the database before: it is looked through")
	var said string
	err := c.query(`PRAGMA quick_check(1)`, func(r row) error { said = r.text(0); return nil })
	c.broken = nil // nothing was under way
	if err == nil && said != "ok" {
		err = errors.New(said)
	}
	if err != nil {
		s.health.hurt(err)
		return
	}
	if err := os.Remove(s.health.marker); err != nil {
		s.log.Warn("sqlite: the database is sound, but the note of its damage stays", "err", err)
	}
}

// Health implements store.Store. After a fault the store tries a small write
// once a second, so that it gets well even if nobody writes. Damage stays until
// the store is opened again and the file is sound.
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
