package registry

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/store"
	"muster/internal/thing"
)

// CreateThingType makes a thing type with tags [iot-api, CreateThingType]. If it
// is there already and the same, it is returned as it is, with its own tags; if
// it differs, AlreadyExists tells its id and ARN.
func (r *Registry) CreateThingType(ctx context.Context, p auth.Principal, s thing.TypeSpec, tags []thing.Tag) (thing.Type, error) {
	if err := r.allow(ctx, p, "iot:CreateThingType", thing.TypeKind, s.Name); err != nil {
		return thing.Type{}, err
	}
	id := uuid.NewString()
	return update(ctx, r, func(tx store.Tx, now int64) (thing.Type, error) {
		t, err := thing.NewType(s, r.uids.Next(now), id, now)
		if err != nil {
			return t, err
		}
		old, err := tx.TypeByName(t.Name)
		if err == nil {
			if !old.Same(s) {
				err = r.taken(p, thing.TypeKind, old.Name, old.ID, "Thing Type %s already exists in current account with different properties")
			}
			return old, err
		}
		if !apierr.Is(err, apierr.NotFound) {
			return t, err
		}
		if err := tx.InsertType(t); err != nil {
			return t, err
		}
		return t, addTags(tx, thing.TagResource(thing.TypeKind, t.UID), tags)
	})
}

// DescribeThingType returns a thing type [iot-api, DescribeThingType].
func (r *Registry) DescribeThingType(ctx context.Context, p auth.Principal, name string) (thing.Type, error) {
	if err := r.allow(ctx, p, "iot:DescribeThingType", thing.TypeKind, name); err != nil {
		return thing.Type{}, err
	}
	return view(ctx, r, func(rd store.Reader) (thing.Type, error) { return rd.TypeByName(name) })
}

// UpdateThingType changes what can be changed of a thing type
// [iot-api, UpdateThingType].
func (r *Registry) UpdateThingType(ctx context.Context, p auth.Principal, name string, u thing.TypeUpdate) error {
	return r.updateType(ctx, p, "iot:UpdateThingType", name, func(t thing.Type, _ int64) (thing.Type, error) { return t.Update(u) })
}

// DeprecateThingType forbids new things of a type, or allows them again if undo
// is set [iot-api, DeprecateThingType].
func (r *Registry) DeprecateThingType(ctx context.Context, p auth.Principal, name string, undo bool) error {
	return r.updateType(ctx, p, "iot:DeprecateThingType", name, func(t thing.Type, now int64) (thing.Type, error) {
		if undo {
			return t.UndoDeprecate(), nil
		}
		return t.Deprecate(now), nil
	})
}

func (r *Registry) updateType(ctx context.Context, p auth.Principal, action, name string, fn func(t thing.Type, now int64) (thing.Type, error)) error {
	if err := r.allow(ctx, p, action, thing.TypeKind, name); err != nil {
		return err
	}
	_, err := update(ctx, r, func(tx store.Tx, now int64) (thing.Type, error) {
		old, err := tx.TypeByName(name)
		if err != nil {
			return old, err
		}
		next, err := fn(old, now)
		if err != nil {
			return next, err
		}
		return next, tx.UpdateType(next)
	})
	return err
}

// DeleteThingType deletes a thing type that has been deprecated for long enough
// and that no thing has, with its tags [iot-api, DeleteThingType].
func (r *Registry) DeleteThingType(ctx context.Context, p auth.Principal, name string) error {
	if err := r.allow(ctx, p, "iot:DeleteThingType", thing.TypeKind, name); err != nil {
		return err
	}
	_, err := update(ctx, r, func(tx store.Tx, now int64) (thing.Type, error) {
		t, err := tx.TypeByName(name)
		if err != nil {
			return t, err
		}
		used, err := tx.TypeUsed(name)
		if err != nil {
			return t, err
		}
		if err := t.CheckDelete(now, r.typeWait, used); err != nil {
			return t, err
		}
		if err := tx.DeleteTags(thing.TagResource(thing.TypeKind, t.UID), nil); err != nil {
			return t, err
		}
		return t, tx.DeleteType(t.UID)
	})
	return err
}

// ListThingTypes returns a page of the thing types whose names begin with
// prefix, by name [iot-api, ListThingTypes].
func (r *Registry) ListThingTypes(ctx context.Context, p auth.Principal, prefix string, page Page) (List[thing.Type], error) {
	if err := r.allowAny(ctx, p, "iot:ListThingTypes"); err != nil {
		return List[thing.Type]{}, err
	}
	at, err := page.byName()
	if err != nil {
		return List[thing.Type]{}, err
	}
	at.After = max(at.After, before(prefix))
	return view(ctx, r, func(rd store.Reader) (List[thing.Type], error) {
		types, more, err := rd.Types(at)
		if err != nil || len(types) == 0 {
			return List[thing.Type]{}, err
		}
		for i, t := range types {
			if !strings.HasPrefix(t.Name, prefix) {
				return List[thing.Type]{Items: types[:i]}, nil
			}
		}
		return List[thing.Type]{Items: types, Next: nextIf(more, types[len(types)-1].Name)}, nil
	})
}

// before returns a string that stands before the names that begin with prefix
// and after all others before them. Names have no character above 'z'.
func before(prefix string) string {
	if prefix == "" {
		return ""
	}
	last := len(prefix) - 1
	return prefix[:last] + string(prefix[last]-1) + "~"
}
