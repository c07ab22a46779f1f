package main

import (
	"context"
	"fmt"

	"muster/internal/wire"
)

type groupsCmd struct {
	Create  groupsCreateCmd  `cmd:"" help:"Make a thing group."`
	List    groupsListCmd    `cmd:"" help:"List thing groups."`
	Members groupsMembersCmd `cmd:"" help:"List the things in a group."`
	Add     groupsAddCmd     `cmd:"" help:"Put things into a group."`
	Remove  groupsRemoveCmd  `cmd:"" help:"Take things out of a group."`
	Delete  groupsDeleteCmd  `cmd:"" help:"Delete groups. Their things stay."`
}

type groupsCreateCmd struct {
	remote
	Name        string `arg:"" help:"The group's name."`
	Parent      string `help:"The group that it is a part of." placeholder:"GROUP"`
	Description string `help:"Words to keep with the group." placeholder:"TEXT"`
}

// Run makes a group.
func (c groupsCreateCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	in := &wire.CreateThingGroupRequest{ThingGroupName: c.Name, ParentGroupName: c.Parent}
	if c.Description != "" {
		in.ThingGroupProperties = &wire.ThingGroupProperties{ThingGroupDescription: &c.Description}
	}
	out, err := api.CreateThingGroup(ctx, in)
	if err != nil {
		return err
	}
	return c.done(sys, out, "group %s is created", out.ThingGroupName)
}

type groupsListCmd struct {
	remote
	Parent string `help:"Only groups below this one." placeholder:"GROUP"`
	Prefix string `help:"Only groups whose names begin like this." placeholder:"TEXT"`
}

// Run lists groups.
func (c groupsListCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	groups := api.ThingGroups(ctx, wire.ListThingGroupsRequest{
		ParentGroup: c.Parent, NamePrefixFilter: c.Prefix, MaxResults: pageSize,
	})
	return list(sys, c.outputFlags, "thingGroups", groups, []string{"GROUP", "ARN"},
		func(g wire.GroupNameAndARN) []string { return []string{g.GroupName, g.GroupARN} })
}

type groupsMembersCmd struct {
	remote
	Name      string `arg:"" help:"The group's name."`
	Recursive bool   `help:"Also the things in groups below it."`
}

// Run lists the things in a group.
func (c groupsMembersCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	things := api.ThingsInThingGroup(ctx, wire.ListThingsInThingGroupRequest{
		ThingGroupName: c.Name, Recursive: c.Recursive, MaxResults: pageSize,
	})
	return list(sys, c.outputFlags, "things", things, []string{"THING"},
		func(name string) []string { return []string{name} })
}

type groupsAddCmd struct {
	remote
	Name   string   `arg:"" help:"The group's name."`
	Things []string `arg:"" name:"thing" help:"Names of the things."`
}

// Run puts things into a group one after another, up to the first that fails.
func (c groupsAddCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	return each(sys, c.outputFlags, "things", c.Things, func(name string) (thingName, error) {
		err := api.AddThingToThingGroup(ctx, &wire.AddThingToThingGroupRequest{ThingGroupName: c.Name, ThingName: name})
		if err != nil {
			return thingName{}, fmt.Errorf("thing %s: %w", name, err)
		}
		return thingName{name}, nil
	}, func(name string) string { return "thing " + name + " is in group " + c.Name })
}

type groupsRemoveCmd struct {
	remote
	Name   string   `arg:"" help:"The group's name."`
	Things []string `arg:"" name:"thing" help:"Names of the things."`
}

// Run takes things out of a group one after another, up to the first that fails.
func (c groupsRemoveCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	return each(sys, c.outputFlags, "things", c.Things, func(name string) (thingName, error) {
		err := api.RemoveThingFromThingGroup(ctx, &wire.RemoveThingFromThingGroupRequest{ThingGroupName: c.Name, ThingName: name})
		if err != nil {
			return thingName{}, fmt.Errorf("thing %s: %w", name, err)
		}
		return thingName{name}, nil
	}, func(name string) string { return "thing " + name + " is not in group " + c.Name })
}

type groupsDeleteCmd struct {
	remote
	Names []string `arg:"" name:"name" help:"Names of the groups. Those that do not exist count as deleted."`
}

// Run deletes groups one after another, up to the first that fails.
func (c groupsDeleteCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	return each(sys, c.outputFlags, "thingGroups", c.Names, func(name string) (groupName, error) {
		if err := api.DeleteThingGroup(ctx, &wire.DeleteThingGroupRequest{ThingGroupName: name}); err != nil {
			return groupName{}, fmt.Errorf("group %s: %w", name, err)
		}
		return groupName{name}, nil
	}, func(name string) string { return "group " + name + " is deleted" })
}

// groupName is a group in the answer of a command for which the API has none.
type groupName struct {
	GroupName string `json:"groupName"`
}
