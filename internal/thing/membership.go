package thing

import (
	"slices"

	"muster/internal/apierr"
)

// Regroup returns which groups a thing that is in the groups given joins and
// leaves, in the order asked for, when it is taken out of some and then put into
// others. Where it is already, or is not anyway, nothing happens.
//
// It fails with apierr.Invalid if a group is to be joined and left at once, or if
// the thing would be in more than MaxGroupsPerThing groups or in two groups of
// one hierarchy [thing-groups].
func Regroup(name string, in, add, remove []Group) (joins, leaves []Group, err error) {
	in = slices.Clone(in)
	for _, g := range remove {
		if contains(add, g) {
			return nil, nil, apierr.New(apierr.Invalid, "thingGroupsToAdd and thingGroupsToRemove both name %s", g.Name)
		}
		if contains(in, g) {
			leaves = append(leaves, g)
			in = slices.DeleteFunc(in, func(h Group) bool { return h.UID == g.UID })
		}
	}
	for _, g := range add {
		if contains(in, g) {
			continue
		}
		if err := checkJoin(name, in, g); err != nil {
			return nil, nil, err
		}
		joins, in = append(joins, g), append(in, g)
	}
	return joins, leaves, nil
}

func checkJoin(name string, in []Group, g Group) error {
	for _, h := range in {
		if h.Root() == g.Root() {
			return apierr.New(apierr.Invalid, "thing %s is in thing group %s and cannot be in %s, which has the same root: the limit is one group of a hierarchy",
				name, h.Name, g.Name)
		}
	}
	if len(in) >= MaxGroupsPerThing {
		return apierr.New(apierr.Invalid, "thing %s cannot be added to thing group %s: it has reached the limit of %d groups", name, g.Name, MaxGroupsPerThing)
	}
	return nil
}

func contains(groups []Group, g Group) bool {
	return slices.ContainsFunc(groups, func(h Group) bool { return h.UID == g.UID })
}
