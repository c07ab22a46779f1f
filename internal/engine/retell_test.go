package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/engine"
	"muster/internal/job"
)

// here is a publisher that takes what is for devices of this node.
type here struct {
	recorder
	t *testing.T
}

func (h *here) Notify(ctx context.Context, n engine.Notification) error {
	if !n.Here {
		h.t.Errorf("%s is told everywhere", n.Thing)
	}
	return h.recorder.Notify(ctx, n)
}

func TestRetellSaysWhatIsWhetherOrNotItWasTold(t *testing.T) {
	t.Parallel()
	first := &recorder{}
	w := newWorld(t, 8, publishing(first))
	w.things("t", "idle")
	w.create("one", targets(toThing("t")), document(`{}`))
	w.create("x", targets(toThing("t")), document(`{}`), namespace("ns"))
	w.settle()

	h := &here{t: t}
	w.conf.Publisher = h
	w.restart()
	w.must(w.Retell(w.ctx(), "t", ""))
	w.must(w.Retell(w.ctx(), "idle", ""))
	w.must(w.Retell(w.ctx(), "stranger", ""))
	w.must(w.RetellNamespaces(w.ctx(), "t"))
	want := []string{
		"t notify QUEUED:one.v1", "t notify-next one QUEUED v1 {}",
		"idle notify", "idle notify-next", "stranger notify", "stranger notify-next",
		"t notify QUEUED:x.v1", "t notify-next x QUEUED v1 {}",
	}
	if !slices.Equal(h.lines, want) {
		t.Errorf("got %q, want %q", h.lines, want)
	}

	h.down = true
	if err := w.Retell(w.ctx(), "t", ""); err == nil {
		t.Error("nobody was told, and nobody was told of that")
	}
}

func TestRetellWaitsForRequestsUnderWay(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	w := newWorld(t, 1, publishing(r))
	w.things("t")
	release := w.Hold(w.ctx(), "t")
	w.wait(time.Second)
	if err := w.Retell(w.ctx(), "t", ""); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v, want that it is tried again", err)
	}
	w.create("one", targets(toThing("t")))
	w.update("t", "one", job.InProgress)
	release()
	w.must(w.Retell(w.ctx(), "t", ""))
	want := []string{"t notify IN_PROGRESS:one.v2", `t notify-next one IN_PROGRESS v2 {"do":"one"}`}
	if !slices.Equal(r.lines, want) {
		t.Errorf("got %q, want %q", r.lines, want)
	}
}
