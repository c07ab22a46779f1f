package registry

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/store"
	"muster/internal/thing"
)

// AddThingToThingGroup puts a thing into a group; success also if it is there
// already [iot-api, AddThingToThingGroup].
func (r *Registry) AddThingToThingGroup(ctx context.Context, p auth.Principal, t, g Ref) error {
	name, group, err := r.member(ctx, p, "iot:AddThingToThingGroup", t, g)
	if err != nil {
		return err
	}
	return r.regroup(ctx, name, []string{group}, nil)
}

// RemoveThingFromThingGroup takes a thing out of a group; success also if it is
// not there [iot-api, RemoveThingFromThingGroup].
func (r *Registry) RemoveThingFromThingGroup(ctx context.Context, p auth.Principal, t, g Ref) error {
	name, group, err := r.member(ctx, p, "iot:RemoveThingFromThingGroup", t, g)
	if err != nil {
		return err
	}
	return r.regroup(ctx, name, nil, []string{group})
}

// member returns the names of a thing and a group if p may do action on both.
func (r *Registry) member(ctx context.Context, p auth.Principal, action string, t, g Ref) (string, string, error) {
	name, err := r.resolve(p, t, thing.ThingKind, "thingName", "thingArn")
	if err != nil {
		return "", "", err
	}
	group, err := r.resolve(p, g, thing.GroupKind, "thingGroupName", "thingGroupArn")
	if err != nil {
		return "", "", err
	}
	if err := r.allow(ctx, p, action, thing.ThingKind, name); err != nil {
		return "", "", err
	}
	return name, group, r.allow(ctx, p, action, thing.GroupKind, group)
}

// UpdateThingGroupsForThing takes a thing out of some groups and puts it into
// others, all or nothing [iot-api, UpdateThingGroupsForThing].
func (r *Registry) UpdateThingGroupsForThing(ctx context.Context, p auth.Principal, name string, add, remove []string) error {
	const action = "iot:UpdateThingGroupsForThing"
	if name == "" {
		return apierr.New(apierr.Invalid, "thingName must be given")
	}
	if err := r.allow(ctx, p, action, thing.ThingKind, name); err != nil {
		return err
	}
	for _, groups := range [][]string{add, remove} {
		for _, g := range groups {
			if err := r.allow(ctx, p, action, thing.GroupKind, g); err != nil {
				return err
			}
		}
	}
	return r.regroup(ctx, name, add, remove)
}

// regroup is the one way in and out of groups.
func (r *Registry) regroup(ctx context.Context, name string, add, remove []string) error {
	return r.change(ctx, name, func(tx store.Tx, now int64) (bool, error) {
		t, err := tx.ThingByName(name)
		if err != nil {
			return false, err
		}
		adds, err := groupsByName(tx, add)
		if err != nil {
			return false, err
		}
		removes, err := groupsByName(tx, remove)
		if err != nil {
			return false, err
		}
		members, err := tx.Memberships(t.Name, t.UID)
		if err != nil {
			return false, err
		}
		in, err := groupsOf(tx, members)
		if err != nil {
			return false, err
		}
		joins, leaves, err := thing.Regroup(t.Name, in, adds, removes)
		if err != nil {
			return false, err
		}
		if len(joins)+len(leaves) == 0 {
			return false, nil
		}
		if err := r.catchUp(tx, r.store.PartOf(t.Name)); err != nil {
			return false, err
		}
		for _, g := range leaves {
			if err := r.leave(tx, g.Path, memberOf(members, g.UID), now); err != nil {
				return false, err
			}
		}
		for _, g := range joins {
			if err := r.join(tx, g, t, now); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// catchUp makes the uids of later changes in a part greater than all that there
// are, whatever clock has made them: jobs and memberships, and changes that wait
// to be followed. A transaction does it before it makes any: then what was
// committed before it began comes before it.
func (r *Registry) catchUp(tx store.Tx, part int) error {
	newest, err := tx.Newest(part)
	r.uids.Seen(newest)
	return err
}

// join makes the thing a member of the group. The uid says when.
func (r *Registry) join(tx store.Tx, g thing.Group, t thing.Thing, now int64) error {
	m := thing.Member{UID: r.uids.Next(now), GroupUID: g.UID, ThingUID: t.UID, Thing: t.Name}
	if err := tx.InsertMember(m); err != nil {
		return err
	}
	return tx.AddChange(thing.Change{Seq: m.UID, Kind: thing.Joined, Thing: t.Name, ThingUID: t.UID, GroupPath: g.Path})
}

// leave ends a membership in the group with the path given.
func (r *Registry) leave(tx store.Tx, path []int64, m thing.Member, now int64) error {
	if err := tx.DeleteMember(m); err != nil {
		return err
	}
	return tx.AddChange(thing.Change{Seq: r.uids.Next(now), Kind: thing.Left, Thing: m.Thing, ThingUID: m.ThingUID, GroupPath: path})
}

func groupsByName(rd store.GroupReader, names []string) ([]thing.Group, error) {
	groups := make([]thing.Group, 0, len(names))
	for _, name := range names {
		g, err := rd.GroupByName(name)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// groupsOf returns the groups of memberships, in their order. Deleted groups,
// whose members are still to be removed, are none.
func groupsOf(rd store.GroupReader, members []thing.Member) ([]thing.Group, error) {
	groups := make([]thing.Group, 0, len(members))
	for _, m := range members {
		g, err := rd.GroupByUID(m.GroupUID)
		if apierr.Is(err, apierr.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// memberOf returns the membership in a group, which is among those given.
func memberOf(members []thing.Member, group int64) thing.Member {
	for _, m := range members {
		if m.GroupUID == group {
			return m
		}
	}
	return thing.Member{}
}
