package httpapi

import (
	"muster/internal/thing"
	"muster/internal/wire"
)

// tagsOf returns the tags of a request.
func tagsOf(tags []wire.Tag) []thing.Tag {
	if tags == nil {
		return nil
	}
	out := make([]thing.Tag, len(tags))
	for i, t := range tags {
		out[i] = thing.Tag(t)
	}
	return out
}

func (a *API) tagResource(c *call, in *wire.TagResourceRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.TagResource(c.ctx, c.principal, in.ResourceARN, tagsOf(in.Tags))
}

func (a *API) untagResource(c *call, in *wire.UntagResourceRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.UntagResource(c.ctx, c.principal, in.ResourceARN, in.TagKeys)
}

func (a *API) listTagsForResource(c *call, in *wire.ListTagsForResourceRequest) (wire.ListTagsForResourceResponse, error) {
	after, err := list("ListTagsForResource", in.ResourceARN).position(in.NextToken)
	if err != nil {
		return wire.ListTagsForResourceResponse{}, err
	}
	tags, err := a.registry.ListTagsForResource(c.ctx, c.principal, in.ResourceARN, after)
	var out wire.ListTagsForResourceResponse
	for _, t := range tags {
		out.Tags = append(out.Tags, wire.Tag(t))
	}
	return out, err
}
