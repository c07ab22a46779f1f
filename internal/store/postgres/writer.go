package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
)

const (
	// maxBatch is how many calls share a commit, maxRefs how many queues: a
	// commit must not keep others waiting for long.
	maxBatch = 128
	maxRefs  = 2048
	// maxMisses is how often a batch is run again before its calls are served one
	// by one, so that one that many meet at does not hold up the others.
	maxMisses = 3
)

// call is one caller's change of queues, waiting for its lane.
type call struct {
	refs []job.Ref
	fn   func(*job.Queue) error

	since time.Time     // when it came
	taken atomic.Bool   // by the lane, or by a caller who no longer waits
	done  chan struct{} // closed when err is set
	err   error
}

func (k *call) answer(err error) {
	k.err = err
	close(k.done)
}

// lane serves the calls that wait together in one batch. Calls on one thing share
// a lane, so that in one node they do not meet but in memory.
type lane struct {
	s     *Store
	calls chan *call
	batch []*call // under way
}

// newLanes returns lanes that do not run yet.
func (s *Store) newLanes(n int) []*lane {
	if n <= 0 {
		n = min(max(2, runtime.GOMAXPROCS(0)), 8)
	}
	lanes := make([]*lane, n)
	for i := range lanes {
		lanes[i] = &lane{s: s, calls: make(chan *call, 4*maxBatch)}
	}
	return lanes
}

// UpdateQueues implements store.Store.
func (s *Store) UpdateQueues(ctx context.Context, refs []job.Ref, fn func(*job.Queue) error) error {
	if len(refs) == 0 {
		return ctx.Err()
	}
	err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	k := &call{refs: refs, fn: fn, since: time.Now(), done: make(chan struct{})}
	select {
	case s.lanes[s.PartOf(refs[0].Thing)%len(s.lanes)].calls <- k:
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
func (l *lane) run() {
	over := false
	defer func() {
		if over {
			return
		}
		// A closure has ended our goroutine (runtime.Goexit, as a failed test does),
		// or there is a fault in the driver. Nothing was committed.
		l.abort(fmt.Errorf("postgres: a lane has stopped: %v\n%s", recover(), debug.Stack()))
		l.s.loops.Go(l.run)
	}()
	for first := range l.calls {
		l.batch = l.collect(first)
		for _, batch := range l.s.byPart(l.batch) {
			l.serve(batch)
		}
	}
	over = true
}

// abort answers what is left of the batch under way.
func (l *lane) abort(err error) {
	l.s.log.Error("postgres: lane aborted", "err", err)
	for _, k := range l.batch {
		select {
		case <-k.done:
		default:
			k.answer(err)
		}
	}
}

// collect returns the calls that wait now and that their callers still wait for.
func (l *lane) collect(first *call) []*call {
	batch, refs := make([]*call, 0, 8), 0
	for k := first; ; {
		if k.taken.CompareAndSwap(false, true) && !l.late(k) {
			batch = append(batch, k)
			refs += len(k.refs)
		}
		if len(batch) == maxBatch || refs >= maxRefs {
			return batch
		}
		select {
		case next, ok := <-l.calls:
			if !ok {
				return batch
			}
			k = next
		default:
			return batch
		}
	}
}

// byPart splits calls by the part of their first ref where a statement, and so a
// batch, must stay in one part.
func (s *Store) byPart(calls []*call) [][]*call {
	if !s.split || len(calls) == 0 {
		return [][]*call{calls}
	}
	of := func(k *call) int { return s.PartOf(k.refs[0].Thing) }
	slices.SortStableFunc(calls, func(a, b *call) int { return of(a) - of(b) })
	var batches [][]*call
	for from := 0; from < len(calls); {
		to := from + 1
		for to < len(calls) && of(calls[to]) == of(calls[from]) {
			to++
		}
		batches = append(batches, calls[from:to:to])
		from = to
	}
	return batches
}

// late answers a call that has waited too long while the database could not be
// reached: whoever it is for must not have to wait until it is its turn.
func (l *lane) late(k *call) bool {
	err := l.s.health.err()
	if err == nil || time.Since(k.since) < l.s.patience {
		return false
	}
	k.answer(err)
	return true
}

// serve runs a batch and answers its calls. If it fails for a reason that may lie
// in one of them, or is beaten again and again, each gets one of its own.
func (l *lane) serve(batch []*call) {
	if len(batch) == 0 {
		return
	}
	misses := 0
	var errs []error
	err := l.s.repeat(context.Background(), func() (_, fault error) {
		at := time.Now()
		errs, fault = l.s.batch(batch)
		l.s.wrote(len(batch), at, nil, fault)
		if beaten(fault) {
			misses++
		}
		if len(batch) > 1 && misses == maxMisses {
			return nil, errSplit
		}
		return nil, fault
	})
	if err != nil && len(batch) > 1 && !apierr.Is(err, apierr.Unavailable) {
		if !errors.Is(err, errSplit) {
			l.s.log.Error("postgres: batch failed, its calls are tried one by one", "calls", len(batch), "err", err)
		}
		for i := range batch {
			l.serve(batch[i : i+1])
		}
		return
	}
	for i, k := range batch {
		if err != nil {
			k.answer(err)
			continue
		}
		k.answer(errs[i])
	}
}

// errSplit says that the calls of a batch are to be served one by one.
var errSplit = errors.New("postgres: batch is split")

// batch runs calls in one transaction of two round trips: it reads, and then
// writes and commits. It returns the answer to each call, or why nothing was stored.
func (s *Store) batch(calls []*call) (errs []error, fault error) {
	ctx, cancel := context.WithTimeout(context.Background(), txTime)
	defer cancel()
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(conn) // also if a closure ends our goroutine
	refs := calls[0].refs
	if len(calls) > 1 {
		refs = nil
		for _, k := range calls {
			refs = append(refs, k.refs...)
		}
	}
	// Any gate will do for what is about jobs, because who changes a job closes
	// all. Which one is left to chance, so that batches seldom share one.
	p := newPipe(conn, beginPart)
	gate := rand.IntN(s.parts)
	if s.split {
		gate = s.PartOf(refs[0].Thing)
	}
	p.Post(`SELECT part FROM parts WHERE part = $1 FOR KEY SHARE`, gate)
	r := reader{c: &session{caller: ctx, ctx: ctx, q: p}, s: s}
	qs, err := loadQueues(s.parts, refs, r.readQueues)
	if r.c.broken != nil {
		return nil, r.c.broken
	}
	if err != nil {
		return nil, err
	}
	errs = make([]error, len(calls))
	for i, k := range calls {
		errs[i], err = qs.run(k.refs, k.fn)
		if err != nil {
			return nil, cmp.Or(r.c.broken, err)
		}
	}
	f, err := s.flush(qs)
	if err != nil {
		return nil, err
	}
	return errs, p.commit(ctx, f.statements(true))
}
