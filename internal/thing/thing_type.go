package thing

import (
	"slices"
	"time"

	"muster/internal/apierr"
)

// Limits of thing types [thing-types].
const (
	// MaxSearchable is how many searchable attributes a type may have.
	MaxSearchable = 3
	// MaxPropagating is how many propagating attributes a type may have.
	MaxPropagating = 20
	// DeleteTypeWait is how long AWS makes callers wait between deprecating and deleting a type.
	DeleteTypeWait = 5 * time.Minute
)

// TypeSpec is what CreateThingType asks for [iot-api, CreateThingType].
type TypeSpec struct {
	Name, Description string
	Searchable        []string
	Propagating       []Propagation
}

// NewType returns the type that s asks for. It fails with apierr.Invalid if a
// property breaks a rule.
func NewType(s TypeSpec, uid int64, id string, now int64) (Type, error) {
	if err := checkSearchable(s.Searchable); err != nil {
		return Type{}, err
	}
	if err := checkPropagating(s.Propagating); err != nil {
		return Type{}, err
	}
	return Type{
		UID: uid, Name: s.Name, ID: id, Description: s.Description,
		Searchable: slices.Clone(s.Searchable), Propagating: slices.Clone(s.Propagating), CreatedAt: now,
	}, nil
}

// Same reports whether s asks for just what t is, so that creating it again succeeds.
func (t Type) Same(s TypeSpec) bool {
	return t.Name == s.Name && t.Description == s.Description &&
		slices.Equal(t.Searchable, s.Searchable) && slices.Equal(t.Propagating, s.Propagating)
}

// TypeUpdate is what UpdateThingType asks for. Nil members keep what the type has.
type TypeUpdate struct {
	Description *string
	Searchable  []string
	Propagating []Propagation
}

// Update returns the type that results from u. It fails with apierr.Invalid if
// u breaks a rule, or would change what cannot change: [thing-types] the
// description and the searchable attributes.
func (t Type) Update(u TypeUpdate) (Type, error) {
	if u.Description != nil && *u.Description != t.Description {
		return t, apierr.New(apierr.Invalid, "thingTypeProperties.thingTypeDescription of thing type %s cannot be changed", t.Name)
	}
	if u.Searchable != nil && !slices.Equal(u.Searchable, t.Searchable) {
		return t, apierr.New(apierr.Invalid, "thingTypeProperties.searchableAttributes of thing type %s cannot be changed", t.Name)
	}
	if u.Propagating == nil {
		return t, nil
	}
	if err := checkPropagating(u.Propagating); err != nil {
		return t, err
	}
	next := t
	next.Propagating = slices.Clone(u.Propagating)
	return next, nil
}

// Deprecate returns the type with new things forbidden from now on. A type that
// is deprecated already keeps its date, so that a repeated request does not
// prolong the wait before it can be deleted.
func (t Type) Deprecate(now int64) Type {
	if t.DeprecatedAt == 0 {
		t.DeprecatedAt = now
	}
	return t
}

// UndoDeprecate returns the type with new things allowed again.
func (t Type) UndoDeprecate() Type {
	t.DeprecatedAt = 0
	return t
}

// CheckUse returns apierr.Invalid if no thing may be given the type.
func (t Type) CheckUse() error {
	if t.DeprecatedAt != 0 {
		return apierr.New(apierr.Invalid, "thingTypeName: thing type %s is deprecated and cannot be given to a thing", t.Name)
	}
	return nil
}

// CheckDelete returns apierr.Invalid unless the type was deprecated for at least
// wait at time now and no thing has it.
func (t Type) CheckDelete(now int64, wait time.Duration, used bool) error {
	const cannot = "Cannot delete thing type : %s. "
	switch {
	case t.DeprecatedAt == 0:
		return apierr.New(apierr.Invalid, cannot+"It must be deprecated first", t.Name)
	case now-t.DeprecatedAt < wait.Milliseconds():
		// Terraform and CloudFormation look for this text and try again, so it says
		// five minutes even where the wait is shorter.
		minutes := (max(wait, DeleteTypeWait) + time.Minute - 1) / time.Minute
		return apierr.New(apierr.Invalid, cannot+"Please wait for %d minutes after deprecation and then retry", t.Name, minutes)
	case used:
		return apierr.New(apierr.Invalid, cannot+"It is the type of at least one thing", t.Name)
	}
	return nil
}

func checkSearchable(names []string) error {
	const member = "thingTypeProperties.searchableAttributes"
	if len(names) > MaxSearchable {
		return apierr.New(apierr.Invalid, "%s: %d names are over the limit of %d", member, len(names), MaxSearchable)
	}
	return nil
}

func checkPropagating(ps []Propagation) error {
	const member = "thingTypeProperties.mqtt5Configuration.propagatingAttributes"
	if len(ps) > MaxPropagating {
		return apierr.New(apierr.Invalid, "%s: %d entries are over the limit of %d", member, len(ps), MaxPropagating)
	}
	for _, p := range ps {
		if p.UserPropertyKey == "" {
			return apierr.New(apierr.Invalid, "%s: every entry must have a userPropertyKey", member)
		}
		if (p.ThingAttribute == "") == (p.ConnectionAttribute == "") {
			return apierr.New(apierr.Invalid, "%s: %s must have exactly one of thingAttribute and connectionAttribute", member, p.UserPropertyKey)
		}
	}
	return nil
}
