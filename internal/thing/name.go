package thing

import "muster/internal/apierr"

// Limits of names and attributes [iot-api, CreateThing] [thing-registry limits].
const (
	// MaxName is the length of the name of a thing, type or group in characters.
	MaxName = 128
	// MaxAttributeName is the length of an attribute's name in characters.
	MaxAttributeName = 128
	// MaxAttributeValue is the length of an attribute's value in characters.
	MaxAttributeValue = 800
)

// CheckName returns apierr.Invalid, naming the member, unless name can be the
// name of a thing, a thing type or a thing group.
func CheckName(member, name string) error {
	if name == "" || len(name) > MaxName || !all(name, inName) {
		return apierr.New(apierr.Invalid, "%s must have 1 to %d characters out of a-z, A-Z, 0-9, ':', '_' and '-'", member, MaxName)
	}
	return nil
}

// checkAttributeName returns apierr.Invalid, naming the member, unless name can
// be the name of an attribute.
func checkAttributeName(member, name string) error {
	if name == "" || len(name) > MaxAttributeName || !all(name, inAttributeName) {
		return apierr.New(apierr.Invalid, "%s: the name of an attribute must have 1 to %d characters out of a-z, A-Z, 0-9 and _.,@/:#-",
			member, MaxAttributeName)
	}
	return nil
}

func checkAttributeValue(member, name, value string) error {
	if len(value) > MaxAttributeValue || !all(value, inAttributeValue) {
		return apierr.New(apierr.Invalid, "%s: the value of attribute %s must have at most %d characters out of a-z, A-Z, 0-9 and _.,@/:#=[]-",
			member, name, MaxAttributeValue)
	}
	return nil
}

// The three sets of characters grow from names to values.

func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == ':' || c == '_' || c == '-'
}

func inAttributeName(c byte) bool {
	return inName(c) || c == '.' || c == ',' || c == '@' || c == '/' || c == '#'
}

func inAttributeValue(c byte) bool {
	return inAttributeName(c) || c == '=' || c == '[' || c == ']'
}

func all(s string, in func(byte) bool) bool {
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}
	return true
}
