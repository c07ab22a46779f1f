package cluster

import (
	"time"

	"muster/internal/store"
)

// Slots is how many nodes a cluster can have.
const Slots = slots

// Moves is what a plan comes to.
type Moves struct {
	Leases []store.Lease
	From   []string
	Purge  []string
}

// Look is what a node sees when it plans.
type Look struct {
	Me              string
	Nodes           []store.Node
	Leases          []store.Lease
	Now, Since, TTL int64
}

// Plan plans.
func (l Look) Plan() Moves {
	m := view{me: l.Me, nodes: l.Nodes, leases: l.Leases, now: l.Now, since: l.Since, ttl: l.TTL}.plan()
	out := Moves{Leases: m.leases, Purge: m.purge}
	for _, n := range m.from {
		out.From = append(out.From, n.ID)
	}
	return out
}

// Slot chooses a slot.
func (l Look) Slot() (int, bool) {
	return view{me: l.Me, nodes: l.Nodes, now: l.Now}.slot()
}

// Clock is the clock of a node.
type Clock struct{ c clock }

// Measured returns the clock after a measurement.
func (c Clock) Measured(before, after, db, floor time.Duration) Clock {
	return Clock{c.c.measured(before, after, db, floor)}
}

// Read returns the time.
func (c Clock) Read(local time.Duration) time.Duration { return c.c.read(local) }
