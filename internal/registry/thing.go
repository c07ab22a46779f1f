package registry

import (
	"context"

	"github.com/google/uuid"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/store"
	"muster/internal/thing"
)

// CreateThingInput is what CreateThing is asked.
type CreateThingInput struct {
	thing.Spec
	// BillingGroup must be empty: there are no billing groups.
	BillingGroup string
}

// CreateThing registers a thing [iot-api, CreateThing]. If it is there already
// and the same, it is returned as it is; if it differs, AlreadyExists tells its
// id and ARN. NotFound names a type or billing group that does not exist.
func (r *Registry) CreateThing(ctx context.Context, p auth.Principal, in CreateThingInput) (thing.Thing, error) {
	if err := r.allow(ctx, p, "iot:CreateThing", thing.ThingKind, in.Name); err != nil {
		return thing.Thing{}, err
	}
	if in.BillingGroup != "" {
		return thing.Thing{}, apierr.New(apierr.NotFound, "billing group %s does not exist", in.BillingGroup)
	}
	id := uuid.NewString()
	return update(ctx, r, func(tx store.Tx, now int64) (thing.Thing, error) {
		t, err := thing.New(in.Spec, r.uids.Next(now), id, now)
		if err != nil {
			return t, err
		}
		old, err := tx.ThingByName(t.Name)
		if err == nil {
			if !old.Same(in.Spec) {
				err = r.taken(p, thing.ThingKind, old.Name, old.ID, "Thing %s already exists in account with different attributes")
			}
			return old, err
		}
		if !apierr.Is(err, apierr.NotFound) {
			return t, err
		}
		if err := checkType(tx, t.Type); err != nil {
			return t, err
		}
		return t, tx.InsertThing(t)
	})
}

// checkType returns why no thing can be given the type, if there is a reason.
// The empty name is no type.
func checkType(r store.TypeReader, name string) error {
	if name == "" {
		return nil
	}
	typ, err := r.TypeByName(name)
	if err != nil {
		return err
	}
	return typ.CheckUse()
}

// DescribeThing returns a thing [iot-api, DescribeThing].
func (r *Registry) DescribeThing(ctx context.Context, p auth.Principal, name string) (thing.Thing, error) {
	if err := r.allow(ctx, p, "iot:DescribeThing", thing.ThingKind, name); err != nil {
		return thing.Thing{}, err
	}
	return view(ctx, r, func(rd store.Reader) (thing.Thing, error) { return rd.ThingByName(name) })
}

// UpdateThing changes a thing and returns it, one version on
// [iot-api, UpdateThing]. A thing may keep a deprecated type, but not be given one.
func (r *Registry) UpdateThing(ctx context.Context, p auth.Principal, name string, u thing.Update) (thing.Thing, error) {
	if err := r.allow(ctx, p, "iot:UpdateThing", thing.ThingKind, name); err != nil {
		return thing.Thing{}, err
	}
	return update(ctx, r, func(tx store.Tx, _ int64) (thing.Thing, error) {
		old, err := tx.ThingByName(name)
		if err != nil {
			return old, err
		}
		next, err := old.Update(u)
		if err != nil {
			return next, err
		}
		if next.Type != old.Type {
			if err := checkType(tx, next.Type); err != nil {
				return next, err
			}
		}
		return next, tx.UpdateThing(next)
	})
}

// DeleteThing deletes a thing and its memberships; the engine then removes its
// pending executions. Success also if there is no such thing
// [iot-api, DeleteThing]. A given expected version must be the thing's.
func (r *Registry) DeleteThing(ctx context.Context, p auth.Principal, name string, expected *int64) error {
	if err := r.allow(ctx, p, "iot:DeleteThing", thing.ThingKind, name); err != nil {
		return err
	}
	return r.change(ctx, name, func(tx store.Tx, now int64) (bool, error) {
		t, err := tx.ThingByName(name)
		if apierr.Is(err, apierr.NotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if err := t.CheckVersion(expected); err != nil {
			return false, err
		}
		if err := r.catchUp(tx, r.store.PartOf(t.Name)); err != nil {
			return false, err
		}
		if err := tx.DeleteThing(t); err != nil {
			return false, err
		}
		return true, tx.AddChange(thing.Change{Seq: r.uids.Next(now), Kind: thing.Deleted, Thing: t.Name, ThingUID: t.UID})
	})
}

// ThingFilter selects things. What is not set selects everything.
type ThingFilter struct {
	// Attribute is the name of an attribute that a thing must have.
	Attribute string
	// Value, if not nil, must be that attribute's value, or with Prefix its beginning.
	Value  *string
	Prefix bool
	// Type is the name of the thing's type.
	Type string
}

// ListThings returns a page of the things that f selects, by name
// [iot-api, ListThings].
func (r *Registry) ListThings(ctx context.Context, p auth.Principal, f ThingFilter, page Page) (List[thing.Thing], error) {
	if err := r.allowAny(ctx, p, "iot:ListThings"); err != nil {
		return List[thing.Thing]{}, err
	}
	at, err := page.byName()
	if err != nil {
		return List[thing.Thing]{}, err
	}
	filter := store.ThingFilter{Attribute: f.Attribute, Prefix: f.Prefix && f.Attribute != "", Type: f.Type}
	switch {
	case f.Value != nil && f.Attribute == "":
		return List[thing.Thing]{}, apierr.New(apierr.Invalid, "attributeValue needs attributeName")
	case f.Value != nil:
		filter.Value = *f.Value
	case f.Attribute != "":
		filter.Prefix = true // every value begins with nothing
	}
	return view(ctx, r, func(rd store.Reader) (List[thing.Thing], error) {
		things, next, more, err := rd.Things(filter, at)
		return List[thing.Thing]{Items: things, Next: nextIf(more, next)}, err
	})
}
