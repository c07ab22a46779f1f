package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

const (
	// maxBatch is how many calls share a commit, maxRefs how many queues: a
	// commit must not keep others waiting for long.
	maxBatch = 256
	maxRefs  = 2048
)

// call is one caller's change, waiting for the writer.
type call struct {
	refs []job.Ref // of UpdateQueues
	fn   func(*job.Queue) error

	closure func(*tx) error // of Update and UpdatePart; nil for UpdateQueues
	part    int
	fence   int64 // 0 is not checked

	taken atomic.Bool   // by the writer, or by a caller who no longer waits
	done  chan struct{} // closed when err is set
	err   error
}

func (k *call) answer(err error) {
	k.err = err
	close(k.done)
}

// writer serves the calls that wait together in one transaction. It owns the
// only connection that writes.
type writer struct {
	s     *Store
	c     *conn
	calls chan *call
	batch []*call    // under way
	idle  sync.Mutex // held during a transaction, or by a checkpoint that needs the log at rest

	// seq orders marks and dirty rows: it goes on from a number that grows each
	// time the store is opened. floor is the uid stored in meta, newest the highest
	// one of a row. They belong to the goroutine of the writer.
	seq, floor, newest int64
}

// do hands a call to the writer and waits for its answer.
func (s *Store) do(ctx context.Context, k *call) error {
	k.done = make(chan struct{})
	err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case s.w.calls <- k:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-k.done:
		return k.err
	case <-ctx.Done():
		if k.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-k.done // under way: only the outcome tells whether it is stored
		return k.err
	}
}

// run serves calls until the channel is closed.
func (w *writer) run() {
	over := false
	defer func() {
		if over {
			return
		}
		// A panic in the database engine, or a closure that has ended our
		// goroutine (runtime.Goexit, as a failed test does).
		w.abort(fmt.Errorf("sqlite: the writer has stopped: %v\n%s", recover(), debug.Stack()))
		w.s.loops.Go(w.run)
	}()
	for first := range w.calls {
		w.batch = w.collect(first)
		w.serve(w.batch)
	}
	over = true
}

// abort answers the batch under way, of which nothing is stored.
func (w *writer) abort(err error) {
	w.s.log.Error("sqlite: writer aborted", "err", err)
	if w.c != nil {
		_ = w.c.close() // rolls back; what state it is in nobody knows
		w.c = nil
	}
	w.s.health.wrote(err)
	w.s.checkpoints.wake()
	for _, k := range w.batch {
		select {
		case <-k.done:
		default:
			k.answer(err)
		}
	}
}

// collect returns the calls that wait now and that their callers still wait for.
func (w *writer) collect(first *call) []*call {
	batch, refs := make([]*call, 0, 8), 0
	for k := first; ; {
		if k.taken.CompareAndSwap(false, true) {
			batch = append(batch, k)
			refs += len(k.refs)
		}
		if len(batch) == maxBatch || refs >= maxRefs {
			return batch
		}
		select {
		case next, ok := <-w.calls:
			if !ok {
				return batch
			}
			k = next
		default:
			return batch
		}
	}
}

// serve runs a batch and answers its calls. If the transaction fails for a
// reason that lies in one of them, each gets one of its own.
func (w *writer) serve(batch []*call) {
	if len(batch) == 0 {
		return
	}
	errs, err := w.transact(batch)
	if err != nil && len(batch) > 1 && !apierr.Is(err, apierr.Unavailable) && !damaged(err) {
		w.s.log.Error("sqlite: transaction failed, its calls are tried one by one", "calls", len(batch), "err", err)
		for i := range batch {
			w.serve(batch[i : i+1])
		}
		return
	}
	w.s.health.wrote(err)
	w.s.checkpoints.wake()
	for i, k := range batch {
		if err != nil {
			k.answer(err)
			continue
		}
		k.answer(errs[i])
	}
}

// transact runs a batch in one transaction and returns the answer to each call,
// or why nothing was stored.
func (w *writer) transact(batch []*call) (errs []error, err error) {
	w.idle.Lock()
	defer w.idle.Unlock()
	defer w.observe(len(batch), time.Now(), &err)
	err = w.begin()
	if err != nil {
		return nil, err
	}
	t := &tx{reader: reader{c: w.c, s: w.s}, w: w, floor: w.floor}
	defer func() {
		if err != nil {
			w.rollback()
		}
	}()
	errs, err = t.serve(batch)
	if err == nil {
		_, err = w.c.exec(`COMMIT`)
	}
	if err != nil {
		return nil, err
	}
	w.floor = t.floor
	return errs, nil
}

