package thing

import (
	"maps"
	"slices"

	"muster/internal/apierr"
)

// Limits of thing groups [thing-groups limits].
const (
	// MaxDepth is how many groups there are from a root to the deepest descendant.
	MaxDepth = 7
	// MaxChildren is how many direct children a group may have.
	MaxChildren = 100
	// MaxGroupsPerThing is how many groups a thing may be in.
	MaxGroupsPerThing = 10
)

// GroupSpec is what CreateThingGroup asks for, its place apart
// [iot-api, CreateThingGroup].
type GroupSpec struct {
	Name, Description string
	Attributes        map[string]string
}

// NewGroup returns the group that s asks for, with version 1, below a parent
// that has that many children, or a root if parent is nil. It fails with
// apierr.Invalid if there are too many attributes or no place.
func NewGroup(s GroupSpec, parent *Group, children int, uid int64, id string, now int64) (Group, error) {
	if err := checkGroupAttributes(s.Attributes); err != nil {
		return Group{}, err
	}
	path := []int64{uid}
	if parent != nil {
		if len(parent.Path) >= MaxDepth {
			return Group{}, apierr.New(apierr.Invalid, "parentGroupName: below %s the group would be deeper than the limit of %d levels", parent.Name, MaxDepth)
		}
		if children >= MaxChildren {
			return Group{}, apierr.New(apierr.Invalid, "parentGroupName: %s has reached the limit of %d direct child groups", parent.Name, MaxChildren)
		}
		path = append(slices.Clone(parent.Path), uid)
	}
	return Group{
		UID: uid, Name: s.Name, ID: id, Path: path, Description: s.Description,
		Attributes: orNil(maps.Clone(s.Attributes)), Version: 1, CreatedAt: now,
	}, nil
}

// Same reports whether s below the parent with the given uid, 0 for none, asks
// for just what g is, so that creating it again succeeds.
func (g Group) Same(s GroupSpec, parent int64) bool {
	return g.Name == s.Name && g.Description == s.Description && g.Parent() == parent && maps.Equal(g.Attributes, s.Attributes)
}

// GroupUpdate is what UpdateThingGroup asks for. A group keeps its name and its parent.
type GroupUpdate struct {
	// Description replaces the old one; nil keeps it.
	Description *string
	Attributes  AttributeChange
	// ExpectedVersion, if not nil, must be the current version.
	ExpectedVersion *int64
}

// Update returns the group that results from u, one version on. It fails with
// apierr.VersionMismatch, or with apierr.Invalid if the result breaks a rule.
func (g Group) Update(u GroupUpdate) (Group, error) {
	if err := g.checkVersion(u.ExpectedVersion); err != nil {
		return g, err
	}
	next := g
	if u.Description != nil {
		next.Description = *u.Description
	}
	next.Attributes = u.Attributes.apply(g.Attributes)
	if err := checkGroupAttributes(next.Attributes); err != nil {
		return g, err
	}
	next.Version++
	return next, nil
}

// CheckDelete returns apierr.VersionMismatch if expected is given and is not the
// group's version, and apierr.Invalid if the group has children.
func (g Group) CheckDelete(children int, expected *int64) error {
	if err := g.checkVersion(expected); err != nil {
		return err
	}
	if children > 0 {
		return apierr.New(apierr.Invalid, "Cannot delete thing group : %s when there are still child groups attached to it.", g.Name)
	}
	return nil
}

func (g Group) checkVersion(expected *int64) error {
	return checkVersion("thing group", g.Name, g.Version, expected)
}

func checkGroupAttributes(attributes map[string]string) error {
	return checkCount(attributes, MaxAttributes, "a thing group")
}
