// Package sqlite keeps everything in one SQLite database in one folder: the
// embedded default. It implements store.Store.
//
// One goroutine writes. It serves the calls that wait together in one
// transaction and one commit (write-ahead log, synchronous=FULL), which is what
// makes it fast; another copies the log into the database file off the path of
// the commits; reads run on connections of their own, each on a snapshot.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"muster/internal/apierr"
	"muster/internal/store"
)

// Config says where and how to open a store. Only Dir is needed.
type Config struct {
	// Dir is the folder. It is made if it does not exist, and belongs to one
	// process at a time. It holds muster.db with its log and muster.lock.
	Dir string
	// Parts is the number of parts of a new database; 0 is 1. An existing one
	// keeps its own: one writer gains nothing from more.
	Parts int
	// MaxLog bounds the write-ahead log, in bytes; 0 is 64 MiB. It may be
	// passed while a reader holds on to it.
	MaxLog int64
	// Log is told of faults; nil discards.
	Log *slog.Logger
	// OnCommit, if not nil, is called after each transaction with the number of
	// calls in it, how long it took and why it failed. It must not block.
	OnCommit func(calls int, took time.Duration, err error)
	// OnCheckpoint, if not nil, is called after each checkpoint with the size
	// of the log in bytes that it has found. It must not block.
	OnCheckpoint func(log int64, took time.Duration, err error)

	seen func(query string) // told each statement, for tests
}

// Store is an open SQLite database. It implements store.Store.
type Store struct {
	cfg      Config
	file     string
	log      *slog.Logger
	parts    int
	maxLog   int64
	pageSize int64

	w           *writer
	checkpoints *checkpoints
	readers     chan *conn // nil stands for one that is not open
	health      health
	hurt        func(error) // told of damage by every connection; nil while the store is being opened
	lock        *flock.Flock

	loops sync.WaitGroup

	mu     sync.Mutex
	closed bool           // guarded by mu
	calls  sync.WaitGroup // Add is guarded by mu
}

var _ store.Store = (*Store)(nil)

// Open opens the database in a folder, making it or bringing its schema up to
// date where needed. Errors name the file and what to do.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if cfg.Dir == "" {
		return nil, errors.New("sqlite: no folder given")
	}
	err := os.MkdirAll(cfg.Dir, 0o700)
	if err != nil {
		return nil, fmt.Errorf("sqlite: the data folder cannot be made: %w: choose another folder, or give write permission", err)
	}
	lock, err := lockFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, file: filepath.Join(cfg.Dir, "muster.db"), log: cfg.Log, lock: lock,
		maxLog: cfg.MaxLog, readers: make(chan *conn, maxReaders),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.maxLog <= 0 {
		s.maxLog = maxLog
	}
	err = s.open()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// open opens the connections and starts the loops.
func (s *Store) open() error {
	err := makePrivate(s.file)
	if err != nil {
		return s.unwritable(err)
	}
	c, err := s.openWriter()
	if err != nil {
		return s.openFault(err)
	}
	s.w = &writer{s: s, c: c, calls: make(chan *call, 4*maxBatch)}
	err = s.prepare()
	if err != nil {
		return errors.Join(s.openFault(err), c.close())
	}
	k, err := s.openCheckpointer()
	if err != nil {
		return errors.Join(s.openFault(err), c.close())
	}
	s.checkpoints = &checkpoints{s: s, c: k, woken: make(chan struct{}, 1), quit: make(chan struct{})}
	for range maxReaders {
		s.readers <- nil
	}
	// From here on damage is known to Health; until here it is the error of Open.
	s.health.marker, s.health.log = s.file+"-damaged", s.log
	s.w.c.hurt, s.checkpoints.c.hurt, s.hurt = s.health.hurt, s.health.hurt, s.health.hurt
	s.inspect(s.w.c)
	s.loops.Go(s.w.run)
	s.loops.Go(s.checkpoints.run)
	return nil
}

// prepare brings the schema up to date and reads what is fixed.
func (s *Store) prepare() error {
	c := s.w.c
	err := migrate(c, s.file, max(1, s.cfg.Parts))
	if err != nil {
		return err
	}
	var parts int64
	for _, v := range []struct {
		into  *int64
		query string
	}{
		{&parts, `SELECT value FROM meta WHERE key = 'parts'`},
		{&s.w.floor, `SELECT value FROM meta WHERE key = 'floor'`},
		{&s.pageSize, `PRAGMA page_size`},
		{&s.w.seq, `UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value << 40`},
	} {
		*v.into, err = c.int(v.query)
		if err != nil {
			return err
		}
	}
	s.w.newest = s.w.floor // not known better, but not lower
	s.parts = int(parts)
	if s.parts < 1 {
		return fmt.Errorf("sqlite: %s says that it has %d parts", s.file, s.parts)
	}
	return nil
}

// openFault makes an error of Open say what to do.
func (s *Store) openFault(err error) error {
	switch {
	case damaged(err):
		return fmt.Errorf("sqlite: %s is not a sound SQLite database: restore a backup, or move it away to start anew: %w", s.file, err)
	case apierr.Is(err, apierr.Unavailable), code(err) != 0:
		return s.unwritable(err)
	}
	return err
}

func (s *Store) unwritable(err error) error {
	return fmt.Errorf("sqlite: %s cannot be opened for writing: check the permissions and free space of its folder: %w", s.file, err)
}

// connect opens a connection with what all have in common.
func (s *Store) connect(pragmas ...string) (*conn, error) {
	c, err := connect(s.file, append([]string{`temp_store(MEMORY)`, `foreign_keys(OFF)`}, pragmas...)...)
	if err != nil {
		if damaged(err) && s.hurt != nil {
			s.hurt(err)
		}
		return nil, err
	}
	c.seen, c.hurt = s.cfg.seen, s.hurt
	return c, nil
}

// openWriter opens the connection that writes. Its page cache takes up to 128 MiB.
func (s *Store) openWriter() (*conn, error) {
	return s.connect(`busy_timeout(5000)`, `journal_mode(WAL)`, `synchronous(FULL)`, `wal_autocheckpoint(0)`,
		`cache_size(-131072)`, fmt.Sprintf(`journal_size_limit(%d)`, s.maxLog))
}

// openCheckpointer opens the connection that copies the log. It waits for nobody.
func (s *Store) openCheckpointer() (*conn, error) {
	return s.connect(`busy_timeout(0)`, `synchronous(FULL)`, `wal_autocheckpoint(0)`)
}

// Parts implements store.Store.
func (s *Store) Parts() int { return s.parts }

// PartOf implements store.Store.
func (s *Store) PartOf(thing string) int { return PartOf(thing, s.parts) }

// enter notes a call under way. It fails once the store is closed.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return apierr.New(apierr.Unavailable, "The store is closed.")
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// Close implements store.Store. It copies the log into the database file.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.calls.Wait()
	close(s.w.calls)
	close(s.checkpoints.quit)
	s.loops.Wait()
	var errs []error
	for range maxReaders {
		c := <-s.readers
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	if s.checkpoints.c != nil {
		errs = append(errs, s.checkpoints.c.close())
	}
	if s.w.c != nil {
		errs = append(errs, s.w.c.close())
	}
	errs = append(errs, s.lock.Close())
	return errors.Join(errs...)
}
