package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
)

// start makes t0's execution of job1 IN_PROGRESS, with a new version. It calls
// then before anything is committed.
func (w way) start(ctx context.Context, s *postgres.Store, then func()) error {
	refs := []job.Ref{{Thing: "t0", JobID: "job1"}}
	update := func(q *job.Queue) error {
		_, err := q.Update(job.Update{Status: job.InProgress}, t0)
		return err
	}
	both := func(tx store.Tx) error {
		err := tx.Queues(refs, update)
		if err == nil {
			then()
		}
		return err
	}
	switch w.name {
	case "Update":
		return s.Update(ctx, both)
	case "UpdatePart":
		return s.UpdatePart(ctx, s.PartOf("t0"), 0, both)
	}
	return s.UpdateQueues(ctx, refs, func(q *job.Queue) error {
		defer then()
		return update(q)
	})
}

// TestLostWhileItReads loses the connection before there is anything to commit:
// the call is made again, and the caller does not notice.
func TestLostWhileItReads(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		for _, f := range []fate{dropped, orphaned} {
			t.Run(fmt.Sprint(w.name, " ", f), func(t *testing.T) {
				t.Parallel()
				p := newProxy(t)
				s := open(t, postgres.Config{URL: p.url})
				stock(t, s, 1)
				runs := 0
				p.then(f)
				err := w.start(t.Context(), s, func() { runs++ })
				if x := asked(t, s, "t0"); err != nil || runs != 1 || x.Version != 2 {
					t.Errorf("got error %v, %d runs, version %d", err, runs, x.Version)
				}
			})
		}
	}
}

// TestLostWhileItCommits loses the connection after the commit was sent. Whether it
// has arrived cannot be known, so nothing may be tried again.
func TestLostWhileItCommits(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		for f, version := range map[fate]int64{dropped: 3, orphaned: 4} {
			t.Run(fmt.Sprint(w.name, " ", f), func(t *testing.T) {
				t.Parallel()
				p := newProxy(t)
				s := open(t, postgres.Config{URL: p.url})
				stock(t, s, 1)
				for range 2 { // prepares the statements
					if err := w.start(t.Context(), s, func() {}); err != nil {
						t.Fatal(err)
					}
				}
				runs := 0
				err := w.start(t.Context(), s, func() {
					runs++
					p.then(f)
				})
				if !apierr.Is(err, apierr.Unavailable) || runs != 1 {
					t.Errorf("got error %v, %d runs", err, runs)
				}
				// What was sent may still be under way on the server.
				eventually(t, fmt.Sprint("version ", version), func() bool { return asked(t, s, "t0").Version == version })
				if err := report(t.Context(), s, "t0", job.Succeeded); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				eventually(t, "it is well", func() bool { return s.Health(t.Context()) == nil })
			})
		}
	}
}

