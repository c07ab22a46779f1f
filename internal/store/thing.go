package store

import "muster/internal/thing"

// ThingFilter selects things. Zero members select everything.
type ThingFilter struct {
	// Attribute and Value select things with that attribute; Prefix makes Value a prefix.
	Attribute, Value string
	Prefix           bool
	// Type selects things of one type.
	Type string
}

// ThingReader reads things.
type ThingReader interface {
	// ThingByName returns the thing, or apierr.NotFound naming it.
	ThingByName(name string) (thing.Thing, error)
	// Things returns a page of the things that match, by name, and whether more
	// may follow. A filtered page may be short with more to follow; next is where to go on.
	Things(f ThingFilter, p Page[string]) (ts []thing.Thing, next string, more bool, err error)
}

// ThingWriter writes things.
type ThingWriter interface {
	// InsertThing stores a new thing. It returns apierr.AlreadyExists if the name is taken.
	InsertThing(t thing.Thing) error
	// UpdateThing stores type, attributes and version. It returns apierr.NotFound if the uid is gone.
	UpdateThing(t thing.Thing) error
	// DeleteThing removes the thing and its memberships. Its executions stay.
	DeleteThing(t thing.Thing) error
}

// TypeReader reads thing types.
type TypeReader interface {
	// TypeByName returns the thing type, or apierr.NotFound naming it.
	TypeByName(name string) (thing.Type, error)
	// Types returns a page of thing types by name and whether more follow.
	Types(p Page[string]) (ts []thing.Type, more bool, err error)
	// TypeUsed reports whether any thing has the type.
	TypeUsed(name string) (bool, error)
}

// TypeWriter writes thing types.
type TypeWriter interface {
	// InsertType stores a new type. It returns apierr.AlreadyExists if the name is taken.
	InsertType(t thing.Type) error
	// UpdateType stores everything of t but its name and ids. It returns apierr.NotFound if the uid is gone.
	UpdateType(t thing.Type) error
	// DeleteType removes the type.
	DeleteType(uid int64) error
}
