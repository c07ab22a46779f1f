package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muster/internal/apierr"
	"muster/internal/registry"
	"muster/internal/thing"
)

type attrs = map[string]string

func spec(name, typ string, a attrs) registry.CreateThingInput {
	return registry.CreateThingInput{Spec: thing.Spec{Name: name, Type: typ, Attributes: a}}
}

func TestThingLife(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	made, err := b.CreateThing(ctx, operator, spec("t1", "", attrs{"a": "1"}))
	ok(t, err)
	want := thing.Thing{Name: "t1", Attributes: attrs{"a": "1"}, Version: 1, CreatedAt: b.clock.ms.Load()}
	if diff := cmp.Diff(want, made, cmpopts.IgnoreFields(thing.Thing{}, "UID", "ID")); diff != "" {
		t.Error(diff)
	}
	got, err := b.DescribeThing(ctx, operator, "t1")
	ok(t, err)
	if diff := cmp.Diff(made, got); diff != "" {
		t.Errorf("described as something else than created:\n%s", diff)
	}
	_, err = b.UpdateThing(ctx, operator, "t1", thing.Update{
		Attributes: thing.AttributeChange{Set: attrs{"b": "2"}, Merge: true}, ExpectedVersion: ptr(int64(1)),
	})
	ok(t, err)
	got, err = b.DescribeThing(ctx, operator, "t1")
	ok(t, err)
	want = made
	want.Attributes, want.Version = attrs{"a": "1", "b": "2"}, 2
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ok(t, b.DeleteThing(ctx, operator, "t1", ptr(int64(2))))
	_, err = b.DescribeThing(ctx, operator, "t1")
	refused(t, err, apierr.NotFound, "t1")
	again, err := b.CreateThing(ctx, operator, spec("t1", "", attrs{"a": "1"}))
	ok(t, err)
	if again.ID == made.ID || again.UID <= made.UID {
		t.Errorf("made again under its name: got %v, want another identity than %v", again, made)
	}
}

func TestCreateThing(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	for _, name := range []string{"lamp", "pump"} {
		_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: name}, nil)
		ok(t, err)
	}
	lamp, err := b.CreateThing(ctx, operator, spec("t1", "lamp", attrs{"a": "1"}))
	ok(t, err)
	_, err = b.CreateThing(ctx, operator, spec("old", "pump", nil))
	ok(t, err)
	ok(t, b.DeprecateThingType(ctx, operator, "pump", false))

	billed := spec("t2", "", nil)
	billed.BillingGroup = "costs"
	tests := []struct {
		name  string
		in    registry.CreateThingInput
		kind  apierr.Kind
		words []string // of the refusal; nil for none
	}{
		{"the same again succeeds", spec("t1", "lamp", attrs{"a": "1"}), 0, nil},
		{"the same again succeeds when its type is deprecated by now", spec("old", "pump", nil), 0, nil},
		{"other attributes are refused", spec("t1", "lamp", attrs{"a": "2"}), apierr.AlreadyExists, []string{"Thing t1 already exists in account with different attributes"}},
		{"another type is refused", spec("t1", "", attrs{"a": "1"}), apierr.AlreadyExists, []string{"Thing t1 already exists"}},
		{"an unknown type is not found", spec("t2", "none", nil), apierr.NotFound, []string{"none"}},
		{"a deprecated type is refused", spec("t2", "pump", nil), apierr.Invalid, []string{"pump", "deprecated"}},
		{"there are no billing groups", billed, apierr.NotFound, []string{"costs"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := b.CreateThing(ctx, operator, tt.in)
			if tt.words == nil {
				ok(t, err)
				if got.Version != 1 {
					t.Errorf("got version %d, want the thing untouched", got.Version)
				}
				return
			}
			refused(t, err, tt.kind, tt.words...)
			if e, is := errors.AsType[*apierr.Error](err); is && tt.kind == apierr.AlreadyExists {
				if e.ResourceID != lamp.ID || e.ResourceARN != arn("thing", "t1") {
					t.Errorf("got holder %s %s, want %s %s", e.ResourceID, e.ResourceARN, lamp.ID, arn("thing", "t1"))
				}
			}
		})
	}
}

