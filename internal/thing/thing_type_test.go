package thing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/thing"
)

func TestNewType(t *testing.T) {
	t.Parallel()
	both := thing.Propagation{UserPropertyKey: "k", ThingAttribute: "a", ConnectionAttribute: "c"}
	tests := []struct {
		name  string
		spec  thing.TypeSpec
		words []string // of the refusal; nil for none
	}{
		{"a name is enough", thing.TypeSpec{Name: "lamp"}, nil},
		{"three attributes may be searchable", thing.TypeSpec{Name: "lamp", Searchable: []string{"a", "b", "c"}}, nil},
		{"four may not", thing.TypeSpec{Name: "lamp", Searchable: []string{"a", "b", "c", "d"}}, []string{"searchableAttributes", "limit of 3"}},
		{"twenty attributes may propagate", thing.TypeSpec{Name: "lamp", Propagating: slices.Repeat([]thing.Propagation{{UserPropertyKey: "k", ThingAttribute: "a"}}, 20)}, nil},
		{"twenty-one may not", thing.TypeSpec{Name: "lamp", Propagating: slices.Repeat([]thing.Propagation{{UserPropertyKey: "k", ThingAttribute: "a"}}, 21)}, []string{"propagatingAttributes", "limit of 20"}},
		{"a propagating attribute has one source, not two", thing.TypeSpec{Name: "lamp", Propagating: []thing.Propagation{both}}, []string{"propagatingAttributes", "exactly one"}},
		{"a propagating attribute has one source, not none", thing.TypeSpec{Name: "lamp", Propagating: []thing.Propagation{{UserPropertyKey: "k"}}}, []string{"exactly one"}},
		{"a propagating attribute has a key", thing.TypeSpec{Name: "lamp", Propagating: []thing.Propagation{{ThingAttribute: "a"}}}, []string{"userPropertyKey"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := thing.NewType(tt.spec, uid, id, t0)
			if tt.words != nil {
				refused(t, err, apierr.Invalid, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := thing.Type{UID: uid, Name: tt.spec.Name, ID: id, Searchable: tt.spec.Searchable, Propagating: tt.spec.Propagating, CreatedAt: t0}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !got.Same(tt.spec) {
				t.Error("a new type is not the same as what was asked for")
			}
		})
	}
}

func TestUpdateType(t *testing.T) {
	t.Parallel()
	old := []thing.Propagation{{UserPropertyKey: "k", ThingAttribute: "a"}}
	has := thing.Type{UID: uid, Name: "lamp", Description: "a lamp", Searchable: []string{"a"}, Propagating: old}
	tests := []struct {
		name   string
		update thing.TypeUpdate
		want   []thing.Propagation
		words  []string // of the refusal; nil for none
	}{
		{"an empty update changes nothing", thing.TypeUpdate{}, old, nil},
		{"propagating attributes are replaced", thing.TypeUpdate{Propagating: []thing.Propagation{{UserPropertyKey: "n", ConnectionAttribute: "iot:ClientId"}}}, []thing.Propagation{{UserPropertyKey: "n", ConnectionAttribute: "iot:ClientId"}}, nil},
		{"an empty list takes them away", thing.TypeUpdate{Propagating: []thing.Propagation{}}, []thing.Propagation{}, nil},
		{"too many propagating attributes are refused", thing.TypeUpdate{Propagating: slices.Repeat(old, 21)}, nil, []string{"limit of 20"}},
		{"the same description may be repeated", thing.TypeUpdate{Description: ptr("a lamp")}, old, nil},
		{"another description is refused", thing.TypeUpdate{Description: ptr("a pump")}, nil, []string{"thingTypeDescription", "cannot be changed"}},
		{"the same searchable attributes may be repeated", thing.TypeUpdate{Searchable: []string{"a"}}, old, nil},
		{"other searchable attributes are refused", thing.TypeUpdate{Searchable: []string{"b"}}, nil, []string{"searchableAttributes", "cannot be changed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := has.Update(tt.update)
			if tt.words != nil {
				refused(t, err, apierr.Invalid, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := has
			want.Propagating = tt.want
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTypeLife(t *testing.T) {
	t.Parallel()
	fresh := thing.Type{UID: uid, Name: "lamp", CreatedAt: t0}
	deprecated := fresh.Deprecate(t0)
	minutes := func(n int64) int64 { return t0 + n*60_000 }
	tests := []struct {
		name  string
		typ   thing.Type
		now   int64
		wait  time.Duration
		used  bool
		words []string // of the refusal; nil for none
	}{
		{"a type that is not deprecated cannot be deleted", fresh, minutes(60), thing.DeleteTypeWait, false, []string{"Cannot delete thing type : lamp", "deprecated first"}},
		{"a millisecond too early is too early", deprecated, minutes(5) - 1, thing.DeleteTypeWait, false, []string{"Please wait for 5 minutes after deprecation and then retry"}},
		{"after five minutes it can be deleted", deprecated, minutes(5), thing.DeleteTypeWait, false, nil},
		{"a type in use cannot be deleted", deprecated, minutes(5), thing.DeleteTypeWait, true, []string{"Cannot delete thing type : lamp", "type of at least one thing"}},
		{"without a wait it can be deleted at once", deprecated, t0, 0, false, nil},
		{"a short wait is told in the words that clients look for", deprecated, t0, time.Second, false, []string{"Please wait for 5 minutes after deprecation and then retry"}},
		{"a long wait is told as it is", deprecated, t0, 10 * time.Minute, false, []string{"Please wait for 10 minutes after deprecation and then retry"}},
		{"deprecating again does not prolong the wait", deprecated.Deprecate(minutes(4)), minutes(5), thing.DeleteTypeWait, false, nil},
		{"undoing it forbids deletion again", deprecated.UndoDeprecate(), minutes(5), thing.DeleteTypeWait, false, []string{"deprecated first"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.typ.CheckDelete(tt.now, tt.wait, tt.used)
			if tt.words == nil && err != nil {
				t.Fatal(err)
			}
			if tt.words != nil {
				refused(t, err, apierr.Invalid, tt.words...)
			}
		})
	}
	if err := fresh.CheckUse(); err != nil {
		t.Errorf("got %v, want a fresh type to be usable", err)
	}
	refused(t, deprecated.CheckUse(), apierr.Invalid, "thingTypeName", "lamp", "deprecated")
	if err := deprecated.UndoDeprecate().CheckUse(); err != nil {
		t.Errorf("got %v, want the type to be usable again", err)
	}
}
