package peers_test

import (
	"context"
	"sync/atomic"
	"testing"

	"muster/internal/apierr"
	"muster/internal/mqtt/codec"
	"muster/internal/store"
	"muster/internal/store/sqlite"
)

// flaky is a store that can be down. If it is armed, it goes down after the next
// change, which nobody can read any more.
type flaky struct {
	store.Store
	down, armed atomic.Bool
}

var errDown = apierr.New(apierr.Unavailable, "The store is down.")

func (f *flaky) Update(ctx context.Context, fn func(store.Tx) error) error {
	if f.down.Load() {
		return errDown
	}
	err := f.Store.Update(ctx, fn)
	if f.armed.CompareAndSwap(true, false) {
		f.down.Store(true)
	}
	return err
}

func (f *flaky) View(ctx context.Context, fn func(store.Reader) error) error {
	if f.down.Load() {
		return errDown
	}
	return f.Store.View(ctx, fn)
}

// flakyWorld starts two nodes, on the first of which a client has left a session.
func flakyWorld(t *testing.T) (w *world, f *flaky) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f = &flaky{Store: db}
	w = emptyWorld(t, f)
	w.beat = hasty
	w.join()
	w.join()
	p, _ := w.nodes[0].persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "news/1")
	p.send(&codec.Disconnect{})
	p.ended()
	w.nodes[0].await("the session is away", func() bool { return w.sessionEnds("c") })
	return w, f
}

// sessionEnds reports whether it is written down that the client of a session has gone.
func (w *world) sessionEnds(clientID string) bool {
	var ends int64
	err := w.db.View(w.t.Context(), func(r store.Reader) error {
		s, err := r.Session(keyOf(clientID))
		ends = s.Ends
		return err
	})
	return err == nil && ends != 0
}

// heldAgain shows that somebody has the session, and makes up for what it has missed.
func (w *world) heldAgain() {
	w.t.Helper()
	a, b := w.nodes[0], w.nodes[1]
	b.await("somebody has the session, and is told again", func() bool {
		for _, m := range []*member{a, b} {
			m.mu.Lock()
			told := len(m.retold) > 0
			m.mu.Unlock()
			if told && m.Wanted("news/1") {
				return true
			}
		}
		return false
	})
	p, present := b.persistent(codec.V5, "c")
	if !present {
		w.t.Error("the session is gone")
	}
	p.receive("news/1", "again")
}

// TestSessionThatCouldNotMoveIsTakenBack has no store while a client goes from one
// node to another: neither can write down whose the session is.
func TestSessionThatCouldNotMoveIsTakenBack(t *testing.T) {
	t.Parallel()
	w, f := flakyWorld(t)
	f.down.Store(true)
	q := w.nodes[1].dial(codec.V5)
	q.send(hello(codec.V5, "c"))
	if got := expect[*codec.Connack](q).Reason; got != codec.ServerUnavailable {
		t.Errorf("connected without a store: %v", got)
	}
	f.down.Store(false)
	w.heldAgain()
}

// TestSessionThatWasTakenInVainIsTakenAgain has no store any more from the moment on
// in which it has written down whose a session is.
func TestSessionThatWasTakenInVainIsTakenAgain(t *testing.T) {
	t.Parallel()
	w, f := flakyWorld(t)
	b := w.nodes[1]
	w.nodes[0].port.Cut() // so that it releases nothing
	b.await("a is silent", func() bool { return b.peers.Silent(w.nodes[0].id) })
	f.armed.Store(true)
	q := b.dial(codec.V5)
	q.send(hello(codec.V5, "c"))
	if got := expect[*codec.Connack](q).Reason; got != codec.ServerUnavailable {
		t.Errorf("connected without a store: %v", got)
	}
	f.down.Store(false)
	b.retells("news/1")
	w.heldAgain()
}

// TestSessionsThatWereAdoptedInVainAreTakenAgain loses the store in the middle of
// taking over what a dead node has left.
func TestSessionsThatWereAdoptedInVainAreTakenAgain(t *testing.T) {
	t.Parallel()
	w, f := flakyWorld(t)
	a, b := w.nodes[0], w.nodes[1]
	f.armed.Store(true)
	w.kill(a)
	b.await("the store is down", func() bool { return f.down.Load() })
	f.down.Store(false)
	b.retells("news/1")
	w.heldAgain()
}
