package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"muster/internal/client"
	"muster/internal/wire"
)

// targets are things and groups on the command line: group/NAME, thing/NAME, or ARNs.
type targets []string

// Decode takes the value of a flag and all arguments behind it that can only be
// targets: ids of jobs have neither slashes nor colons. It implements
// kong.MapperValue.
func (t *targets) Decode(c *kong.DecodeContext) error {
	var first string
	if err := c.Scan.PopValueInto("target", &first); err != nil {
		return err
	}
	*t = append(*t, first)
	for _, token := range c.Scan.PopWhile(isTarget) {
		*t = append(*t, token.String())
	}
	return nil
}

func isTarget(t kong.Token) bool {
	return t.IsValue() && strings.ContainsAny(t.String(), "/:")
}

// arns returns the ARNs of the targets as the server has them.
func (t targets) arns(ctx context.Context, api *client.Client) ([]string, error) {
	arns := make([]string, len(t))
	for i, s := range t {
		var err error
		if arns[i], err = targetARN(ctx, api, s); err != nil {
			return nil, fmt.Errorf("target %q: %w", s, err)
		}
	}
	return arns, nil
}

func targetARN(ctx context.Context, api *client.Client, s string) (string, error) {
	if strings.HasPrefix(s, "arn:") {
		return s, nil
	}
	kind, name, _ := strings.Cut(s, "/")
	switch kind {
	case "thing":
		out, err := api.DescribeThing(ctx, &wire.DescribeThingRequest{ThingName: name})
		if err != nil {
			return "", err
		}
		return out.ThingARN, nil
	case "group", "thinggroup":
		out, err := api.DescribeThingGroup(ctx, &wire.DescribeThingGroupRequest{ThingGroupName: name})
		if err != nil {
			return "", err
		}
		return out.ThingGroupARN, nil
	}
	return "", errors.New("must be group/NAME, thing/NAME or an ARN")
}

// targetOf returns the target that has the ARN, as it is written on the command line.
func targetOf(arn string) string {
	last := arn[strings.LastIndexByte(arn, ':')+1:]
	if name, ok := strings.CutPrefix(last, "thinggroup/"); ok {
		return "group/" + name
	}
	return last
}