// TestConnectionsAreKilled ends the store's connections one after another while
// many report. What was acknowledged is there, nothing is there twice, and what was
// not acknowledged is there once or not at all.
func TestConnectionsAreKilled(t *testing.T) {
	t.Parallel()
	const things, workers, kills = 8, 24, 60
	s := open(t, postgres.Config{})
	stock(t, s, things)
	victim := dial(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var killed, unknown atomic.Int64
	var mu sync.Mutex
	acked := make(map[string][]int64)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			name := fmt.Sprint("t", i%things)
			for ctx.Err() == nil {
				var got int64
				err := s.UpdateQueues(t.Context(), []job.Ref{{Thing: name, JobID: "job1"}}, func(q *job.Queue) error {
					x, err := q.Update(job.Update{Status: job.InProgress}, t0)
					got = x.Version
					return err
				})
				switch {
				case err == nil:
					mu.Lock()
					acked[name] = append(acked[name], got)
					mu.Unlock()
				case apierr.Is(err, apierr.Unavailable):
					unknown.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	for killed.Load() < kills {
		tag, err := victim.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM (SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
			JOIN pg_class c ON c.oid = l.relation WHERE c.relnamespace = current_schema()::regnamespace AND a.pid <> pg_backend_pid() ORDER BY random() LIMIT 1) x`)
		if err != nil {
			t.Fatal(err)
		}
		killed.Add(tag.RowsAffected())
	}
	cancel()
	wg.Wait()
	var lost int64
	for name, vs := range acked {
		slices.Sort(vs)
		if len(slices.Compact(slices.Clone(vs))) != len(vs) {
			t.Errorf("%s: a version was given twice: %v", name, vs)
		}
		last := asked(t, s, name).Version
		if last < vs[len(vs)-1] {
			t.Errorf("%s has version %d, and %d was acknowledged", name, last, vs[len(vs)-1])
		}
		lost += last - 1 - int64(len(vs))
	}
	if lost > unknown.Load() {
		t.Errorf("%d changes are stored beyond those acknowledged, but only %d calls had an unknown outcome", lost, unknown.Load())
	}
	t.Logf("%d killed, %d calls with an unknown outcome, of which %d are stored", killed.Load(), unknown.Load(), lost)
	agree(t, s, 1)
}

// TestServerStops stops the server under a store, hard and orderly, and starts it
// again. Calls fail in a bounded time with an error that passes, and nobody has to
// write for the store to get well.
func TestServerStops(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := open(t, postgres.Impatient(postgres.Config{URL: server.URL(t)}, 300*time.Millisecond))
	stock(t, s, 1)
	version := int64(1)
	for _, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		server.Stop(t, how)
		for _, call := range []func() error{
			func() error { return report(t.Context(), s, "t0", job.InProgress) },
			func() error { return s.Update(t.Context(), func(tx store.Tx) error { return tx.MarkJob(1) }) },
			func() error { return s.UpdatePart(t.Context(), 0, 0, func(tx store.Tx) error { return tx.MarkJob(1) }) },
			func() error {
				return s.View(t.Context(), func(r store.Reader) error { _, err := r.JobByUID(1); return err })
			},
			func() error { return s.Health(t.Context()) },
		} {
			if err := call(); !apierr.Is(err, apierr.Unavailable) {
				t.Errorf("got error %v, want unavailable", err)
			}
		}
		server.Run(t)
		eventually(t, "it is well", func() bool { return s.Health(t.Context()) == nil })
		if err := report(t.Context(), s, "t0", job.InProgress); err != nil {
			t.Error(err)
		}
		version++
		if x := asked(t, s, "t0"); x.Version != version {
			t.Errorf("version %d, want %d", x.Version, version)
		}
	}
}

// TestServerRestartsUnderLoad restarts the server while many report. Those who
// have waited for it are served.
func TestServerRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := open(t, postgres.Config{URL: server.URL(t)})
	stock(t, s, 4)
	ctx, cancel := context.WithCancel(t.Context())
	var acked [4]atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := report(t.Context(), s, fmt.Sprint("t", i%4), job.InProgress)
				if err == nil {
					acked[i%4].Add(1)
				} else if !apierr.Is(err, apierr.Unavailable) {
					t.Error(err)
				}
			}
		})
	}
	more := func() {
		n := acked[0].Load()
		eventually(t, "more is acknowledged", func() bool { return acked[0].Load() > n+10 })
	}
	more()
	server.Stop(t, syscall.SIGQUIT)
	server.Run(t)
	more()
	cancel()
	wg.Wait()
	for i := range acked {
		if x := asked(t, s, fmt.Sprint("t", i)); x.Version < 1+acked[i].Load() {
			t.Errorf("t%d has version %d after %d acknowledged changes", i, x.Version, acked[i].Load())
		}
	}
	agree(t, s, 1)
}

// TestNodeHangs lets a node hang in the middle of a batch. The server ends its
// transaction, so that others can go on, and what it has read is not written later.
func TestNodeHangs(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	hangs := open(t, postgres.Config{URL: url + "&idle_in_transaction_session_timeout=300"})
	other := open(t, postgres.Config{URL: url})
	stock(t, other, 1)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			runs := 0
			err := w.start(t.Context(), hangs, func() {
				if runs++; runs > 1 {
					return
				}
				err := other.Update(t.Context(), func(tx store.Tx) error { // passes the gate that the batch holds
					j, err := tx.JobByUID(1)
					if err != nil {
						return err
					}
					j.TimeoutMinutes++
					return tx.UpdateJob(j)
				})
				if err != nil {
					t.Error(err)
				}
			})
			if err != nil || runs != 2 {
				t.Errorf("got error %v, %d runs, want 2", err, runs)
			}
		})
	}
}

// TestConflicts lets transactions meet in ways that the database refuses.
func TestConflicts(t *testing.T) {
	t.Parallel()
	rename := func(s *postgres.Store, name, kind string, then func()) error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			x, err := tx.ThingByName(name)
			if err != nil {
				return err
			}
			then()
			x.Type += kind
			x.Version++
			return tx.UpdateThing(x)
		})
	}
	t.Run("who has read what another has changed reads again", func(t *testing.T) {
		t.Parallel()
		ss := nodes(t, 2, postgres.Config{})
		stock(t, ss[0], 1)
		runs := 0
		err := rename(ss[0], "t0", "a", func() {
			if runs++; runs == 1 {
				if err := rename(ss[1], "t0", "b", func() {}); err != nil {
					t.Error(err)
				}
			}
		})
		var kind string
		err = errors.Join(err, ss[0].View(t.Context(), func(r store.Reader) error {
			x, err := r.ThingByName("t0")
			kind = x.Type
			return err
		}))
		if err != nil || runs != 2 || kind != "ba" {
			t.Errorf("got error %v, %d runs, type %q", err, runs, kind)
		}
	})
	t.Run("who waits for one another is let go", func(t *testing.T) {
		t.Parallel()
		ss := nodes(t, 2, postgres.Config{})
		stock(t, ss[0], 2)
		var wg sync.WaitGroup
		meet := make(chan struct{}, 2)
		for i, s := range ss {
			wg.Go(func() {
				runs := 0
				err := s.Update(t.Context(), func(tx store.Tx) error {
					for k := range 2 {
						x, err := tx.ThingByName(fmt.Sprint("t", (i+k)%2))
						if err != nil {
							return err
						}
						x.Version++
						err = tx.UpdateThing(x)
						if err != nil {
							return err
						}
						if runs++; runs == 1 { // each has locked one
							meet <- struct{}{}
							eventually(t, "both are there", func() bool { return len(meet) == 2 })
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for k := range 2 {
			err := ss[0].View(t.Context(), func(r store.Reader) error {
				x, err := r.ThingByName(fmt.Sprint("t", k))
				if x.Version != 2 {
					t.Errorf("t%d has version %d, want 2", k, x.Version)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("many who count up one number lose none", func(t *testing.T) {
		t.Parallel()
		ss := nodes(t, 3, postgres.Config{})
		stock(t, ss[0], 1)
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				if err := rename(ss[i%3], "t0", "x", func() {}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		err := ss[0].View(t.Context(), func(r store.Reader) error {
			x, err := r.ThingByName("t0")
			if x.Version != 30 {
				t.Errorf("version %d, want 30", x.Version)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestFences races a loop that has lost its part with the one that has taken it
// over: from the moment the new one has been let in, the old one writes nothing.
func TestFences(t *testing.T) {
	t.Parallel()
	ss := nodes(t, 2, postgres.Config{})
	var newest atomic.Int64
	newest.Store(1)
	var wg sync.WaitGroup
	for n, s := range ss {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		wg.Go(func() {
			for range 200 {
				fence := newest.Load()
				if r.IntN(10) == 0 {
					fence = newest.Add(1)
				}
				err := s.UpdatePart(t.Context(), 3, fence, func(tx store.Tx) error {
					tags, err := tx.Tags("r")
					if err != nil {
						return err
					}
					if len(tags) > 0 && tags[0].Value > fmt.Sprintf("%09d", fence) {
						t.Errorf("fence %d was let in after %s", fence, tags[0].Value)
					}
					return tx.PutTags("r", []store.Tag{{Key: "fence", Value: fmt.Sprintf("%09d", fence)}})
				})
				if err != nil && !apierr.Is(err, apierr.Conflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
