package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
)

// nodes opens n stores on one database.
func nodes(t *testing.T, n int, cfg postgres.Config) []*postgres.Store {
	t.Helper()
	cfg.URL = pgtest.URL(t)
	ss := make([]*postgres.Store, n)
	for i := range ss {
		ss[i] = open(t, cfg)
	}
	return ss
}

// TestVersionsAreGivenOnce lets nodes report on the same few things at once: no
// version is given twice or left out, and every report that was acknowledged is
// in it.
func TestVersionsAreGivenOnce(t *testing.T) {
	t.Parallel()
	ss := nodes(t, 3, postgres.Config{})
	stock(t, ss[0], 3)
	const reporters, each = 8, 20
	var mu sync.Mutex
	versions := map[string][]int64{}
	var wg sync.WaitGroup
	for i := range reporters {
		for _, s := range ss {
			wg.Go(func() {
				for k := range each {
					name := fmt.Sprint("t", (i+k)%3)
					var got int64
					err := s.UpdateQueues(t.Context(), []job.Ref{{Thing: name, JobID: "job1"}}, func(q *job.Queue) error {
						x, err := q.Update(job.Update{Status: job.InProgress}, t0)
						got = x.Version
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					versions[name] = append(versions[name], got)
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	total := 0
	for name, vs := range versions {
		slices.Sort(vs)
		for i, v := range vs {
			if v != int64(i+2) {
				t.Fatalf("%s: version %d at place %d of %v", name, v, i, vs)
			}
		}
		total += len(vs)
	}
	if want := len(ss) * reporters * each; total != want {
		t.Errorf("%d versions, want %d", total, want)
	}
}

// TestNothingBeginsTwice lets nodes queue, end, delete and leave at once, without
// the fences of loops, and then compares counts with executions and every number
// with every other.
func TestNothingBeginsTwice(t *testing.T) {
	t.Parallel()
	const things, workers, each = 4, 6, 40
	ss := nodes(t, 3, postgres.Config{})
	stock(t, ss[0], things)
	var mu sync.Mutex
	begun := map[string]bool{}
	begins := func(x job.Execution) error {
		mu.Lock()
		defer mu.Unlock()
		k := fmt.Sprint(x.Thing, " ", x.Job.ID, " ", x.Number)
		if begun[k] {
			return fmt.Errorf("%s began twice", k)
		}
		begun[k] = true
		return nil
	}
	var wg sync.WaitGroup
	for i := range workers {
		for n, s := range ss {
			r := rand.New(rand.NewPCG(uint64(i), uint64(n)))
			wg.Go(func() {
				for range each {
					uid := r.Int64N(2) + 1
					ref := job.Ref{Thing: fmt.Sprint("t", r.IntN(things)), JobUID: uid, History: true}
					ref.ThingUID = 100 + int64(ref.Thing[1]-'0')
					seq := 10 + r.Int64N(1000)
					var fresh *job.Execution
					action := r.IntN(5)
					err := s.UpdateQueues(t.Context(), []job.Ref{ref}, func(q *job.Queue) error {
						fresh = nil
						var err error
						switch action {
						case 0, 1:
							if q.Enqueue(seq, t0+seq) {
								x, _ := q.Asked()
								fresh = &x
							}
						case 2:
							q.Leave(seq, t0)
						case 3:
							err = q.Delete(true, t0)
						case 4:
							_, err = q.Update(job.Update{Status: job.Succeeded}, t0)
						}
						return err
					})
					if err != nil && !apierr.Is(err, apierr.NotFound) && !apierr.Is(err, apierr.InvalidTransition) {
						t.Error(err)
					}
					if err == nil && fresh != nil {
						if err := begins(*fresh); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	for uid := range int64(2) {
		agree(t, ss[0], uid+1)
	}
}

// agree compares the counts of a job with its executions.
func agree(t testing.TB, s store.Store, uid int64) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error {
		n, err := r.Counts(uid)
		if err != nil {
			return err
		}
		var counted job.Counts
		p := store.Page[store.JobExecutionKey]{Limit: 1000}
		for more := true; more; {
			var xs []job.Execution
			xs, p.After, more, err = r.JobExecutions(uid, store.ExecutionFilter{}, p)
			if err != nil {
				return err
			}
			for _, x := range xs {
				counted[x.Status]++
			}
		}
		if n != counted {
			t.Errorf("job %d: counts %v, executions %v", uid, n, counted)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestDevicesAreToldOfTheFront lets nodes change different executions of one
// thing at once, and an outbox tell its device. In the end it must know the front
// and the set, whoever came first.
func TestDevicesAreToldOfTheFront(t *testing.T) {
	t.Parallel()
	ss := nodes(t, 2, postgres.Config{})
	stock(t, ss[0], 1)
	part := ss[0].PartOf("t0")
	var told job.Told // what the device knows
	tell := func() {
		err := ss[0].UpdatePart(t.Context(), part, 0, func(tx store.Tx) error {
			ds, err := tx.Dirty(part, store.Page[int64]{Limit: 10})
			if err != nil || len(ds) == 0 {
				return err
			}
			q, err := tx.Queue(job.Ref{Thing: "t0"})
			if err != nil {
				return err
			}
			told = q.Told("")
			return tx.Sent(ds[0], told)
		})
		if err != nil {
			t.Error(err)
		}
	}
	tell()
	for round := range 60 {
		var wg sync.WaitGroup
		for n, s := range ss {
			wg.Go(func() {
				id := fmt.Sprint("job", n+1)
				status := job.InProgress
				if round%3 == 2 {
					status = job.Failed
				}
				err := s.UpdateQueues(t.Context(), []job.Ref{{Thing: "t0", ThingUID: 100, JobUID: int64(n + 1), History: true}}, func(q *job.Queue) error {
					if round%3 == 0 {
						q.Leave(int64(10*round+10), t0)
						q.Enqueue(int64(10*round+11), t0+int64(round))
						return nil
					}
					_, err := q.Update(job.Update{Status: status}, t0)
					return err
				})
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
			})
		}
		wg.Go(tell)
		wg.Wait()
		tell()
		var is job.Told
		err := ss[0].View(t.Context(), func(r store.Reader) error {
			q, err := r.Queue(job.Ref{Thing: "t0"})
			is = q.Told("")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !is.Equal(told) {
			t.Fatalf("round %d: the device was told %v, the queue is %v", round, told, is)
		}
	}
}

// TestCanceledJobStartsNoMore cancels jobs while other nodes have batches under
// way that have read them before. Once a reader has seen an execution ended by the
// cancel, which it sees by settling what is stored, nothing may start it again.
func TestCanceledJobStartsNoMore(t *testing.T) {
	t.Parallel()
	ss := nodes(t, 3, postgres.Config{Lanes: 2})
	for round := range 15 {
		uid, thingUID := int64(1000+round), int64(5000+10*round)
		names := make([]string, 4)
		err := ss[0].Update(t.Context(), func(tx store.Tx) error {
			j := job.New(job.Spec{ID: fmt.Sprint("c", uid), Selection: job.Snapshot}, uid, t0)
			errs := []error{tx.InsertJob(j, "{}")}
			for i := range names {
				names[i] = fmt.Sprintf("c%d-%d", round, i)
				errs = append(errs, tx.InsertThing(thingOf(thingUID+int64(i), names[i])))
				errs = append(errs, tx.Queues([]job.Ref{{Thing: names[i], JobUID: uid, History: true}}, func(q *job.Queue) error {
					q.Enqueue(uid, t0)
					return nil
				}))
			}
			return errors.Join(errs...)
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, s := range ss[1:] { // devices: start, and start again
			for _, name := range names {
				wg.Go(func() {
					for ctx.Err() == nil {
						err := s.UpdateQueues(ctx, []job.Ref{{Thing: name}}, func(q *job.Queue) error {
							_, _, err := q.StartNext("", job.Start{}, t0+1)
							return err
						})
						if err != nil && !errors.Is(err, context.Canceled) {
							t.Error(err)
						}
					}
				})
			}
		}
		read := func(name string) job.Execution { // settled, as the engine reads
			var x job.Execution
			err := ss[0].View(t.Context(), func(r store.Reader) error {
				q, err := r.Queue(job.Ref{Thing: name, JobUID: uid})
				if err != nil {
					return err
				}
				q.Settle(t0 + 2)
				x, err = q.Asked()
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return x
		}
		err = ss[0].Update(t.Context(), func(tx store.Tx) error {
			j, err := tx.JobByUID(uid)
			if err != nil {
				return err
			}
			j.State = job.Stopped
			return tx.UpdateJob(j)
		})
		if err != nil {
			t.Error(err)
		}
		seen := make(map[string]job.Status)
		for range 10 {
			for _, name := range names {
				x := read(name)
				if was := seen[name]; was != job.None && was != x.Status {
					t.Errorf("%s was %s and is %s", name, was, x.Status)
				}
				seen[name] = x.Status
			}
		}
		cancel()
		wg.Wait()
		for _, name := range names {
			if x := read(name); seen[name] != x.Status {
				t.Errorf("%s was %s and is %s in the end", name, seen[name], x.Status)
			}
		}
	}
}
