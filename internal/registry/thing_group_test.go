package registry_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/registry"
	"muster/internal/thing"
)

func groupInput(name, parent string, s thing.GroupSpec) registry.CreateThingGroupInput {
	s.Name = name
	return registry.CreateThingGroupInput{GroupSpec: s, Parent: parent}
}

func TestThingGroupLife(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.groups(t, "site", "site/hall")
	in := groupInput("room", "hall", thing.GroupSpec{Description: "a room", Attributes: attrs{"floor": "2"}})
	made, err := b.CreateThingGroup(ctx, operator, in)
	ok(t, err)
	again, err := b.CreateThingGroup(ctx, operator, in)
	ok(t, err)
	if diff := cmp.Diff(made, again); diff != "" {
		t.Errorf("the same again gave another:\n%s", diff)
	}
	for name, other := range map[string]registry.CreateThingGroupInput{
		"another parent":      groupInput("room", "site", in.GroupSpec),
		"no parent":           groupInput("room", "", in.GroupSpec),
		"another description": groupInput("room", "hall", thing.GroupSpec{Attributes: in.Attributes}),
		"other attributes":    groupInput("room", "hall", thing.GroupSpec{Description: "a room"}),
	} {
		_, err := b.CreateThingGroup(ctx, operator, other)
		refused(t, err, apierr.AlreadyExists, "Thing Group room already exists")
		if e, is := errors.AsType[*apierr.Error](err); is && (e.ResourceID != made.ID || e.ResourceARN != arn("thinggroup", "room")) {
			t.Errorf("%s: got holder %s %s, want %s", name, e.ResourceID, e.ResourceARN, made.ID)
		}
	}
	got, err := b.DescribeThingGroup(ctx, operator, "room")
	ok(t, err)
	if diff := cmp.Diff(made, got.Group); diff != "" {
		t.Error(diff)
	}
	var above []string
	for _, g := range got.Ancestors {
		above = append(above, g.Name)
	}
	if diff := cmp.Diff([]string{"site", "hall"}, above); diff != "" {
		t.Errorf("ancestors:\n%s", diff)
	}
	next, err := b.UpdateThingGroup(ctx, operator, "room", thing.GroupUpdate{Description: ptr("an office"), ExpectedVersion: ptr(int64(1))})
	ok(t, err)
	if next.Version != 2 || next.Description != "an office" {
		t.Errorf("got %+v, want version 2 of an office", next)
	}
	_, err = b.UpdateThingGroup(ctx, operator, "room", thing.GroupUpdate{ExpectedVersion: ptr(int64(1))})
	refused(t, err, apierr.VersionMismatch, "expectedVersion 1", "version 2")
	_, err = b.UpdateThingGroup(ctx, operator, "none", thing.GroupUpdate{})
	refused(t, err, apierr.NotFound, "none")
	_, err = b.DescribeThingGroup(ctx, operator, "none")
	refused(t, err, apierr.NotFound, "none")
	_, err = b.CreateThingGroup(ctx, operator, groupInput("x", "none", thing.GroupSpec{}))
	refused(t, err, apierr.NotFound, "none")
}

func TestDeleteThingGroup(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.groups(t, "site", "site/hall")
	ok(t, b.DeleteThingGroup(ctx, operator, "none", nil))
	refused(t, b.DeleteThingGroup(ctx, operator, "site", nil), apierr.Invalid,
		"Cannot delete thing group : site when there are still child groups attached to it.")
	refused(t, b.DeleteThingGroup(ctx, operator, "hall", ptr(int64(2))), apierr.VersionMismatch, "expectedVersion 2")
	ok(t, b.DeleteThingGroup(ctx, operator, "hall", ptr(int64(1))))
	ok(t, b.DeleteThingGroup(ctx, operator, "site", nil))
	_, err := b.DescribeThingGroup(ctx, operator, "site")
	refused(t, err, apierr.NotFound, "site")
}

