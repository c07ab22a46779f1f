package thing_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/thing"
)

func TestNewGroup(t *testing.T) {
	t.Parallel()
	at := func(path ...int64) *thing.Group {
		return &thing.Group{UID: path[len(path)-1], Name: "parent", Path: path}
	}
	tests := []struct {
		name     string
		spec     thing.GroupSpec
		parent   *thing.Group
		children int
		path     []int64
		words    []string // of the refusal; nil for none
	}{
		{"a group without a parent is a root", thing.GroupSpec{Name: "g"}, nil, 0, []int64{7}, nil},
		{"a child's path goes through its parent", thing.GroupSpec{Name: "g"}, at(1, 2), 0, []int64{1, 2, 7}, nil},
		{"the seventh level is the deepest", thing.GroupSpec{Name: "g"}, at(1, 2, 3, 4, 5, 6), 0, []int64{1, 2, 3, 4, 5, 6, 7}, nil},
		{"there is no eighth level", thing.GroupSpec{Name: "g"}, at(1, 2, 3, 4, 5, 6, 8), 0, nil, []string{"parentGroupName", "parent", "limit of 7"}},
		{"the hundredth child is the last", thing.GroupSpec{Name: "g"}, at(1), 99, []int64{1, 7}, nil},
		{"there is no hundred-and-first child", thing.GroupSpec{Name: "g"}, at(1), 100, nil, []string{"parentGroupName", "limit of 100"}},
		{"fifty attributes are the most", thing.GroupSpec{Name: "g", Attributes: many(50)}, nil, 0, []int64{7}, nil},
		{"a group may not have 51", thing.GroupSpec{Name: "g", Attributes: many(51)}, nil, 0, nil, []string{"attributePayload.attributes", "limit of 50", "thing group"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := thing.NewGroup(tt.spec, tt.parent, tt.children, uid, id, t0)
			if tt.words != nil {
				refused(t, err, apierr.Invalid, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := thing.Group{UID: uid, Name: "g", ID: id, Path: tt.path, Attributes: tt.spec.Attributes, Version: 1, CreatedAt: t0}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !got.Same(tt.spec, want.Parent()) {
				t.Error("a new group is not the same as what was asked for")
			}
			if got.Same(tt.spec, 999) {
				t.Error("a group below another parent is not the same")
			}
		})
	}
}

// Siblings of one parent must not share the memory of their paths.
func TestSiblingsHaveTheirOwnPaths(t *testing.T) {
	t.Parallel()
	parent := &thing.Group{UID: 2, Path: append(make([]int64, 0, 8), 1, 2)}
	a, errA := thing.NewGroup(thing.GroupSpec{Name: "a"}, parent, 0, 10, id, t0)
	b, errB := thing.NewGroup(thing.GroupSpec{Name: "b"}, parent, 1, 11, id, t0)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if diff := cmp.Diff([][]int64{{1, 2, 10}, {1, 2, 11}}, [][]int64{a.Path, b.Path}); diff != "" {
		t.Error(diff)
	}
}

func TestUpdateGroup(t *testing.T) {
	t.Parallel()
	has := thing.Group{UID: uid, Name: "g", Path: []int64{uid}, Description: "old", Attributes: attrs{"x": "1"}, Version: 3}
	tests := []struct {
		name        string
		update      thing.GroupUpdate
		description string
		attrs       attrs
		kind        apierr.Kind
		words       []string // of the refusal; nil for none
	}{
		{"an empty update only moves the version", thing.GroupUpdate{}, "old", has.Attributes, 0, nil},
		{"a description is replaced", thing.GroupUpdate{Description: ptr("new")}, "new", has.Attributes, 0, nil},
		{"an empty description takes it away", thing.GroupUpdate{Description: ptr("")}, "", has.Attributes, 0, nil},
		{"attributes are replaced", thing.GroupUpdate{Attributes: thing.AttributeChange{Set: attrs{"b": "2"}}}, "old", attrs{"b": "2"}, 0, nil},
		{"attributes are merged when asked", thing.GroupUpdate{Attributes: thing.AttributeChange{Set: attrs{"b": "2"}, Merge: true}}, "old", attrs{"x": "1", "b": "2"}, 0, nil},
		{"the limit holds for the result", thing.GroupUpdate{Attributes: thing.AttributeChange{Set: many(50), Merge: true}}, "", nil, apierr.Invalid, []string{"51 attributes", "limit of 50"}},
		{"another expected version is a mismatch", thing.GroupUpdate{ExpectedVersion: ptr(int64(2))}, "", nil, apierr.VersionMismatch, []string{"expectedVersion 2", "version 3", "thing group g"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := has.Update(tt.update)
			if tt.words != nil {
				refused(t, err, tt.kind, tt.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := has
			want.Description, want.Attributes, want.Version = tt.description, tt.attrs, 4
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDeleteGroup(t *testing.T) {
	t.Parallel()
	g := thing.Group{UID: uid, Name: "g", Version: 2}
	if err := g.CheckDelete(0, nil); err != nil {
		t.Errorf("got %v, want a group without children to go", err)
	}
	if err := g.CheckDelete(0, ptr(int64(2))); err != nil {
		t.Errorf("got %v, want the current version to pass", err)
	}
	refused(t, g.CheckDelete(0, ptr(int64(1))), apierr.VersionMismatch, "expectedVersion 1")
	refused(t, g.CheckDelete(1, nil), apierr.Invalid, "Cannot delete thing group : g when there are still child groups attached to it.")
}
