package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

// bench is a store in a bubble, whose writer can be held so that what calls meet
// in one transaction is certain.
type bench struct {
	*testing.T
	*sqlite.Store
	commits []int // calls in each transaction
	wg      sync.WaitGroup
}

const t0 = 1_770_000_000_000

// held opens a store with things t0 to t9 and jobs 1 and 2 queued on all of them.
func held(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t}
	b.Store = open(t, sqlite.Config{OnCommit: func(calls int, _ time.Duration, _ error) { b.commits = append(b.commits, calls) }})
	err := b.Update(t.Context(), func(tx store.Tx) error {
		var errs []error
		for uid := range int64(2) {
			errs = append(errs, tx.InsertJob(job.New(job.Spec{ID: fmt.Sprint("job", uid+1), Selection: job.Snapshot}, uid+1, t0), "{}"))
		}
		for i := range 10 {
			x := thing.Thing{UID: int64(100 + i), Name: fmt.Sprint("t", i), ID: fmt.Sprint(i)}
			errs = append(errs, tx.InsertThing(x))
			for uid := range int64(2) {
				errs = append(errs, tx.Queues([]job.Ref{{Thing: x.Name, JobUID: uid + 1, History: true}}, func(q *job.Queue) error {
					q.Enqueue(1, t0)
					return nil
				}))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.commits = nil
	return b
}

// together starts calls one after another while the writer is held, lets them go
// and waits for their answers.
func (b *bench) together(calls ...func() error) []error {
	b.Helper()
	release := make(chan struct{})
	b.wg.Go(func() {
		if err := b.Update(b.Context(), func(store.Tx) error { <-release; return nil }); err != nil {
			b.Error(err)
		}
	})
	synctest.Wait()
	errs := make([]error, len(calls))
	for i, call := range calls {
		b.wg.Go(func() { errs[i] = call() })
		synctest.Wait() // it is in the line
	}
	close(release)
	b.wg.Wait()
	return errs
}

// report is a device's report on job1.
func (b *bench) report(name string, s job.Status) func() error {
	return func() error {
		return b.UpdateQueues(b.Context(), []job.Ref{{Thing: name, JobID: "job1"}}, func(q *job.Queue) error {
			_, err := q.Update(job.Update{Status: s}, t0)
			return err
		})
	}
}

func (b *bench) counts(uid int64) job.Counts {
	b.Helper()
	var n job.Counts
	err := b.View(b.Context(), func(r store.Reader) error {
		var err error
		n, err = r.Counts(uid)
		return err
	})
	if err != nil {
		b.Error(err)
	}
	return n
}

func TestCallsShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := held(t)
		var calls []func() error
		for i := range 600 {
			calls = append(calls, b.report(fmt.Sprint("t", i%10), job.InProgress))
		}
		if err := errors.Join(b.together(calls...)...); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(b.commits); got != "[1 256 256 88]" {
			t.Errorf("calls in each commit: %s", got)
		}
		if n := b.counts(1); n[job.InProgress] != 10 {
			t.Errorf("counts %v, want 10 in progress", n)
		}
	})
}

func TestClosureSeesEarlierCallsOfItsBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := held(t)
		var before, after job.Counts
		look := func(into *job.Counts, stop error) func() error {
			return func() error {
				return b.Update(t.Context(), func(tx store.Tx) error {
					n, err := tx.Counts(1)
					*into = n
					return errors.Join(err, tx.MarkJob(77), stop)
				})
			}
		}
		stop := errors.New("stop")
		errs := b.together(
			b.report("t0", job.InProgress), look(&before, stop), b.report("t0", job.Succeeded), b.report("t1", job.Failed), look(&after, nil),
		)
		if !errors.Is(errs[1], stop) || errors.Join(errs[0], errs[2], errs[3], errs[4]) != nil {
			t.Errorf("got errors %v", errs)
		}
		if before[job.InProgress] != 1 || after[job.Succeeded] != 1 || after[job.Failed] != 1 || after[job.Queued] != 8 {
			t.Errorf("counts %v, then %v", before, after)
		}
		if got := fmt.Sprint(b.commits); got != "[1 5]" {
			t.Errorf("calls in each commit: %s", got)
		}
	})
}

// TestOneBadCallFailsAlone lets one call fail in the database itself: an
// execution has lost its job. The others are served, each on its own.
func TestOneBadCallFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := held(t)
		err := b.Update(t.Context(), func(tx store.Tx) error {
			refs := make([]job.Ref, 9)
			for i := range refs {
				refs[i] = job.Ref{Thing: fmt.Sprint("t", i+1), JobUID: 2, History: true}
			}
			return errors.Join(
				tx.Queues(refs, func(q *job.Queue) error { return q.Delete(true, t0) }),
				tx.DeleteJob(2), // t0 still has one
			)
		})
		if err != nil {
			t.Fatal(err)
		}
		errs := b.together(b.report("t1", job.Succeeded), b.report("t0", job.Succeeded), b.report("t2", job.Succeeded))
		if errs[0] != nil || errs[2] != nil || errs[1] == nil || !strings.Contains(errs[1].Error(), "job 2") {
			t.Errorf("got errors %v, want only the second, about job 2", errs)
		}
		if n := b.counts(1); n[job.Succeeded] != 2 || n[job.Queued] != 8 {
			t.Errorf("counts %v, want 2 succeeded", n)
		}
	})
}

func TestWaitingCallCanBeGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := held(t)
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan error, 1)
		errs := b.together(
			b.report("t0", job.Succeeded),
			func() error {
				err := b.UpdateQueues(ctx, []job.Ref{{Thing: "t1", JobID: "job1"}}, func(*job.Queue) error {
					t.Error("it runs")
					return nil
				})
				answered <- err
				return err
			},
			func() error {
				cancel()
				if err := <-answered; !errors.Is(err, context.Canceled) {
					t.Errorf("got error %v, want %v at once", err, context.Canceled)
				}
				return nil
			},
			b.report("t2", job.Succeeded),
		)
		if errs[0] != nil || errs[3] != nil {
			t.Errorf("got errors %v", errs)
		}
		if got := fmt.Sprint(b.commits); got != "[1 2]" {
			t.Errorf("calls in each commit: %s", got)
		}
	})
}
