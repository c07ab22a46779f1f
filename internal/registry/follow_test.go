package registry_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/thing"
)

// TestChangesTellTheWholeStory lets operators do random things on nodes whose
// clocks are apart and replays the changes that are left for the engine: in the
// order of Seq, they must lead to just the memberships that there are.
func TestChangesTellTheWholeStory(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	behind := b.config
	behind.UIDs, behind.Now = new(job.UIDs), func() time.Time { return b.clock.Now().Add(-10 * time.Second) }
	behind.UIDs.SetSlot(1)
	nodes := []*registry.Registry{b.Registry, registry.New(behind)}
	var round int
	rapid.Check(t, func(rt *rapid.T) {
		round++ // names of its own, since all rounds share a database
		thingName := func(i int) string { return fmt.Sprintf("r%d-t%d", round, i) }
		groupName := func(i int) string { return fmt.Sprintf("r%d-g%d", round, i) }
		anyThing, anyGroup := rapid.IntRange(0, 3), rapid.IntRange(0, 5)
		someGroups := rapid.SliceOfN(anyGroup, 0, 3)
		names := func(is []int) []string {
			var ns []string
			for _, i := range is {
				ns = append(ns, groupName(i))
			}
			return ns
		}
		anyNode := func(rt *rapid.T) *registry.Registry { return rapid.SampledFrom(nodes).Draw(rt, "node") }
		since := lastSeq(b.changes(t))
		rt.Repeat(map[string]func(*rapid.T){
			"create thing": func(rt *rapid.T) {
				_, _ = anyNode(rt).CreateThing(ctx, operator, spec(thingName(anyThing.Draw(rt, "thing")), "", nil))
			},
			"delete thing": func(rt *rapid.T) {
				_ = anyNode(rt).DeleteThing(ctx, operator, thingName(anyThing.Draw(rt, "thing")), nil)
			},
			"create group": func(rt *rapid.T) {
				i := anyGroup.Draw(rt, "group")
				var parent string
				if i%2 == 1 {
					parent = groupName(i - 1)
				}
				_, _ = anyNode(rt).CreateThingGroup(ctx, operator, groupInput(groupName(i), parent, thing.GroupSpec{}))
			},
			"delete group": func(rt *rapid.T) {
				_ = anyNode(rt).DeleteThingGroup(ctx, operator, groupName(anyGroup.Draw(rt, "group")), nil)
			},
			"regroup": func(rt *rapid.T) {
				_ = anyNode(rt).UpdateThingGroupsForThing(ctx, operator, thingName(anyThing.Draw(rt, "thing")),
					names(someGroups.Draw(rt, "add")), names(someGroups.Draw(rt, "remove")))
			},
			"sweep once": func(rt *rapid.T) {
				if _, err := sweepOf(anyNode(rt)).Once(ctx, b.clock.Now()); err != nil {
					rt.Fatal(err)
				}
			},
		})
		b.GroupSweep().Look() // another node may have deleted some
		b.sweep(t)
		told := replay(rt, b.changes(t), since)
		stored := b.memberships(t, rt, thingName)
		if diff := cmp.Diff(stored, told); diff != "" {
			rt.Fatalf("the changes tell of other memberships than there are (-there, +told):\n%s", diff)
		}
	})
}

// sweepOf returns the loop of a node that may not know of the deleted groups.
func sweepOf(r *registry.Registry) *registry.GroupSweep {
	s := r.GroupSweep()
	s.Look()
	return s
}

func lastSeq(cs []thing.Change) int64 {
	if len(cs) == 0 {
		return 0
	}
	return cs[len(cs)-1].Seq
}

// replay returns the memberships after the changes, as "thing uid in group uid".
// It fails if one of them makes no sense where it comes.
func replay(rt *rapid.T, changes []thing.Change, since int64) []string {
	in := map[string]int64{} // to the uid of the thing
	for _, c := range changes {
		if c.Seq <= since {
			continue
		}
		if c.Kind == thing.Deleted {
			maps.DeleteFunc(in, func(_ string, uid int64) bool { return uid == c.ThingUID })
			continue
		}
		key := fmt.Sprint(c.ThingUID, " in ", c.GroupPath[len(c.GroupPath)-1])
		_, is := in[key]
		if is != (c.Kind == thing.Left) {
			rt.Fatalf("change %+v comes when membership is %v", c, is)
		}
		if is {
			delete(in, key)
		} else {
			in[key] = c.ThingUID
		}
	}
	return slices.Sorted(maps.Keys(in))
}

// memberships returns what the store holds of the round's things.
func (b *bench) memberships(t *testing.T, rt *rapid.T, thingName func(int) string) []string {
	in := map[string]bool{}
	for i := range 4 {
		b.read(t, func(rd store.Reader) error {
			x, err := rd.ThingByName(thingName(i))
			if err != nil {
				return nil // not there
			}
			members, err := rd.Memberships(x.Name, x.UID)
			for _, m := range members {
				in[fmt.Sprint(m.ThingUID, " in ", m.GroupUID)] = true
			}
			return err
		})
		groups, err := b.ListThingGroupsForThing(t.Context(), operator, thingName(i), registry.Page{})
		if err == nil && len(groups.Items) > 10 {
			rt.Fatalf("%s is in %d groups", thingName(i), len(groups.Items))
		}
	}
	return slices.Sorted(maps.Keys(in))
}
