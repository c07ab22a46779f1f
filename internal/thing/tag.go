package thing

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"muster/internal/apierr"
)

// Limits of tags [iot-api, Tag] [tagging limits].
const (
	// MaxTags is how many tags a resource may have.
	MaxTags = 50
	// MaxTagKey is the length of a tag's key in characters.
	MaxTagKey = 128
	// MaxTagValue is the length of a tag's value in characters.
	MaxTagValue = 256
)

// reservedTags is the prefix that only AWS itself may use, in any case.
const reservedTags = "aws:"

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
// It fails with apierr.Invalid if a tag breaks a rule and with
// apierr.LimitExceeded if the resource would have more than MaxTags.
func AddTags(has, add []Tag) ([]Tag, error) {
	values := make(map[string]string, len(add))
	for _, t := range add {
		if err := checkTag(t); err != nil {
			return nil, err
		}
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

// CheckTagKeys returns apierr.Invalid if one of the keys cannot be a tag's key.
func CheckTagKeys(keys []string) error {
	for _, key := range keys {
		if err := checkTagKey("tagKeys", key); err != nil {
			return err
		}
	}
	return nil
}

func checkTag(t Tag) error {
	if err := checkTagKey("tags.Key", t.Key); err != nil {
		return err
	}
	if utf8.RuneCountInString(t.Value) > MaxTagValue {
		return apierr.New(apierr.Invalid, "tags.Value: the value of %s is longer than the limit of %d characters", t.Key, MaxTagValue)
	}
	return nil
}

func checkTagKey(member, key string) error {
	if n := utf8.RuneCountInString(key); n < 1 || n > MaxTagKey {
		return apierr.New(apierr.Invalid, "%s must have 1 to %d characters", member, MaxTagKey)
	}
	if !utf8.ValidString(key) || strings.ContainsFunc(key, func(c rune) bool { return !inTagKey(c) }) {
		return apierr.New(apierr.Invalid, "%s may hold only letters, digits, spaces and _.:/=+-@", member)
	}
	if len(key) >= len(reservedTags) && strings.EqualFold(key[:len(reservedTags)], reservedTags) {
		return apierr.New(apierr.Invalid, "%s must not begin with %s, which is reserved", member, reservedTags)
	}
	return nil
}

// inTagKey is [\p{L}\p{Z}\p{N}_.:/=+\-@].
func inTagKey(c rune) bool {
	return unicode.In(c, unicode.L, unicode.Z, unicode.N) || strings.ContainsRune("_.:/=+-@", c)
}
