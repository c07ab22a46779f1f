package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// racers is how many goroutines meet in a test.
const racers = 64

func testConcurrency(t *testing.T, open Open) {
	t.Run("one of many version-checked updates wins", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j")
		b.enqueue(j, t0, x)
		for version := int64(1); version <= 5; version++ {
			var won, lost atomic.Int32
			race(func(i int) {
				err := b.change(ref(x, j), func(q *job.Queue) error {
					_, err := q.Update(job.Update{Status: job.InProgress, ExpectedVersion: &version, Details: map[string]string{"by": fmt.Sprint(i)}}, t0)
					return err
				})
				switch {
				case err == nil:
					won.Add(1)
				case apierr.Is(err, apierr.VersionMismatch):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
			if won.Load() != 1 || lost.Load() != racers-1 {
				t.Fatalf("version %d: %d won and %d lost", version, won.Load(), lost.Load())
			}
		}
	})
	t.Run("every version is given once and nothing is lost", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j")
		b.enqueue(j, t0, x)
		var mu sync.Mutex
		var versions []int64
		race(func(int) {
			for range 5 {
				var got int64
				check(t, b.change(ref(x, j), func(q *job.Queue) error {
					x, err := q.Update(job.Update{Status: job.InProgress}, t0)
					got = x.Version
					return err
				}))
				mu.Lock()
				versions = append(versions, got)
				mu.Unlock()
			}
		})
		slices.Sort(versions)
		for i, v := range versions {
			if v != int64(i+2) {
				t.Fatalf("version %d at place %d of %v", v, i, versions)
			}
		}
		stored, err := b.queue(ref(x, j)).Asked()
		must(t, err)
		same(t, "version", stored.Version, int64(5*racers+1))
	})
	t.Run("one that fails fails alone", testAlone(open))
	t.Run("a name is given once", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var won atomic.Int32
		race(func(int) {
			x := b.newThing("t")
			err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.InsertThing(x) })
			if err == nil {
				won.Add(1)
				return
			}
			kind(t, err, apierr.AlreadyExists)
		})
		same(t, "winners", won.Load(), int32(1))
	})
	t.Run("a call that was given up has either happened or not", testGivenUp(open))
	t.Run("a transaction and queues do not mix", testMixed(open))
}

// race runs fn in many goroutines at once and waits for all.
func race(fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func testAlone(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		own, shared, j := b.things("own", racers), b.things("shared", 8), b.job("j")
		b.enqueue(j, t0, own...)
		b.enqueue(j, t0, shared...)
		// Each call first changes a thing that it shares with others, whether they
		// fail or not. Those that fail must have taken that back.
		race(func(i int) {
			err := b.s.UpdateQueues(t.Context(), []job.Ref{ref(shared[i/2%8], j), ref(own[i], j)}, func(q *job.Queue) error {
				_, err := q.Update(job.Update{Status: job.InProgress}, t0)
				switch {
				case q.Thing.UID == own[i].UID && i%4 == 1:
					panic("it fails")
				case q.Thing.UID == own[i].UID && i%4 == 3:
					return errStop
				}
				return err
			})
			switch {
			case i%2 == 0 && err != nil,
				i%4 == 1 && (err == nil || apierr.KindOf(err) != apierr.Internal),
				i%4 == 3 && !errors.Is(err, errStop):
				t.Errorf("call %d: got error %v", i, err)
			}
		})
		version := func(x thing.Thing) int64 {
			got, err := b.queue(ref(x, j)).Asked()
			must(t, err)
			return got.Version
		}
		for i, x := range own {
			same(t, "version of "+x.Name, version(x), int64(2-i%2))
		}
		for _, x := range shared {
			same(t, "version of "+x.Name, version(x), int64(1+racers/8/2))
		}
	}
}

func testGivenUp(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", racers), b.job("j")
		b.enqueue(j, t0, ts...)
		held, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			// Holds up a store with one writer; others may go on.
			check(t, b.s.Update(t.Context(), func(store.Tx) error {
				close(held)
				<-release
				return nil
			}))
		})
		<-held
		ctx, cancel := context.WithCancel(t.Context())
		errs := make([]error, racers)
		for i := range racers {
			wg.Go(func() {
				c := t.Context()
				if i%2 == 0 {
					c = ctx
				}
				errs[i] = b.s.UpdateQueues(c, []job.Ref{ref(ts[i], j)}, func(q *job.Queue) error {
					_, err := q.Update(job.Update{Status: job.Succeeded}, t0)
					return err
				})
			})
		}
		cancel()
		close(release)
		wg.Wait()
		for i, x := range ts {
			got, err := b.queue(ref(x, j)).Asked()
			must(t, err)
			want := job.Succeeded
			if errs[i] != nil {
				want = job.Queued
				if i%2 == 1 || !errors.Is(errs[i], context.Canceled) {
					t.Errorf("call %d: %v", i, errs[i])
				}
			}
			same(t, "status of "+x.Name, got.Status, want)
		}
	}
}

// testMixed shows that transactions of all kinds are isolated: a sum that each
// of them keeps is kept, and seen kept.
func testMixed(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", 20), b.job("j")
		b.enqueue(j, t0, ts...)
		total := func(r store.Reader) error {
			n, err := r.Counts(j.UID)
			if err != nil {
				return err
			}
			xs, _, _, err := r.JobExecutions(j.UID, store.ExecutionFilter{}, store.Page[store.JobExecutionKey]{Limit: 100})
			var counted job.Counts
			for _, x := range xs {
				counted[x.Status]++
			}
			if n != counted {
				t.Errorf("counts %v, executions %v", n, counted)
			}
			return err
		}
		race(func(i int) {
			x := ts[i%len(ts)]
			switch i % 4 {
			case 0:
				check(t, b.s.View(t.Context(), total))
			case 1:
				check(t, b.s.Update(t.Context(), func(tx store.Tx) error {
					return errors.Join(
						total(tx),
						tx.Queues(refs(j, x), func(q *job.Queue) error { q.Leave(b.uid.Load()+1, t0); return nil }),
						total(tx),
					)
				}))
			case 2:
				check(t, b.change(refs(j, x)[0], func(q *job.Queue) error { q.Enqueue(b.uid.Load()+2, t0); return nil }))
			case 3:
				err := b.change(ref(x, j), func(q *job.Queue) error {
					_, err := q.Update(job.Update{Status: job.Succeeded}, t0)
					return err
				})
				if err != nil {
					kind(t, err, apierr.InvalidTransition)
				}
			}
		})
		b.view(total)
	}
}
