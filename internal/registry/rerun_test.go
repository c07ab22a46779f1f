package registry_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/thing"
)

// twice runs every closure that writes once in vain before it counts, like a
// store that loses a race.
type twice struct{ store.Store }

var errInVain = errors.New("in vain")

func (s twice) Update(ctx context.Context, fn func(store.Tx) error) error {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		_ = fn(tx)
		return errInVain
	})
	if !errors.Is(err, errInVain) {
		return err
	}
	return s.Store.Update(ctx, fn)
}

func (s twice) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	err := s.Store.UpdatePart(ctx, part, fence, func(tx store.Tx) error {
		_ = fn(tx)
		return errInVain
	})
	if !errors.Is(err, errInVain) {
		return err
	}
	return s.Store.UpdatePart(ctx, part, fence, fn)
}

// A closure that runs again gives what its last run did, once.
func TestTransactionsMayRunAgain(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t, func(c *registry.Config) { c.Store = twice{c.Store} }), t.Context()
	tags := []thing.Tag{{Key: "k", Value: "v"}}
	_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: "lamp"}, tags)
	ok(t, err)
	made, err := b.CreateThing(ctx, operator, spec("t1", "lamp", nil))
	ok(t, err)
	stored, err := b.DescribeThing(ctx, operator, "t1")
	ok(t, err)
	if diff := cmp.Diff(stored, made); diff != "" {
		t.Errorf("the answer is not what was stored:\n%s", diff)
	}
	updated, err := b.UpdateThing(ctx, operator, "t1", thing.Update{RemoveType: true})
	ok(t, err)
	if updated.Version != 2 {
		t.Errorf("got version %d after one update, want 2", updated.Version)
	}
	b.groups(t, "g", "g/h")
	b.add(t, "h", "t1")
	if diff := cmp.Diff([]string{"joined t1 g h"}, b.told(t)); diff != "" {
		t.Error(diff)
	}
	ok(t, b.UpdateThingGroupsForThing(ctx, operator, "t1", []string{"g"}, []string{"h"}))
	ok(t, b.DeleteThingGroup(ctx, operator, "h", nil))
	ok(t, b.DeleteThingGroup(ctx, operator, "g", nil))
	b.sweep(t)
	if diff := cmp.Diff([]string{"joined t1 gone gone", "left t1 gone gone", "joined t1 gone", "left t1 gone"}, b.told(t)); diff != "" {
		t.Error(diff)
	}
	key, secret, err := b.CreateKey(ctx, operator, "")
	ok(t, err)
	got, err := b.Secret(ctx, key.ID)
	ok(t, err)
	if got != secret {
		t.Error("the secret that was stored is not the one that was given")
	}
}