func (w *writer) observe(calls int, start time.Time, err *error) {
	if w.s.cfg.OnCommit != nil {
		w.s.cfg.OnCommit(calls, time.Since(start), *err)
	}
}

func (w *writer) begin() error {
	if w.c == nil {
		c, err := w.s.openWriter()
		if err != nil {
			return apierr.Wrap(apierr.Unavailable, err, "The database cannot be opened again.")
		}
		w.c = c
	}
	_, err := w.c.exec(`BEGIN IMMEDIATE`)
	if err != nil {
		w.rollback()
	}
	return err
}

// rollback ends a failed transaction. A connection that cannot do even that is
// given up; the next transaction opens another.
func (w *writer) rollback() {
	fault := w.c.broken
	err := w.c.rollback()
	if fault == nil && err != nil || lost(fault) {
		w.s.log.Warn("sqlite: opening the database again", "err", errors.Join(fault, err))
		_ = w.c.close() // it has failed before
		w.c = nil
	}
}

// serve runs the calls in order. Calls for queues that follow one another share
// what is read and written.
func (t *tx) serve(batch []*call) ([]error, error) {
	errs := make([]error, len(batch))
	for i := 0; i < len(batch); {
		if batch[i].closure != nil {
			var err error
			errs[i], err = t.closure(batch[i])
			if err != nil {
				return nil, err
			}
			i++
			continue
		}
		n := 1
		for i+n < len(batch) && batch[i+n].closure == nil {
			n++
		}
		err := t.queueCalls(batch[i:i+n], errs[i:])
		if err != nil {
			return nil, err
		}
		i += n
	}
	return errs, nil
}

func (t *tx) queueCalls(batch []*call, errs []error) error {
	qs := newQueues(t.c, t.s.parts)
	refs := batch[0].refs
	if len(batch) > 1 {
		refs = nil
		for _, k := range batch {
			refs = append(refs, k.refs...)
		}
	}
	err := qs.load(refs)
	if err != nil {
		return err
	}
	for i, k := range batch {
		errs[i], err = qs.run(k.refs, k.fn)
		if err != nil {
			return err
		}
	}
	return qs.flush(t.nextSeq)
}

// closure runs one call of Update or UpdatePart. failed is its answer; err is
// why the whole transaction must end.
func (t *tx) closure(k *call) (failed, err error) {
	if k.fence != 0 {
		failed, err = t.fence(k.part, k.fence)
		if failed != nil || err != nil {
			return failed, err
		}
	}
	_, err = t.c.exec(`SAVEPOINT closure`)
	if err != nil {
		return nil, err
	}
	floor := t.floor
	t.c.fault = nil
	failed = protect(func() error { return k.closure(t) })
	if t.c.broken != nil {
		return nil, t.c.broken
	}
	if failed == nil {
		failed = t.c.fault // a write has failed halfway, though the closure does not mind
	}
	if failed != nil {
		t.floor = floor
		_, err = t.c.exec(`ROLLBACK TO closure`)
		if err != nil {
			return nil, err
		}
	}
	_, err = t.c.exec(`RELEASE closure`)
	return failed, err
}

// fence refuses a fence that is older than the newest seen and remembers a newer one.
func (t *tx) fence(part int, fence int64) (failed, err error) {
	newest, err := t.c.int(`SELECT fence FROM fences WHERE part = ?`, part)
	switch {
	case err != nil || fence == newest:
		return nil, err
	case fence < newest:
		return apierr.New(apierr.Conflict, "Part %d has been taken over: fence %d is older than %d.", part, fence, newest), nil
	}
	_, err = t.c.exec(`INSERT INTO fences (part, fence) VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET fence = excluded.fence`, part, fence)
	return nil, err
}

// UpdateQueues implements store.Store.
func (s *Store) UpdateQueues(ctx context.Context, refs []job.Ref, fn func(*job.Queue) error) error {
	if len(refs) == 0 {
		return ctx.Err()
	}
	return s.do(ctx, &call{refs: refs, fn: fn})
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.do(ctx, &call{closure: func(t *tx) error { return fn(t) }})
}

// UpdatePart implements store.Store.
func (s *Store) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	if part < 0 || part >= s.parts {
		return fmt.Errorf("sqlite: part %d of %d", part, s.parts)
	}
	return s.do(ctx, &call{closure: func(t *tx) error { return fn(t) }, part: part, fence: fence})
}
