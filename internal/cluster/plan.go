package cluster

import (
	"cmp"
	"slices"

	"muster/internal/store"
)

// remembered is how long the row of a node that has gone is kept, in
// milliseconds: until then its slot is not given to another.
const remembered = 3_600_000

// view is what a node sees when it decides: the rows of the store, and how long
// it has been watching. Times are milliseconds of the cluster clock.
type view struct {
	me     string
	nodes  []store.Node
	leases []store.Lease
	now    int64
	// since is when the node began to see what others write without a gap. Who
	// has been away itself cannot tell a node that has died from one that could
	// not reach the database either.
	since int64
	ttl   int64
}

// standing is what a node thinks of another.
type standing int

const (
	alive standing = iota
	// silent is a node whose time is up, but who may only have been kept from
	// saying that it lives, for as long as all were: it keeps what it has.
	silent
	// dead is a node that loses its parts, and has left something to be taken care of.
	dead
	// forgotten is a dead node of which nothing is left but its slot.
	forgotten
)

func (v view) standing(n store.Node) standing {
	switch {
	case n.Until == 0:
		return forgotten
	case n.Until > v.now:
		return alive
	case n.Until <= n.SeenAt: // it has left, or whoever knows has said so
		return dead
	case v.now-v.since < v.ttl:
		return silent
	}
	return dead
}

// moves are the changes that a node makes in one transaction.
type moves struct {
	// leases are parts given up, with an empty node, and parts taken, by part.
	leases []store.Lease
	// from are the dead nodes that parts are taken from. Their rows are written,
	// as they are: one that comes back at the same moment then collides, and one
	// of the two looks again.
	from []store.Node
	// purge are the ids of nodes to remove.
	purge []string
}

func (m moves) none() bool { return len(m.leases)+len(m.purge) == 0 }

// plan returns what the node should do so that parts are spread evenly over the
// nodes that live, with as few changes as possible. Each node plans for itself:
// all come to the same shares if they see the same, and see each other's changes
// in the end.
func (v view) plan() moves {
	var m moves
	owned := make(map[string][]store.Lease) // by nodes that live
	for _, n := range v.nodes {
		if v.standing(n) == alive {
			owned[n.ID] = nil
		}
	}
	if _, ok := owned[v.me]; !ok {
		return m
	}
	free := v.sort(owned)
	shares := v.shares(owned)
	mine := owned[v.me]
	for _, l := range mine[min(shares[v.me], len(mine)):] {
		m.leases = append(m.leases, store.Lease{Part: l.Part, Fence: l.Fence})
	}
	for _, l := range v.pick(owned, free, shares) {
		m.leases = append(m.leases, store.Lease{Part: l.Part, Node: v.me, Fence: l.Fence + 1})
		m.takenFrom(v.node(l.Node))
	}
	slices.SortFunc(m.leases, func(a, b store.Lease) int { return cmp.Compare(a.Part, b.Part) })
	if len(mine) > 0 && mine[0].Part == 0 {
		m.purge = v.purge()
	}
	return m
}

// sort puts the leases of nodes that live under their owners and returns those
// that are free.
func (v view) sort(owned map[string][]store.Lease) (free []store.Lease) {
	for _, l := range v.leases {
		if _, ok := owned[l.Node]; ok {
			owned[l.Node] = append(owned[l.Node], l)
			continue
		}
		n := v.node(l.Node)
		if n == nil || v.standing(*n) != silent {
			free = append(free, l)
		}
	}
	return free
}

// shares returns how many parts each node should have: all the same number, or
// one more for those that have the most already.
func (v view) shares(owned map[string][]store.Lease) map[string]int {
	ids := ranked(owned)
	shares := make(map[string]int, len(ids))
	for i, id := range ids {
		shares[id] = len(v.leases) / len(ids)
		if i < len(v.leases)%len(ids) {
			shares[id]++
		}
	}
	return shares
}

// ranked returns the nodes, those with the most parts first.
func ranked(owned map[string][]store.Lease) []string {
	ids := make([]string, 0, len(owned))
	for id := range owned {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(owned[b]), len(owned[a])), cmp.Compare(a, b))
	})
	return ids
}

// pick returns the free parts that are for this node. The others' come first or
// last according to rank, so that nodes that plan at the same moment do not
// reach for the same ones.
func (v view) pick(owned map[string][]store.Lease, free []store.Lease, shares map[string]int) []store.Lease {
	for _, id := range ranked(owned) {
		n := min(max(0, shares[id]-len(owned[id])), len(free))
		if id == v.me {
			return free[:n]
		}
		free = free[n:]
	}
	return nil
}

// purge returns the nodes that have been gone for so long that they are removed.
func (v view) purge() []string {
	var ids []string
	for _, n := range v.nodes {
		if s := v.standing(n); s >= dead && n.SeenAt+remembered <= v.now && v.now-v.since >= v.ttl {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// node returns the row of a node, or nil if there is none.
func (v view) node(id string) *store.Node {
	i := slices.IndexFunc(v.nodes, func(n store.Node) bool { return n.ID == id })
	if i < 0 {
		return nil
	}
	return &v.nodes[i]
}

func (m *moves) takenFrom(n *store.Node) {
	if n != nil && !slices.Contains(m.from, *n) {
		m.from = append(m.from, *n)
	}
}

// slots is how many nodes a cluster can have.
const slots = 1024

// slot returns a number that no other node has or has had for as long as nodes
// are remembered. If all are taken, it is that of the node that has been gone
// for longest. It returns false if so many nodes live.
func (v view) slot() (int, bool) {
	var last [slots]int64 // when it was last in use
	for _, n := range v.nodes {
		if n.ID != v.me && n.Slot >= 0 && n.Slot < slots {
			last[n.Slot] = max(last[n.Slot], n.SeenAt, n.Until)
		}
	}
	best := 0
	for i, at := range last {
		if at < last[best] {
			best = i
		}
	}
	return best, last[best] <= v.now
}
