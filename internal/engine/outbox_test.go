package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/engine"
	"muster/internal/job"
)

// recorder is a publisher that writes down what devices would be told.
type recorder struct {
	mu    sync.Mutex
	lines []string
	down  bool
}

func (r *recorder) Notify(_ context.Context, n engine.Notification) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return errors.New("broker is down")
	}
	if n.Notice.List {
		r.lines = append(r.lines, n.Thing+" notify"+listed(n.Pending))
	}
	if n.Notice.Next {
		line := n.Thing + " notify-next"
		if len(n.Pending) > 0 {
			x := n.Pending[0]
			line += fmt.Sprintf(" %s %s v%d %s", x.Job.ID, x.Status, x.Version, n.Document)
		}
		r.lines = append(r.lines, line)
	}
	return nil
}

func listed(xs []job.Execution) string {
	var b strings.Builder
	for _, x := range xs {
		fmt.Fprintf(&b, " %s:%s.v%d", x.Status, x.Job.ID, x.Version)
	}
	return b.String()
}

// wantTold settles and compares what has been told since, by thing: many are told
// at a time.
func (w *world) wantTold(r *recorder, want ...string) {
	w.t.Helper()
	w.settle()
	slices.SortStableFunc(r.lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, " ")
		b, _, _ = strings.Cut(b, " ")
		return strings.Compare(a, b)
	})
	if diff := cmp.Diff(want, r.lines); diff != "" {
		w.t.Errorf("told (-want +got):\n%s", diff)
	}
	r.lines = nil
}

func publishing(r *recorder) func(*engine.Config) {
	return func(c *engine.Config) { c.Publisher = r }
}

func TestNotificationsOfTheReferenceTrace(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 8, publishing(r))
	w.things("t")
	doc := document(`{}`)
	w.create("job1", targets(toThing("t")), doc)
	w.wantTold(r, "t notify QUEUED:job1.v1", "t notify-next job1 QUEUED v1 {}")
	w.wait(time.Second)
	w.create("job2", targets(toThing("t")), doc)
	w.wantTold(r, "t notify QUEUED:job1.v1 QUEUED:job2.v1")
	w.start("t", job.Start{})
	w.wantTold(r)
	w.wait(time.Second)
	w.create("job3", targets(toThing("t")), doc)
	w.wantTold(r, "t notify IN_PROGRESS:job1.v2 QUEUED:job2.v1 QUEUED:job3.v1")
	w.update("t", "job1", job.Succeeded)
	w.wantTold(r, "t notify QUEUED:job2.v1 QUEUED:job3.v1", "t notify-next job2 QUEUED v1 {}")
	w.update("t", "job3", job.InProgress)
	w.wantTold(r, "t notify-next job3 IN_PROGRESS v2 {}")
	w.update("t", "job2", job.Rejected)
	w.wantTold(r, "t notify IN_PROGRESS:job3.v2")
	w.must(w.DeleteJob(w.ctx(), operator, "job3", "", true))
	w.wantTold(r, "t notify", "t notify-next")
}

func TestABurstIsToldOnceAndADownPublisherLosesNothing(t *testing.T) {
	t.Parallel()
	r := &recorder{down: true}
	w := newWorld(t, 1, publishing(r))
	w.things("t")
	w.create("one", targets(toThing("t")))
	w.create("two", targets(toThing("t")))
	if err := w.Settle(w.ctx()); err == nil {
		t.Fatal("the outbox does not report that the publisher is down")
	}
	w.restart()
	r.down = false
	w.wantTold(r, "t notify QUEUED:one.v1 QUEUED:two.v1", `t notify-next one QUEUED v1 {"do":"one"}`)
	w.restart()
	w.wantTold(r)
}

func TestAChangeThatComesBackIsToldAsItIs(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 1, publishing(r))
	w.things("t")
	r.down = true
	w.create("one", targets(toThing("t")))
	if _, ok := w.next("t"); !ok { // the device has asked, and works on it
		t.Fatal("there is no next execution")
	}
	w.must(w.CancelJobExecution(w.ctx(), operator, "t", "one", job.Cancel{}))
	r.down = false
	w.wantTold(r, "t notify", "t notify-next")
	w.wantTold(r)
}

func TestCancelTellsEveryDevice(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 1, publishing(r))
	names := w.fleet("all", 3)
	w.create("j", targets(toGroup("all")), document(`{}`))
	w.settle()
	r.lines = nil
	_, err := w.CancelJob(w.ctx(), operator, "j", job.CancelJob{})
	w.must(err)
	var want []string
	for _, n := range names {
		want = append(want, n+" notify", n+" notify-next")
	}
	w.wantTold(r, want...)
}

func TestServersWithoutAPublisherLeaveNothingToTell(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("t")
	w.create("one", targets(toThing("t")))
	r := &recorder{}
	w.conf.Publisher = r
	w.restart()
	w.wantTold(r)
}

// TestProgressIsNoNews: most of what devices send is progress, of which nobody
// has to be told.
func TestProgressIsNoNews(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 1, publishing(r))
	w.working(r, "a")
	outbox := w.Loops()[slices.IndexFunc(w.Loops(), func(l engine.Loop) bool { return l.Name == "outbox" })]
	idle := func() bool {
		at, err := outbox.Next(w.ctx())
		w.must(err)
		return at.IsZero()
	}
	for range 2 {
		w.update("a", "on-a", job.InProgress)
		if !idle() {
			t.Error("the outbox looks for news of progress")
		}
	}
	w.update("a", "on-a", job.Succeeded)
	if idle() {
		t.Error("the outbox does not look for news of the end")
	}
	w.wantTold(r, "a notify", "a notify-next")
}
