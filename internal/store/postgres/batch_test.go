package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/thing"
)

const t0 = 1_770_000_000_000

// bench is a store with one lane, which can be held so that what calls meet in
// one batch is certain.
type bench struct {
	*testing.T
	*postgres.Store
	mu      sync.Mutex
	commits []int // calls in each transaction; guarded by mu
	wg      sync.WaitGroup
}

// held opens a store with things t0 to t9 and jobs 1 and 2 queued on all of them.
func held(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t}
	b.Store = open(t, postgres.Config{Lanes: 1, OnCommit: func(calls int, _ time.Duration, _ error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commits = append(b.commits, calls)
	}})
	stock(t, b.Store, 10)
	b.commits = nil
	return b
}

// stock stores things t0 and so on, with the uids 100 and so on, and queues jobs
// 1 and 2 on all of them.
func stock(t testing.TB, s store.Store, things int) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		var errs []error
		for uid := range int64(2) {
			errs = append(errs, tx.InsertJob(job.New(job.Spec{ID: fmt.Sprint("job", uid+1), Selection: job.Snapshot}, uid+1, t0), "{}"))
		}
		for i := range things {
			errs = append(errs, tx.InsertThing(thing.Thing{UID: int64(100 + i), Name: fmt.Sprint("t", i), ID: fmt.Sprint(i)}))
		}
		for uid := range int64(2) {
			refs := make([]job.Ref, things)
			for i := range refs {
				refs[i] = job.Ref{Thing: fmt.Sprint("t", i), JobUID: uid + 1, History: true}
			}
			errs = append(errs, tx.Queues(refs, func(q *job.Queue) error {
				q.Enqueue(1, t0)
				return nil
			}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// together starts calls one after another while the lane is held, lets them go
// and waits for their answers.
func (b *bench) together(calls ...func() error) []error {
	b.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	b.wg.Go(func() {
		err := b.UpdateQueues(b.Context(), []job.Ref{{Thing: "nobody"}}, func(*job.Queue) error {
			close(held)
			<-release
			return nil
		})
		if err != nil {
			b.Error(err)
		}
	})
	<-held
	errs := make([]error, len(calls))
	for i, call := range calls {
		b.wg.Go(func() { errs[i] = call() })
		eventually(b, "the call waits", func() bool { return b.Waiting() == i+1 })
	}
	close(release)
	b.wg.Wait()
	return errs
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// report is a device's report on job1.
func report(ctx context.Context, s store.Store, name string, status job.Status) error {
	return s.UpdateQueues(ctx, []job.Ref{{Thing: name, JobID: "job1"}}, func(q *job.Queue) error {
		_, err := q.Update(job.Update{Status: status}, t0)
		return err
	})
}

func (b *bench) report(name string, s job.Status) func() error {
	return func() error { return report(b.Context(), b.Store, name, s) }
}

func counts(t testing.TB, s store.Store, uid int64) job.Counts {
	t.Helper()
	var n job.Counts
	err := s.View(t.Context(), func(r store.Reader) error {
		var err error
		n, err = r.Counts(uid)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestCallsShareACommit(t *testing.T) {
	t.Parallel()
	b := held(t)
	var calls []func() error
	for i := range 300 {
		calls = append(calls, b.report(fmt.Sprint("t", i%10), job.InProgress))
	}
	if err := errors.Join(b.together(calls...)...); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(b.commits); got != "[1 128 128 44]" {
		t.Errorf("calls in each commit: %s", got)
	}
	if n := counts(t, b, 1); n[job.InProgress] != 10 {
		t.Errorf("counts %v, want 10 in progress", n)
	}
	for i := range 10 {
		if x := asked(t, b, fmt.Sprint("t", i)); x.Version != 31 {
			t.Errorf("t%d has version %d, want 31", i, x.Version)
		}
	}
}

// asked returns job1's execution on a thing.
func asked(t testing.TB, s store.Store, name string) job.Execution {
	t.Helper()
	var x job.Execution
	err := s.View(t.Context(), func(r store.Reader) error {
		q, err := r.Queue(job.Ref{Thing: name, JobID: "job1"})
		if err != nil {
			return err
		}
		x, err = q.Asked()
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return x
}

// TestOneBadCallFailsAlone lets one call fail in the database itself: an
// execution has lost its job. The others are served, each on its own.
func TestOneBadCallFailsAlone(t *testing.T) {
	t.Parallel()
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
	if n := counts(t, b, 1); n[job.Succeeded] != 2 || n[job.Queued] != 8 {
		t.Errorf("counts %v, want 2 succeeded", n)
	}
}

// TestFailedCallLeavesNothing lets calls of one batch fail after they have
// changed things that others change, too.
func TestFailedCallLeavesNothing(t *testing.T) {
	t.Parallel()
	b := held(t)
	stop := errors.New("stop")
	fails := func(name string) func() error {
		return func() error {
			return b.UpdateQueues(t.Context(), []job.Ref{{Thing: name, JobID: "job1"}, {Thing: "t9", JobID: "job1"}}, func(q *job.Queue) error {
				_, err := q.Update(job.Update{Status: job.Failed}, t0)
				if q.Thing.Name == "t9" {
					return stop
				}
				return err
			})
		}
	}
	errs := b.together(fails("t0"), b.report("t0", job.InProgress), fails("t0"), b.report("t9", job.Succeeded), fails("t9"))
	if !errors.Is(errs[0], stop) || errs[1] != nil || !errors.Is(errs[2], stop) || errs[3] != nil || errs[4] == nil {
		t.Errorf("got errors %v", errs)
	}
	if got := fmt.Sprint(b.commits); got != "[1 5]" {
		t.Errorf("calls in each commit: %s", got)
	}
	if n := counts(t, b, 1); n != (job.Counts{job.Queued: 8, job.InProgress: 1, job.Succeeded: 1}) {
		t.Errorf("counts %v", n)
	}
}

func TestWaitingCallCanBeGivenUp(t *testing.T) {
	t.Parallel()
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
			return b.report("t3", job.Succeeded)()
		},
		b.report("t2", job.Succeeded),
	)
	if errs[0] != nil || errs[2] != nil || errs[3] != nil {
		t.Errorf("got errors %v", errs)
	}
	if got := fmt.Sprint(b.commits); got != "[1 3]" {
		t.Errorf("calls in each commit: %s", got)
	}
}

// TestClosureThatEndsItsGoroutine lets a lane lose its goroutine, as a test does
// that fails in a closure.
func TestClosureThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	b := held(t)
	errs := b.together(func() error {
		return b.UpdateQueues(t.Context(), []job.Ref{{Thing: "t0"}}, func(*job.Queue) error {
			runtime.Goexit()
			return nil
		})
	})
	if errs[0] == nil {
		t.Error("no error")
	}
	if err := report(t.Context(), b, "t0", job.Succeeded); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func thingOf(uid int64, name string) thing.Thing {
	return thing.Thing{UID: uid, Name: name, ID: name, Version: 1, CreatedAt: t0}
}
