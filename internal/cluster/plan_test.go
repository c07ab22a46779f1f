package cluster_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/internal/cluster"
	"muster/internal/store"
)

const (
	now  = int64(1_700_000_000_000)
	ttl  = int64(5_000)
	hour = int64(3_600_000)
)

func TestPlan(t *testing.T) {
	t.Parallel()
	alive := func(id string) store.Node { return store.Node{ID: id, SeenAt: now, Until: now + ttl} }
	gone := func(id string, seen int64) store.Node {
		return store.Node{ID: id, SeenAt: seen, Until: min(seen+ttl, now)}
	}
	// owners makes leases of a string with a letter for each part, - for nobody.
	owners := func(s string) (ls []store.Lease) {
		for part, c := range s {
			l := store.Lease{Part: part, Fence: 7}
			if c != '-' {
				l.Node = string(c)
			}
			ls = append(ls, l)
		}
		return ls
	}
	take := func(part int) store.Lease { return store.Lease{Part: part, Node: "a", Fence: 8} }
	give := func(part int) store.Lease { return store.Lease{Part: part, Fence: 7} }
	for _, c := range []struct {
		name   string
		nodes  []store.Node
		leases string
		since  int64 // how long the node has been watching, in milliseconds; 0 is for ever
		want   cluster.Moves
	}{
		{"alone it takes everything", []store.Node{alive("a")}, "----", 0,
			cluster.Moves{Leases: []store.Lease{take(0), take(1), take(2), take(3)}}},
		{"what is spread evenly stays", []store.Node{alive("a"), alive("b"), alive("c")}, "abcca", 0, cluster.Moves{}},
		{"it takes its share of what is free and no more", []store.Node{alive("a"), alive("b")}, "------", 0,
			cluster.Moves{Leases: []store.Lease{take(0), take(1), take(2)}}},
		{"it leaves to others what they lack", []store.Node{alive("a"), alive("b")}, "aaa---", 0, cluster.Moves{}},
		{"it gives up what is more than its share", []store.Node{alive("a"), alive("b")}, "aaaaaa", 0,
			cluster.Moves{Leases: []store.Lease{give(3), give(4), give(5)}}},
		{"one more than the others is no surplus", []store.Node{alive("a"), alive("b")}, "aaabb", 0, cluster.Moves{}},
		{"of two with one more than the rest the first keeps it", []store.Node{alive("a"), alive("b"), alive("c")}, "aabb", 0, cluster.Moves{}},
		{"one more than the rest is one too many if another has more", []store.Node{alive("a"), alive("b"), alive("c"), alive("d")}, "bbbaa", 0,
			cluster.Moves{Leases: []store.Lease{give(4)}}},
		{"it takes what a dead node had and writes the row of that node", []store.Node{alive("a"), gone("x", now-1)}, "axa", 0,
			cluster.Moves{Leases: []store.Lease{take(1)}, From: []string{"x"}}},
		{"until the end of its time a node is not dead", []store.Node{alive("a"), {ID: "x", Until: now + 1}}, "axa", 0, cluster.Moves{}},
		{"it takes what belongs to a node without a row", []store.Node{alive("a")}, "axa", 0,
			cluster.Moves{Leases: []store.Lease{take(1)}}},
		{"who was away takes nothing from others who were silent", []store.Node{alive("a"), gone("x", now-60_000)}, "ax-", ttl - 1,
			cluster.Moves{Leases: []store.Lease{take(2)}}},
		{"who has watched for long enough takes it", []store.Node{alive("a"), gone("x", now-60_000)}, "axa", ttl,
			cluster.Moves{Leases: []store.Lease{take(1)}, From: []string{"x"}}},
		{"who was away gives nothing up for others who were silent", []store.Node{alive("a"), gone("x", now-1)}, "aaaaxx", 1, cluster.Moves{}},
		{"who has left is not waited for", []store.Node{alive("a"), {ID: "x", SeenAt: now - 1, Until: now - 1}}, "axa", 1,
			cluster.Moves{Leases: []store.Lease{take(1)}, From: []string{"x"}}},
		{"who is not alive does nothing", []store.Node{gone("a", now-1), alive("b")}, "aaa---", 0, cluster.Moves{}},
		{"the owner of part 0 removes nodes that have been gone for an hour",
			[]store.Node{alive("a"), gone("p", now-hour), gone("q", now-hour+1), {ID: "r", SeenAt: now - hour}}, "aaa", 0,
			cluster.Moves{Purge: []string{"p", "r"}}},
		{"others remove nobody", []store.Node{alive("a"), alive("b"), gone("p", now-hour)}, "ba", 0, cluster.Moves{}},
		{"who was away removes nobody", []store.Node{alive("a"), gone("p", now-hour), {ID: "r", SeenAt: now - hour}}, "a", ttl - 1, cluster.Moves{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			look := cluster.Look{Me: "a", Nodes: c.nodes, Leases: owners(c.leases), Now: now, TTL: ttl}
			if c.since > 0 {
				look.Since = now - c.since
			}
			if diff := cmp.Diff(c.want, look.Plan()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlansConverge lets nodes carry out their plans in any order, from any
// state: the parts end up evenly spread, with no more changes than it takes.
func TestPlansConverge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		look := cluster.Look{Now: now, TTL: ttl}
		n := rapid.IntRange(1, 9).Draw(t, "nodes")
		owners := []string{""}
		for i := range n {
			id := fmt.Sprint("n", i)
			owners = append(owners, id)
			look.Nodes = append(look.Nodes, store.Node{ID: id, SeenAt: now, Until: now + ttl})
		}
		owners = append(owners, "dead", "unknown")
		look.Nodes = append(look.Nodes, store.Node{ID: "dead", SeenAt: now - ttl, Until: now})
		for part := range rapid.IntRange(1, 70).Draw(t, "parts") {
			l := store.Lease{Part: part, Node: rapid.SampledFrom(owners).Draw(t, "owner"), Fence: rapid.Int64Range(1, 9).Draw(t, "fence")}
			look.Leases = append(look.Leases, l)
		}
		given, want := 0, fewest(look.Leases, look.Nodes[:n])
		for round := 0; ; round++ {
			changed := false
			for _, i := range rapid.Permutation(slices.Collect(seq(n))).Draw(t, "order") {
				gave, took := carryOut(t, &look, look.Nodes[i].ID)
				given += gave
				changed = changed || gave+took > 0
			}
			if !changed {
				break
			}
			if round > 2*n+2 {
				t.Fatalf("still changing after %d rounds: %v", round, look.Leases)
			}
		}
		count := counts(look.Leases)
		for _, x := range look.Nodes[:n] {
			if c := count[x.ID]; c != len(look.Leases)/n && c != (len(look.Leases)+n-1)/n {
				t.Errorf("%s has %d of %d parts among %d", x.ID, c, len(look.Leases), n)
			}
		}
		if given != want {
			t.Errorf("%d parts were given up, want %d: %v", given, want, look.Leases)
		}
	})
}

// carryOut does what a node plans and checks that it may.
func carryOut(t *rapid.T, look *cluster.Look, id string) (gave, took int) {
	look.Me = id
	m := look.Plan()
	for _, l := range m.Leases {
		old := look.Leases[l.Part]
		switch {
		case l.Node == "" && old.Node == id && l.Fence == old.Fence:
			gave++
		case l.Node == id && l.Fence == old.Fence+1 && (old.Node == "" || old.Node == "dead" || old.Node == "unknown"):
			took++
		default:
			t.Fatalf("%s makes %v of %v", id, l, old)
		}
		look.Leases[l.Part] = l
	}
	return gave, took
}

// fewest returns how many parts must be given up until all is even: those that
// are more than an owner's share, where those with the most may have one more.
func fewest(leases []store.Lease, alive []store.Node) int {
	count := counts(leases)
	var have []int
	for _, x := range alive {
		have = append(have, count[x.ID])
	}
	slices.SortFunc(have, func(a, b int) int { return b - a })
	n := 0
	for i, c := range have {
		share := len(leases) / len(have)
		if i < len(leases)%len(have) {
			share++
		}
		n += max(0, c-share)
	}
	return n
}

func counts(leases []store.Lease) map[string]int {
	m := make(map[string]int)
	for _, l := range leases {
		m[l.Node]++
	}
	return m
}

func seq(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func TestSlot(t *testing.T) {
	t.Parallel()
	full := func(until int64) (ns []store.Node) {
		for i := range cluster.Slots {
			ns = append(ns, store.Node{ID: fmt.Sprint(i), Slot: i, SeenAt: until - 1, Until: until})
		}
		return ns
	}
	longest := full(now - 1)
	longest[77].SeenAt, longest[77].Until = now-9, 0 // forgotten
	longest = append(longest, store.Node{ID: "again", Slot: 5, SeenAt: now - 20, Until: now - 10})
	for _, c := range []struct {
		name  string
		nodes []store.Node
		want  int
		ok    bool
	}{
		{"the first is 0", nil, 0, true},
		{"slots are not shared", []store.Node{{ID: "a", Slot: 0, Until: now + 1}, {ID: "b", Slot: 1, Until: now + 1}}, 2, true},
		{"a slot is not used again soon", []store.Node{{ID: "a", Slot: 0, SeenAt: now - 1}, {ID: "b", Slot: 1, Until: now - 1}}, 2, true},
		{"its own row does not count", []store.Node{{ID: "me", Slot: 0, Until: now + 1}}, 0, true},
		{"if all were used it is that of the node that has been gone for longest", longest, 77, true},
		{"it is never that of a node that lives", full(now + 1), 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := cluster.Look{Me: "me", Nodes: c.nodes, Now: now}.Slot()
			if ok != c.ok || ok && got != c.want {
				t.Errorf("got %d, %t, want %d, %t", got, ok, c.want, c.ok)
			}
		})
	}
}