func TestGroupDepthAndWidth(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.groups(t, "l1", "l1/l2", "l2/l3", "l3/l4", "l4/l5", "l5/l6", "l6/l7")
	_, err := b.CreateThingGroup(ctx, operator, groupInput("l8", "l7", thing.GroupSpec{}))
	refused(t, err, apierr.Invalid, "parentGroupName", "limit of 7")

	// Of many that come at once, a hundred children fit.
	var made int
	for _, err := range together(110, func(i int) error {
		_, err := b.CreateThingGroup(ctx, operator, groupInput(fmt.Sprintf("child%d", i), "l6", thing.GroupSpec{}))
		return err
	}) {
		if err == nil {
			made++
			continue
		}
		refused(t, err, apierr.Invalid, "parentGroupName", "limit of 100")
	}
	if made != 99 {
		t.Errorf("%d children were added to one, want 99", made)
	}
	ok(t, b.DeleteThingGroup(ctx, operator, "l7", nil))
	_, err = b.CreateThingGroup(ctx, operator, groupInput("late", "l6", thing.GroupSpec{}))
	ok(t, err)
}

func TestOfConcurrentGroupCreatesOneWins(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	var made int
	for _, err := range together(16, func(i int) error {
		_, err := b.CreateThingGroup(ctx, operator, groupInput("g", "", thing.GroupSpec{Description: fmt.Sprint(i)}))
		return err
	}) {
		if err == nil {
			made++
			continue
		}
		refused(t, err, apierr.AlreadyExists)
	}
	if made != 1 {
		t.Errorf("%d have made the group, want 1", made)
	}
}

func TestListThingGroups(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.groups(t, "a", "a/aa", "aa/aaa", "a/ab", "b", "b/ba", "ba/a-deep")
	yes, no := ptr(true), ptr(false)
	tests := []struct {
		name   string
		filter registry.GroupFilter
		want   []string
	}{
		{"no filter selects all", registry.GroupFilter{}, []string{"a", "a-deep", "aa", "aaa", "ab", "b", "ba"}},
		{"recursive without a parent selects all", registry.GroupFilter{Recursive: yes}, []string{"a", "a-deep", "aa", "aaa", "ab", "b", "ba"}},
		{"not recursive without a parent selects the roots", registry.GroupFilter{Recursive: no}, []string{"a", "b"}},
		{"a parent selects its children", registry.GroupFilter{Parent: "a"}, []string{"aa", "ab"}},
		{"a parent, not recursive, selects its children", registry.GroupFilter{Parent: "a", Recursive: no}, []string{"aa", "ab"}},
		{"a parent, recursive, selects its descendants", registry.GroupFilter{Parent: "a", Recursive: yes}, []string{"aa", "aaa", "ab"}},
		{"a prefix selects by name", registry.GroupFilter{Prefix: "aa"}, []string{"aa", "aaa"}},
		{"a prefix and roots", registry.GroupFilter{Prefix: "a", Recursive: no}, []string{"a"}},
		{"a prefix and a parent", registry.GroupFilter{Prefix: "a", Parent: "b", Recursive: yes}, []string{"a-deep"}},
		{"a leaf has no children", registry.GroupFilter{Parent: "aaa"}, nil},
	}
	for _, tt := range tests {
		for _, limit := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("%s, %d at a time", tt.name, limit), func(t *testing.T) {
				t.Parallel()
				groups := all(t, limit, func(p registry.Page) (registry.List[thing.Group], error) {
					return b.ListThingGroups(ctx, operator, tt.filter, p)
				})
				var got []string
				for _, g := range groups {
					got = append(got, g.Name)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	_, err := b.ListThingGroups(ctx, operator, registry.GroupFilter{Parent: "none"}, registry.Page{})
	refused(t, err, apierr.NotFound, "none")
	_, err = b.ListThingGroups(ctx, operator, registry.GroupFilter{}, registry.Page{After: "no name"})
	refused(t, err, apierr.Invalid, "nextToken")
}