func TestUpdateThing(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	for _, name := range []string{"lamp", "pump"} {
		_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: name}, nil)
		ok(t, err)
	}
	_, err := b.CreateThing(ctx, operator, spec("old", "pump", nil))
	ok(t, err)
	b.things(t, "t1")
	ok(t, b.DeprecateThingType(ctx, operator, "pump", false))
	tests := []struct {
		name   string
		thing  string
		update thing.Update
		kind   apierr.Kind
		words  []string // of the refusal; nil for none
	}{
		{"an unknown thing is not found", "none", thing.Update{}, apierr.NotFound, []string{"none"}},
		{"an unknown type is not found", "t1", thing.Update{Type: "none"}, apierr.NotFound, []string{"none"}},
		{"a deprecated type cannot be given", "t1", thing.Update{Type: "pump"}, apierr.Invalid, []string{"pump", "deprecated"}},
		{"a deprecated type can be kept", "old", thing.Update{Type: "pump", Attributes: thing.AttributeChange{Set: attrs{"a": "1"}}}, 0, nil},
		{"another version is a mismatch", "t1", thing.Update{ExpectedVersion: ptr(int64(9))}, apierr.VersionMismatch, []string{"expectedVersion 9"}},
		{"the limits of attributes hold", "t1", thing.Update{Attributes: thing.AttributeChange{Set: attrs{"a": "1", "b": "1", "c": "1", "d": "1"}}}, apierr.Invalid, []string{"limit of 3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := b.UpdateThing(ctx, operator, tt.thing, tt.update)
			if tt.words == nil {
				ok(t, err)
				return
			}
			refused(t, err, tt.kind, tt.words...)
		})
	}
}

func TestDeleteThing(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1", "t2")
	b.groups(t, "g")
	b.add(t, "g", "t1", "t2")
	before := b.changed.Load()

	ok(t, b.DeleteThing(ctx, operator, "none", nil))
	ok(t, b.DeleteThing(ctx, operator, "none", ptr(int64(1))))
	refused(t, b.DeleteThing(ctx, operator, "t1", ptr(int64(2))), apierr.VersionMismatch, "expectedVersion 2", "version 1")
	if got := b.changed.Load(); got != before {
		t.Errorf("got %d calls of Changed for nothing", got-before)
	}
	ok(t, b.DeleteThing(ctx, operator, "t1", nil))
	if got := b.changed.Load(); got != before+1 {
		t.Errorf("got %d calls of Changed, want 1", got-before)
	}
	if diff := cmp.Diff([]string{"joined t1 g", "joined t2 g", "deleted t1"}, b.told(t)); diff != "" {
		t.Error(diff)
	}
	in, err := b.ListThingsInThingGroup(ctx, operator, "g", false, registry.Page{})
	ok(t, err)
	if diff := cmp.Diff([]string{"t2"}, in.Items); diff != "" {
		t.Errorf("members after the thing has gone:\n%s", diff)
	}
	b.things(t, "t1")
	groups, err := b.ListThingGroupsForThing(ctx, operator, "t1", registry.Page{})
	ok(t, err)
	if len(groups.Items) > 0 {
		t.Errorf("a thing made again is in groups of its predecessor: %v", groups.Items)
	}
}

