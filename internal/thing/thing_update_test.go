package thing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/thing"
)

const (
	uid = int64(7)
	id  = "0b8e6a5c-0000-4000-8000-000000000001"
	t0  = int64(1_700_000_000_000)
)

type attrs = map[string]string

// many returns n attributes.
func many(n int) attrs {
	m := make(attrs, n)
	for i := range n {
		m[fmt.Sprintf("a%d", i)] = "v"
	}
	return m
}

// heavy returns n attributes as large as they can be.
func heavy(n int) attrs {
	m := make(attrs, n)
	for i := range n {
		m[fmt.Sprintf("%0128d", i)] = strings.Repeat("v", 800)
	}
	return m
}

func TestNewThing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spec  thing.Spec
		words []string // of the refusal; nil for none
	}{
		{"a name is enough", thing.Spec{Name: "t1"}, nil},
		{"three attributes need no type", thing.Spec{Name: "t1", Attributes: many(3)}, nil},
		{"a fourth attribute needs a type", thing.Spec{Name: "t1", Attributes: many(4)}, []string{"attributePayload.attributes", "limit of 3", "without a thing type"}},
		{"with a type there may be fifty", thing.Spec{Name: "t1", Type: "lamp", Attributes: many(50)}, nil},
		{"with a type there may not be 51", thing.Spec{Name: "t1", Type: "lamp", Attributes: many(51)}, []string{"attributePayload.attributes", "limit of 50"}},
		{"all fifty may be as large as they can be, below the 47 KB of AWS", thing.Spec{Name: "t1", Type: "lamp", Attributes: heavy(50)}, nil},
		{"an attribute's value may be an index in brackets", thing.Spec{Name: "t1", Attributes: attrs{"a": "x[1]=#y"}}, nil},
		{"an attribute's value may be empty", thing.Spec{Name: "t1", Attributes: attrs{"a": ""}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := thing.New(tt.spec, uid, id, t0)
			if tt.words != nil {
				refused(t, err, apierr.Invalid, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := thing.Thing{UID: uid, Name: tt.spec.Name, ID: id, Type: tt.spec.Type, Attributes: tt.spec.Attributes, Version: 1, CreatedAt: t0}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !got.Same(tt.spec) {
				t.Error("a new thing is not the same as what was asked for")
			}
		})
	}
}

func TestSameThing(t *testing.T) {
	t.Parallel()
	one, err := thing.New(thing.Spec{Name: "t1", Type: "lamp", Attributes: attrs{"a": "1"}}, uid, id, t0)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		spec thing.Spec
		want bool
	}{
		{"equal specs are the same", thing.Spec{Name: "t1", Type: "lamp", Attributes: attrs{"a": "1"}}, true},
		{"another value differs", thing.Spec{Name: "t1", Type: "lamp", Attributes: attrs{"a": "2"}}, false},
		{"no attributes differ from some", thing.Spec{Name: "t1", Type: "lamp"}, false},
		{"another type differs", thing.Spec{Name: "t1", Type: "pump", Attributes: attrs{"a": "1"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := one.Same(tt.spec); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestUpdateThing(t *testing.T) {
	t.Parallel()
	has := thing.Thing{UID: uid, Name: "t1", Type: "lamp", Attributes: attrs{"a": "1", "b": "2"}, Version: 4}
	four := has
	four.Attributes = many(4)
	tests := []struct {
		name   string
		from   thing.Thing
		update thing.Update
		typ    string
		attrs  attrs
		kind   apierr.Kind
		words  []string // of the refusal; nil for none
	}{
		{"an empty update only moves the version", has, thing.Update{}, "lamp", has.Attributes, 0, nil},
		{"without merge all attributes are replaced", has, thing.Update{Attributes: thing.AttributeChange{Set: attrs{"c": "3"}}}, "lamp", attrs{"c": "3"}, 0, nil},
		{"without merge an empty map takes all away", has, thing.Update{Attributes: thing.AttributeChange{Set: attrs{}}}, "lamp", nil, 0, nil},
		{"with merge attributes are added and changed", has, thing.Update{Attributes: thing.AttributeChange{Set: attrs{"b": "9", "c": "3"}, Merge: true}}, "lamp", attrs{"a": "1", "b": "9", "c": "3"}, 0, nil},
		{"with merge an empty value takes an attribute away", has, thing.Update{Attributes: thing.AttributeChange{Set: attrs{"a": ""}, Merge: true}}, "lamp", attrs{"b": "2"}, 0, nil},
		{"without merge an empty value is no attribute", has, thing.Update{Attributes: thing.AttributeChange{Set: attrs{"a": "", "c": "3"}}}, "lamp", attrs{"c": "3"}, 0, nil},
		{"with merge an empty map changes nothing", has, thing.Update{Attributes: thing.AttributeChange{Set: attrs{}, Merge: true}}, "lamp", has.Attributes, 0, nil},
		{"taking away what is not there is no fault", has, thing.Update{Attributes: thing.AttributeChange{Set: attrs{"x": ""}, Merge: true}}, "lamp", has.Attributes, 0, nil},
		{"the limit holds for the result of a merge", four, thing.Update{Attributes: thing.AttributeChange{Set: many(51), Merge: true}}, "", nil, apierr.Invalid, []string{"limit of 50"}},
		{"a merge may swap attributes at the limit", four, thing.Update{RemoveType: true, Attributes: thing.AttributeChange{Set: attrs{"a0": ""}, Merge: true}}, "", attrs{"a1": "v", "a2": "v", "a3": "v"}, 0, nil},
		{"a new type replaces the old", has, thing.Update{Type: "pump"}, "pump", has.Attributes, 0, nil},
		{"the type can be removed", has, thing.Update{RemoveType: true}, "", has.Attributes, 0, nil},
		{"the type cannot be removed from a thing with four attributes", four, thing.Update{RemoveType: true}, "", nil, apierr.Invalid, []string{"limit of 3", "without a thing type"}},
		{"a type and no type exclude each other", has, thing.Update{Type: "pump", RemoveType: true}, "", nil, apierr.Invalid, []string{"thingTypeName", "removeThingType"}},
		{"the expected version passes when it is current", has, thing.Update{ExpectedVersion: ptr(int64(4))}, "lamp", has.Attributes, 0, nil},
		{"another expected version is a mismatch", has, thing.Update{ExpectedVersion: ptr(int64(3))}, "", nil, apierr.VersionMismatch, []string{"expectedVersion 3", "version 4", "thing t1"}},
		{"an expected version of 0 is given, too", has, thing.Update{ExpectedVersion: ptr(int64(0))}, "", nil, apierr.VersionMismatch, []string{"expectedVersion 0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.from.Update(tt.update)
			if tt.words != nil {
				refused(t, err, tt.kind, tt.words...)
				if diff := cmp.Diff(tt.from, got); diff != "" {
					t.Errorf("a refused update changed the thing:\n%s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := tt.from
			want.Type, want.Attributes, want.Version = tt.typ, tt.attrs, tt.from.Version+1
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff(attrs{"a": "1", "b": "2"}, has.Attributes); diff != "" {
		t.Errorf("updates changed the thing they started from:\n%s", diff)
	}
}
