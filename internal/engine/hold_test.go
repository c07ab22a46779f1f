package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store"
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
	release := w.Hold(w.ctx(), "a")
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
	first, second := w.Hold(w.ctx(), "a"), w.Hold(w.ctx(), "a")
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
	release := w.Hold(w.ctx(), "a")
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
	w.TellOneByOne()
	w.things("a", "b")
	w.create("one", targets(toThing("a"), toThing("b")), document(`{}`))
	m.do = func() { // the outbox has read both queues when b's device finishes
		release := w.Hold(w.ctx(), "b")
		w.update("b", "one", job.InProgress)
		release()
	}
	w.wantTold(r,
		"a notify QUEUED:one.v1", "a notify-next one QUEUED v1 {}",
		"b notify IN_PROGRESS:one.v2", "b notify-next one IN_PROGRESS v2 {}")
}

// TestADeviceIsToldNothingOlderThanWhatAnotherNodeLetItBeTold is about a node that
// has read what it owes, and is slow, while the part of the thing goes to another.
func TestADeviceIsToldNothingOlderThanWhatAnotherNodeLetItBeTold(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	m := &meanwhile{recorder: r, thing: "a"}
	w := newWorld(t, 1, func(c *engine.Config) { c.Publisher = m })
	w.TellOneByOne()
	conf := w.conf
	conf.Publisher = &recorder{} // nobody is connected there, but it leaves rows
	other := &world{t: t, store: w.store}
	var err error
	other.Engine, err = engine.New(w.ctx(), conf)
	w.must(err)
	w.things("a", "b")
	w.create("one", targets(toThing("a"), toThing("b")), document(`{}`))
	m.do = func() { // the outbox has read both queues when b's device works over there
		other.update("b", "one", job.InProgress)
		var rows []store.Dirty
		w.must(w.store.View(w.ctx(), func(r store.Reader) (err error) {
			rows, err = r.Dirty(0, store.Page[int64]{Limit: 10})
			return err
		}))
		for _, row := range rows {
			if row.Thing != "b" {
				continue
			}
			if _, ok, err := w.TellHere(w.ctx(), engine.Owed{Dirty: row}); !ok || err != nil {
				t.Errorf("b: told %t, error %v", ok, err)
			}
		}
	}
	w.settle()
	for i, line := range r.lines {
		if i > 0 && strings.HasPrefix(line, "b notify-next one QUEUED") {
			t.Errorf("b is told what is older than what it knows:\n%s", strings.Join(r.lines, "\n"))
		}
	}
	if len(r.lines) < 4 {
		t.Errorf("got %q, want both to be told", r.lines)
	}
}

// TestTheNextRequestWaitsWhileItsDeviceIsTold closes the last gap: what is being
// published must not be overtaken by an answer.
func TestTheNextRequestWaitsWhileItsDeviceIsTold(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	m := &meanwhile{recorder: r, thing: "a"}
	w := newWorld(t, 1, func(c *engine.Config) { c.Publisher = m })
	w.things("a")
	w.create("one", targets(toThing("a")), document(`{}`))
	held := make(chan func())
	m.do = func() {
		go func() { held <- w.Hold(w.ctx(), "a") }()
		for range 100 {
			runtime.Gosched()
		}
		select {
		case release := <-held:
			release()
			t.Error("a request began while its device was being told")
		default:
		}
	}
	w.wantTold(r, "a notify QUEUED:one.v1", "a notify-next one QUEUED v1 {}")
	(<-held)()
	ctx, leave := context.WithCancel(w.ctx())
	leave()
	w.Hold(ctx, "a")()
}

// quiet is a publisher that counts how often a thing is told, and how often that
// was while it had requests under way.
type quiet struct{ requests, told, disturbed atomic.Int32 }

func (p *quiet) Notify(context.Context, engine.Notification) error {
	p.told.Add(1)
	if p.requests.Load() > 0 {
		p.disturbed.Add(1)
	}
	return nil
}

// TestADeviceThatIsNeverQuietIsToldNevertheless runs the loops in fake time
// beside two clients of one thing whose requests overlap all the time.
func TestADeviceThatIsNeverQuietIsToldNevertheless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		p := &quiet{}
		w := &world{t: t, store: s, uids: new(job.UIDs), now: time.Now()}
		w.Engine, err = engine.New(t.Context(), engine.Config{Store: s, UIDs: w.uids, Account: "123456789012", Publisher: p})
		w.must(err)
		w.things("a")
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- w.Run(ctx) }()
		var clients sync.WaitGroup
		for i := range 2 {
			clients.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
				for ctx.Err() == nil {
					release := w.Hold(ctx, "a")
					p.requests.Add(1)
					time.Sleep(10 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
					p.requests.Add(-1)
					release()
				}
			})
		}
		for i := range int32(3) {
			time.Sleep(7 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
			w.create(fmt.Sprint("j", i), targets(toThing("a")))
			time.Sleep(patience + 50*time.Millisecond) //nolint:forbidigo // fake time in a bubble
			if n := p.told.Load(); n != i+1 {
				t.Errorf("told %d times, want %d", n, i+1)
			}
		}
		if n := p.disturbed.Load(); n > 0 {
			t.Errorf("told %d times in the middle of a request", n)
		}
		stop()
		clients.Wait()
		w.must(<-ran)
		w.must(s.Close())
	})
}

// patience is how long the outbox passes a busy thing by.
const patience = 100 * time.Millisecond

// slow is a publisher that takes its time with one thing, on behalf of another node.
type slow struct {
	thing   string
	in, out chan struct{}
}

func (s slow) Notify(_ context.Context, n engine.Notification) error {
	if n.Here && n.Thing == s.thing {
		s.in <- struct{}{}
		<-s.out
	}
	return nil
}

func TestAThingThatHasMovedIsToldByWhoReadsAfterwards(t *testing.T) {
	t.Parallel()
	s := slow{"slow", make(chan struct{}), make(chan struct{})}
	w := newWorld(t, 1, func(c *engine.Config) { c.Publisher = s })
	w.things("a", "slow")
	w.create("j", targets(toThing("a"), toThing("slow")), document(`{}`))
	w.create("k", targets(toThing("a")), document(`{}`))
	w.settle()
	w.update("a", "j", job.Succeeded)
	w.update("slow", "j", job.Succeeded)
	rows := make(map[string]store.Dirty)
	w.must(w.store.View(w.ctx(), func(r store.Reader) error {
		all, err := r.Dirty(0, store.Page[int64]{Limit: 10})
		for _, row := range all {
			rows[row.Thing] = row
		}
		return err
	}))
	var others sync.WaitGroup
	others.Go(func() {
		if _, ok, err := w.TellHere(w.ctx(), engine.Owed{Dirty: rows["slow"]}); !ok || err != nil {
			t.Errorf("slow: told %t, error %v", ok, err)
		}
	})
	<-s.in // somebody has read, and will for long
	w.update("a", "k", job.Succeeded)
	if _, ok, err := w.TellHere(w.ctx(), engine.Owed{Dirty: rows["a"]}); !ok || err != nil {
		t.Errorf("a: told %t, error %v", ok, err)
	}
	close(s.out)
	others.Wait()
}