func TestListThings(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	_, err := b.CreateThingType(ctx, operator, thing.TypeSpec{Name: "lamp"}, nil)
	ok(t, err)
	var every []string
	for i, name := range numbered("t", 60) {
		in := spec(name, "", attrs{"n": fmt.Sprint(i)})
		if i%3 == 0 {
			in.Type = "lamp"
		}
		if i%4 == 0 {
			in.Attributes["color"] = []string{"red", "redder", "blue"}[i/4%3]
		}
		_, err := b.CreateThing(ctx, operator, in)
		ok(t, err)
		every = append(every, name)
	}
	pick := func(match func(i int) bool) []string {
		var out []string
		for i, name := range every {
			if match(i) {
				out = append(out, name)
			}
		}
		return out
	}
	tests := []struct {
		name   string
		filter registry.ThingFilter
		want   []string
	}{
		{"no filter selects all", registry.ThingFilter{}, every},
		{"by type", registry.ThingFilter{Type: "lamp"}, pick(func(i int) bool { return i%3 == 0 })},
		{"by an attribute's value", registry.ThingFilter{Attribute: "color", Value: ptr("red")}, pick(func(i int) bool { return i%12 == 0 })},
		{"by the beginning of the value", registry.ThingFilter{Attribute: "color", Value: ptr("red"), Prefix: true}, pick(func(i int) bool { return i%12 == 0 || i%12 == 4 })},
		{"by an attribute at all", registry.ThingFilter{Attribute: "color"}, pick(func(i int) bool { return i%4 == 0 })},
		{"by an empty value, which none has", registry.ThingFilter{Attribute: "color", Value: ptr("")}, nil},
		{"by both", registry.ThingFilter{Attribute: "color", Value: ptr("blue"), Type: "lamp"}, pick(func(i int) bool { return i%12 == 8 && i%3 == 0 })},
		{"prefix without an attribute means nothing", registry.ThingFilter{Prefix: true}, every},
		{"by a type that there is not", registry.ThingFilter{Type: "none"}, nil},
	}
	for _, tt := range tests {
		for _, limit := range []int{0, 1, 7, 250} {
			t.Run(fmt.Sprintf("%s, %d at a time", tt.name, limit), func(t *testing.T) {
				t.Parallel()
				got := all(t, limit, func(p registry.Page) (registry.List[thing.Thing], error) {
					return b.ListThings(ctx, operator, tt.filter, p)
				})
				var names []string
				for _, x := range got {
					names = append(names, x.Name)
				}
				if diff := cmp.Diff(tt.want, names); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	_, err = b.ListThings(ctx, operator, registry.ThingFilter{Value: ptr("x")}, registry.Page{})
	refused(t, err, apierr.Invalid, "attributeValue", "attributeName")
	for _, after := range []string{"not a name", "a/b", "%"} {
		_, err = b.ListThings(ctx, operator, registry.ThingFilter{}, registry.Page{After: after})
		refused(t, err, apierr.Invalid, "nextToken")
	}
	for _, limit := range []int{-1, 251} {
		_, err = b.ListThings(ctx, operator, registry.ThingFilter{}, registry.Page{Limit: limit})
		refused(t, err, apierr.Invalid, "maxResults", "250")
	}
}

func TestOfConcurrentCreatesOneWins(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	errs := together(32, func(i int) error {
		_, err := b.CreateThing(ctx, operator, spec("t1", "", attrs{"n": fmt.Sprint(i)}))
		return err
	})
	won := slices.Index(errs, nil)
	if won < 0 {
		t.Fatal("nobody has won")
	}
	got, err := b.DescribeThing(ctx, operator, "t1")
	ok(t, err)
	if got.Attributes["n"] != fmt.Sprint(won) {
		t.Errorf("got the thing of %s, want that of the winner %d", got.Attributes["n"], won)
	}
	for i, err := range errs {
		if i == won {
			continue
		}
		refused(t, err, apierr.AlreadyExists)
		if e, is := errors.AsType[*apierr.Error](err); is && e.ResourceID != got.ID {
			t.Errorf("a loser was told id %s, want %s", e.ResourceID, got.ID)
		}
	}
}

func TestConcurrentCreatesOfTheSameAllSucceed(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	ids := make([]string, 32)
	for _, err := range together(len(ids), func(i int) error {
		x, err := b.CreateThing(ctx, operator, spec("t1", "", attrs{"a": "1"}))
		ids[i] = x.ID
		return err
	}) {
		ok(t, err)
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(ids)))); n != 1 {
		t.Errorf("got %d ids, want 1", n)
	}
}

// Of updates that expect the same version, one passes: versions never fork.
func TestConcurrentUpdatesOfOneVersion(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.things(t, "t1")
	const rounds, writers = 10, 8
	for round := range int64(rounds) {
		var passed int
		for _, err := range together(writers, func(int) error {
			_, err := b.UpdateThing(ctx, operator, "t1", thing.Update{ExpectedVersion: ptr(round + 1)})
			return err
		}) {
			if err == nil {
				passed++
				continue
			}
			refused(t, err, apierr.VersionMismatch)
		}
		if passed != 1 {
			t.Fatalf("version %d was updated %d times, want once", round+1, passed)
		}
	}
}
