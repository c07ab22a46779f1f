package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/internal/apierr"
)

// shownValue bounds how many bytes of an offending value a message repeats.
const shownValue = 128

// fault is a broken constraint on its way up to the member it is about: every
// level puts its own step in front of the path.
type fault struct {
	kind       apierr.Kind
	value      string
	null       bool // the value is absent
	path       string
	constraint string
}

// refuse returns the fault of value against constraint, at no path yet.
func refuse(value, constraint string) *fault {
	return &fault{kind: apierr.Invalid, value: value, constraint: constraint}
}

// missing returns the fault of an absent member.
func missing(member string) *fault {
	return &fault{kind: apierr.Invalid, null: true, path: member, constraint: "Member must not be null"}
}

// wrongType returns the fault of a JSON value that is not what was asked for.
func wrongType(raw []byte, want string) *fault {
	return refuse(string(raw[:min(len(raw), shownValue+1)]), "Member must be "+want)
}

// under puts step in front of the path.
func (f *fault) under(step string) *fault {
	if f.path == "" {
		f.path = step
	} else {
		f.path = step + "." + f.path
	}
	return f
}

// entry puts the step of the i-th entry of a list, from 0, in front of the
// path, spelled like AWS does: targets.1.member.
func (f *fault) entry(i int) *fault {
	return f.under(strconv.Itoa(i+1) + ".member")
}

// mapped says that the constraint is about the keys or values of a map.
func (f *fault) mapped(what string) *fault {
	f.constraint = "Map " + what + " must satisfy constraint: [" + f.constraint + "]"
	return f
}

// err returns the fault as the error a caller is told.
func (f *fault) err() error {
	value := "null"
	if !f.null {
		value = "'" + clip(f.value) + "'"
	}
	return apierr.New(f.kind, "1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s",
		value, f.path, f.constraint)
}

// clip returns s in valid UTF-8 and cut to what a message can bear.
func clip(s string) string {
	if len(s) > shownValue {
		cut := shownValue
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
