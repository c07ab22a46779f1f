package registry

import (
	"context"
	"slices"
	"strings"

	"muster/internal/auth"
	"muster/internal/store"
	"muster/internal/thing"
)

// ListThingGroupsForThing returns a page of the groups that a thing is directly
// in, oldest first [iot-api, ListThingGroupsForThing].
func (r *Registry) ListThingGroupsForThing(ctx context.Context, p auth.Principal, name string, page Page) (List[thing.Group], error) {
	if err := r.allow(ctx, p, "iot:ListThingGroupsForThing", thing.ThingKind, name); err != nil {
		return List[thing.Group]{}, err
	}
	at, err := page.byUID()
	if err != nil {
		return List[thing.Group]{}, err
	}
	return view(ctx, r, func(rd store.Reader) (List[thing.Group], error) {
		t, err := rd.ThingByName(name)
		if err != nil {
			return List[thing.Group]{}, err
		}
		members, err := rd.Memberships(t.Name, t.UID)
		if err != nil {
			return List[thing.Group]{}, err
		}
		members = slices.DeleteFunc(members, func(m thing.Member) bool { return m.GroupUID <= at.After })
		groups, err := groupsOf(rd, members)
		if err != nil || len(groups) <= at.Limit {
			return List[thing.Group]{Items: groups}, err
		}
		return List[thing.Group]{Items: groups[:at.Limit], Next: formatUID(groups[at.Limit-1].UID)}, nil
	})
}

// ListThingsInThingGroup returns a page of the names of a group's things: by
// name, or if recursive is set with those of all groups below it, group by group
// [iot-api, ListThingsInThingGroup].
func (r *Registry) ListThingsInThingGroup(ctx context.Context, p auth.Principal, name string, recursive bool, page Page) (List[string], error) {
	if err := r.allow(ctx, p, "iot:ListThingsInThingGroup", thing.GroupKind, name); err != nil {
		return List[string]{}, err
	}
	if recursive {
		return r.listSubtree(ctx, name, page)
	}
	at, err := page.byName()
	if err != nil {
		return List[string]{}, err
	}
	return view(ctx, r, func(rd store.Reader) (List[string], error) {
		g, err := rd.GroupByName(name)
		if err != nil {
			return List[string]{}, err
		}
		members, more, err := rd.MembersByName(g.UID, at)
		if err != nil || len(members) == 0 {
			return List[string]{}, err
		}
		return List[string]{Items: names(members), Next: nextIf(more, members[len(members)-1].Thing)}, nil
	})
}

func names(members []thing.Member) []string {
	out := make([]string, len(members))
	for i, m := range members {
		out[i] = m.Thing
	}
	return out
}

// treePosition is a place in the list of the things of a group and those below
// it: in a group of the tree, after a thing. It is written "uid/name". A group
// that has gone from the tree in the meantime is passed over.
type treePosition struct {
	group int64
	thing string // empty is the group's beginning
}

func (t treePosition) String() string { return formatUID(t.group) + "/" + t.thing }

func parseTreePosition(s string) (treePosition, error) {
	if s == "" {
		return treePosition{}, nil
	}
	uid, name, _ := strings.Cut(s, "/")
	group, ok := parseUID(uid)
	t := treePosition{group: group, thing: name}
	if !ok || t.String() != s || name != "" && !thing.IsName(name) {
		return treePosition{}, badPosition()
	}
	return t, nil
}

// groupsPerPage bounds how many groups of a tree, full or empty, a page looks at.
const groupsPerPage = 250

// listSubtree returns a page of the things in the tree below a group. A thing is
// in one group of a tree at most, so the groups one after another repeat
// nothing, unless a thing moves between them while its pages are read.
func (r *Registry) listSubtree(ctx context.Context, name string, page Page) (List[string], error) {
	limit, err := page.limit()
	if err != nil {
		return List[string]{}, err
	}
	from, err := parseTreePosition(page.After)
	if err != nil {
		return List[string]{}, err
	}
	return view(ctx, r, func(rd store.Reader) (List[string], error) {
		root, err := rd.GroupByName(name)
		if err != nil {
			return List[string]{}, err
		}
		groups, err := rd.Subtree(root.UID, max(from.group-1, 0), groupsPerPage)
		if err != nil {
			return List[string]{}, err
		}
		return readTree(rd, groups, from, limit)
	})
}

// readTree reads the members of groups, from a position in the first of them.
func readTree(rd store.GroupReader, groups []int64, from treePosition, limit int) (List[string], error) {
	var out List[string]
	for i, uid := range groups {
		at := store.Page[string]{Limit: limit - len(out.Items)}
		if uid == from.group {
			at.After = from.thing
		}
		members, more, err := rd.MembersByName(uid, at)
		if err != nil {
			return List[string]{}, err
		}
		out.Items = append(out.Items, names(members)...)
		switch {
		case more && len(members) > 0:
			out.Next = treePosition{uid, members[len(members)-1].Thing}.String()
			return out, nil
		case len(out.Items) == limit && i+1 < len(groups):
			out.Next = treePosition{groups[i+1], ""}.String()
			return out, nil
		}
	}
	if len(groups) == groupsPerPage {
		out.Next = treePosition{groups[len(groups)-1] + 1, ""}.String()
	}
	return out, nil
}
