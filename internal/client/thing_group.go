package client

import (
	"context"
	"iter"

	"muster/internal/wire"
)

// CreateThingGroup makes a static group.
func (c *Client) CreateThingGroup(ctx context.Context, in *wire.CreateThingGroupRequest) (*wire.CreateThingGroupResponse, error) {
	return call[wire.CreateThingGroupResponse](ctx, c, control, "CreateThingGroup", in)
}

// DescribeThingGroup returns a group.
func (c *Client) DescribeThingGroup(ctx context.Context, in *wire.DescribeThingGroupRequest) (*wire.DescribeThingGroupResponse, error) {
	return call[wire.DescribeThingGroupResponse](ctx, c, control, "DescribeThingGroup", in)
}

// DeleteThingGroup deletes a group. One that does not exist is deleted, too.
func (c *Client) DeleteThingGroup(ctx context.Context, in *wire.DeleteThingGroupRequest) error {
	return c.Call(ctx, control, "DeleteThingGroup", in, nil)
}

// AddThingToThingGroup puts a thing into a group, each given by name or ARN.
func (c *Client) AddThingToThingGroup(ctx context.Context, in *wire.AddThingToThingGroupRequest) error {
	return c.Call(ctx, control, "AddThingToThingGroup", in, nil)
}

// RemoveThingFromThingGroup takes a thing out of a group, each given by name or ARN.
func (c *Client) RemoveThingFromThingGroup(ctx context.Context, in *wire.RemoveThingFromThingGroupRequest) error {
	return c.Call(ctx, control, "RemoveThingFromThingGroup", in, nil)
}

// ListThingGroups returns one page of groups.
func (c *Client) ListThingGroups(ctx context.Context, in *wire.ListThingGroupsRequest) (*wire.ThingGroupsPage, error) {
	return call[wire.ThingGroupsPage](ctx, c, control, "ListThingGroups", in)
}

// ThingGroups yields all groups that pass the filters of in; see Jobs.
func (c *Client) ThingGroups(ctx context.Context, in wire.ListThingGroupsRequest) iter.Seq2[wire.GroupNameAndARN, error] {
	return pages(in.NextToken, func(token string) ([]wire.GroupNameAndARN, string, error) {
		page := in
		page.NextToken = token
		out, err := c.ListThingGroups(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return out.ThingGroups, out.NextToken, nil
	})
}

// ListThingsInThingGroup returns one page of the names of the things in a group.
func (c *Client) ListThingsInThingGroup(ctx context.Context, in *wire.ListThingsInThingGroupRequest) (*wire.ListThingsInThingGroupResponse, error) {
	return call[wire.ListThingsInThingGroupResponse](ctx, c, control, "ListThingsInThingGroup", in)
}

// ThingsInThingGroup yields the names of all things in a group; see Jobs.
func (c *Client) ThingsInThingGroup(ctx context.Context, in wire.ListThingsInThingGroupRequest) iter.Seq2[string, error] {
	return pages(in.NextToken, func(token string) ([]string, string, error) {
		page := in
		page.NextToken = token
		out, err := c.ListThingsInThingGroup(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return out.Things, out.NextToken, nil
	})
}
