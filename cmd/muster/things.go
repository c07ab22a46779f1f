package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"muster/internal/client"
	"muster/internal/wire"
)

type thingsCmd struct {
	Create   thingsCreateCmd   `cmd:"" help:"Register things."`
	List     thingsListCmd     `cmd:"" help:"List things."`
	Describe thingsDescribeCmd `cmd:"" help:"Show a thing, its groups and its jobs."`
	Delete   thingsDeleteCmd   `cmd:"" help:"Delete things."`
	Messages thingsMessagesCmd `cmd:"" help:"Show what a thing's device and the server have said to each other about jobs."`
}

type thingsCreateCmd struct {
	remote
	Names     []string          `arg:"" name:"name" help:"Names of the things."`
	Type      string            `help:"Thing type of all of them." placeholder:"TYPE"`
	Attribute map[string]string `help:"Attribute of all of them; may be repeated." placeholder:"NAME=VALUE" mapsep:"none"`
	Group     string            `help:"Thing group to put them into." placeholder:"GROUP"`
}

// Run registers things one after another, up to the first that fails.
func (c thingsCreateCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	return each(sys, c.outputFlags, "things", c.Names, func(name string) (*wire.CreateThingResponse, error) {
		return c.create(ctx, api, name)
	}, func(name string) string { return "thing " + name + " is created" })
}

func (c thingsCreateCmd) create(ctx context.Context, api *client.Client, name string) (*wire.CreateThingResponse, error) {
	in := &wire.CreateThingRequest{ThingName: name, ThingTypeName: c.Type}
	if len(c.Attribute) > 0 {
		in.AttributePayload = &wire.AttributePayload{Attributes: c.Attribute}
	}
	out, err := api.CreateThing(ctx, in)
	if err != nil {
		return out, fmt.Errorf("thing %s: %w", name, err)
	}
	if c.Group == "" {
		return out, nil
	}
	err = api.AddThingToThingGroup(ctx, &wire.AddThingToThingGroupRequest{ThingGroupName: c.Group, ThingName: name})
	if err != nil {
		err = fmt.Errorf("thing %s is created, but not in group %s: %w", name, c.Group, err)
	}
	return out, err
}

type thingsListCmd struct {
	remote
	Type      string `help:"Only things of this type." placeholder:"TYPE"`
	Attribute string `help:"Only things with this attribute." placeholder:"NAME=VALUE"`
}

// Run lists things.
func (c thingsListCmd) Run(ctx context.Context, sys system) error {
	in := wire.ListThingsRequest{ThingTypeName: c.Type, MaxResults: pageSize}
	if c.Attribute != "" {
		name, value, ok := strings.Cut(c.Attribute, "=")
		if !ok {
			return fmt.Errorf("--attribute %q: must be NAME=VALUE", c.Attribute)
		}
		in.AttributeName, in.AttributeValue = name, &value
	}
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	return list(sys, c.outputFlags, "things", api.Things(ctx, in), []string{"THING", "TYPE", "VERSION", "ATTRIBUTES"},
		func(t wire.ThingAttribute) []string {
			return []string{t.ThingName, t.ThingTypeName, fmt.Sprint(t.Version), attributes(t.Attributes)}
		})
}

// attributes returns name=value pairs by name.
func attributes(m map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, name+"="+m[name])
	}
	return strings.Join(pairs, ", ")
}

type thingsDescribeCmd struct {
	remote
	Name string `arg:"" help:"The thing's name."`
}

// Run shows a thing. Only the thing itself is in the JSON form, which is the API's.
func (c thingsDescribeCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	t, err := api.DescribeThing(ctx, &wire.DescribeThingRequest{ThingName: c.Name})
	if err != nil {
		return err
	}
	if c.json() {
		return printJSON(sys.stdout, t)
	}
	var groups wire.ThingGroupsPage // a thing is in ten at most
	if err := api.Call(ctx, "iot", "ListThingGroupsForThing", &wire.ListThingGroupsForThingRequest{ThingName: c.Name}, &groups); err != nil {
		return err
	}
	var names []string
	for _, g := range groups.ThingGroups {
		names = append(names, g.GroupName)
	}
	if err := fields(sys.stdout, [][2]string{
		{"thing", t.ThingName}, {"arn", t.ThingARN}, {"id", t.ThingID}, {"type", t.ThingTypeName},
		{"attributes", attributes(t.Attributes)}, {"groups", strings.Join(names, ", ")}, {"version", fmt.Sprint(t.Version)},
	}); err != nil {
		return err
	}
	fmt.Fprintln(sys.stdout)
	jobs := api.ThingExecutions(ctx, wire.ListJobExecutionsForThingRequest{ThingName: c.Name, MaxResults: pageSize})
	return list(sys, c.outputFlags, "", jobs, []string{"JOB", "NUMBER", "STATUS", "QUEUED", "UPDATED"},
		func(e wire.JobExecutionSummaryForThing) []string {
			x := e.JobExecutionSummary
			return []string{e.JobID, fmt.Sprint(x.ExecutionNumber), x.Status, timestamp(x.QueuedAt), timestamp(x.LastUpdatedAt)}
		})
}

type thingsDeleteCmd struct {
	remote
	Names []string `arg:"" name:"name" help:"Names of the things. Those that do not exist count as deleted."`
}

// Run deletes things one after another, up to the first that fails.
func (c thingsDeleteCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	return each(sys, c.outputFlags, "things", c.Names, func(name string) (thingName, error) {
		if err := api.DeleteThing(ctx, &wire.DeleteThingRequest{ThingName: name}); err != nil {
			return thingName{}, fmt.Errorf("thing %s: %w", name, err)
		}
		return thingName{name}, nil
	}, func(name string) string { return "thing " + name + " is deleted" })
}

// thingName is a thing in the answer of a command for which the API has none.
type thingName struct {
	ThingName string `json:"thingName"`
}
