package thing_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/internal/apierr"
	"muster/internal/thing"
)

// group returns a group with the path given; its name is made of its uid.
func group(path ...int64) thing.Group {
	uid := path[len(path)-1]
	return thing.Group{UID: uid, Name: fmt.Sprintf("g%d", uid), Path: path}
}

// roots returns n groups of n hierarchies, from uid first.
func roots(first, n int64) []thing.Group {
	var gs []thing.Group
	for uid := first; uid < first+n; uid++ {
		gs = append(gs, group(uid))
	}
	return gs
}

func TestRegroup(t *testing.T) {
	t.Parallel()
	type groups = []thing.Group
	tests := []struct {
		name            string
		in, add, remove groups
		joins, leaves   []int64
		words           []string // of the refusal; nil for none
	}{
		{"a thing joins a group", nil, groups{group(1)}, nil, []int64{1}, nil, nil},
		{"a thing that is in already joins nothing", groups{group(1)}, groups{group(1)}, nil, nil, nil, nil},
		{"a group named twice is joined once", nil, groups{group(1), group(1)}, nil, []int64{1}, nil, nil},
		{"a thing leaves a group", groups{group(1), group(2)}, nil, groups{group(1)}, nil, []int64{1}, nil},
		{"a thing that is not in leaves nothing", groups{group(2)}, nil, groups{group(1)}, nil, nil, nil},
		{"a group named twice is left once", groups{group(1)}, nil, groups{group(1), group(1)}, nil, []int64{1}, nil},
		{"the tenth group is the last", roots(1, 9), groups{group(10)}, nil, []int64{10}, nil, nil},
		{"there is no eleventh group", roots(1, 10), groups{group(11)}, nil, nil, nil, []string{"thing t1", "g11", "limit of 10"}},
		{"leaving one makes room for another", roots(1, 10), groups{group(11)}, groups{group(3)}, []int64{11}, []int64{3}, nil},
		{"a parent and its child exclude each other", groups{group(1)}, groups{group(1, 2)}, nil, nil, nil, []string{"thing t1", "g1", "g2", "same root"}},
		{"cousins exclude each other", groups{group(1, 2, 4)}, groups{group(1, 3)}, nil, nil, nil, []string{"same root"}},
		{"two new groups of one hierarchy exclude each other", nil, groups{group(1, 2), group(1, 3)}, nil, nil, nil, []string{"same root"}},
		{"a thing moves within its hierarchy", groups{group(1, 2)}, groups{group(1, 3)}, groups{group(1, 2)}, []int64{3}, []int64{2}, nil},
		{"a group cannot be joined and left at once", groups{group(1)}, groups{group(1)}, groups{group(1)}, nil, nil, []string{"thingGroupsToAdd", "thingGroupsToRemove", "g1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			joins, leaves, err := thing.Regroup("t1", tt.in, tt.add, tt.remove)
			if tt.words != nil {
				refused(t, err, apierr.Invalid, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]int64{tt.joins, tt.leaves}, [][]int64{uids(joins), uids(leaves)}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRegroupKeepsTheLaws lets a thing wander through random groups: whatever is
// answered, the laws of membership hold, and what is refused would break them.
func TestRegroupKeepsTheLaws(t *testing.T) {
	t.Parallel()
	var all []thing.Group
	for root := range int64(14) {
		top := root*10 + 1
		all = append(all, group(top), group(top, top+1), group(top, top+1, top+2))
	}
	rapid.Check(t, func(t *rapid.T) {
		var in []thing.Group
		pick := rapid.SliceOfN(rapid.SampledFrom(all), 0, 4)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			add, remove := pick.Draw(t, "add"), pick.Draw(t, "remove")
			before := uids(in)
			joins, leaves, err := thing.Regroup("t1", in, add, remove)
			if !slices.Equal(before, uids(in)) {
				t.Fatal("the groups handed in were changed")
			}
			after := model(in, add, remove)
			if broken := breaks(after) || overlap(add, remove); broken != (err != nil) {
				t.Fatalf("in %v, add %v, remove %v: got %v, want a refusal: %v", before, uids(add), uids(remove), err, broken)
			}
			if err != nil {
				continue
			}
			in = slices.DeleteFunc(in, func(g thing.Group) bool { return slices.Contains(uids(leaves), g.UID) })
			in = append(in, joins...)
			if !slices.Equal(sorted(in), sorted(after)) {
				t.Fatalf("got %v, want %v", sorted(in), sorted(after))
			}
		}
	})
}

// model is where the thing ends up by plain set arithmetic.
func model(in, add, remove []thing.Group) []thing.Group {
	set := map[int64]thing.Group{}
	for _, g := range in {
		set[g.UID] = g
	}
	for _, g := range remove {
		delete(set, g.UID)
	}
	for _, g := range add {
		set[g.UID] = g
	}
	var out []thing.Group
	for _, g := range set {
		out = append(out, g)
	}
	return out
}

func breaks(in []thing.Group) bool {
	seen := map[int64]bool{}
	for _, g := range in {
		if seen[g.Root()] {
			return true
		}
		seen[g.Root()] = true
	}
	return len(in) > 10
}

func overlap(a, b []thing.Group) bool {
	return slices.ContainsFunc(a, func(g thing.Group) bool { return slices.Contains(uids(b), g.UID) })
}

func uids(gs []thing.Group) []int64 {
	var us []int64
	for _, g := range gs {
		us = append(us, g.UID)
	}
	return us
}

func sorted(gs []thing.Group) []int64 { return slices.Sorted(slices.Values(uids(gs))) }
