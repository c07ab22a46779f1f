package client

import (
	"context"
	"iter"

	"muster/internal/wire"
)

// CreateThing registers a thing.
func (c *Client) CreateThing(ctx context.Context, in *wire.CreateThingRequest) (*wire.CreateThingResponse, error) {
	return call[wire.CreateThingResponse](ctx, c, control, "CreateThing", in)
}

// DescribeThing returns a thing.
func (c *Client) DescribeThing(ctx context.Context, in *wire.DescribeThingRequest) (*wire.DescribeThingResponse, error) {
	return call[wire.DescribeThingResponse](ctx, c, control, "DescribeThing", in)
}

// DeleteThing deletes a thing. One that does not exist is deleted, too.
func (c *Client) DeleteThing(ctx context.Context, in *wire.DeleteThingRequest) error {
	return c.Call(ctx, control, "DeleteThing", in, nil)
}

// ListThings returns one page of things.
func (c *Client) ListThings(ctx context.Context, in *wire.ListThingsRequest) (*wire.ListThingsResponse, error) {
	return call[wire.ListThingsResponse](ctx, c, control, "ListThings", in)
}

// Things yields all things that pass the filters of in; see Jobs.
func (c *Client) Things(ctx context.Context, in wire.ListThingsRequest) iter.Seq2[wire.ThingAttribute, error] {
	return pages(in.NextToken, func(token string) ([]wire.ThingAttribute, string, error) {
		page := in
		page.NextToken = token
		out, err := c.ListThings(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return out.Things, out.NextToken, nil
	})
}
