package registry

import (
	"context"

	"github.com/google/uuid"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/store"
	"muster/internal/thing"
)

// CreateThingGroupInput is what CreateThingGroup is asked.
type CreateThingGroupInput struct {
	thing.GroupSpec
	// Parent is the name of the group to be below, or empty for a root.
	Parent string
	Tags   []thing.Tag
}

// CreateThingGroup makes a static thing group [iot-api, CreateThingGroup]. If it
// is there already and the same, it is returned as it is, with its own tags; if
// it differs, AlreadyExists tells its id and ARN. NotFound names a parent that
// does not exist.
func (r *Registry) CreateThingGroup(ctx context.Context, p auth.Principal, in CreateThingGroupInput) (thing.Group, error) {
	if err := r.allow(ctx, p, "iot:CreateThingGroup", thing.GroupKind, in.Name); err != nil {
		return thing.Group{}, err
	}
	id := uuid.NewString()
	return update(ctx, r, func(tx store.Tx, now int64) (thing.Group, error) {
		parent, err := parentOf(tx, in.Parent)
		if err != nil {
			return thing.Group{}, err
		}
		old, err := tx.GroupByName(in.Name)
		if err == nil {
			if !old.Same(in.GroupSpec, parent.uid()) {
				err = r.taken(p, thing.GroupKind, old.Name, old.ID, "Thing Group %s already exists in current account with different properties")
			}
			return old, err
		}
		if !apierr.Is(err, apierr.NotFound) {
			return old, err
		}
		g, err := thing.NewGroup(in.GroupSpec, parent.group, parent.children, r.uids.Next(now), id, now)
		if err != nil {
			return g, err
		}
		if err := tx.InsertGroup(g); err != nil {
			return g, err
		}
		return g, addTags(tx, thing.TagResource(thing.GroupKind, g.UID), in.Tags)
	})
}

// parent is the group that a new one is to be below; the zero value is none.
type parent struct {
	group    *thing.Group
	children int
}

func (p parent) uid() int64 {
	if p.group == nil {
		return 0
	}
	return p.group.UID
}

// parentOf returns the group with the given name, or none if it is empty.
func parentOf(rd store.GroupReader, name string) (parent, error) {
	if name == "" {
		return parent{}, nil
	}
	g, err := rd.GroupByName(name)
	if err != nil {
		return parent{}, err
	}
	children, err := rd.Children(g.UID, thing.MaxChildren)
	return parent{group: &g, children: children}, err
}

// GroupDescription is a group and its place.
type GroupDescription struct {
	thing.Group
	// Ancestors are the groups above it, the root first; nil for a root.
	Ancestors []thing.Group
}

// DescribeThingGroup returns a group and those above it
// [iot-api, DescribeThingGroup].
func (r *Registry) DescribeThingGroup(ctx context.Context, p auth.Principal, name string) (GroupDescription, error) {
	if err := r.allow(ctx, p, "iot:DescribeThingGroup", thing.GroupKind, name); err != nil {
		return GroupDescription{}, err
	}
	return view(ctx, r, func(rd store.Reader) (GroupDescription, error) {
		g, err := rd.GroupByName(name)
		if err != nil {
			return GroupDescription{}, err
		}
		d := GroupDescription{Group: g}
		for _, uid := range g.Path[:len(g.Path)-1] {
			above, err := rd.GroupByUID(uid)
			if err != nil {
				return d, err
			}
			d.Ancestors = append(d.Ancestors, above)
		}
		return d, nil
	})
}

// UpdateThingGroup changes a group and returns it, one version on
// [iot-api, UpdateThingGroup].
func (r *Registry) UpdateThingGroup(ctx context.Context, p auth.Principal, name string, u thing.GroupUpdate) (thing.Group, error) {
	if err := r.allow(ctx, p, "iot:UpdateThingGroup", thing.GroupKind, name); err != nil {
		return thing.Group{}, err
	}
	return update(ctx, r, func(tx store.Tx, _ int64) (thing.Group, error) {
		old, err := tx.GroupByName(name)
		if err != nil {
			return old, err
		}
		next, err := old.Update(u)
		if err != nil {
			return next, err
		}
		return next, tx.UpdateGroup(next)
	})
}

// DeleteThingGroup deletes a group without children, with its tags; GroupSweep
// then removes its members. Success also if there is no such group
// [iot-api, DeleteThingGroup]. A given expected version must be the group's.
func (r *Registry) DeleteThingGroup(ctx context.Context, p auth.Principal, name string, expected *int64) error {
	if err := r.allow(ctx, p, "iot:DeleteThingGroup", thing.GroupKind, name); err != nil {
		return err
	}
	deleted, err := update(ctx, r, func(tx store.Tx, _ int64) (bool, error) {
		g, err := tx.GroupByName(name)
		if apierr.Is(err, apierr.NotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		children, err := tx.Children(g.UID, 1)
		if err != nil {
			return false, err
		}
		if err := g.CheckDelete(children, expected); err != nil {
			return false, err
		}
		if err := tx.DeleteTags(thing.TagResource(thing.GroupKind, g.UID), nil); err != nil {
			return false, err
		}
		return true, tx.DeleteGroup(g)
	})
	if deleted {
		r.dead.Store(true)
		r.changed()
	}
	return err
}

// GroupFilter selects groups. What is not set selects everything.
type GroupFilter struct {
	// Parent is the name of a group whose children are asked for.
	Parent string
	// Prefix is what the names begin with.
	Prefix string
	// Recursive widens Parent to all descendants; it is nil if not given. False
	// without Parent selects the roots.
	Recursive *bool
}

// ListThingGroups returns a page of the groups that f selects, by name
// [iot-api, ListThingGroups]. NotFound names a parent that does not exist.
func (r *Registry) ListThingGroups(ctx context.Context, p auth.Principal, f GroupFilter, page Page) (List[thing.Group], error) {
	if err := r.allowAny(ctx, p, "iot:ListThingGroups"); err != nil {
		return List[thing.Group]{}, err
	}
	at, err := page.byName()
	if err != nil {
		return List[thing.Group]{}, err
	}
	return view(ctx, r, func(rd store.Reader) (List[thing.Group], error) {
		filter := store.GroupFilter{Prefix: f.Prefix}
		if f.Parent == "" {
			filter.Roots = f.Recursive != nil && !*f.Recursive
		} else {
			g, err := rd.GroupByName(f.Parent)
			if err != nil {
				return List[thing.Group]{}, err
			}
			filter.ParentUID, filter.Recursive = g.UID, f.Recursive != nil && *f.Recursive
		}
		groups, next, more, err := rd.Groups(filter, at)
		return List[thing.Group]{Items: groups, Next: nextIf(more, next)}, err
	})
}
