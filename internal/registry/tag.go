package registry

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/store"
	"muster/internal/thing"
)

// TagResource puts tags on a job, a thing group or a thing type
// [iot-api, TagResource]. Tags with the same keys get new values.
func (r *Registry) TagResource(ctx context.Context, p auth.Principal, arn string, tags []thing.Tag) error {
	return r.updateTags(ctx, p, "iot:TagResource", arn, func(tx store.Tx, resource string) error {
		return addTags(tx, resource, tags)
	})
}

// UntagResource takes the tags with the keys given off a job, a thing group or
// a thing type; keys that it does not have are fine [iot-api, UntagResource].
func (r *Registry) UntagResource(ctx context.Context, p auth.Principal, arn string, keys []string) error {
	return r.updateTags(ctx, p, "iot:UntagResource", arn, func(tx store.Tx, resource string) error {
		if len(keys) == 0 {
			return nil // to the store, no keys are all
		}
		return tx.DeleteTags(resource, keys)
	})
}

func (r *Registry) updateTags(ctx context.Context, p auth.Principal, action, arn string, fn func(tx store.Tx, resource string) error) error {
	if err := r.authorize.Authorize(ctx, p, action, arn); err != nil {
		return err
	}
	a, err := r.ParseARN(p, "resourceArn", arn)
	if err != nil {
		return err
	}
	return r.store.Update(ctx, func(tx store.Tx) error {
		resource, err := tagged(tx, a)
		if err != nil {
			return err
		}
		return fn(tx, resource)
	})
}

// ListTagsForResource returns the tags of a job, a thing group or a thing type,
// by key. There are never more than fit on a page, so that any position but the
// first is Invalid [iot-api, ListTagsForResource].
func (r *Registry) ListTagsForResource(ctx context.Context, p auth.Principal, arn, after string) ([]thing.Tag, error) {
	if err := r.authorize.Authorize(ctx, p, "iot:ListTagsForResource", arn); err != nil {
		return nil, err
	}
	a, err := r.ParseARN(p, "resourceArn", arn)
	if err != nil {
		return nil, err
	}
	if after != "" {
		return nil, badPosition()
	}
	return view(ctx, r, func(rd store.Reader) ([]thing.Tag, error) {
		resource, err := tagged(rd, a)
		if err != nil {
			return nil, err
		}
		return rd.Tags(resource)
	})
}

// tagged returns the name under which the tags of a resource are kept. It fails
// with apierr.NotFound if the resource does not exist and with apierr.Invalid if
// its kind has no tags [tagging, resources that can be tagged].
func tagged(rd store.Reader, a thing.ARN) (string, error) {
	switch a.Kind {
	case thing.JobKind:
		j, err := rd.JobByID(a.Name)
		return thing.TagResource(a.Kind, j.UID), err
	case thing.GroupKind:
		g, err := rd.GroupByName(a.Name)
		return thing.TagResource(a.Kind, g.UID), err
	case thing.TypeKind:
		t, err := rd.TypeByName(a.Name)
		return thing.TagResource(a.Kind, t.UID), err
	default:
		return "", apierr.New(apierr.Invalid, "resourceArn: a %s cannot have tags", a.Kind)
	}
}

// addTags puts tags on a resource within its transaction, new or not.
func addTags(tx store.Tx, resource string, tags []thing.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	has, err := tx.Tags(resource)
	if err != nil {
		return err
	}
	put, err := thing.AddTags(has, tags)
	if err != nil {
		return err
	}
	return tx.PutTags(resource, put)
}
