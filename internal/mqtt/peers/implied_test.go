package peers_test

import (
	"slices"
	"testing"

	"muster/internal/mqtt/codec"
)

// implies makes whoever has wide/# a holder of wide/x.
func implies(filter string) []string {
	if filter != "wide/#" {
		return nil
	}
	return []string{"wide/x"}
}

func TestWhoHasAFilterHoldsWhatItImplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	a, b := w.nodes[0], w.nodes[1]
	p, _ := b.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "wide/#")
	w.know(b, "wide/x")
	for topic, want := range map[string][]string{"wide/x": {b.id}, "wide/y": nil} {
		if got := a.peers.Holders(topic); !slices.Equal(got, want) {
			t.Errorf("%s is held by %q, want %q", topic, got, want)
		}
	}
	// The message comes once, though two filters match on the way.
	a.connect("pub").publish("wide/x", "1")
	p.receive("wide/x", "1")
	w.settle()
	p.quiet()
}

func TestOthersAreNotToldWhatDoesNotConcernThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	a, b := w.nodes[0], w.nodes[1]
	p := b.connect("c")
	p.subscribe(codec.QoS1, "private/#", "$share/g/private/#")
	p.subscribe(codec.QoS1, "public/#")
	w.know(b, "public/#")
	if a.peers.Knows(b.id, "private/#") || a.peers.Knows(b.id, "$share/g/private/#") {
		t.Error("they were told")
	}
}
