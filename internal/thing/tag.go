package thing

import (
	"slices"
	"strconv"
	"strings"

	"muster/internal/apierr"
)

// MaxTags is how many tags a resource may have [tagging limits].
const MaxTags = 50

// Tag is a label of a resource.
type Tag struct {
	Key, Value string
}

// TagResource returns the name under which a resource's tags are kept. It holds
// the uid, so that a resource made again under an old name inherits nothing.
func TagResource(k Kind, uid int64) string {
	return string(k) + "/" + strconv.FormatInt(uid, 10)
}

// AddTags returns the tags to store when add is put on a resource that has some:
// each key once, with the last value given for it, in the order of the keys.
// It fails with apierr.LimitExceeded if the resource would have more than MaxTags.
func AddTags(has, add []Tag) ([]Tag, error) {
	values := make(map[string]string, len(add))
	for _, t := range add {
		values[t.Key] = t.Value
	}
	total := len(values)
	for _, t := range has {
		if _, again := values[t.Key]; !again {
			total++
		}
	}
	if total > MaxTags {
		return nil, apierr.New(apierr.LimitExceeded, "tags: %d tags are over the limit of %d for a resource", total, MaxTags)
	}
	put := make([]Tag, 0, len(values))
	for key, value := range values {
		put = append(put, Tag{Key: key, Value: value})
	}
	slices.SortFunc(put, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return put, nil
}
