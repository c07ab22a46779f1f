package registry_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/registry"
	"muster/internal/thing"
)

func name(s string) registry.Ref  { return registry.Ref{Name: s} }
func byARN(s string) registry.Ref { return registry.Ref{ARN: s} }

func TestMembership(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1", "t2")
	b.groups(t, "site", "site/hall", "hall/room")
	before := b.changed.Load()

	b.add(t, "room", "t1")
	b.add(t, "room", "t1") // again: nothing
	ok(t, b.RemoveThingFromThingGroup(ctx, operator, name("t2"), name("room")))
	if got := b.changed.Load() - before; got != 1 {
		t.Errorf("Changed was called %d times, want 1", got)
	}
	ok(t, b.RemoveThingFromThingGroup(ctx, operator, name("t1"), name("room")))
	ok(t, b.AddThingToThingGroup(ctx, operator, byARN(arn("thing", "t1")), byARN(arn("thinggroup", "room"))))
	want := []string{"joined t1 site hall room", "left t1 site hall room", "joined t1 site hall room"}
	if diff := cmp.Diff(want, b.told(t)); diff != "" {
		t.Error(diff)
	}
	changes := b.changes(t)
	if changes[0].Seq == changes[2].Seq {
		t.Error("a thing that came back has its old membership")
	}
	groups, err := b.ListThingGroupsForThing(ctx, operator, "t1", registry.Page{})
	ok(t, err)
	if len(groups.Items) != 1 || groups.Items[0].Name != "room" {
		t.Errorf("got groups %v, want room", groups.Items)
	}
}

func TestMembershipIsRefused(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	b.groups(t, "g", "g/h")
	b.add(t, "g", "t1")
	foreign := "arn:aws:iot:eu-west-1:" + account + ":thing/t1"
	tests := []struct {
		name     string
		thing, g registry.Ref
		kind     apierr.Kind
		words    []string
	}{
		{"an unknown thing is not found", name("none"), name("g"), apierr.NotFound, []string{"none"}},
		{"an unknown group is not found", name("t1"), name("none"), apierr.NotFound, []string{"none"}},
		{"a thing must be named", name(""), name("g"), apierr.Invalid, []string{"thingName", "thingArn"}},
		{"a group must be named", name("t1"), name(""), apierr.Invalid, []string{"thingGroupName", "thingGroupArn"}},
		{"an ARN of another region is refused", byARN(foreign), name("g"), apierr.Invalid, []string{"thingArn", "us-east-1"}},
		{"an ARN of another kind is refused", name("t1"), byARN(arn("thing", "t1")), apierr.Invalid, []string{"thingGroupArn", "thinggroup"}},
		{"name and ARN must agree", registry.Ref{Name: "t2", ARN: arn("thing", "t1")}, name("g"), apierr.Invalid, []string{"thingName", "thingArn"}},
		{"no two groups of one hierarchy", name("t1"), name("h"), apierr.Invalid, []string{"t1", "same root"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, b.AddThingToThingGroup(ctx, operator, tt.thing, tt.g), tt.kind, tt.words...)
			if tt.kind != apierr.Invalid || tt.g.Name != "h" {
				refused(t, b.RemoveThingFromThingGroup(ctx, operator, tt.thing, tt.g), tt.kind, tt.words...)
			}
		})
	}
}

