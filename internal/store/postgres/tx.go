package postgres

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

// tx is a transaction that writes. It implements store.Tx.
type tx struct {
	reader
	owner bool         // of UpdatePart: it holds its part's gate; each statement reads a snapshot of its own
	gates map[int]bool // that it has closed
	sent  map[sentKey]*sent

	// before, if not nil, must be done in a transaction of its own before this one
	// can be.
	before *statement
}

// Isolation levels. A closure of Update reads one snapshot, and whoever has
// changed a row that it writes makes it run again. A part is its owner's: what
// others may change of it meanwhile is guarded row by row.
const (
	beginView   = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	beginUpdate = `BEGIN ISOLATION LEVEL REPEATABLE READ`
	beginPart   = `BEGIN ISOLATION LEVEL READ COMMITTED`
)

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.update(ctx, beginUpdate, func(t *tx) error { return fn(t) })
}

// UpdatePart implements store.Store.
func (s *Store) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	if part < 0 || part >= s.parts {
		return fmt.Errorf("postgres: part %d of %d", part, s.parts)
	}
	return s.update(ctx, beginPart, func(t *tx) error {
		t.owner = true
		err := t.enterPart(part, fence)
		if err != nil {
			return err
		}
		return fn(t)
	})
}

// update runs a closure in transactions until one is neither beaten by others
// nor has lost its connection before the commit.
func (s *Store) update(ctx context.Context, begin string, fn func(*tx) error) error {
	err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave()
	return s.repeat(ctx, func() (failed, fault error) {
		at := time.Now()
		failed, fault = s.attempt(ctx, begin, fn)
		s.wrote(1, at, failed, fault)
		return failed, fault
	})
}

// attempt runs a closure in one transaction.
func (s *Store) attempt(ctx context.Context, begin string, fn func(*tx) error) (failed, fault error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return unserved(ctx, err)
	}
	defer s.release(conn) // also if the closure ends our goroutine
	within, cancel := timed(ctx)
	defer cancel()
	p := newPipe(conn, begin)
	t := &tx{reader: reader{c: &session{caller: ctx, ctx: within, q: p}, s: s}}
	failed = protect(func() error { return fn(t) })
	if failed == nil && t.c.broken == nil {
		failed = t.settle()
	}
	switch {
	case t.before != nil:
		return nil, t.before
	case t.c.broken != nil:
		return nil, t.c.broken
	case failed != nil:
		return failed, nil
	}
	if !p.used {
		return nil, nil // nothing was asked of the database
	}
	within, cancel = context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	return nil, p.commit(within, &pgx.Batch{})
}

// enterPart locks the row of a part, which is its fence and its gate, and
// refuses a fence that is older than the newest seen. Those who work on one part
// come one after another: together they would only get into each other's way.
// Batches, which share the gate, need not wait.
func (t *tx) enterPart(part int, fence int64) error {
	newest, err := t.c.int(`SELECT fence FROM parts WHERE part = $1 FOR NO KEY UPDATE`, part)
	switch {
	case err != nil || fence == 0 || fence == newest:
		return err
	case fence < newest:
		return apierr.New(apierr.Conflict, "Part %d has been taken over: fence %d is older than %d.", part, fence, newest)
	}
	// It stays seen even if the closure fails.
	t.before = &statement{`UPDATE parts SET fence = $2 WHERE part = $1 AND fence < $2`, []any{part, fence}}
	return t.before
}

// nextSeq returns a number that orders marks and dirty rows.
func (t *tx) nextSeq() int64 { return t.s.seqs.next() }

// Queues implements store.ExecutionWriter.
func (t *tx) Queues(refs []job.Ref, fn func(*job.Queue) error) error {
	err := t.settle() // before rows of the outbox are made anew
	if err != nil {
		return err
	}
	qs, err := loadQueues(t.s.parts, refs, t.readQueues)
	if err != nil {
		return err
	}
	if !t.owner {
		err = t.pin(qs)
		if err != nil {
			return err
		}
	}
	failed, err := qs.run(refs, fn)
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	f, err := t.s.flush(qs)
	if err != nil {
		return err
	}
	return t.c.postAll(f.statements(!t.owner))
}

// pin keeps the jobs of queues as they were read until the transaction ends, for
// one that has passed no gate.
func (t *tx) pin(qs *queues) error {
	uids := slices.Sorted(maps.Keys(qs.byUID))
	_, err := t.c.exec(`SELECT uid FROM jobs WHERE uid = ANY($1::bigint[]) ORDER BY uid FOR SHARE`, uids)
	return err
}

// Queue implements store.ExecutionReader.
func (r reader) Queue(ref job.Ref) (*job.Queue, error) {
	qs, err := loadQueues(r.s.parts, []job.Ref{ref}, r.readQueues)
	if err != nil {
		return nil, err
	}
	e, err := qs.ready(ref)
	if err != nil {
		return nil, err
	}
	return e.q, nil
}

// protect turns a panic into an error: a transaction must be ended, others are served.
func protect(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = apierr.Wrap(apierr.Internal, fmt.Errorf("%v\n%s", p, debug.Stack()), "panic in a transaction")
		}
	}()
	return fn()
}
