package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// maxPatience is how long a call is tried again, and sickPatience how long while
	// the database is known to be away. An attempt that has begun by then may take
	// a transaction's time longer.
	maxPatience  = 8 * time.Second
	sickPatience = time.Second
	// backoff is the first pause between attempts, on average; it doubles up to maxBackoff.
	backoff    = 2 * time.Millisecond
	maxBackoff = 250 * time.Millisecond
	// maxDoubles is how often a key that is there already is taken for another
	// writer's of the same moment.
	maxDoubles = 5
)

// repeat makes attempts until one succeeds or fails for good. An attempt returns
// the error of its closure, or the fault for which nothing was stored.
func (s *Store) repeat(ctx context.Context, attempt func() (failed, fault error)) error {
	end := time.Now().Add(s.patience)
	if s.health.err() != nil {
		end = time.Now().Add(min(s.patience, sickPatience))
	}
	pause, doubles := backoff, 0
	for ; ; pause = min(2*pause, maxBackoff) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed, fault := attempt()
		if b, ok := errors.AsType[*statement](fault); ok {
			fault = s.run(ctx, b)
			if fault == nil {
				continue
			}
		}
		if fault == nil {
			return failed
		}
		if code(fault) == uniqueViolation {
			doubles++
		}
		if errors.Is(fault, errUnknown) || !beaten(fault) && !lost(fault) || doubles > maxDoubles || time.Now().After(end) {
			return public(fault)
		}
		if lost(fault) && !errors.Is(fault, errNoConnection) {
			s.pool.Reset() // others have gone with it, as a rule
		}
		select {
		case <-ctx.Done():
		case <-s.closing:
			return public(fault)
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// errNoConnection is in the error of an attempt that has got no connection.
var errNoConnection = errors.New("postgres: no connection")

// statement is a statement that is an error: it is to be run first, in a
// transaction of its own.
type statement struct {
	sql  string
	args []any
}

// Error implements error.
func (b *statement) Error() string { return "postgres: to be run first: " + b.sql }

// run runs a statement in a transaction of its own.
func (s *Store) run(ctx context.Context, b *statement) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.release(conn)
	within, cancel := timed(ctx)
	defer cancel()
	_, err = conn.Exec(within, b.sql, b.args...)
	return err
}