func TestUpdateThingGroupsForThing(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	b.groups(t, "site", "site/hall", "site/room", "other")
	b.add(t, "hall", "t1")

	in := func() []string {
		t.Helper()
		groups, err := b.ListThingGroupsForThing(ctx, operator, "t1", registry.Page{})
		ok(t, err)
		var names []string
		for _, g := range groups.Items {
			names = append(names, g.Name)
		}
		return names
	}
	refused(t, b.UpdateThingGroupsForThing(ctx, operator, "", nil, nil), apierr.Invalid, "thingName")
	refused(t, b.UpdateThingGroupsForThing(ctx, operator, "none", nil, nil), apierr.NotFound, "none")
	refused(t, b.UpdateThingGroupsForThing(ctx, operator, "t1", []string{"other", "none"}, []string{"hall"}), apierr.NotFound, "none")
	refused(t, b.UpdateThingGroupsForThing(ctx, operator, "t1", []string{"other", "room"}, nil), apierr.Invalid, "same root")
	refused(t, b.UpdateThingGroupsForThing(ctx, operator, "t1", []string{"other"}, []string{"other"}), apierr.Invalid, "both")
	if diff := cmp.Diff([]string{"hall"}, in()); diff != "" {
		t.Fatalf("a refused request has changed something:\n%s", diff)
	}
	ok(t, b.UpdateThingGroupsForThing(ctx, operator, "t1", []string{"room", "other"}, []string{"hall"}))
	if diff := cmp.Diff([]string{"room", "other"}, in()); diff != "" {
		t.Error(diff)
	}
	want := []string{"joined t1 site hall", "left t1 site hall", "joined t1 site room", "joined t1 other"}
	if diff := cmp.Diff(want, b.told(t)); diff != "" {
		t.Error(diff)
	}
}

func TestParallelAddsNeverExceedTheLimit(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	groups := numbered("g", 40)
	b.groups(t, groups...)
	var added int
	for _, err := range together(len(groups), func(i int) error {
		return b.AddThingToThingGroup(ctx, operator, name("t1"), name(groups[i]))
	}) {
		if err == nil {
			added++
			continue
		}
		refused(t, err, apierr.Invalid, "limit of 10 groups")
	}
	in, err := b.ListThingGroupsForThing(ctx, operator, "t1", registry.Page{})
	ok(t, err)
	if added != 10 || len(in.Items) != 10 || len(b.changes(t)) != 10 {
		t.Errorf("%d adds passed, %d groups and %d changes are there, want 10 of each", added, len(in.Items), len(b.changes(t)))
	}
}

func TestParallelAddsNeverMeetInAHierarchy(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	b.groups(t, "root", "root/a", "root/b", "a/c", "b/d")
	groups := []string{"root", "a", "b", "c", "d"}
	var added int
	for _, err := range together(len(groups), func(i int) error {
		return b.AddThingToThingGroup(ctx, operator, name("t1"), name(groups[i]))
	}) {
		if err == nil {
			added++
			continue
		}
		refused(t, err, apierr.Invalid, "same root")
	}
	if added != 1 {
		t.Errorf("the thing is in %d groups of a hierarchy, want 1", added)
	}
}

func TestAddingOneThingAtOnceMakesOneMembership(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	b.groups(t, "g")
	for _, err := range together(16, func(int) error {
		return b.AddThingToThingGroup(ctx, operator, name("t1"), name("g"))
	}) {
		ok(t, err)
	}
	if diff := cmp.Diff([]string{"joined t1 g"}, b.told(t)); diff != "" {
		t.Error(diff)
	}
}

func TestListThingGroupsForThing(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1", "t2")
	groups := numbered("g", 10)
	b.groups(t, groups...)
	for _, g := range groups {
		b.add(t, g, "t1")
	}
	for _, limit := range []int{0, 1, 3, 10, 250} {
		got := all(t, limit, func(p registry.Page) (registry.List[thing.Group], error) {
			return b.ListThingGroupsForThing(ctx, operator, "t1", p)
		})
		var names []string
		for _, g := range got {
			names = append(names, g.Name)
		}
		if diff := cmp.Diff(groups, names); diff != "" {
			t.Errorf("%d at a time:\n%s", limit, diff)
		}
	}
	_, err := b.ListThingGroupsForThing(ctx, operator, "none", registry.Page{})
	refused(t, err, apierr.NotFound, "none")
	for _, after := range []string{"x", "-1", "0", "01", "1.5", "99999999999999999999"} {
		_, err := b.ListThingGroupsForThing(ctx, operator, "t1", registry.Page{After: after})
		refused(t, err, apierr.Invalid, "nextToken")
	}
}

