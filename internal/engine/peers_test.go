package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"muster/internal/engine"
	"muster/internal/job"
)

// holders are nodes that hold the sessions of every thing.
type holders struct {
	nodes []string
	down  string   // cannot be reached
	told  []string // node by node
}

func (h *holders) Wake(engine.Wake) {}

func (h *holders) Route(string, string) ([]string, bool) { return h.nodes, false }

func (h *holders) Tell(_ context.Context, node string, d engine.Owed) (job.Told, bool, error) {
	if node == h.down {
		return job.Told{}, false, errors.New("no answer")
	}
	if d.Doubt {
		node += " all"
	}
	h.told = append(h.told, node)
	return job.Told{}, true, nil
}

// TestAHolderThatIsDownKeepsNoOtherWaiting: the others are told, once, and the row
// stays for the one that is missing, which is told everything in the end.
func TestAHolderThatIsDownKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	h := &holders{nodes: []string{"a", "b"}, down: "a"}
	w := newWorld(t, 1, func(c *engine.Config) { c.Publisher, c.Peers = &recorder{}, h })
	w.things("t")
	w.settle() // what is there from the start may have been told by another process
	w.create("j", targets(toThing("t")), document(`{}`))
	want := func(told ...string) {
		t.Helper()
		w.settle()
		if !slices.Equal(h.told, told) {
			t.Errorf("got %q, want %q", h.told, told)
		}
		h.told = nil
	}
	want("b")
	h.down = ""
	w.wait(time.Second)
	want("a all")
	w.update("t", "j", job.Succeeded)
	want("a", "b")
}
