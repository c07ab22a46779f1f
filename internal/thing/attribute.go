package thing

import (
	"maps"

	"muster/internal/apierr"
)

// Limits of attributes [thing-registry limits].
const (
	// MaxUntypedAttributes is how many attributes a thing without a type may have.
	MaxUntypedAttributes = 3
	// MaxAttributes is how many attributes a thing with a type, or a group, may have.
	MaxAttributes = 50
)

// [thing-registry limits] AWS allows 47 KB of names and values together. Nothing
// has to be counted: 50 names of 128 characters and values of 800, all of them
// ASCII, are less.

const attributesMember = "attributePayload.attributes"

// AttributeChange is what an update asks of attributes.
type AttributeChange struct {
	// Set holds the new attributes; nil leaves all as they are. One with an
	// empty value is taken away.
	Set map[string]string
	// Merge keeps the attributes that Set does not name; without it they go.
	Merge bool
}

// apply returns the attributes that result, nil if there are none. It does not
// modify has. [iot-api, AttributePayload] "To remove an attribute, call
// UpdateThing with an empty attribute value."
func (c AttributeChange) apply(has map[string]string) map[string]string {
	if c.Set == nil {
		return has
	}
	out := make(map[string]string, len(c.Set))
	if c.Merge {
		maps.Copy(out, has)
	}
	maps.Copy(out, c.Set)
	for name := range c.Set {
		if out[name] == "" {
			delete(out, name)
		}
	}
	return orNil(out)
}

// checkCount returns apierr.Invalid if there are more than limit attributes.
// whose ends the sentence, such as "a thing group".
func checkCount(attributes map[string]string, limit int, whose string) error {
	if n := len(attributes); n > limit {
		return apierr.New(apierr.Invalid, "%s: %d attributes are over the limit of %d for %s", attributesMember, n, limit, whose)
	}
	return nil
}

func orNil(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