func TestListThingsInThingGroup(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.groups(t, "a", "a/b", "b/c", "a/empty", "a/d", "other")
	things := map[string][]string{ // the later the group, the lower the names
		"a": numbered("z", 7), "b": numbered("y", 12), "c": numbered("x", 1), "d": numbered("w", 10), "other": numbered("v", 3),
	}
	for _, g := range []string{"a", "b", "c", "d", "other"} {
		b.things(t, things[g]...)
		b.add(t, g, things[g]...)
	}
	tests := []struct {
		group     string
		recursive bool
		want      []string
	}{
		{"a", false, things["a"]},
		{"empty", false, nil},
		{"empty", true, nil},
		{"b", true, slices.Concat(things["b"], things["c"])},
		{"a", true, slices.Concat(things["a"], things["b"], things["c"], things["d"])},
	}
	for _, tt := range tests {
		for _, limit := range []int{0, 1, 2, 7, 12, 30} {
			t.Run(fmt.Sprintf("%s, recursive %v, %d at a time", tt.group, tt.recursive, limit), func(t *testing.T) {
				t.Parallel()
				got := all(t, limit, func(p registry.Page) (registry.List[string], error) {
					return b.ListThingsInThingGroup(ctx, operator, tt.group, tt.recursive, p)
				})
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	for _, recursive := range []bool{false, true} {
		_, err := b.ListThingsInThingGroup(ctx, operator, "none", recursive, registry.Page{})
		refused(t, err, apierr.NotFound, "none")
		for _, after := range []string{"no name", "x/no name", "/t", "12", "0/t", "01/t"} {
			if !recursive && after == "12" {
				continue // a name
			}
			_, err := b.ListThingsInThingGroup(ctx, operator, "a", recursive, registry.Page{After: after})
			refused(t, err, apierr.Invalid, "nextToken")
		}
		_, err = b.ListThingsInThingGroup(ctx, operator, "a", recursive, registry.Page{Limit: 251})
		refused(t, err, apierr.Invalid, "maxResults")
	}
}

// A tree with more groups than a page looks at still ends up complete.
func TestListThingsInAWideTree(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.groups(t, "root")
	b.things(t, "first", "last")
	b.add(t, "root", "first")
	for i := range 3 {
		mid := fmt.Sprintf("mid%d", i)
		b.groups(t, "root/"+mid)
		for _, g := range numbered(mid+"-", 100) {
			b.groups(t, mid+"/"+g)
		}
	}
	b.add(t, "mid2-0099", "last")
	got := all(t, 10, func(p registry.Page) (registry.List[string], error) {
		return b.ListThingsInThingGroup(ctx, operator, "root", true, p)
	})
	if diff := cmp.Diff([]string{"first", "last"}, got); diff != "" {
		t.Error(diff)
	}
}

// Groups that go while their tree is read neither hide nor repeat the others.
func TestListThingsInAShrinkingTree(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.groups(t, "root", "root/a", "root/b", "root/c")
	for _, g := range []string{"a", "b", "c"} {
		things := numbered(g, 4)
		b.things(t, things...)
		b.add(t, g, things...)
	}
	first, err := b.ListThingsInThingGroup(ctx, operator, "root", true, registry.Page{Limit: 6})
	ok(t, err)
	ok(t, b.DeleteThingGroup(ctx, operator, "b", nil))
	b.sweep(t)
	rest, err := b.ListThingsInThingGroup(ctx, operator, "root", true, registry.Page{After: first.Next})
	ok(t, err)
	want := slices.Concat(numbered("a", 4), numbered("b", 4)[:2], numbered("c", 4))
	if diff := cmp.Diff(want, slices.Concat(first.Items, rest.Items)); diff != "" {
		t.Error(diff)
	}
}
