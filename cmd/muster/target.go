package main

import (
	"context"
	"fmt"
	"strings"

	"muster/internal/client"
	"muster/internal/wire"
)

// isTarget reports whether an argument can only be a target: ids of jobs have
// neither slashes nor colons.
func isTarget(s string) bool { return strings.ContainsAny(s, "/:") }

// targetARN returns the ARN of a target given as group/NAME or thing/NAME, as
// the server has it, or of one given as ARN.
func targetARN(ctx context.Context, api *client.Client, s string) (string, error) {
	kind, name, _ := strings.Cut(s, "/")
	switch {
	case strings.HasPrefix(s, "arn:"):
		return s, nil
	case name == "":
	case kind == "thing":
		out, err := api.DescribeThing(ctx, &wire.DescribeThingRequest{ThingName: name})
		if err != nil {
			return "", fmt.Errorf("target %s: %w", s, err)
		}
		return out.ThingARN, nil
	case kind == "group" || kind == "thinggroup":
		out, err := api.DescribeThingGroup(ctx, &wire.DescribeThingGroupRequest{ThingGroupName: name})
		if err != nil {
			return "", fmt.Errorf("target %s: %w", s, err)
		}
		return out.ThingGroupARN, nil
	}
	return "", fmt.Errorf("target %q: must be group/NAME, thing/NAME or an ARN", s)
}

// target returns the ARN of a target in the form that targetARN takes.
func target(arn string) string {
	last := arn[strings.LastIndexByte(arn, ':')+1:]
	if name, ok := strings.CutPrefix(last, "thinggroup/"); ok {
		return "group/" + name
	}
	return last
}
