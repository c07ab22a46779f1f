package registry_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/thing"
)

// crowd makes a group of n things without a round through the registry for each.
func (b *bench) crowd(t *testing.T, group string, n int) []string {
	t.Helper()
	b.groups(t, group)
	g, err := b.DescribeThingGroup(t.Context(), operator, group)
	ok(t, err)
	names := numbered(group, n)
	ok(t, b.store.Update(t.Context(), func(tx store.Tx) error {
		for i, name := range names {
			uid := b.config.UIDs.Next(b.clock.ms.Load())
			x, err := thing.New(thing.Spec{Name: name}, uid, name, int64(i))
			if err != nil {
				return err
			}
			if err := tx.InsertThing(x); err != nil {
				return err
			}
			m := thing.Member{UID: b.config.UIDs.Next(b.clock.ms.Load()), GroupUID: g.UID, ThingUID: x.UID, Thing: name}
			if err := tx.InsertMember(m); err != nil {
				return err
			}
		}
		return nil
	}))
	return names
}

func TestGroupSweep(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	names := b.crowd(t, "g", 1200)
	g, err := b.DescribeThingGroup(ctx, operator, "g")
	ok(t, err)
	b.sweep(t) // nothing is dead
	loop := b.GroupSweep()
	at, err := loop.Next(ctx)
	ok(t, err)
	if !at.IsZero() {
		t.Fatalf("got %v with nothing to do, want the zero time", at)
	}

	before := b.changed.Load()
	ok(t, b.DeleteThingGroup(ctx, operator, "g", nil))
	if b.changed.Load() == before {
		t.Error("nobody was told that there is something to sweep")
	}
	b.groups(t, "g") // the name is free at once
	in, err := b.ListThingsInThingGroup(ctx, operator, "g", false, registry.Page{})
	ok(t, err)
	groups, err := b.ListThingGroupsForThing(ctx, operator, names[0], registry.Page{})
	ok(t, err)
	if len(in.Items)+len(groups.Items) > 0 {
		t.Errorf("the new group has members %v, a member is in %v, want none", in.Items, groups.Items)
	}

	var done []int
	for {
		at, err := loop.Next(ctx)
		ok(t, err)
		if at.IsZero() {
			break
		}
		if at.After(b.clock.Now()) {
			t.Fatalf("the loop wants to run at %v, want now", at)
		}
		n, err := loop.Once(ctx, b.clock.Now())
		ok(t, err)
		done = append(done, n)
	}
	// 1,200 members in chunks, the group itself, and the look that finds nothing.
	if diff := cmp.Diff([]int{500, 500, 200, 1, 0}, done); diff != "" {
		t.Error(diff)
	}
	var left []string
	for _, c := range b.changes(t) {
		if c.Kind != thing.Left || !slices.Equal(c.GroupPath, g.Path) {
			t.Fatalf("got change %+v, want a thing that left the group", c)
		}
		left = append(left, c.Thing)
	}
	slices.Sort(left)
	if diff := cmp.Diff(names, left); diff != "" {
		t.Error(diff)
	}
}

// Memberships of a dead group hold no place: not among ten, not in a hierarchy.
func TestDeadMembershipsDoNotCount(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	groups := numbered("g", 9)
	b.groups(t, append(groups, "root", "root/a", "root/b")...)
	b.add(t, "a", "t1")
	for _, g := range groups {
		b.add(t, g, "t1")
	}
	ok(t, b.DeleteThingGroup(ctx, operator, "a", nil))
	b.add(t, "b", "t1")
	b.sweep(t)
	told := b.told(t)
	if diff := cmp.Diff([]string{"joined t1 root b", "left t1 root gone"}, told[len(told)-2:]); diff != "" {
		t.Error(diff)
	}
}

// What one process began another finishes: a new registry looks for dead groups.
func TestGroupSweepGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.crowd(t, "g", 700)
	ok(t, b.DeleteThingGroup(ctx, operator, "g", nil))
	_, err := b.GroupSweep().Once(ctx, b.clock.Now())
	ok(t, err)
	b.Registry = registry.New(b.config)
	b.sweep(t)
	if got := len(b.changes(t)); got != 700 {
		t.Errorf("got %d changes, want one for each of 700 members", got)
	}
}

// A sweep that fails is due again and has told nothing twice.
func TestGroupSweepFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	var fail bool
	b := setup(t, func(c *registry.Config) { c.Store = &failing{Store: c.Store, fail: &fail, err: broken} })
	ctx := t.Context()
	b.crowd(t, "g", 10)
	ok(t, b.DeleteThingGroup(ctx, operator, "g", nil))
	loop := b.GroupSweep()
	fail = true
	_, err := loop.Once(ctx, b.clock.Now())
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want the store's error", err)
	}
	at, err := loop.Next(ctx)
	ok(t, err)
	if at.IsZero() {
		t.Fatal("a sweep that failed is not due again")
	}
	fail = false
	b.sweep(t)
	if got := len(b.changes(t)); got != 10 {
		t.Errorf("got %d changes, want 10", got)
	}
}

// failing refuses to write into parts while *fail is set.
type failing struct {
	store.Store
	fail *bool
	err  error
}

func (s *failing) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	if *s.fail {
		return s.err
	}
	return s.Store.UpdatePart(ctx, part, fence, fn)
}
