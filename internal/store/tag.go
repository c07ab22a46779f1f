package store

import "muster/internal/thing"

// Tag is a label of a resource.
type Tag = thing.Tag

// TagReader reads tags. A resource is named by kind and uid, such as
// "job/6241…", so that one made again under an old name inherits nothing.
type TagReader interface {
	// Tags returns the tags of a resource by key; at most 50.
	Tags(resource string) ([]Tag, error)
}

// TagWriter writes tags.
type TagWriter interface {
	// PutTags adds tags or replaces their values.
	PutTags(resource string, tags []Tag) error
	// DeleteTags removes the tags with the keys given; nil removes all.
	DeleteTags(resource string, keys []string) error
}
