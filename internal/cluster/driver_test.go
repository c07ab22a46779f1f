package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/cluster"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/store/sqlite"
)

// onDrivers runs a test on worlds whose database is a real one.
func onDrivers(t *testing.T, test func(w *world, s store.Store)) {
	for _, c := range []struct {
		name string
		open func(t *testing.T) (store.Store, error)
	}{
		{"SQLite", func(t *testing.T) (store.Store, error) {
			return sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Parts: parts})
		}},
		{"PostgreSQL", func(t *testing.T) (store.Store, error) {
			return postgres.Open(t.Context(), postgres.Config{URL: pgtest.URL(t), Parts: parts})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := c.open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			w := newWorld(t)
			w.store = clocked{s, w}
			test(w, s)
		})
	}
}

// clocked is a store whose clock is that of a world.
type clocked struct {
	store.Store
	w *world
}

func (c clocked) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.Store.Update(ctx, func(tx store.Tx) error { return fn(clockedTx{tx, c.w}) })
}

type clockedTx struct {
	store.Tx
	w *world
}

func (t clockedTx) Clock() (int64, error) { return t.w.time(0).UnixMilli(), nil }

// work does something with a part, as a loop does.
func work(ctx context.Context, s store.Store, p cluster.Part) error {
	return s.UpdatePart(ctx, p.Part, p.Fence, func(tx store.Tx) error {
		return tx.PutTags(fmt.Sprint(p.Part), []store.Tag{{Key: "fence", Value: fmt.Sprint(p.Fence)}})
	})
}

func TestNodesOnRealStores(t *testing.T) {
	t.Parallel()
	t.Run("one hangs, comes back and leaves", func(t *testing.T) {
		t.Parallel()
		onDrivers(t, func(w *world, s store.Store) {
			a, b, c := w.three()
			workAll := func(ms ...*member) {
				w.Helper()
				for _, m := range ms {
					for _, p := range m.Parts() {
						if err := work(w.t.Context(), s, p); err != nil {
							w.Fatal(err)
						}
					}
				}
			}
			workAll(a, b, c)
			had := c.Parts()
			c.hangs = true
			w.pass(timeToLive - beat)
			workAll(a, b, c)
			w.pass(2 * beat)
			w.even(a, b)
			for _, p := range had {
				if err := work(w.t.Context(), s, p); !apierr.Is(err, apierr.Conflict) {
					w.Errorf("part %d, lost to another, with the old fence: %v, want a conflict", p.Part, err)
				}
			}
			workAll(a, b)
			c.hangs = false
			w.pass(4 * beat)
			w.even(a, b, c)
			workAll(a, b, c)
			if err := c.Leave(w.t.Context()); err != nil {
				w.Fatal(err)
			}
			w.pass(2 * beat)
			w.even(a, b)
			w.peers(a, ids(b), ids(c))
			if err := b.Forget(w.t.Context(), c.ID()); err != nil {
				w.Fatal(err)
			}
			w.pass(beat)
			w.peers(a, ids(b), nil)
			workAll(a, b)
		})
	})
	t.Run("many come, work, hang and beat at once", func(t *testing.T) {
		t.Parallel()
		onDrivers(t, func(w *world, s store.Store) {
			var mu sync.Mutex
			held := make(map[cluster.Part]*member) // guarded by mu
			for round := range 12 {
				var wg sync.WaitGroup
				wg.Go(func() {
					n, err := cluster.Join(w.t.Context(), cluster.Config{Store: w.store, Now: func() time.Time { return w.time(0) }})
					if err != nil {
						w.t.Error(err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					w.members = append(w.members, &member{Node: n})
				})
				mu.Lock()
				members := w.members
				mu.Unlock()
				for i, m := range members {
					if (i+round)%4 == 0 || round%6 > 2 && i%2 == 0 {
						continue // hangs
					}
					wg.Go(func() {
						if err := m.Beat(w.t.Context()); err != nil {
							w.t.Error(err)
						}
						for _, p := range m.Parts() {
							mu.Lock()
							if o := held[p]; o != nil && o != m {
								w.t.Errorf("%s and %s have both had %v", o.ID(), m.ID(), p)
							}
							held[p] = m
							mu.Unlock()
							if rand.N(8) == 0 {
								if err := work(w.t.Context(), s, p); err != nil && !apierr.Is(err, apierr.Conflict) {
									w.t.Error(err)
								}
							}
						}
					})
				}
				wg.Wait()
				w.apart()
				w.later(3 * beat)
			}
			w.pass(2 * timeToLive)
			w.even(w.members...)
			slots := make(map[int]bool)
			for _, m := range w.members {
				slots[m.Slot()] = true
			}
			if len(slots) != len(w.members) {
				w.Errorf("%d slots of %d nodes", len(slots), len(w.members))
			}
		})
	})
}

// TestTimeOfPostgres shows that nodes agree on the time of the database itself.
func TestTimeOfPostgres(t *testing.T) {
	t.Parallel()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.URL(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, skew := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute} {
		n, err := cluster.Join(t.Context(), cluster.Config{Store: s, Now: func() time.Time { return time.Now().Add(skew) }})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			err = errors.Join(err, n.Beat(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Until(n.Now()); off.Abs() > 2*time.Second { // one machine; it may be busy
			t.Errorf("off by %v", off)
		}
	}
}
