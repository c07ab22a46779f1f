package cluster_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/cluster"
)

// runner is a node that runs.
type runner struct {
	*member
	stop func() // as a crash would
}

// run lets a node join and run, in a bubble.
func run(t *testing.T, w *world) runner {
	t.Helper()
	n, err := cluster.Join(t.Context(), cluster.Config{Store: w.db, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	r := runner{member: &member{Node: n}, stop: func() {
		cancel()
		wg.Wait()
	}}
	t.Cleanup(r.stop)
	w.members = append(w.members, r.member)
	return r
}

func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.db = newDatabase(parts, time.Now)
		test(t, w)
	})
}

func sleep(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble
	synctest.Wait()
}

func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("parts pass on when nodes die and when they leave", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			a, b, c := run(t, w), run(t, w), run(t, w)
			sleep(3 * beat)
			w.even(a.member, b.member, c.member)

			c.stop()
			sleep(timeToLive + beat)
			w.even(a.member, b.member)

			b.stop()
			if err := b.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			sleep(beat)
			w.even(a.member)
		})
	})
	t.Run("who works on parts hears at once that there are none any more", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			a := run(t, w)
			sleep(beat / 2)
			var mu sync.Mutex
			var stopped, back time.Time
			a.OnChange(func() {
				mu.Lock()
				defer mu.Unlock()
				if a.Parts() == nil {
					stopped = time.Now()
				} else {
					back = time.Now()
				}
			})
			start := time.Now().Add(-beat / 2) // of the last beat
			w.db.set(func(d *database) { d.down = errDown })
			sleep(time.Minute)
			w.db.set(func(d *database) { d.down = nil })
			healed := time.Now()
			sleep(beat)
			mu.Lock()
			defer mu.Unlock()
			if got := stopped.Sub(start); got != timeToLive {
				t.Errorf("heard after %v, want %v", got, timeToLive)
			}
			if got := back.Sub(healed); got < 0 || got > beat {
				t.Errorf("back after %v, want %v at most", got, beat)
			}
		})
	})
	t.Run("a node lives while somebody works on a part that it wants to give up", func(t *testing.T) {
		bubble(t, func(t *testing.T, w *world) {
			a := run(t, w)
			sleep(beat)
			b, err := cluster.Join(t.Context(), cluster.Config{Store: w.db})
			if err != nil {
				t.Fatal(err)
			}
			work := make(chan struct{})
			w.db.set(func(d *database) { d.locked = work })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go b.Run(ctx)
			sleep(time.Minute)
			w.peers(&member{Node: b}, ids(a.member), nil)
			if n := len(a.Parts()); n != parts/2 || len(b.Parts()) > 0 {
				t.Errorf("%d and %d parts, want %d and none", n, len(b.Parts()), parts/2)
			}
			close(work)
			sleep(2 * beat)
			w.even(a.member, &member{Node: b})
		})
	})
}
