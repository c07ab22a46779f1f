package registry_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/registry"
	"muster/internal/thing"
)

func TestThingTypeLife(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	want := thing.TypeSpec{
		Name: "lamp", Description: "a lamp", Searchable: []string{"color"},
		Propagating: []thing.Propagation{{UserPropertyKey: "k", ThingAttribute: "color"}},
	}
	made, err := b.CreateThingType(ctx, operator, want, nil)
	ok(t, err)
	again, err := b.CreateThingType(ctx, operator, want, nil)
	ok(t, err)
	if diff := cmp.Diff(made, again); diff != "" {
		t.Errorf("the same again gave another:\n%s", diff)
	}
	_, err = b.CreateThingType(ctx, operator, thing.TypeSpec{Name: "lamp"}, nil)
	refused(t, err, apierr.AlreadyExists, "Thing Type lamp already exists")
	if e, is := errors.AsType[*apierr.Error](err); is && (e.ResourceID != made.ID || e.ResourceARN != arn("thingtype", "lamp")) {
		t.Errorf("got holder %s %s, want %s", e.ResourceID, e.ResourceARN, made.ID)
	}
	ok(t, b.UpdateThingType(ctx, operator, "lamp", thing.TypeUpdate{Propagating: []thing.Propagation{{UserPropertyKey: "n", ConnectionAttribute: "iot:ClientId"}}}))
	refused(t, b.UpdateThingType(ctx, operator, "lamp", thing.TypeUpdate{Description: ptr("other")}), apierr.Invalid, "thingTypeDescription")
	refused(t, b.UpdateThingType(ctx, operator, "none", thing.TypeUpdate{}), apierr.NotFound, "none")

	b.clock.advance(time.Second)
	ok(t, b.DeprecateThingType(ctx, operator, "lamp", false))
	got, err := b.DescribeThingType(ctx, operator, "lamp")
	ok(t, err)
	changed := made
	changed.Propagating = []thing.Propagation{{UserPropertyKey: "n", ConnectionAttribute: "iot:ClientId"}}
	changed.DeprecatedAt = b.clock.ms.Load()
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Error(diff)
	}
	refused(t, b.DeprecateThingType(ctx, operator, "none", false), apierr.NotFound, "none")
	_, err = b.DescribeThingType(ctx, operator, "none")
	refused(t, err, apierr.NotFound, "none")
}

func TestDeleteThingType(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: "lamp"}, nil)
	ok(t, err)
	_, err = b.CreateThing(ctx, operator, spec("t1", "lamp", nil))
	ok(t, err)

	refused(t, b.DeleteThingType(ctx, operator, "none"), apierr.NotFound, "none")
	refused(t, b.DeleteThingType(ctx, operator, "lamp"), apierr.Invalid, "deprecated first")
	ok(t, b.DeprecateThingType(ctx, operator, "lamp", false))
	refused(t, b.DeleteThingType(ctx, operator, "lamp"), apierr.Invalid, "Please wait for 5 minutes after deprecation and then retry")
	b.clock.advance(5 * time.Minute)
	refused(t, b.DeleteThingType(ctx, operator, "lamp"), apierr.Invalid, "type of at least one thing")
	ok(t, b.DeprecateThingType(ctx, operator, "lamp", true))
	ok(t, b.DeleteThing(ctx, operator, "t1", nil))
	refused(t, b.DeleteThingType(ctx, operator, "lamp"), apierr.Invalid, "deprecated first")
	ok(t, b.DeprecateThingType(ctx, operator, "lamp", false))
	b.clock.advance(5 * time.Minute)
	ok(t, b.DeleteThingType(ctx, operator, "lamp"))
	_, err = b.DescribeThingType(ctx, operator, "lamp")
	refused(t, err, apierr.NotFound, "lamp")
}

func TestDeleteThingTypeWithoutAWait(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t, func(c *registry.Config) { c.DeleteTypeWait = 0 }), t.Context()
	_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: "lamp"}, nil)
	ok(t, err)
	ok(t, b.DeprecateThingType(ctx, operator, "lamp", false))
	ok(t, b.DeleteThingType(ctx, operator, "lamp"))
}

// No thing gets a type that is gone, whoever comes first.
func TestTypeIsNotDeletedUnderAThing(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t, func(c *registry.Config) { c.DeleteTypeWait = 0 }), t.Context()
	for round := range 10 {
		name := fmt.Sprintf("type%d", round)
		_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: name}, nil)
		ok(t, err)
		errs := together(2, func(i int) error {
			if i == 0 {
				_, err := b.CreateThing(ctx, operator, spec(fmt.Sprintf("t%d", round), name, nil))
				return err
			}
			if err := b.DeprecateThingType(ctx, operator, name, false); err != nil {
				return err
			}
			return b.DeleteThingType(ctx, operator, name)
		})
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("create: %v, delete: %v, want just one to pass", errs[0], errs[1])
		}
	}
}

func TestListThingTypes(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	names := []string{"a", "lam", "lamp", "lamp-1", "lamp:x", "lampZ", "lampz", "lan", "z"}
	for _, name := range names {
		_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: name}, nil)
		ok(t, err)
	}
	tests := []struct {
		prefix string
		want   []string
	}{
		{"", names},
		{"lamp", []string{"lamp", "lamp-1", "lamp:x", "lampZ", "lampz"}},
		{"lamp-", []string{"lamp-1"}},
		{"z", []string{"z"}},
		{"-", nil},
		{"zz", nil},
		{"lampy", nil},
	}
	for _, tt := range tests {
		for _, limit := range []int{0, 1, 2, 5} {
			t.Run(fmt.Sprintf("%q, %d at a time", tt.prefix, limit), func(t *testing.T) {
				t.Parallel()
				types := all(t, limit, func(p registry.Page) (registry.List[thing.Type], error) {
					return b.ListThingTypes(ctx, operator, tt.prefix, p)
				})
				var got []string
				for _, x := range types {
					got = append(got, x.Name)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	_, err := b.ListThingTypes(ctx, operator, "", registry.Page{After: "no name"})
	refused(t, err, apierr.Invalid, "nextToken")
}
