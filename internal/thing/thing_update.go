package thing

import (
	"maps"

	"muster/internal/apierr"
)

// Spec is what CreateThing asks for [iot-api, CreateThing].
type Spec struct {
	Name string
	// Type is the name of a thing type, or empty.
	Type       string
	Attributes map[string]string
}

// New returns the thing that s asks for, with version 1. It fails with
// apierr.Invalid if there are too many attributes. Whether the type can be used
// is asked of the type.
func New(s Spec, uid int64, id string, now int64) (Thing, error) {
	t := Thing{
		UID: uid, Name: s.Name, ID: id, Type: s.Type, Attributes: orNil(maps.Clone(s.Attributes)),
		Version: 1, CreatedAt: now,
	}
	return t, t.checkAttributes()
}

// Same reports whether s asks for just what t is, so that creating it again succeeds.
func (t Thing) Same(s Spec) bool {
	return t.Name == s.Name && t.Type == s.Type && maps.Equal(t.Attributes, s.Attributes)
}

// Update is what UpdateThing asks for [iot-api, UpdateThing].
type Update struct {
	// Type is the name of the new type; empty keeps the one it has.
	Type string
	// RemoveType takes the type away. It excludes Type.
	RemoveType bool
	Attributes AttributeChange
	// ExpectedVersion, if not nil, must be the current version.
	ExpectedVersion *int64
}

// Update returns the thing that results from u, one version on. It fails with
// apierr.VersionMismatch, or with apierr.Invalid if the result breaks a rule:
// without its type a thing may have fewer attributes.
func (t Thing) Update(u Update) (Thing, error) {
	if u.RemoveType && u.Type != "" {
		return t, apierr.New(apierr.Invalid, "thingTypeName and removeThingType exclude each other")
	}
	if err := t.CheckVersion(u.ExpectedVersion); err != nil {
		return t, err
	}
	next := t
	switch {
	case u.RemoveType:
		next.Type = ""
	case u.Type != "":
		next.Type = u.Type
	}
	next.Attributes = u.Attributes.apply(t.Attributes)
	if err := next.checkAttributes(); err != nil {
		return t, err
	}
	next.Version++
	return next, nil
}

// CheckVersion returns apierr.VersionMismatch if expected is given and is not
// the thing's version.
func (t Thing) CheckVersion(expected *int64) error {
	return checkVersion("thing", t.Name, t.Version, expected)
}

func (t Thing) checkAttributes() error {
	if t.Type == "" {
		return checkCount(t.Attributes, MaxUntypedAttributes, "a thing without a thing type")
	}
	return checkCount(t.Attributes, MaxAttributes, "a thing")
}
