package httpapi

import (
	"context"

	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/thing"
	"muster/internal/wire"
)

// tagsOf returns the tags of a request in the type T that its operation wants.
func tagsOf[T ~struct{ Key, Value string }](tags []wire.Tag) []T {
	if tags == nil {
		return nil
	}
	out := make([]T, len(tags))
	for i, t := range tags {
		out[i] = T(t)
	}
	return out
}

// jobTags is tagsOf for a job. The engine takes tags in a type of the store's,
// which a surface does not import: create tells the type.
func jobTags[T ~struct{ Key, Value string }](_ func(context.Context, auth.Principal, job.Spec, []T) (job.Job, error), tags []wire.Tag) []T {
	return tagsOf[T](tags)
}

func (a *API) tagResource(c *call, in *wire.TagResourceRequest) (wire.Empty, error) {
	return wire.Empty{}, a.registry.TagResource(c.ctx, c.principal, in.ResourceARN, tagsOf[thing.Tag](in.Tags))
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
