package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store/sqlite"
)

// working makes a thing with one job and forgets what its device is told of that.
func (w *world) working(r *recorder, thing string) {
	w.t.Helper()
	w.things(thing)
	w.create("on-"+thing, targets(toThing(thing)), document(`{}`))
	w.settle()
	r.lines = nil
}

func TestAHeldThingIsToldAfterTheAnswer(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 1, publishing(r))
	w.working(r, "a")
	w.working(r, "b")
	release := w.Hold("a")
	w.update("a", "on-a", job.Succeeded)
	w.wantTold(r)
	w.update("b", "on-b", job.Succeeded)
	w.wantTold(r, "b notify", "b notify-next")
	release()
	w.wantTold(r, "a notify", "a notify-next")
	release()
	w.wantTold(r)
}

func TestTheLastOfSeveralRequestsEndsAHold(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 1, publishing(r))
	w.working(r, "a")
	first, second := w.Hold("a"), w.Hold("a")
	w.update("a", "on-a", job.Succeeded)
	first()
	first()
	w.wantTold(r)
	second()
	w.wantTold(r, "a notify", "a notify-next")
}

func TestAHoldThatChangesNothingDelaysNothing(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 1, publishing(r))
	w.working(r, "a")
	release := w.Hold("a")
	release()
	w.update("a", "on-a", job.Succeeded)
	w.wantTold(r, "a notify", "a notify-next")
}

// meanwhile is a publisher that calls back once while it tells a thing.
type meanwhile struct {
	*recorder
	thing string
	do    func()
}

func (m *meanwhile) Notify(ctx context.Context, n engine.Notification) error {
	if do := m.do; n.Thing == m.thing && do != nil {
		m.do = nil
		do()
	}
	return m.recorder.Notify(ctx, n)
}

func TestADeviceIsToldNoStateOlderThanItsAnswer(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	m := &meanwhile{recorder: r, thing: "a"}
	w := newWorld(t, 1, func(c *engine.Config) { c.Publisher = m })
	w.things("a", "b")
	w.create("one", targets(toThing("a"), toThing("b")), document(`{}`))
	m.do = func() { // the outbox has read both queues when b's device finishes
		release := w.Hold("b")
		w.update("b", "one", job.InProgress)
		release()
	}
	w.wantTold(r,
		"a notify QUEUED:one.v1", "a notify-next one QUEUED v1 {}",
		"b notify IN_PROGRESS:one.v2", "b notify-next one IN_PROGRESS v2 {}")
}

// told is a publisher that counts.
type told struct{ times atomic.Int32 }

func (p *told) Notify(context.Context, engine.Notification) error {
	p.times.Add(1)
	return nil
}

// inBubble runs an engine with its loops in fake time, where thing a has a job
// that its device knows of. fn ends before them.
func inBubble(t *testing.T, fn func(w *world, p *told)) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := &told{}
	w := &world{t: t, store: s, uids: new(job.UIDs), now: time.Now()}
	w.Engine, err = engine.New(t.Context(), engine.Config{Store: s, UIDs: w.uids, Account: "123456789012", Publisher: p})
	if err != nil {
		t.Fatal(err)
	}
	w.working(&recorder{}, "a")
	p.times.Store(0)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	synctest.Wait()
	fn(w, p)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAHoldThatIsNeverReleasedEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inBubble(t, func(w *world, p *told) {
			release := w.Hold("a")
			w.update("a", "on-a", job.Succeeded)
			time.Sleep(900 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
			if n := p.times.Load(); n != 0 {
				t.Errorf("told %d times before the answer", n)
			}
			time.Sleep(200 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
			if n := p.times.Load(); n != 1 {
				t.Errorf("told %d times, want once", n)
			}
			release() // the connection was slow, not dead
		})
	})
}

func TestADeviceThatIsNeverQuietIsToldNevertheless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inBubble(t, func(w *world, p *told) {
			release := w.Hold("a")
			w.update("a", "on-a", job.Succeeded)
			for range 150 { // the next request begins before the last one ends
				next := w.Hold("a")
				release()
				release = next
				time.Sleep(10 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
			}
			if n := p.times.Load(); n != 1 {
				t.Errorf("told %d times, want once", n)
			}
			release()
		})
	})
}
